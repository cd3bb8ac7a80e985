/* Counting the threads of this process. */
#ifndef THREAD_COUNT_H
#define THREAD_COUNT_H

#include "check.h"

#include <dirent.h>

static inline int threads_of_this_process(void) {
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    int n = 0;
    while (readdir(tasks) != NULL)
        n++;
    closedir(tasks);
    return n - 2; /* . and .. */
}

#endif
