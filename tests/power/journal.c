/* Journals what a process does to the database whose path begins with SIGHTLINE_JOURNAL_PREFIX:
 * writes, truncations and syncs, in their order, into SIGHTLINE_JOURNAL. Loaded by LD_PRELOAD.
 *
 * A record is: char kind (w, t, s); char file (0 database, 1 log); int64 offset; int64 length;
 * and for w the bytes. The shared memory of the log is left out: it is made anew on recovery. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MOST = 4096 };
static signed char kind_of[MOST]; /* 0: not ours; 1: database; 2: its log */
static int journal = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static void note(int fd, const char *path) {
  const char *prefix = getenv("SIGHTLINE_JOURNAL_PREFIX");
  if (fd < 0 || fd >= MOST || !prefix) return;
  kind_of[fd] = 0;
  if (strncmp(path, prefix, strlen(prefix))) return;
  const char *rest = path + strlen(prefix);
  kind_of[fd] = !strcmp(rest, "") ? 1 : !strcmp(rest, "-wal") ? 2 : 0;
}

static void record(char kind, int fd, int64_t offset, int64_t length, const void *bytes) {
  pthread_mutex_lock(&lock);
  if (journal < 0) {
    REAL(open);
    journal = real(getenv("SIGHTLINE_JOURNAL"), O_WRONLY | O_CREAT | O_APPEND, 0600);
  }
  char head[18] = {kind, (char)(kind_of[fd] - 1)};
  memcpy(head + 2, &offset, 8);
  memcpy(head + 10, &length, 8);
  struct iovec parts[2] = {{head, sizeof head}, {(void *)bytes, kind == 'w' ? (size_t)length : 0}};
  if (writev(journal, parts, 2) < 0) abort();
  pthread_mutex_unlock(&lock);
}

static int ours(int fd) { return fd >= 0 && fd < MOST && kind_of[fd]; }

int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = va_arg(more, mode_t);
  va_end(more);
  REAL(open);
  int fd = real(path, flags, mode);
  note(fd, path);
  return fd;
}

int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = va_arg(more, mode_t);
  va_end(more);
  REAL(open64);
  int fd = real(path, flags, mode);
  note(fd, path);
  return fd;
}

int close(int fd) {
  if (fd >= 0 && fd < MOST) kind_of[fd] = 0;
  REAL(close);
  return real(fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  REAL(pwrite64);
  ssize_t done = real(fd, bytes, length, offset);
  if (ours(fd) && done > 0) record('w', fd, offset, done, bytes);
  return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  return pwrite64(fd, bytes, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(write);
  off_t offset = ours(fd) ? lseek(fd, 0, SEEK_CUR) : 0;
  ssize_t done = real(fd, bytes, length);
  if (ours(fd) && done > 0) record('w', fd, offset, done, bytes);
  return done;
}

int ftruncate64(int fd, off64_t length) {
  REAL(ftruncate64);
  int done = real(fd, length);
  if (ours(fd) && !done) record('t', fd, 0, length, NULL);
  return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fsync(int fd) {
  REAL(fsync);
  int done = real(fd);
  if (ours(fd) && !done) record('s', fd, 0, 0, NULL);
  return done;
}

int fdatasync(int fd) {
  REAL(fdatasync);
  int done = real(fd);
  if (ours(fd) && !done) record('s', fd, 0, 0, NULL);
  return done;
}
