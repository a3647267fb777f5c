// inotify(7).
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

class Inotify : public TempDirTest {
 protected:
  void SetUp() override {
    TempDirTest::SetUp();
    fd_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    ASSERT_OK(fd_.get());
  }

  struct Event {
    int watch;
    uint32_t mask, cookie;
    std::string name;
  };

  std::vector<Event> events() {
    alignas(8) char buffer[4096];
    std::vector<Event> result;
    ssize_t length;
    while ((length = read(fd_, buffer, sizeof buffer)) > 0) {
      for (ssize_t at = 0; at < length;) {
        const auto* event = reinterpret_cast<inotify_event*>(buffer + at);
        result.push_back({event->wd, event->mask, event->cookie, event->len ? event->name : ""});
        at += (ssize_t)(sizeof *event + event->len);
      }
    }
    return result;
  }

  ScopedFd fd_;
};

TEST_F(Inotify, CreateModifyCloseDelete) {
  const int watch = inotify_add_watch(fd_, path(), IN_ALL_EVENTS);
  ASSERT_OK(watch);
  {
    const ScopedFd file = open(path("a"), O_CREAT | O_WRONLY, 0600);
    write(file, "x", 1);
  }
  unlink(path("a"));
  const auto seen = events();
  ASSERT_EQ(seen.size(), 5u);
  const uint32_t expected[] = {IN_CREATE, IN_OPEN, IN_MODIFY, IN_CLOSE_WRITE, IN_DELETE};
  for (int i = 0; i < 5; i++) {
    EXPECT_EQ(seen[i].mask, expected[i]) << i;
    EXPECT_EQ(seen[i].name, "a");
    EXPECT_EQ(seen[i].watch, watch);
  }
}

TEST_F(Inotify, RenameHasOneCookie) {
  write_file("a", "");
  ASSERT_OK(inotify_add_watch(fd_, path(), IN_MOVE));
  ASSERT_OK(rename(path("a"), path("b")));
  const auto seen = events();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].mask, (uint32_t)IN_MOVED_FROM);
  EXPECT_EQ(seen[0].name, "a");
  EXPECT_EQ(seen[1].mask, (uint32_t)IN_MOVED_TO);
  EXPECT_EQ(seen[1].name, "b");
  EXPECT_NE(seen[0].cookie, 0u);
  EXPECT_EQ(seen[0].cookie, seen[1].cookie);
}

TEST_F(Inotify, WatchOnAFile) {
  write_file("a", "content");
  ASSERT_OK(inotify_add_watch(fd_, path("a"), IN_ACCESS | IN_ATTRIB | IN_DELETE_SELF));
  EXPECT_EQ(read_file("a"), "content");
  chmod(path("a"), 0600);
  auto seen = events();
  ASSERT_GE(seen.size(), 2u);
  EXPECT_EQ(seen.front().mask, (uint32_t)IN_ACCESS);
  EXPECT_EQ(seen.front().name, "");
  EXPECT_EQ(seen.back().mask, (uint32_t)IN_ATTRIB);
  unlink(path("a"));
  seen = events();
  ASSERT_GE(seen.size(), 2u);
  EXPECT_EQ(seen[seen.size() - 2].mask, (uint32_t)IN_DELETE_SELF);
  EXPECT_EQ(seen.back().mask, (uint32_t)IN_IGNORED);
}

TEST_F(Inotify, DirectoryEventsAreMarked) {
  ASSERT_OK(inotify_add_watch(fd_, path(), IN_CREATE | IN_DELETE));
  mkdir(path("d"), 0755);
  rmdir(path("d"));
  const auto seen = events();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].mask, (uint32_t)(IN_CREATE | IN_ISDIR));
  EXPECT_EQ(seen[1].mask, (uint32_t)(IN_DELETE | IN_ISDIR));
}

TEST_F(Inotify, RemovedWatchSaysIgnored) {
  const int watch = inotify_add_watch(fd_, path(), IN_CREATE);
  ASSERT_OK(inotify_rm_watch(fd_, watch));
  const auto seen = events();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].mask, (uint32_t)IN_IGNORED);
  EXPECT_ERRNO(inotify_rm_watch(fd_, watch), EINVAL);
}

TEST_F(Inotify, SecondWatchReplacesTheMaskOrAddsToIt) {
  const int watch = inotify_add_watch(fd_, path(), IN_CREATE);
  EXPECT_EQ(inotify_add_watch(fd_, path(), IN_DELETE), watch);
  write_file("a", "");
  EXPECT_TRUE(events().empty());
  EXPECT_EQ(inotify_add_watch(fd_, path(), IN_CREATE | IN_MASK_ADD), watch);
  write_file("b", "");
  unlink(path("b"));
  EXPECT_EQ(events().size(), 2u);
  EXPECT_ERRNO(inotify_add_watch(fd_, path(), IN_CREATE | IN_MASK_CREATE), EEXIST);
}

TEST_F(Inotify, OneShot) {
  ASSERT_OK(inotify_add_watch(fd_, path(), IN_CREATE | IN_ONESHOT));
  write_file("a", "");
  write_file("b", "");
  const auto seen = events();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].name, "a");
  EXPECT_EQ(seen[1].mask, (uint32_t)IN_IGNORED);
}

TEST_F(Inotify, IdenticalSuccessiveEventsAreMerged) {
  const ScopedFd file = open(path("a"), O_CREAT | O_WRONLY, 0600);
  ASSERT_OK(inotify_add_watch(fd_, path("a"), IN_MODIFY));
  for (int i = 0; i < 5; i++) write(file, "x", 1);
  EXPECT_EQ(events().size(), 1u);
}

TEST_F(Inotify, PollAndFionread) {
  pollfd wait = {fd_, POLLIN, 0};
  ASSERT_OK(inotify_add_watch(fd_, path(), IN_CREATE));
  EXPECT_EQ(poll(&wait, 1, 0), 0);
  write_file("abc", "");
  EXPECT_EQ(poll(&wait, 1, 0), 1);
  int bytes = 0;
  ASSERT_OK(ioctl(fd_, FIONREAD, &bytes));
  EXPECT_EQ(bytes, 32);
}

TEST_F(Inotify, Errors) {
  char buffer[64];
  EXPECT_ERRNO(read(fd_, buffer, sizeof buffer), EAGAIN);
  EXPECT_ERRNO(inotify_init1(0x1), EINVAL);
  EXPECT_ERRNO(inotify_add_watch(fd_, path("none"), IN_CREATE), ENOENT);
  EXPECT_ERRNO(inotify_add_watch(fd_, path(), 0), EINVAL);
  EXPECT_ERRNO(inotify_add_watch(-1, path(), IN_CREATE), EBADF);
  EXPECT_ERRNO(inotify_add_watch(0, path(), IN_CREATE), EINVAL);
  write_file("a", "");
  EXPECT_ERRNO(inotify_add_watch(fd_, path("a"), IN_CREATE | IN_ONLYDIR), ENOTDIR);
  ASSERT_OK(inotify_add_watch(fd_, path(), IN_CREATE));
  write_file("b", "");
  EXPECT_ERRNO(read(fd_, buffer, 16), EINVAL) << "the buffer is too small for the next event";
}

}  // namespace
