/* The first process of the emulated machine: runs the lines of /commands one after the other (NAME=VALUE sets a variable,
   anything else is a program and its arguments, separated by spaces), reports on the serial line, and switches off. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define MOST_WORDS 32

static int run(char *line) {
    char *words[MOST_WORDS + 1];
    int count = 0;
    for (char *word = strtok(line, " "); word && count < MOST_WORDS; word = strtok(NULL, " "))
        words[count++] = word;
    words[count] = NULL;
    pid_t child = fork();
    if (child == 0) {
        execv(words[0], words);
        perror(words[0]);
        _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void use_serial_line(void) {
    mknod("/dev/ttyS0", S_IFCHR | 0600, makedev(4, 64));
    int serial = open("/dev/ttyS0", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(serial, fd);
    struct termios mode;
    tcgetattr(serial, &mode);
    cfmakeraw(&mode);
    tcsetattr(serial, TCSANOW, &mode);
}

/* Bochs ends when this word is written to its port. */
static void switch_off(void) {
    tcdrain(1);
    if (iopl(3) == 0)
        for (const char *letter = "Shutdown"; *letter; letter++)
            outb(*letter, 0x8900);
}

int main(void) {
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
    use_serial_line();
    printf("@@ started\n");
    fflush(stdout);
    FILE *commands = fopen("/commands", "r");
    static char line[4096];
    int failures = 0;
    while (commands && fgets(line, sizeof line, commands)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0')
            continue;
        if (line[0] != '/') {
            putenv(strdup(line));
            continue;
        }
        int status = run(line);
        failures += status != 0;
        if (status != 0)
            printf("exit status %d\n", status);
        fflush(stdout);
    }
    printf("@@ finished with %d failures\n", failures);
    fflush(stdout);
    switch_off();
    for (;;)
        pause();
}
