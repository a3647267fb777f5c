// Calls on names, files and descriptors when an allocation fails: ENOMEM and nothing done, or success.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include "support/each_allocation.h"

namespace {
using namespace conformance;

class EachAllocationOfNames : public TempDirTest {
 protected:
  // Longer than what a dentry holds without an allocation.
  const char* name_ =
      "a name that is too long to be stored within the entry of the directory itself, so it is apart";
  void sweep(const SweptCall& swept, std::vector<int> errors = {ENOMEM}) {
    AllocationSweep sweep(std::move(errors));
    SWEEP_OR_SKIP(sweep);
    sweep.run(swept);
  }
};

TEST_F(EachAllocationOfNames, OpenCreates) {
  sweep({.call = [&] { return long{open(path(name_), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600)}; },
         .undo = [&](long fd) { close_result(fd), unlink(path(name_)); },
         .unchanged = [&] { return !exists(name_); }});
}

TEST_F(EachAllocationOfNames, OpenWithoutAName) {
  sweep({.call = [&] { return long{open(path(), O_TMPFILE | O_RDWR, 0600)}; }, .undo = close_result});
}

TEST_F(EachAllocationOfNames, OpenOfAnExistingFile) {
  write_file(name_, "1");
  sweep({.call = [&] { return long{open(path(name_), O_RDWR | O_TRUNC)}; }, .undo = close_result});
}

TEST_F(EachAllocationOfNames, NameForAFileWithoutOne) {
  ScopedFd fd = open(path(), O_TMPFILE | O_RDWR, 0600);
  ASSERT_OK(fd);
  const std::string place = "/proc/self/fd/" + std::to_string(fd.get());
  ScopedFd other;
  sweep({.prepare = [&] { other = open(path(), O_TMPFILE | O_RDWR, 0600); },
         .call =
             [&] {
               return long{linkat(AT_FDCWD, ("/proc/self/fd/" + std::to_string(other.get())).c_str(),
                                  AT_FDCWD, path(name_), AT_SYMLINK_FOLLOW)};
             },
         .undo = [&](long) { unlink(path(name_)); },
         .unchanged = [&] { return !exists(name_); }});
}

TEST_F(EachAllocationOfNames, Mkdir) {
  sweep({.call = [&] { return long{mkdir(path(name_), 0700)}; },
         .undo = [&](long) { rmdir(path(name_)); },
         .unchanged = [&] { return !exists(name_); }});
}

TEST_F(EachAllocationOfNames, Rmdir) {
  sweep({.prepare = [&] { mkdir(path(name_), 0700); },
         .call = [&] { return long{rmdir(path(name_))}; },
         .unchanged = [&] { return exists(name_); }});
}

TEST_F(EachAllocationOfNames, Mknod) {
  sweep({.call = [&] { return long{mknod(path(name_), S_IFIFO | 0600, 0)}; },
         .undo = [&](long) { unlink(path(name_)); },
         .unchanged = [&] { return !exists(name_); }});
}

TEST_F(EachAllocationOfNames, OpenOfAFifo) {
  ASSERT_OK(mknod(path("fifo"), S_IFIFO | 0600, 0));
  sweep({.call = [&] { return long{open(path("fifo"), O_RDWR | O_NONBLOCK)}; }, .undo = close_result});
}

TEST_F(EachAllocationOfNames, Symlink) {
  sweep({.call =
             [&] {
               return long{symlink("a target of the link that is rather long as well, so that it needs room",
                                   path(name_))};
             },
         .undo = [&](long) { unlink(path(name_)); },
         .unchanged =
             [&] {
               struct stat status;
               return lstat(path(name_), &status) != 0 && errno == ENOENT;
             }});
}

TEST_F(EachAllocationOfNames, Readlink) {
  ASSERT_OK(symlink("target", path(name_)));
  char text[100];
  sweep({.call = [&] { return long{readlink(path(name_), text, sizeof text)}; }});
}

TEST_F(EachAllocationOfNames, WalkThroughLinks) {
  ASSERT_OK(mkdir(path("directory"), 0700));
  ASSERT_OK(symlink(path("directory"), path("link")));
  ASSERT_OK(symlink("link", path("second")));
  write_file("directory/file", "1");
  struct stat status;
  sweep({.call = [&] { return long{stat(path("second/../second/file"), &status)}; }});
}

TEST_F(EachAllocationOfNames, Link) {
  write_file("file", "1");
  sweep({.call = [&] { return long{link(path("file"), path(name_))}; },
         .undo = [&](long) { unlink(path(name_)); },
         .unchanged = [&] { return !exists(name_); }});
}

TEST_F(EachAllocationOfNames, Unlink) {
  sweep({.prepare = [&] { write_file(name_, "1"); },
         .call = [&] { return long{unlink(path(name_))}; },
         .unchanged = [&] { return read_file(name_) == "1"; }});
}

TEST_F(EachAllocationOfNames, Rename) {
  sweep({.prepare = [&] { write_file("file", "1"), write_file(name_, "2"); },
         .call = [&] { return long{rename(path("file"), path(name_))}; },
         .undo = [&](long) { unlink(path(name_)); },
         .unchanged = [&] { return read_file("file") == "1" && read_file(name_) == "2"; }});
}

TEST_F(EachAllocationOfNames, RenameOfADirectory) {
  ASSERT_OK(mkdir(path("other"), 0700));
  sweep({.prepare = [&] { mkdir(path(name_), 0700); },
         .call = [&] { return long{rename(path(name_), path("other/place"))}; },
         .undo = [&](long) { rmdir(path("other/place")); },
         .unchanged = [&] { return exists(name_) && !exists("other/place"); }});
}

TEST_F(EachAllocationOfNames, Setxattr) {
  write_file("file", "1");
  const std::string value(300, 'x');
  if (setxattr(path("file"), "user.other", "1", 1, 0) != 0) GTEST_SKIP() << "no attributes here";
  char text[400];
  sweep(
      {.call = [&] { return long{setxattr(path("file"), "user.sweep", value.data(), value.size(), 0)}; },
       .undo = [&](long) { removexattr(path("file"), "user.sweep"); },
       .unchanged =
           [&] { return getxattr(path("file"), "user.sweep", text, sizeof text) < 0 && errno == ENODATA; }});
  sweep({.call = [&] { return long{getxattr(path("file"), "user.other", text, sizeof text)}; }});
  sweep({.call = [&] { return long{listxattr(path("file"), text, sizeof text)}; }});
}

TEST_F(EachAllocationOfNames, Getdents) {
  for (int i = 0; i < 20; i++) write_file(std::to_string(i), "");
  ScopedFd fd = open(path(), O_RDONLY | O_DIRECTORY);
  char entries[4096];
  sweep({.prepare = [&] { lseek(fd, 0, SEEK_SET); },
         .call = [&] { return sys(SYS_getdents64, fd.get(), entries, sizeof entries); }});
}

TEST_F(EachAllocationOfNames, Getcwd) {
  char text[4096];
  sweep({.call = [&] { return sys(SYS_getcwd, text, sizeof text); }});
}

TEST_F(EachAllocationOfNames, Statfs) {
  struct statfs status;
  sweep({.call = [&] { return long{statfs(path(), &status)}; }});
}

TEST_F(EachAllocationOfNames, InotifyAddWatch) {
  ScopedFd fd = inotify_init1(IN_CLOEXEC);
  ASSERT_OK(fd);
  sweep({.call = [&] { return long{inotify_add_watch(fd, path(), IN_CREATE)}; },
         .undo =
             [&](long watch) {
               char events[100];
               inotify_rm_watch(fd, (int)watch);
               EXPECT_GT(read(fd, events, sizeof events), 0);  // IN_IGNORED
             }});
}

// What a watcher is told of needs memory, which must not fail the call that it is told of.
TEST_F(EachAllocationOfNames, CreateUnderWatch) {
  ScopedFd fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  ASSERT_OK(inotify_add_watch(fd, path(), IN_CREATE));
  char events[4096];
  sweep({.call = [&] { return long{mkdir(path(name_), 0700)}; },
         .undo =
             [&](long) {
               rmdir(path(name_));
               while (read(fd, events, sizeof events) > 0) {
               }
             },
         .unchanged = [&] { return !exists(name_); }});
}

TEST_F(EachAllocationOfNames, MountTmpfs) {
  ASSERT_OK(mkdir(path("place"), 0700));
  struct stat before, after;
  ASSERT_OK(stat(path("place"), &before));
  sweep({.call = [&] { return long{mount("none", path("place"), "tmpfs", 0, "size=1m")}; },
         .undo = [&](long) { EXPECT_OK(umount2(path("place"), 0)); },
         .unchanged = [&] { return stat(path("place"), &after) == 0 && after.st_dev == before.st_dev; }});
}

TEST_F(EachAllocationOfNames, BindMount) {
  ASSERT_OK(mkdir(path("place"), 0700));
  sweep({.call = [&] { return long{mount("/proc", path("place"), nullptr, MS_BIND | MS_REC, nullptr)}; },
         .undo = [&](long) { EXPECT_OK(umount2(path("place"), MNT_DETACH)); }});
}

TEST_F(EachAllocationOfNames, WriteToAFile) {
  ScopedFd fd = open(path("file"), O_CREAT | O_RDWR, 0600);
  const std::string data(100000, 'x');
  sweep({.call = [&] { return long{pwrite(fd, data.data(), data.size(), 0)}; },
         .undo = [&](long) { EXPECT_OK(ftruncate(fd, 0)); }});
}

TEST_F(EachAllocationOfNames, RecordLock) {
  write_file("file", "1234567890");
  ScopedFd fd = open(path("file"), O_RDWR);
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 100};
  struct flock middle = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = 40, .l_len = 10};
  struct flock nothing = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
  sweep({.call = [&] { return long{fcntl(fd, F_SETLK, &whole)}; },
         .undo = [&](long) { EXPECT_OK(fcntl(fd, F_SETLK, &nothing)); }},
        {ENOMEM, ENOLCK});
  sweep({.prepare = [&] { EXPECT_OK(fcntl(fd, F_SETLK, &whole)); },
         .call = [&] { return long{fcntl(fd, F_SETLK, &middle)}; },
         .undo = [&](long) { EXPECT_OK(fcntl(fd, F_SETLK, &nothing)); }},
        {ENOMEM, ENOLCK});
  sweep({.call = [&] { return long{flock(fd, LOCK_EX)}; },
         .undo = [&](long) { EXPECT_OK(flock(fd, LOCK_UN)); }},
        {ENOMEM, ENOLCK});
}

TEST_F(EachAllocationOfNames, FilesOfProc) {
  for (const char* name : {"maps", "status", "stat", "mountinfo", "fd", "cmdline", "limits"}) {
    SCOPED_TRACE(name);
    const std::string file = std::string("/proc/self/") + name;
    char text[4096];
    sweep({.call = [&] {
      const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
      if (fd < 0) return -1l;
      const long count = strcmp(name, "fd") == 0 ? sys(SYS_getdents64, fd, text, sizeof text)
                                                 : (long)read(fd, text, sizeof text);
      const int code = errno;
      close(fd);
      errno = code;
      return count;
    }});
  }
}

// ---- Descriptors of other things ----

class EachAllocation : public EachAllocationOfNames {};

TEST_F(EachAllocation, Pipe) {
  int ends[2] = {-1, -1};
  sweep({.prepare = [&] { ends[0] = ends[1] = -1; },
         .call = [&] { return long{pipe2(ends, O_CLOEXEC)}; },
         .undo = [&](long) { close(ends[0]), close(ends[1]); },
         .unchanged = [&] { return ends[0] == -1 && ends[1] == -1; }});
}

TEST_F(EachAllocation, WriteToAPipe) {
  int ends[2];
  ASSERT_OK(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
  ScopedFd reader = ends[0], writer = ends[1];
  std::string data(20000, 'x'), taken(20000, ' ');
  sweep({.call = [&] { return (long)write(writer, data.data(), data.size()); },
         .undo = [&](long count) { EXPECT_EQ(read(reader, taken.data(), taken.size()), count); },
         .unchanged = [&] { return read(reader, taken.data(), 1) < 0; }});
}

TEST_F(EachAllocation, SpliceAndTee) {
  write_file("file", std::string(8192, 'x'));
  ScopedFd file = open(path("file"), O_RDONLY);
  int first[2], second[2];
  ASSERT_OK(pipe2(first, O_CLOEXEC | O_NONBLOCK));
  ASSERT_OK(pipe2(second, O_CLOEXEC | O_NONBLOCK));
  char data[8192];
  loff_t offset;
  sweep({.prepare = [&] { offset = 0; },
         .call = [&] { return (long)splice(file, &offset, first[1], nullptr, 8192, 0); },
         .undo =
             [&](long) {
               while (read(first[0], data, sizeof data) > 0) {
               }
             }});
  ASSERT_EQ(write(first[1], data, 100), 100);
  sweep({.call = [&] { return (long)tee(first[0], second[1], 100, 0); },
         .undo = [&](long count) { EXPECT_EQ(read(second[0], data, sizeof data), count); }});
  for (int fd : {first[0], first[1], second[0], second[1]}) close(fd);
}

TEST_F(EachAllocation, Eventfd) {
  sweep({.call = [] { return long{eventfd(0, EFD_CLOEXEC)}; }, .undo = close_result});
}
TEST_F(EachAllocation, Timerfd) {
  sweep({.call = [] { return long{timerfd_create(CLOCK_MONOTONIC, 0)}; }, .undo = close_result});
}
TEST_F(EachAllocation, Signalfd) {
  sigset_t set;
  sigemptyset(&set);
  sweep({.call = [&] { return long{signalfd(-1, &set, 0)}; }, .undo = close_result});
}
TEST_F(EachAllocation, Epoll) {
  sweep({.call = [] { return long{epoll_create1(0)}; }, .undo = close_result});
}
TEST_F(EachAllocation, Inotify) {
  sweep({.call = [] { return long{inotify_init1(0)}; }, .undo = close_result});
}

TEST_F(EachAllocation, EpollAdd) {
  ScopedFd set = epoll_create1(0), event = eventfd(0, 0);
  epoll_event wanted = {.events = EPOLLIN};
  sweep({.call = [&] { return long{epoll_ctl(set, EPOLL_CTL_ADD, event, &wanted)}; },
         .undo = [&](long) { EXPECT_OK(epoll_ctl(set, EPOLL_CTL_DEL, event, nullptr)); },
         .unchanged = [&] { return epoll_ctl(set, EPOLL_CTL_DEL, event, nullptr) < 0 && errno == ENOENT; }});
}

TEST_F(EachAllocation, EpollOfEpoll) {
  ScopedFd outer = epoll_create1(0), inner = epoll_create1(0);
  epoll_event wanted = {.events = EPOLLIN};
  sweep(
      {.call = [&] { return long{epoll_ctl(outer, EPOLL_CTL_ADD, inner, &wanted)}; },
       .undo = [&](long) { EXPECT_OK(epoll_ctl(outer, EPOLL_CTL_DEL, inner, nullptr)); },
       .unchanged = [&] { return epoll_ctl(outer, EPOLL_CTL_DEL, inner, nullptr) < 0 && errno == ENOENT; }});
}

TEST_F(EachAllocation, PollOfAThousand) {
  ScopedFd event = eventfd(0, 0);
  std::vector<pollfd> list(1000, pollfd{event, POLLIN, 0});
  sweep({.call = [&] { return long{poll(list.data(), list.size(), 1)}; }});
}

TEST_F(EachAllocation, SelectOfHighDescriptors) {
  ScopedFd event = eventfd(0, 0);
  sweep({.call = [&] {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(event, &set);
    timeval brief = {0, 1};
    return long{select(FD_SETSIZE, &set, nullptr, nullptr, &brief)};
  }});
}

TEST_F(EachAllocation, ManyPieces) {
  int ends[2];
  ASSERT_OK(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
  ScopedFd reader = ends[0], writer = ends[1];
  char byte = 'x', taken[1024];
  std::vector<iovec> pieces(1000, iovec{&byte, 1});
  sweep({.call = [&] { return (long)writev(writer, pieces.data(), (int)pieces.size()); },
         .undo = [&](long count) { EXPECT_EQ(read(reader, taken, sizeof taken), count); },
         .unchanged = [&] { return read(reader, taken, 1) < 0; }});
}

TEST_F(EachAllocation, PseudoTerminal) {
  sweep({.call = [] { return long{open("/dev/ptmx", O_RDWR | O_NOCTTY)}; }, .undo = close_result});
}

}  // namespace
