// POSIX message queues (mq_overview(7)): mq_open(3), mq_unlink(3), mq_send(3), mq_receive(3), mq_notify(3),
// mq_getattr(3), and their file system.
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

class PosixQueues : public TempDirTest {
 protected:
  void SetUp() override {
    TempDirTest::SetUp();
    name_ = "/conformance-" + std::to_string(getpid());
    if (mq_unlink(name()) != 0 && errno == ENOSYS) GTEST_SKIP() << "no message queues";
  }
  void TearDown() override {
    mq_unlink(name());
    TempDirTest::TearDown();
  }
  const char* name() const { return name_.c_str(); }
  mqd_t open_queue(long count = 4, long size = 64, int flags = O_RDWR, unsigned mode = 0600) const {
    mq_attr attributes = {};
    attributes.mq_maxmsg = count;
    attributes.mq_msgsize = size;
    return mq_open(name(), flags | O_CREAT, mode, &attributes);
  }

 private:
  std::string name_;
};

std::string receive(mqd_t queue, unsigned* priority = nullptr) {
  char buffer[64];
  const ssize_t size = mq_receive(queue, buffer, sizeof buffer, priority);
  return size < 0 ? std::string("error ") + errno_name(errno) : std::string(buffer, size);
}

timespec in_milliseconds(long milliseconds) {
  timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  time.tv_nsec += milliseconds * 1000000;
  time.tv_sec += time.tv_nsec / 1000000000;
  time.tv_nsec %= 1000000000;
  return time;
}

TEST_F(PosixQueues, HighestPriorityFirstThenOldest) {
  const mqd_t queue = open_queue(8);
  ASSERT_OK(queue);
  EXPECT_OK(mq_send(queue, "low", 3, 1));
  EXPECT_OK(mq_send(queue, "high", 4, 32767));
  EXPECT_OK(mq_send(queue, "low again", 9, 1));
  EXPECT_OK(mq_send(queue, "", 0, 5));
  mq_attr attributes;
  ASSERT_OK(mq_getattr(queue, &attributes));
  EXPECT_EQ(attributes.mq_curmsgs, 4);
  unsigned priority = 0;
  EXPECT_EQ(receive(queue, &priority), "high");
  EXPECT_EQ(priority, 32767u);
  EXPECT_EQ(receive(queue, &priority), "");
  EXPECT_EQ(priority, 5u);
  EXPECT_EQ(receive(queue, &priority), "low");
  EXPECT_EQ(priority, 1u);
  EXPECT_EQ(receive(queue), "low again");
  mq_close(queue);
}

TEST_F(PosixQueues, OpenCreatesAndFinds) {
  EXPECT_ERRNO(mq_open(name(), O_RDWR), ENOENT);
  const mqd_t queue = open_queue(3, 100);
  ASSERT_OK(queue);
  EXPECT_EQ(fcntl(queue, F_GETFD), FD_CLOEXEC);
  mq_attr attributes;
  ASSERT_OK(mq_getattr(queue, &attributes));
  EXPECT_EQ(attributes.mq_maxmsg, 3);
  EXPECT_EQ(attributes.mq_msgsize, 100);
  EXPECT_EQ(attributes.mq_flags, 0);
  EXPECT_ERRNO(open_queue(3, 100, O_RDWR | O_EXCL), EEXIST);
  const mqd_t again = open_queue(9, 9);
  ASSERT_OK(again);
  ASSERT_OK(mq_getattr(again, &attributes));
  EXPECT_EQ(attributes.mq_maxmsg, 3) << "those of the first";
  EXPECT_OK(mq_send(queue, "x", 1, 0));
  EXPECT_OK(mq_unlink(name()));
  EXPECT_ERRNO(mq_unlink(name()), ENOENT);
  EXPECT_ERRNO(mq_open(name(), O_RDWR), ENOENT);
  char buffer[100];
  EXPECT_EQ(mq_receive(again, buffer, sizeof buffer, nullptr), 1) << "it lives on without a name";
  mq_close(queue);
  mq_close(again);
}

TEST_F(PosixQueues, DefaultsAndLimits) {
  const mqd_t queue = mq_open(name(), O_RDWR | O_CREAT, 0600, nullptr);
  ASSERT_OK(queue);
  mq_attr attributes;
  ASSERT_OK(mq_getattr(queue, &attributes));
  EXPECT_EQ(std::to_string(attributes.mq_maxmsg) + "\n", slurp("/proc/sys/fs/mqueue/msg_default"));
  EXPECT_EQ(std::to_string(attributes.mq_msgsize) + "\n", slurp("/proc/sys/fs/mqueue/msgsize_default"));
  mq_close(queue);
  mq_unlink(name());
  EXPECT_ERRNO(open_queue(0, 10), EINVAL);
  EXPECT_ERRNO(open_queue(10, 0), EINVAL);
  EXPECT_ERRNO(open_queue(-1, 10), EINVAL);
  EXPECT_ERRNO(open_queue(65537, 10), EINVAL);
  EXPECT_FALSE(slurp("/proc/sys/fs/mqueue/queues_max").empty());
  EXPECT_CHILD_OK([this] {
    drop_privileges();
    EXPECT_ERRNO(open_queue(std::stol(slurp("/proc/sys/fs/mqueue/msg_max")) + 1, 10), EINVAL);
    EXPECT_ERRNO(open_queue(1, std::stol(slurp("/proc/sys/fs/mqueue/msgsize_max")) + 1), EINVAL);
    const rlimit limit = {1000, 1000};
    ASSERT_OK(setrlimit(RLIMIT_MSGQUEUE, &limit));
    EXPECT_ERRNO(open_queue(10, 1000), EMFILE);
    const mqd_t small = open_queue(2, 10);
    EXPECT_OK(small);
    mq_unlink(name());
  });
}

TEST_F(PosixQueues, Names) {
  EXPECT_ERRNO(sys(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, 0), ENOENT);
  EXPECT_ERRNO(sys(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, 0), EACCES);
  EXPECT_ERRNO(sys(SYS_mq_open, ".", O_RDWR, 0600, 0), EACCES);
  EXPECT_ERRNO(sys(SYS_mq_open, std::string(256, 'x').c_str(), O_RDWR | O_CREAT, 0600, 0), ENAMETOOLONG);
  EXPECT_ERRNO(sys(SYS_mq_open, low_address(), O_RDWR | O_CREAT, 0600, 0), EFAULT);
  EXPECT_ERRNO(sys(SYS_mq_open, "nothing-here", 3, 0600, 0), ENOENT);
  const mqd_t queue = open_queue();
  ASSERT_OK(queue);
  EXPECT_ERRNO(sys(SYS_mq_open, name() + 1, 3, 0600, 0), EINVAL) << "no such way of access";
  mq_close(queue);
  EXPECT_ERRNO(sys(SYS_mq_unlink, "a/b"), EACCES);
  EXPECT_ERRNO(sys(SYS_mq_unlink, low_address()), EFAULT);
}

TEST_F(PosixQueues, Permissions) {
  const mqd_t queue = open_queue(4, 64, O_RDWR, 0640);
  ASSERT_OK(queue);
  EXPECT_CHILD_OK([this] {
    drop_privileges();
    EXPECT_ERRNO(mq_open(name(), O_RDONLY), EACCES);
    EXPECT_ERRNO(mq_open(name(), O_RDWR | O_CREAT, 0600, nullptr), EACCES);
    const long refused = mq_unlink(name());
    EXPECT_EQ(refused, -1);
    EXPECT_TRUE(errno == EACCES || errno == EPERM);
  });
  const mqd_t reader = mq_open(name(), O_RDONLY), writer = mq_open(name(), O_WRONLY);
  EXPECT_ERRNO(mq_send(reader, "x", 1, 0), EBADF);
  char buffer[64];
  EXPECT_ERRNO(mq_receive(writer, buffer, sizeof buffer, nullptr), EBADF);
  EXPECT_OK(mq_send(writer, "x", 1, 0));
  EXPECT_EQ(receive(reader), "x");
  mq_close(reader), mq_close(writer), mq_close(queue);
}

TEST_F(PosixQueues, SizesAndPriorities) {
  const mqd_t queue = open_queue(4, 8);
  ASSERT_OK(queue);
  EXPECT_ERRNO(mq_send(queue, "123456789", 9, 0), EMSGSIZE);
  EXPECT_ERRNO(mq_send(queue, "1", 1, 32768), EINVAL);
  EXPECT_ERRNO(sys(SYS_mq_timedsend, queue, low_address(), 8, 0, 0), EFAULT);
  char buffer[64];
  EXPECT_ERRNO(mq_receive(queue, buffer, 7, nullptr), EMSGSIZE);
  const int other = open("/dev/null", O_RDWR);
  EXPECT_ERRNO(mq_send(other, "x", 1, 0), EBADF);
  EXPECT_ERRNO(mq_receive(other, buffer, 64, nullptr), EBADF);
  mq_attr attributes;
  EXPECT_ERRNO(mq_getattr(other, &attributes), EBADF);
  EXPECT_ERRNO(mq_notify(other, nullptr), EBADF);
  close(other);
  EXPECT_ERRNO(mq_send(-1, "x", 1, 0), EBADF);
  mq_close(queue);
}

TEST_F(PosixQueues, NonBlockingAndTimeouts) {
  const mqd_t queue = open_queue(1, 8, O_RDWR | O_NONBLOCK);
  ASSERT_OK(queue);
  char buffer[8];
  EXPECT_ERRNO(mq_receive(queue, buffer, 8, nullptr), EAGAIN);
  EXPECT_OK(mq_send(queue, "1", 1, 0));
  EXPECT_ERRNO(mq_send(queue, "2", 1, 0), EAGAIN);
  mq_attr attributes = {}, old = {};
  ASSERT_OK(mq_setattr(queue, &attributes, &old));
  EXPECT_EQ(old.mq_flags, O_NONBLOCK);
  EXPECT_EQ(fcntl(queue, F_GETFL) & O_NONBLOCK, 0);
  timespec soon = in_milliseconds(30);
  EXPECT_ERRNO(mq_timedsend(queue, "2", 1, 0, &soon), ETIMEDOUT);
  EXPECT_EQ(mq_receive(queue, buffer, 8, nullptr), 1);
  soon = in_milliseconds(30);
  EXPECT_ERRNO(mq_timedreceive(queue, buffer, 8, nullptr, &soon), ETIMEDOUT);
  timespec past = {1, 0};
  EXPECT_ERRNO(mq_timedreceive(queue, buffer, 8, nullptr, &past), ETIMEDOUT);
  EXPECT_OK(mq_timedsend(queue, "3", 1, 0, &past)) << "it need not wait";
  timespec bad = {0, 1000000000};
  EXPECT_ERRNO(mq_timedsend(queue, "3", 1, 0, &bad), EINVAL);
  bad = {-1, 0};
  EXPECT_ERRNO(mq_timedreceive(queue, buffer, 8, nullptr, &bad), EINVAL);
  attributes.mq_flags = O_APPEND;
  EXPECT_ERRNO(sys(SYS_mq_getsetattr, queue, &attributes, 0), EINVAL);
  mq_close(queue);
}

TEST_F(PosixQueues, WaitersAreWoken) {
  const mqd_t queue = open_queue(1, 8);
  ASSERT_OK(queue);
  const pid_t child = fork_child([&] {
    char buffer[8];
    for (int i = 0; i < 200; ++i) {
      ASSERT_EQ(mq_receive(queue, buffer, 8, nullptr), 1);
      ASSERT_EQ(buffer[0], (char)i);
    }
  });
  for (int i = 0; i < 200; ++i) {
    const char byte = (char)i;
    EXPECT_OK(mq_send(queue, &byte, 1, 0));
  }
  EXPECT_EXITED(wait_for(child), 0);
  mq_close(queue);
}

void ignore_signal(int) {}

TEST_F(PosixQueues, SignalsInterrupt) {
  const mqd_t queue = open_queue(1, 8);
  ASSERT_OK(queue);
  const pid_t child = fork_child([&] {
    struct sigaction action = {};
    action.sa_handler = ignore_signal;
    sigaction(SIGUSR1, &action, nullptr);
    char buffer[8];
    EXPECT_ERRNO(mq_receive(queue, buffer, 8, nullptr), EINTR);
  });
  wait_for_state(child, 'S');
  sleep_milliseconds(50);
  kill(child, SIGUSR1);
  EXPECT_EXITED(wait_for(child), 0);
  mq_close(queue);
}

TEST_F(PosixQueues, Notification) {
  const mqd_t queue = open_queue(4, 8);
  ASSERT_OK(queue);
  EXPECT_CHILD_OK([&] {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    sigevent event = {};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    event.sigev_value.sival_int = 4711;
    ASSERT_OK(mq_notify(queue, &event));
    EXPECT_ERRNO(mq_notify(queue, &event), EBUSY);
    EXPECT_CHILD_OK([&] {
      EXPECT_ERRNO(mq_notify(queue, &event), EBUSY);
      EXPECT_OK(mq_notify(queue, nullptr)) << "removes only its own";
      EXPECT_OK(mq_send(queue, "a", 1, 0));
    });
    siginfo_t info = {};
    const timespec second = {5, 0};
    ASSERT_EQ(sigtimedwait(&set, &info, &second), SIGUSR1);
    EXPECT_EQ(info.si_code, SI_MESGQ);
    EXPECT_EQ(info.si_value.sival_int, 4711);
    EXPECT_EQ(info.si_uid, geteuid());
    // Once, and only when the queue was empty.
    const timespec nothing = {0, 0};
    ASSERT_OK(mq_notify(queue, &event));
    EXPECT_OK(mq_send(queue, "b", 1, 0));
    EXPECT_ERRNO(sigtimedwait(&set, &info, &nothing), EAGAIN);
    EXPECT_OK(mq_notify(queue, nullptr));
    EXPECT_OK(mq_notify(queue, nullptr));
    event.sigev_signo = 65;
    EXPECT_ERRNO(mq_notify(queue, &event), EINVAL);
    event.sigev_notify = 77;
    EXPECT_ERRNO(sys(SYS_mq_notify, queue, &event), EINVAL);
    EXPECT_ERRNO(sys(SYS_mq_notify, queue, low_address()), EFAULT);
  });
  // The registration went with its process.
  sigevent event = {};
  event.sigev_notify = SIGEV_NONE;
  EXPECT_OK(mq_notify(queue, &event));
  mq_close(queue);
}

TEST_F(PosixQueues, PollAndText) {
  const mqd_t queue = open_queue(1, 8);
  ASSERT_OK(queue);
  pollfd entry = {queue, POLLIN | POLLOUT, 0};
  EXPECT_EQ(poll(&entry, 1, 0), 1);
  EXPECT_EQ(entry.revents, POLLOUT);
  EXPECT_OK(mq_send(queue, "12345", 5, 0));
  EXPECT_EQ(poll(&entry, 1, 0), 1);
  EXPECT_EQ(entry.revents, POLLIN);
  char text[128] = {};
  EXPECT_GT(read(queue, text, sizeof text), 0);
  EXPECT_STREQ(text, "QSIZE:5          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n");
  EXPECT_ERRNO(write(queue, "x", 1), EINVAL);
  mq_close(queue);
}

TEST_F(PosixQueues, FileSystem) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_OK(mkdir(path("m"), 0755));
  if (mount("none", path("m"), "mqueue", 0, nullptr) != 0) GTEST_SKIP() << "may not mount here";
  const mqd_t queue = open_queue(4, 8, O_RDWR, 0640);
  ASSERT_OK(queue);
  struct stat found;
  const std::string file = std::string("m") + name();
  ASSERT_OK(stat(path(file), &found));
  EXPECT_EQ(found.st_mode, (mode_t)(S_IFREG | 0640));
  EXPECT_EQ(found.st_size, 80);
  ASSERT_OK(stat(path("m"), &found));
  EXPECT_EQ(found.st_mode, (mode_t)(S_IFDIR | 01777));
  EXPECT_OK(mq_send(queue, "123", 3, 0));
  EXPECT_EQ(read_file(file).substr(0, 8), "QSIZE:3 ");
  EXPECT_OK(unlink(path(file)));
  EXPECT_ERRNO(mq_open(name(), O_RDWR), ENOENT);
  write_file(file, "");  // a queue with the defaults
  const mqd_t made = mq_open(name(), O_RDWR);
  EXPECT_OK(made);
  mq_close(made);
  EXPECT_ERRNO(mkdir(path("m/d"), 0755), EPERM);
  EXPECT_OK(umount(path("m")));
  mq_close(queue);
}

}  // namespace
