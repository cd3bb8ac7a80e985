#include "tests.h"
#include <cstdlib>
int main(int c,char**v){return test_operator(c>1?atoi(v[1]):1,c>2?atoi(v[2]):20);}
