// dup(2), fcntl(2), flock(2), descriptor limits.
#include <sys/file.h>
#include <sys/resource.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

class Descriptors : public TempDirTest {};
class Locks : public TempDirTest {};

TEST_F(Descriptors, DupSharesStatusFlagsButNotCloseOnExec) {
  write_file("a", "");
  const ScopedFd fd = open(path("a"), O_RDWR | O_CLOEXEC);
  const ScopedFd copy = dup(fd);
  EXPECT_EQ(fcntl(copy, F_GETFD), 0);
  ASSERT_OK(fcntl(copy, F_SETFL, O_APPEND));
  EXPECT_TRUE(fcntl(fd, F_GETFL) & O_APPEND);
}

TEST_F(Descriptors, Dup2ReplacesAnOpenDescriptor) {
  write_file("a", "aaa");
  write_file("b", "bbb");
  const ScopedFd a = open(path("a"), O_RDONLY);
  const ScopedFd b = open(path("b"), O_RDONLY);
  EXPECT_EQ(dup2(a, b), b.get());
  char byte;
  EXPECT_EQ(read(b, &byte, 1), 1);
  EXPECT_EQ(byte, 'a');
}

TEST_F(Descriptors, Dup2OnItselfChangesNothing) {
  const ScopedFd fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(dup2(fd, fd), fd.get());
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  EXPECT_ERRNO(dup2(200, 200), EBADF);
}

TEST_F(Descriptors, Dup3) {
  const ScopedFd fd = open("/dev/null", O_RDONLY);
  const ScopedFd copy = dup3(fd, 100, O_CLOEXEC);
  EXPECT_EQ(copy.get(), 100);
  EXPECT_EQ(fcntl(100, F_GETFD), FD_CLOEXEC);
  EXPECT_ERRNO(dup3(fd, fd, 0), EINVAL);
  EXPECT_ERRNO(dup3(fd, 101, O_APPEND), EINVAL);
  EXPECT_ERRNO(dup3(-1, 101, 0), EBADF);
  EXPECT_ERRNO(dup3(fd, -1, 0), EBADF);
}

TEST_F(Descriptors, FcntlDupTakesAMinimum) {
  const ScopedFd fd = open("/dev/null", O_RDONLY);
  const ScopedFd copy = fcntl(fd, F_DUPFD, 70);
  EXPECT_GE(copy.get(), 70);
  const ScopedFd next = fcntl(fd, F_DUPFD_CLOEXEC, 70);
  EXPECT_GT(next.get(), copy.get());
  EXPECT_EQ(fcntl(next, F_GETFD), FD_CLOEXEC);
  EXPECT_ERRNO(fcntl(fd, F_DUPFD, -1), EINVAL);
  EXPECT_ERRNO(fcntl(fd, F_DUPFD, 1 << 30), EINVAL);
}

TEST_F(Descriptors, SetFlagsChangesOnlyWhatMayChange) {
  write_file("a", "");
  const ScopedFd fd = open(path("a"), O_RDONLY);
  ASSERT_OK(fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK | O_CREAT));
  const int flags = fcntl(fd, F_GETFL);
  EXPECT_EQ(flags & O_ACCMODE, O_RDONLY);
  EXPECT_TRUE(flags & O_NONBLOCK);
}

TEST_F(Descriptors, FcntlErrors) {
  EXPECT_ERRNO(fcntl(-1, F_GETFD), EBADF);
  EXPECT_ERRNO(fcntl(0, 9999), EINVAL);
}

TEST_F(Descriptors, LimitIsEMFILE) {
  EXPECT_CHILD_OK([&] {
    const rlimit limit = {16, 16};
    ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
    int last = -1;
    for (int i = 0; i < 20; i++) {
      const int fd = dup(0);
      if (fd < 0) break;
      last = fd;
    }
    EXPECT_EQ(last, 15);
    EXPECT_ERRNO(dup(0), EMFILE);
    EXPECT_ERRNO(open("/dev/null", O_RDONLY), EMFILE);
    EXPECT_ERRNO(dup2(0, 16), EBADF);
    EXPECT_ERRNO(fcntl(0, F_DUPFD, 16), EINVAL);
    int ends[2];
    close(15);
    EXPECT_ERRNO(pipe(ends), EMFILE);
    EXPECT_EQ(dup(0), 15) << "a pipe that failed half-way gives its descriptor back";
  });
}

TEST_F(Descriptors, ChildHasItsOwnTable) {
  const ScopedFd fd = open("/dev/null", O_RDONLY);
  EXPECT_CHILD_OK([&] { EXPECT_OK(close(fd)); });
  EXPECT_OK(fcntl(fd, F_GETFD));
}

TEST_F(Locks, FlockConflictsBetweenOpenings) {
  write_file("a", "");
  const ScopedFd first = open(path("a"), O_RDONLY);
  const ScopedFd second = open(path("a"), O_RDONLY);
  ASSERT_OK(flock(first, LOCK_EX));
  EXPECT_ERRNO(flock(second, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  EXPECT_ERRNO(flock(second, LOCK_SH | LOCK_NB), EWOULDBLOCK);
  ASSERT_OK(flock(first, LOCK_UN));
  EXPECT_OK(flock(second, LOCK_EX | LOCK_NB));
}

TEST_F(Locks, FlockSharedLocksAgree) {
  write_file("a", "");
  const ScopedFd first = open(path("a"), O_RDONLY);
  const ScopedFd second = open(path("a"), O_RDONLY);
  ASSERT_OK(flock(first, LOCK_SH));
  EXPECT_OK(flock(second, LOCK_SH | LOCK_NB));
  EXPECT_ERRNO(flock(second, LOCK_EX | LOCK_NB), EWOULDBLOCK);
}

TEST_F(Locks, FlockBelongsToTheOpenFile) {
  write_file("a", "");
  ScopedFd first = open(path("a"), O_RDONLY);
  ScopedFd copy = dup(first);
  const ScopedFd second = open(path("a"), O_RDONLY);
  ASSERT_OK(flock(first, LOCK_EX));
  first.reset();
  EXPECT_ERRNO(flock(second, LOCK_EX | LOCK_NB), EWOULDBLOCK) << "a duplicate keeps it";
  copy.reset();
  EXPECT_OK(flock(second, LOCK_EX | LOCK_NB));
}

TEST_F(Locks, FlockErrors) {
  EXPECT_ERRNO(flock(-1, LOCK_EX), EBADF);
  const ScopedFd fd = open(path("a"), O_CREAT | O_RDONLY, 0600);
  EXPECT_ERRNO(flock(fd, 0), EINVAL);
}

struct flock range(short type, off_t start, off_t length) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return lock;
}

TEST_F(Locks, RecordLocksConflictBetweenProcesses) {
  const ScopedFd fd = open(path("a"), O_CREAT | O_RDWR, 0600);
  struct flock lock = range(F_WRLCK, 10, 10);
  ASSERT_OK(fcntl(fd, F_SETLK, &lock));
  const pid_t owner = getpid();
  EXPECT_CHILD_OK([&] {
    struct flock wanted = range(F_WRLCK, 15, 10);
    EXPECT_ERRNO(fcntl(fd, F_SETLK, &wanted), EAGAIN);
    wanted = range(F_WRLCK, 15, 10);
    ASSERT_OK(fcntl(fd, F_GETLK, &wanted));
    EXPECT_EQ(wanted.l_type, F_WRLCK);
    EXPECT_EQ(wanted.l_pid, owner);
    EXPECT_EQ(wanted.l_start, 10);
    EXPECT_EQ(wanted.l_len, 10);
    wanted = range(F_WRLCK, 20, 10);
    EXPECT_OK(fcntl(fd, F_SETLK, &wanted));
    wanted = range(F_RDLCK, 0, 10);
    EXPECT_OK(fcntl(fd, F_SETLK, &wanted));
  });
}

TEST_F(Locks, RecordLockIsSplitByUnlocking) {
  const ScopedFd fd = open(path("a"), O_CREAT | O_RDWR, 0600);
  struct flock lock = range(F_WRLCK, 0, 30);
  ASSERT_OK(fcntl(fd, F_SETLK, &lock));
  lock = range(F_UNLCK, 10, 10);
  ASSERT_OK(fcntl(fd, F_SETLK, &lock));
  EXPECT_CHILD_OK([&] {
    struct flock wanted = range(F_WRLCK, 10, 10);
    EXPECT_OK(fcntl(fd, F_SETLK, &wanted));
    wanted = range(F_WRLCK, 9, 1);
    EXPECT_ERRNO(fcntl(fd, F_SETLK, &wanted), EAGAIN);
    wanted = range(F_WRLCK, 20, 1);
    EXPECT_ERRNO(fcntl(fd, F_SETLK, &wanted), EAGAIN);
  });
}

TEST_F(Locks, ClosingAnyDescriptorDropsRecordLocks) {
  const ScopedFd fd = open(path("a"), O_CREAT | O_RDWR, 0600);
  struct flock lock = range(F_WRLCK, 0, 0);
  ASSERT_OK(fcntl(fd, F_SETLK, &lock));
  {
    const ScopedFd other = open(path("a"), O_RDONLY);
  }
  EXPECT_CHILD_OK([&] {
    struct flock wanted = range(F_WRLCK, 0, 0);
    EXPECT_OK(fcntl(fd, F_SETLK, &wanted));
  });
}

TEST_F(Locks, RecordLockWaits) {
  const ScopedFd fd = open(path("a"), O_CREAT | O_RDWR, 0600);
  Rendezvous locked;
  const pid_t child = fork_child([&] {
    struct flock lock = range(F_WRLCK, 0, 0);
    ASSERT_OK(fcntl(fd, F_SETLK, &lock));
    locked.notify();
    sleep_milliseconds(50);
  });
  ASSERT_TRUE(locked.wait());
  struct flock lock = range(F_WRLCK, 0, 0);
  EXPECT_OK(fcntl(fd, F_SETLKW, &lock)) << "granted when the owner exits";
  EXPECT_EXITED(wait_for(child), 0);
}

TEST_F(Locks, RecordLockDeadlockIsDetected) {
  const ScopedFd fd = open(path("a"), O_CREAT | O_RDWR, 0600);
  struct flock lock = range(F_WRLCK, 0, 1);
  ASSERT_OK(fcntl(fd, F_SETLK, &lock));
  Rendezvous locked;
  const pid_t child = fork_child([&] {
    struct flock second = range(F_WRLCK, 1, 1);
    ASSERT_OK(fcntl(fd, F_SETLK, &second));
    locked.notify();
    struct flock first = range(F_WRLCK, 0, 1);
    EXPECT_OK(fcntl(fd, F_SETLKW, &first));
  });
  ASSERT_TRUE(locked.wait());
  ASSERT_TRUE(wait_for_state(child, 'S'));
  lock = range(F_WRLCK, 1, 1);
  EXPECT_ERRNO(fcntl(fd, F_SETLKW, &lock), EDEADLK);
  lock = range(F_UNLCK, 0, 1);
  EXPECT_OK(fcntl(fd, F_SETLK, &lock));
  EXPECT_EXITED(wait_for(child), 0);
}

TEST_F(Locks, OpenFileLocksConflictWithinAProcess) {
  const ScopedFd first = open(path("a"), O_CREAT | O_RDWR, 0600);
  const ScopedFd second = open(path("a"), O_RDWR);
  struct flock lock = range(F_WRLCK, 0, 10);
  ASSERT_OK(fcntl(first, F_OFD_SETLK, &lock));
  lock = range(F_WRLCK, 5, 10);
  EXPECT_ERRNO(fcntl(second, F_OFD_SETLK, &lock), EAGAIN);
  ASSERT_OK(fcntl(second, F_OFD_GETLK, &lock));
  EXPECT_EQ(lock.l_pid, -1);
  lock = range(F_WRLCK, 5, 10);
  lock.l_pid = 1;
  EXPECT_ERRNO(fcntl(second, F_OFD_SETLK, &lock), EINVAL);
}

TEST_F(Locks, RecordLockErrors) {
  const ScopedFd reader = open(path("a"), O_CREAT | O_RDONLY, 0600);
  const ScopedFd writer = open(path("a"), O_WRONLY);
  struct flock lock = range(F_WRLCK, 0, 1);
  EXPECT_ERRNO(fcntl(reader, F_SETLK, &lock), EBADF);
  lock = range(F_RDLCK, 0, 1);
  EXPECT_ERRNO(fcntl(writer, F_SETLK, &lock), EBADF);
  lock = range(F_WRLCK, -1, 1);
  EXPECT_ERRNO(fcntl(writer, F_SETLK, &lock), EINVAL);
  lock = range(77, 0, 1);
  EXPECT_ERRNO(fcntl(writer, F_SETLK, &lock), EINVAL);
  EXPECT_ERRNO(sys(SYS_fcntl, writer.get(), F_SETLK, low_address()), EFAULT);
}

}  // namespace
