/* LD_PRELOAD: the read number `fail_read` of a file whose name has "foodsort.db" in it fails with EIO, once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

int fail_read = 0;

static int fails(int fd) {
  char link[64], name[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, name, sizeof name - 1);
  if (fail_read <= 0 || length < 0) return 0;
  name[length] = 0;
  if (!strstr(name, "foodsort.db") || --fail_read) return 0;
  errno = EIO;
  return 1;
}

ssize_t pread64(int fd, void *to, size_t count, off64_t from) {
  ssize_t (*real)(int, void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pread64");
  return fails(fd) ? -1 : real(fd, to, count, from);
}

ssize_t pread(int fd, void *to, size_t count, off_t from) {
  ssize_t (*real)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread");
  return fails(fd) ? -1 : real(fd, to, count, from);
}

ssize_t read(int fd, void *to, size_t count) {
  ssize_t (*real)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
  return fails(fd) ? -1 : real(fd, to, count);
}
