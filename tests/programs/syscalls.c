/* Preloaded into a process: fails one of its calls below two folders, by the struct that syscalls.py maps and fills. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN, READ, WRITE, SYNC, RENAME, LINK, UNLINK, MKDIR, STAT, CHMOD, UTIME, CALLS };
enum { NOTHING, FAIL, DO_AND_FAIL, KILL };

static struct {
    int32_t pid;    /* the process that is meant; its children are not */
    int32_t plain;  /* whether the filesystem has no rename without replacement */
    int32_t call, number, action, error;
    int32_t hits;
    int32_t counts[CALLS];
    char where[1024];
    char below[2][256];
} *control;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FOODSORT_TEST_SYSCALLS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *memory = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory != MAP_FAILED) control = memory;
}

/* Whether a call is on something below the folders; `place` gets its path. */
static int concerns(int folder, const char *name, char *place, size_t size) {
    if (!control || control->pid != getpid()) return 0;
    int before = errno;
    size_t length = 0;
    if (!name || name[0] != '/') {
        char link[40];
        if (folder == AT_FDCWD) strcpy(link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t got = readlink(link, place, size - 1);
        length = got < 0 ? 0 : (size_t)got;
    }
    snprintf(place + length, size - length, "%s%s", length && name ? "/" : "", name ? name : "");
    errno = before;
    for (int i = 0; i < 2; i++) {
        size_t prefix = strlen(control->below[i]);
        if (prefix && !strncmp(place, control->below[i], prefix)) return strstr(place, "status.json") == NULL;
    }
    return 0;
}

static int action_of(int call, int folder, const char *name) {
    char place[1024];
    if (!concerns(folder, name, place, sizeof place)) return NOTHING;
    int number = __atomic_add_fetch(&control->counts[call], 1, __ATOMIC_SEQ_CST);
    if (control->action == NOTHING || call != control->call || number != control->number) return NOTHING;
    control->hits++;
    snprintf(control->where, sizeof control->where, "%s", place);
    if (control->action == KILL) kill(getpid(), SIGKILL);
    return control->action;
}

#define REAL(function) \
    static __typeof__(&function) real; \
    if (!real) real = (__typeof__(&function))dlsym(RTLD_NEXT, #function)

#define CALL(function, call, folder, name, ...) \
    REAL(function); \
    int action = action_of(call, folder, name); \
    if (action == FAIL) { errno = control->error; return -1; } \
    __typeof__(real(__VA_ARGS__)) result = real(__VA_ARGS__); \
    if (action == DO_AND_FAIL) { errno = control->error; return -1; } \
    return result

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *name, int flags, ...) { MODE(flags) CALL(open, OPEN, AT_FDCWD, name, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags) CALL(open64, OPEN, AT_FDCWD, name, name, flags, mode); }
int openat(int at, const char *name, int flags, ...) { MODE(flags) CALL(openat, OPEN, at, name, at, name, flags, mode); }
int openat64(int at, const char *name, int flags, ...) { MODE(flags) CALL(openat64, OPEN, at, name, at, name, flags, mode); }
ssize_t read(int fd, void *to, size_t size) { CALL(read, READ, fd, NULL, fd, to, size); }
ssize_t pread64(int fd, void *to, size_t size, off64_t at) { CALL(pread64, READ, fd, NULL, fd, to, size, at); }
ssize_t write(int fd, const void *from, size_t size) { CALL(write, WRITE, fd, NULL, fd, from, size); }
ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at) { CALL(pwrite64, WRITE, fd, NULL, fd, from, size, at); }
int fsync(int fd) { CALL(fsync, SYNC, fd, NULL, fd); }
int fdatasync(int fd) { CALL(fdatasync, SYNC, fd, NULL, fd); }
int rename(const char *old, const char *new) { CALL(rename, RENAME, AT_FDCWD, old, old, new); }
int renameat(int at, const char *old, int to, const char *new) { CALL(renameat, RENAME, at, old, at, old, to, new); }
int renameat2(int at, const char *old, int to, const char *new, unsigned flags) {
    char place[1024];
    if (flags && control && control->plain && concerns(at, old, place, sizeof place)) { errno = EINVAL; return -1; }
    CALL(renameat2, RENAME, at, old, at, old, to, new, flags);
}
int link(const char *old, const char *new) { CALL(link, LINK, AT_FDCWD, old, old, new); }
int linkat(int at, const char *old, int to, const char *new, int flags) { CALL(linkat, LINK, at, old, at, old, to, new, flags); }
int unlink(const char *name) { CALL(unlink, UNLINK, AT_FDCWD, name, name); }
int unlinkat(int at, const char *name, int flags) { CALL(unlinkat, UNLINK, at, name, at, name, flags); }
int rmdir(const char *name) { CALL(rmdir, UNLINK, AT_FDCWD, name, name); }
int mkdir(const char *name, mode_t mode) { CALL(mkdir, MKDIR, AT_FDCWD, name, name, mode); }
int mkdirat(int at, const char *name, mode_t mode) { CALL(mkdirat, MKDIR, at, name, at, name, mode); }
int stat64(const char *name, struct stat64 *to) { CALL(stat64, STAT, AT_FDCWD, name, name, to); }
int lstat64(const char *name, struct stat64 *to) { CALL(lstat64, STAT, AT_FDCWD, name, name, to); }
int fstat64(int fd, struct stat64 *to) { CALL(fstat64, STAT, fd, NULL, fd, to); }
int fstatat64(int at, const char *name, struct stat64 *to, int flags) { CALL(fstatat64, STAT, at, name, at, name, to, flags); }
int fchmod(int fd, mode_t mode) { CALL(fchmod, CHMOD, fd, NULL, fd, mode); }
int futimens(int fd, const struct timespec times[2]) { CALL(futimens, UTIME, fd, NULL, fd, times); }
