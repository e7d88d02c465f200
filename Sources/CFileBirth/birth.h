// When a file was made: Linux tells it by statx(2) alone, which Swift's Glibc module leaves out.
#ifndef TOMBOLO_FILE_BIRTH_H
#define TOMBOLO_FILE_BIRTH_H

#include <stdint.h>

struct tombolo_file_birth {
    uint64_t inode;
    int64_t seconds;
    int64_t nanoseconds;
};

#if defined(__linux__)
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern long syscall(long number, ...);

/// 0, or -1 where the file or the time cannot be told.
static inline int tombolo_file_birth(const char *path, struct tombolo_file_birth *birth) {
    struct statx status;
    if (syscall(SYS_statx, AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &status) != 0) return -1;
    if ((status.stx_mask & STATX_BTIME) == 0) return -1;
    birth->inode = status.stx_ino;
    birth->seconds = status.stx_btime.tv_sec;
    birth->nanoseconds = status.stx_btime.tv_nsec;
    return 0;
}
#else
#include <sys/stat.h>

static inline int tombolo_file_birth(const char *path, struct tombolo_file_birth *birth) {
    struct stat status;
    if (stat(path, &status) != 0) return -1;
    birth->inode = status.st_ino;
    birth->seconds = status.st_birthtimespec.tv_sec;
    birth->nanoseconds = status.st_birthtimespec.tv_nsec;
    return 0;
}
#endif

#endif
