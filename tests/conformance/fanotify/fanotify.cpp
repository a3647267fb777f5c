// fanotify(7).
#include <poll.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include <atomic>
#include <functional>
#include <thread>

#include "support/conformance.h"

namespace {
using namespace conformance;

struct Seen {
  uint64_t mask = 0;
  int pid = 0;
  std::string path;  // what the descriptor leads to
  std::string name;  // of a record with a name
  bool has_object = false, has_directory = false;
  std::string object, directory;  // handles
};

class Fanotify : public TempDirTest {
 protected:
  void SetUp() override {
    TempDirTest::SetUp();
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    mkdir(path("m"), 0755);
    if (mount("none", path("m"), "tmpfs", 0, nullptr) != 0) GTEST_SKIP() << "may not mount here";
    mkdir(path("m/d"), 0755);
    write_file("m/file", "content");
    write_file("m/d/deep", "deep");
  }
  void TearDown() override {
    fd_.reset();
    umount2(path("m"), MNT_DETACH);
    TempDirTest::TearDown();
  }
  bool start(unsigned flags) {
    fd_ = fanotify_init(flags | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);
    if (fd_ < 0 && errno == ENOSYS) return false;
    EXPECT_OK(fd_.get());
    return fd_ >= 0;
  }
  int mark(unsigned flags, uint64_t mask, const char* name) {
    return fanotify_mark(fd_, flags, mask, AT_FDCWD, name);
  }

  std::vector<Seen> events() {
    alignas(8) char buffer[8192];
    std::vector<Seen> result;
    ssize_t length;
    while ((length = read(fd_, buffer, sizeof buffer)) > 0) {
      auto* event = (fanotify_event_metadata*)buffer;
      for (; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length))
        result.push_back(seen(*event));
    }
    return result;
  }
  Seen seen(const fanotify_event_metadata& event) {
    Seen one;
    EXPECT_EQ(event.vers, FANOTIFY_METADATA_VERSION);
    EXPECT_EQ(event.metadata_len, FAN_EVENT_METADATA_LEN);
    one.mask = event.mask;
    one.pid = event.pid;
    if (event.fd >= 0) {
      char text[512] = {};
      EXPECT_GT(readlink(("/proc/self/fd/" + std::to_string(event.fd)).c_str(), text, sizeof text - 1), 0);
      one.path = text;
      close(event.fd);
    }
    const char* at = (const char*)&event + event.metadata_len;
    while (at < (const char*)&event + event.event_len) {
      auto* info = (const fanotify_event_info_fid*)at;
      auto* handle = (const file_handle*)info->handle;
      std::string id((const char*)handle, sizeof *handle + handle->handle_bytes);
      if (info->hdr.info_type == FAN_EVENT_INFO_TYPE_FID) {
        one.has_object = true;
        one.object = id;
      } else {
        one.has_directory = true;
        one.directory = id;
        if (info->hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME)
          one.name = (const char*)handle->f_handle + handle->handle_bytes;
      }
      at += info->hdr.len;
    }
    return one;
  }
  std::string handle_of(const char* name) {
    char memory[sizeof(file_handle) + 128] = {};
    auto* handle = (file_handle*)memory;
    handle->handle_bytes = 128;
    int mount_id;
    EXPECT_OK(name_to_handle_at(AT_FDCWD, name, handle, &mount_id, 0));
    return std::string(memory, sizeof *handle + handle->handle_bytes);
  }
  static void touch(const char* name) {
    const ScopedFd fd = open(name, O_RDONLY);
    char byte;
    EXPECT_EQ(read(fd, &byte, 1), 1);
  }
  ScopedFd fd_;
};

TEST(FanotifyCall, FlagsAreChecked) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_ERRNO(fanotify_init(0x80000000, 0), EINVAL);
  EXPECT_ERRNO(fanotify_init(0, 3), EINVAL);
  EXPECT_ERRNO(fanotify_init(0, O_CREAT), EINVAL);
  EXPECT_ERRNO(fanotify_init(FAN_REPORT_NAME, 0), EINVAL);
  EXPECT_ERRNO(fanotify_init(FAN_REPORT_FID | FAN_CLASS_CONTENT, 0), EINVAL);
  const ScopedFd fd = fanotify_init(FAN_CLOEXEC, 0);
  ASSERT_OK(fd.get());
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  EXPECT_ERRNO(fanotify_mark(fd, 0, FAN_OPEN, AT_FDCWD, "/"), EINVAL);
  EXPECT_ERRNO(fanotify_mark(fd, FAN_MARK_ADD, 0, AT_FDCWD, "/"), EINVAL);
  EXPECT_ERRNO(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "/"), EINVAL);
  EXPECT_ERRNO(
      fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM, FAN_OPEN, AT_FDCWD, "/"),
      EINVAL);
  EXPECT_ERRNO(fanotify_mark(fd, FAN_MARK_ADD, FAN_CREATE, AT_FDCWD, "/"), EINVAL);     // needs ids
  EXPECT_ERRNO(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "/"), EINVAL);  // needs a class
  EXPECT_ERRNO(fanotify_mark(fd, FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "/"), ENOENT);
  EXPECT_ERRNO(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "/no/such/place"), ENOENT);
  EXPECT_ERRNO(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_OPEN, AT_FDCWD, "/proc/self/stat"),
               ENOTDIR);
  const ScopedFd other = open("/dev/null", O_RDONLY);
  EXPECT_ERRNO(fanotify_mark(other, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "/"), EINVAL);
  char small[8];
  EXPECT_ERRNO(write(fd, small, sizeof small), EINVAL);  // nothing to answer
}

TEST(FanotifyCall, OrdinaryUsersGetIdsOnly) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_CHILD_OK([] {
    drop_privileges();
    EXPECT_ERRNO(fanotify_init(0, 0), EPERM);
    EXPECT_ERRNO(fanotify_init(FAN_REPORT_FID | FAN_UNLIMITED_QUEUE, 0), EPERM);
    const ScopedFd fd = fanotify_init(FAN_REPORT_FID, 0);
    ASSERT_OK(fd.get());
    EXPECT_ERRNO(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD, "/"), EPERM);
  });
}

TEST_F(Fanotify, InodeMarkGivesDescriptors) {
  if (!start(FAN_CLASS_NOTIF)) GTEST_SKIP() << "no fanotify";
  ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN | FAN_CLOSE_NOWRITE | FAN_ACCESS, path("m/file")));
  touch(path("m/file"));
  touch(path("m/d/deep"));
  const auto seen = events();
  ASSERT_GE(seen.size(), 1u);
  uint64_t all = 0;
  for (const Seen& one : seen) {
    all |= one.mask;
    EXPECT_EQ(one.path, directory() + "/m/file");
    EXPECT_EQ(one.pid, getpid());
  }
  EXPECT_EQ(all, (uint64_t)(FAN_OPEN | FAN_CLOSE_NOWRITE | FAN_ACCESS));
  // What the reader does with its descriptors is nobody's business.
  EXPECT_TRUE(events().empty());
  ASSERT_OK(mark(FAN_MARK_REMOVE, FAN_OPEN | FAN_CLOSE_NOWRITE | FAN_ACCESS, path("m/file")));
  touch(path("m/file"));
  EXPECT_TRUE(events().empty());
}

TEST_F(Fanotify, DirectoryMarkWithItsChildren) {
  if (!start(FAN_CLASS_NOTIF)) GTEST_SKIP() << "no fanotify";
  ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN, path("m")));
  touch(path("m/file"));
  close(open(path("m"), O_RDONLY | O_DIRECTORY));
  EXPECT_TRUE(events().empty());  // neither children nor directories were asked for
  ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD, path("m")));
  touch(path("m/file"));
  touch(path("m/d/deep"));
  auto seen = events();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].path, directory() + "/m/file");
  ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN | FAN_ONDIR, path("m")));
  close(open(path("m"), O_RDONLY | O_DIRECTORY));
  seen = events();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].path, directory() + "/m");
  EXPECT_EQ(seen[0].mask, (uint64_t)FAN_OPEN);
}

TEST_F(Fanotify, MountMarkSeesWhatGoesThroughIt) {
  if (!start(FAN_CLASS_NOTIF)) GTEST_SKIP() << "no fanotify";
  mkdir(path("other"), 0755);
  ASSERT_OK(mount(path("m"), path("other"), nullptr, MS_BIND, nullptr));
  ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_MODIFY, path("m")));
  auto change = [&](const char* name) {
    const ScopedFd fd = open(name, O_WRONLY);
    EXPECT_EQ(write(fd, "x", 1), 1);
  };
  change(path("other/d/deep"));
  EXPECT_TRUE(events().empty());
  change(path("m/d/deep"));
  auto seen = events();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].path, directory() + "/m/d/deep");
  ASSERT_OK(mark(FAN_MARK_FLUSH | FAN_MARK_MOUNT, 0, path("m")));
  ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_MODIFY, path("m")));
  change(path("other/d/deep"));
  EXPECT_EQ(events().size(), 1u);
  umount2(path("other"), MNT_DETACH);
}

TEST_F(Fanotify, IgnoredMask) {
  if (!start(FAN_CLASS_NOTIF)) GTEST_SKIP() << "no fanotify";
  ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, path("m")));
  ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, path("m/file")));
  touch(path("m/file"));
  EXPECT_TRUE(events().empty());
  touch(path("m/d/deep"));
  EXPECT_EQ(events().size(), 1u);
  // A change makes it interesting again.
  const ScopedFd fd = open(path("m/file"), O_WRONLY);
  EXPECT_EQ(write(fd, "x", 1), 1);
  events();
  touch(path("m/file"));
  EXPECT_EQ(events().size(), 1u);
  ASSERT_OK(
      mark(FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY, FAN_OPEN, path("m/file")));
  EXPECT_EQ(write(fd, "x", 1), 1);
  touch(path("m/file"));
  EXPECT_TRUE(events().empty());
}

TEST_F(Fanotify, NamesWithIds) {
  if (!start(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME)) GTEST_SKIP() << "no fanotify";
  ASSERT_OK(mark(FAN_MARK_ADD, FAN_CREATE | FAN_DELETE | FAN_MOVE | FAN_ONDIR, path("m")));
  const std::string parent = handle_of(path("m"));
  std::vector<Seen> seen;
  // What happens to one name would be merged.
  auto take = [&] {
    for (const Seen& one : events()) seen.push_back(one);
  };
  close(open(path("m/new"), O_CREAT | O_WRONLY, 0600));
  mkdir(path("m/sub"), 0755);
  take();
  rename(path("m/new"), path("m/newer"));
  take();
  unlink(path("m/newer"));
  take();
  ASSERT_EQ(seen.size(), 5u);
  const uint64_t masks[] = {FAN_CREATE, FAN_CREATE | FAN_ONDIR, FAN_MOVED_FROM, FAN_MOVED_TO, FAN_DELETE};
  const char* names[] = {"new", "sub", "new", "newer", "newer"};
  for (int i = 0; i < 5; i++) {
    EXPECT_EQ(seen[i].mask, masks[i]) << i;
    EXPECT_EQ(seen[i].name, names[i]) << i;
    EXPECT_EQ(seen[i].directory, parent) << i;
    EXPECT_EQ(seen[i].path, "");
  }
}

TEST_F(Fanotify, ObjectsWithIds) {
  if (!start(FAN_CLASS_NOTIF | FAN_REPORT_FID)) GTEST_SKIP() << "no fanotify";
  ASSERT_OK(
      mark(FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_ATTRIB | FAN_DELETE_SELF | FAN_CLOSE_WRITE, path("m")));
  const std::string object = handle_of(path("m/d/deep"));
  chmod(path("m/d/deep"), 0600);
  auto seen = events();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].mask, (uint64_t)FAN_ATTRIB);
  EXPECT_TRUE(seen[0].has_object);
  EXPECT_FALSE(seen[0].has_directory);
  EXPECT_EQ(seen[0].object, object);
  unlink(path("m/d/deep"));
  uint64_t all = 0;
  for (const Seen& one : events()) all |= one.mask;
  EXPECT_TRUE(all & FAN_DELETE_SELF);
}

TEST_F(Fanotify, ChildrenWithIdsAndNames) {
  if (!start(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_REPORT_FID)) GTEST_SKIP() << "no fanotify";
  ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN | FAN_ONDIR | FAN_EVENT_ON_CHILD, path("m/d")));
  touch(path("m/d/deep"));
  close(open(path("m/d"), O_RDONLY | O_DIRECTORY));
  const auto seen = events();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].name, "deep");
  EXPECT_EQ(seen[0].directory, handle_of(path("m/d")));
  EXPECT_EQ(seen[0].object, handle_of(path("m/d/deep")));
  EXPECT_EQ(seen[1].name, ".");
  EXPECT_EQ(seen[1].mask, (uint64_t)(FAN_OPEN | FAN_ONDIR));
  EXPECT_EQ(seen[1].directory, handle_of(path("m/d")));
}

// Answers questions as they come until told to stop.
class Judge {
 public:
  explicit Judge(int fd, std::function<bool(const std::string&)> allows)
      : fd_(fd), allows_(std::move(allows)), thread_([this] { run(); }) {}
  ~Judge() {
    stops_ = true;
    thread_.join();
  }
  std::atomic<int> asked{0};

 private:
  void run() {
    while (!stops_) {
      pollfd wait{fd_, POLLIN, 0};
      if (poll(&wait, 1, 20) <= 0) continue;
      alignas(8) char buffer[4096];
      ssize_t length = read(fd_, buffer, sizeof buffer);
      auto* event = (fanotify_event_metadata*)buffer;
      for (; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length)) {
        char text[512] = {};
        if (readlink(("/proc/self/fd/" + std::to_string(event->fd)).c_str(), text, sizeof text - 1) < 0)
          continue;
        asked++;
        const fanotify_response answer{event->fd, allows_(text) ? (uint32_t)FAN_ALLOW : (uint32_t)FAN_DENY};
        EXPECT_EQ(write(fd_, &answer, sizeof answer), (ssize_t)sizeof answer);
        close(event->fd);
      }
    }
  }
  int fd_;
  std::function<bool(const std::string&)> allows_;
  std::atomic<bool> stops_{false};
  std::thread thread_;
};

TEST_F(Fanotify, QuestionsAreAnswered) {
  if (!start(FAN_CLASS_CONTENT)) GTEST_SKIP() << "no fanotify";
  ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN_PERM, path("m")));
  const fanotify_response nobody{77, FAN_ALLOW};
  EXPECT_ERRNO(write(fd_, &nobody, sizeof nobody), ENOENT);
  Judge judge(fd_, [](const std::string& name) { return !name.ends_with("deep"); });
  const ScopedFd allowed = open(path("m/file"), O_RDONLY);
  EXPECT_OK(allowed.get());
  EXPECT_ERRNO(open(path("m/d/deep"), O_RDONLY), EPERM);
  EXPECT_EQ(judge.asked, 2);
}

TEST_F(Fanotify, ReadingIsAskedFor) {
  if (!start(FAN_CLASS_PRE_CONTENT)) GTEST_SKIP() << "no fanotify";
  ASSERT_OK(mark(FAN_MARK_ADD, FAN_ACCESS_PERM, path("m/file")));
  bool allow = true;
  Judge judge(fd_, [&](const std::string&) { return allow; });
  const ScopedFd file = open(path("m/file"), O_RDONLY);
  ASSERT_OK(file.get());
  char byte;
  EXPECT_EQ(read(file, &byte, 1), 1);
  allow = false;
  EXPECT_ERRNO(pread(file, &byte, 1, 0), EPERM);
  EXPECT_EQ(judge.asked, 2);
}

TEST_F(Fanotify, ClosingAllowsEverything) {
  if (!start(FAN_CLASS_CONTENT)) GTEST_SKIP() << "no fanotify";
  ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN_PERM, path("m/file")));
  std::thread opener([&] {
    const ScopedFd file = open(path("m/file"), O_RDONLY);
    EXPECT_OK(file.get());
  });
  pollfd wait{fd_, POLLIN, 0};
  EXPECT_EQ(poll(&wait, 1, 10000), 1);
  fd_.reset();
  opener.join();
}

TEST_F(Fanotify, AskersCanBeKilled) {
  if (!start(FAN_CLASS_CONTENT)) GTEST_SKIP() << "no fanotify";
  ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN_PERM, path("m/file")));
  const pid_t child = fork_child([&] { open(path("m/file"), O_RDONLY); });
  pollfd wait{fd_, POLLIN, 0};
  EXPECT_EQ(poll(&wait, 1, 10000), 1);
  kill(child, SIGKILL);
  EXPECT_TRUE(killed_by(wait_for(child), SIGKILL));
}

TEST_F(Fanotify, ExecutingIsToldApart) {
  if (!start(FAN_CLASS_NOTIF)) GTEST_SKIP() << "no fanotify";
  write_file("m/script", "#!/no/such/interpreter\n");
  chmod(path("m/script"), 0755);
  ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN_EXEC, path("m/script")));
  touch(path("m/script"));
  EXPECT_TRUE(events().empty());
  EXPECT_CHILD_OK([&] {
    const char* words[] = {"script", nullptr};
    execv(path("m/script"), (char**)words);
    EXPECT_EQ(errno, ENOENT);
  });
  const auto seen = events();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].mask, (uint64_t)FAN_OPEN_EXEC);
}

TEST_F(Fanotify, PidfdOfWhoDidIt) {
  if (!start(FAN_CLASS_NOTIF | FAN_REPORT_PIDFD)) GTEST_SKIP() << "no fanotify";
  ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN, path("m/file")));
  touch(path("m/file"));
  alignas(8) char buffer[256];
  const ssize_t length = read(fd_, buffer, sizeof buffer);
  auto* event = (fanotify_event_metadata*)buffer;
  ASSERT_EQ(length, (ssize_t)(sizeof *event + 8));
  struct {
    fanotify_event_info_header head;
    int fd;
  } record;
  memcpy(&record, event + 1, sizeof record);
  EXPECT_EQ(record.head.info_type, FAN_EVENT_INFO_TYPE_PIDFD);
  EXPECT_GE(record.fd, 0);
  EXPECT_NE(slurp(("/proc/self/fdinfo/" + std::to_string(record.fd)).c_str())
                .find("Pid:\t" + std::to_string(getpid())),
            std::string::npos);
  close(record.fd);
  close(event->fd);
}

}  // namespace
