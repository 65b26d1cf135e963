/* Preloaded into a program, it lets fsync and fdatasync fail with EIO: for the files whose path
 * contains the text in the file that POINTSMAN_FAILING_FSYNC names, for as long as that file is
 * there and not empty. Programs that are linked statically do not notice it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(int fd)
{
    const char *order = getenv("POINTSMAN_FAILING_FSYNC");
    FILE *file = order ? fopen(order, "re") : NULL;
    char part[256] = "";
    char link[64];
    char path[PATH_MAX];
    ssize_t length;

    if (file == NULL)
        return 0;
    if (fgets(part, sizeof part, file) == NULL)
        part[0] = '\0';
    fclose(file);
    part[strcspn(part, "\n")] = '\0';
    if (part[0] == '\0')
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = '\0';
    return strstr(path, part) != NULL;
}

static int sync_or_fail(int fd, const char *name)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

    if (fails(fd)) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

int fsync(int fd) { return sync_or_fail(fd, "fsync"); }

int fdatasync(int fd) { return sync_or_fail(fd, "fdatasync"); }
