/* Counting the threads of this process. */
#ifndef THREAD_COUNT_H
#define THREAD_COUNT_H

#include "check.h"

#include <dirent.h>
#include <time.h>

static inline int threads_of_this_process(void) {
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    int n = 0;
    while (readdir(tasks) != NULL)
        n++;
    closedir(tasks);
    return n - 2; /* . and .. */
}

/* Whether they come down to so many: a thread that was joined may be seen for a moment longer, above all under an
   emulator. */
static inline int threads_come_down_to(int expected) {
    const struct timespec moment = {0, 5 * 1000 * 1000};
    for (int tries = 0; tries < 400 && threads_of_this_process() > expected; tries++)
        nanosleep(&moment, NULL);
    return threads_of_this_process() == expected;
}

#endif
