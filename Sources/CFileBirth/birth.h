// The time of a file's creation, and the times of its last changes. Linux tells the first by statx(2) alone, which Swift's
// Glibc module leaves out.
#ifndef TOMBOLO_FILE_BIRTH_H
#define TOMBOLO_FILE_BIRTH_H

#include <stdint.h>

struct tombolo_file_birth {
    uint64_t inode;
    int64_t seconds;
    int64_t nanoseconds;
};

/// The properties of an open file that change with its contents.
struct tombolo_file_stamp {
    uint64_t inode;
    int64_t size;
    int64_t modified_seconds, modified_nanoseconds;
    int64_t changed_seconds, changed_nanoseconds;
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

/// 0, or -1 where the system does not tell. 0x1000 is AT_EMPTY_PATH: the file of the descriptor.
static inline int tombolo_file_stamp(int descriptor, struct tombolo_file_stamp *stamp) {
    struct statx status;
    unsigned wanted = STATX_INO | STATX_SIZE | STATX_MTIME | STATX_CTIME;
    if (syscall(SYS_statx, descriptor, "", 0x1000, wanted, &status) != 0) return -1;
    stamp->inode = status.stx_ino;
    stamp->size = (int64_t)status.stx_size;
    stamp->modified_seconds = status.stx_mtime.tv_sec;
    stamp->modified_nanoseconds = status.stx_mtime.tv_nsec;
    stamp->changed_seconds = status.stx_ctime.tv_sec;
    stamp->changed_nanoseconds = status.stx_ctime.tv_nsec;
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

static inline int tombolo_file_stamp(int descriptor, struct tombolo_file_stamp *stamp) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) return -1;
    stamp->inode = status.st_ino;
    stamp->size = status.st_size;
    stamp->modified_seconds = status.st_mtimespec.tv_sec;
    stamp->modified_nanoseconds = status.st_mtimespec.tv_nsec;
    stamp->changed_seconds = status.st_ctimespec.tv_sec;
    stamp->changed_nanoseconds = status.st_ctimespec.tv_nsec;
    return 0;
}
#endif

#endif
