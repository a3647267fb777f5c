// Calls on processes, memory, sockets and System V objects when an allocation fails.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "support/each_allocation.h"
#include "support/helper.h"

namespace {
using namespace conformance;

void sweep(const SweptCall& swept, std::vector<int> errors = {ENOMEM}) {
  AllocationSweep sweep(std::move(errors));
  SWEEP_OR_SKIP(sweep);
  sweep.run(swept);
}

void sweep_in_children(const std::function<long()>& call, std::vector<int> errors = {ENOMEM}) {
  AllocationSweep sweep(std::move(errors));
  SWEEP_OR_SKIP(sweep);
  sweep.run_in_children(call);
}

// ---- Processes ----

TEST(EachAllocationOfProcesses, Fork) {
  sweep({.call =
             [] {
               const pid_t child = fork();
               if (child == 0) _exit(0);
               return long{child};
             },
         .undo = [](long child) { EXPECT_EXITED(wait_for((pid_t)child), 0); },
         .unchanged = [] { return waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }},
        {ENOMEM, EAGAIN});
}

struct Clone3 {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
      cgroup;
};

TEST(EachAllocationOfProcesses, CloneWithADescriptor) {
  int pidfd = -1;
  for (uint64_t flags :
       {uint64_t{CLONE_PIDFD}, uint64_t{CLONE_PIDFD | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID},
        uint64_t{CLONE_PIDFD | CLONE_NEWNS}}) {
    SCOPED_TRACE(flags);
    Clone3 arguments = {.flags = flags, .pidfd = (uint64_t)&pidfd, .exit_signal = SIGCHLD};
    const long probe = sys(SYS_clone3, &arguments, sizeof arguments);
    if (probe == 0) _exit(0);
    if (probe < 0) continue;  // a kernel without that
    wait_for((pid_t)probe);
    close(pidfd);
    sweep({.prepare = [&] { pidfd = -1; },
           .call =
               [&] {
                 const long child = sys(SYS_clone3, &arguments, sizeof arguments);
                 if (child == 0) _exit(0);
                 return child;
               },
           .undo =
               [&](long child) {
                 EXPECT_EXITED(wait_for((pid_t)child), 0);
                 close(pidfd);
               },
           .unchanged = [] { return waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }},
          {ENOMEM, EAGAIN});
  }
}

TEST(EachAllocationOfProcesses, PidfdOpen) {
  sweep({.call = [] { return sys(SYS_pidfd_open, getpid(), 0); }, .undo = close_result});
}

HELPER(allocation_left) {
  const int fd = open("/proc/thread-self/fail-nth", O_RDONLY);
  char text[16] = {};
  return fd >= 0 && read(fd, text, sizeof text - 1) > 0 && atoi(text) ? nothing_failed : 0;
}

// Beyond the point of no return the program can only end.
TEST(EachAllocationOfProcesses, Execve) {
  AllocationSweep sweep({ENOMEM});
  SWEEP_OR_SKIP(sweep);
  sweep.run_in_children(
      [] {
        char program[] = "/proc/self/exe", helper[] = "--helper", name[] = "allocation_left";
        char* arguments[] = {program, helper, name, nullptr};
        char* environment[] = {nullptr};
        return long{execve(program, arguments, environment)};
      },
      AllocationSweep::Program::is_replaced);
}

TEST(EachAllocationOfProcesses, PtraceSeize) {
  const pid_t child = fork_child([] {
    for (;;) pause();
  });
  ASSERT_TRUE(wait_for_state(child, 'S'));
  sweep({.call = [&] { return (long)ptrace(PTRACE_SEIZE, child, 0, 0); },
         .undo =
             [&](long) {
               EXPECT_OK(ptrace(PTRACE_INTERRUPT, child, 0, 0));
               EXPECT_EQ(waitpid(child, nullptr, __WALL), child);
               EXPECT_OK(ptrace(PTRACE_DETACH, child, 0, 0));
             },
         .unchanged =
             [&] {
               return slurp(("/proc/" + std::to_string(child) + "/status").c_str()).find("TracerPid:\t0\n") !=
                      std::string::npos;
             }},
        {ENOMEM, EPERM});
  kill(child, SIGKILL);
  wait_for(child);
}

TEST(EachAllocationOfProcesses, SeccompFilter) {
  sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  sock_fprog program = {1, &allow};
  sweep_in_children([&] {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
  });
}

TEST(EachAllocationOfProcesses, Credentials) {
  sweep_in_children([] {
    const gid_t groups[] = {1, 2, 3, 4, 5};
    return sys(SYS_setgroups, 5, groups);
  });
  sweep_in_children([] { return sys(SYS_setresuid, other_user, other_user, other_user); }, {ENOMEM, EAGAIN});
  sweep_in_children([] { return sys(SYS_setresgid, other_group, other_group, other_group); });
}

TEST(EachAllocationOfProcesses, Unshare) {
  for (int flags : {CLONE_FILES, CLONE_FS, CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID,
                    CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_FILES}) {
    SCOPED_TRACE(flags);
    if (run_child([&] { _exit(unshare(flags) != 0 && errno != ENOMEM ? 77 : 0); }) != 0) continue;
    sweep_in_children([&] { return long{unshare(flags)}; });
  }
}

TEST(EachAllocationOfProcesses, HighDescriptor) {
  sweep_in_children([] { return long{fcntl(0, F_DUPFD, 700)}; });
}

TEST(EachAllocationOfProcesses, Affinity) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  sweep_in_children([&] { return long{sched_setaffinity(0, sizeof set, &set)}; });
}

TEST(EachAllocationOfProcesses, Timer) {
  sigevent event = {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR1;
  int timer;
  sweep({.call = [&] { return sys(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer); },
         .undo = [&](long) { EXPECT_OK(sys(SYS_timer_delete, timer)); }},
        {ENOMEM, EAGAIN});
}

TEST(EachAllocationOfProcesses, QueuedSignal) {
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 3);
  sigprocmask(SIG_BLOCK, &set, &before);
  const timespec now = {};
  sweep({.call = [] { return long{sigqueue(getpid(), SIGRTMIN + 3, sigval{})}; },
         .undo = [&](long) { EXPECT_EQ(sigtimedwait(&set, nullptr, &now), SIGRTMIN + 3); },
         .unchanged = [&] { return sigtimedwait(&set, nullptr, &now) < 0; }},
        {EAGAIN});
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

TEST(EachAllocationOfProcesses, MemoryOfAnother) {
  char from[4000] = {}, to[4000];
  iovec here = {to, sizeof to}, there = {from, sizeof from};
  sweep({.call = [&] { return sys(SYS_process_vm_readv, getpid(), &here, 1, &there, 1, 0); }});
}

// Names that /proc had for processes keep nothing of them once the caches are dropped.
TEST(DropCaches, ForgetsProcessesThatEnded) {
  if (access("/proc/sys/vm/drop_caches", W_OK) != 0 || access("/proc/thread-self/fail-nth", F_OK) != 0 ||
      !slab_counts_are_exact())
    GTEST_SKIP() << "objects are not counted exactly here";
  constexpr int processes = 100;
  auto drop_names = [] {
    ScopedFd drop = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
    EXPECT_EQ(write(drop, "2", 1), 1);
  };
  for (int i = 0; i < 5; i++) drop_names();
  sleep_milliseconds(300);
  const SlabCounts before = slab_counts();
  for (int i = 0; i < processes; i++) EXPECT_CHILD_OK([] { EXPECT_NE(slurp("/proc/self/status"), ""); });
  drop_names();
  std::string grown;
  for (int wait = 0; wait < 30; wait++) {
    grown = slab_growth(before, processes / 2);
    if (grown.empty()) return;
    sleep_milliseconds(100);
  }
  FAIL() << "objects of " << processes << " processes:" << grown;
}

// ---- Memory ----

constexpr size_t page = 4096;

class EachAllocationOfMemory : public testing::Test {
 protected:
  void SetUp() override {
    place_ = (char*)mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(place_, MAP_FAILED);
  }
  void TearDown() override { munmap(place_, size); }
  void renew() {
    ASSERT_EQ(mmap(place_, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
              place_);
    memset(place_, 1, size);
  }
  bool intact() const {
    for (size_t i = 0; i < size; i += page) {
      if (place_[i] != 1) return false;
    }
    return true;
  }
  static constexpr size_t size = 16 * page;
  char* place_ = nullptr;
};

// No page that is touched may be refused: only the call itself fails.
TEST_F(EachAllocationOfMemory, MapAndTouch) {
  sweep({.call =
             [] {
               char* memory = (char*)mmap(nullptr, 64 * page, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
               if (memory == MAP_FAILED) return -1l;
               for (size_t i = 0; i < 64 * page; i += page) memory[i] = 1;
               return (long)memory;
             },
         .undo = [](long memory) { munmap((void*)memory, 64 * page); }});
}

TEST_F(EachAllocationOfMemory, SharedMemoryIsTouched) {
  sweep({.call =
             [] {
               char* memory =
                   (char*)mmap(nullptr, 64 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
               if (memory == MAP_FAILED) return -1l;
               for (size_t i = 0; i < 64 * page; i += page) memory[i] = 1;
               return (long)memory;
             },
         .undo = [](long memory) { munmap((void*)memory, 64 * page); }});
}

TEST_F(EachAllocationOfMemory, Memfd) {
  sweep({.call = [] { return long{memfd_create("sweep", MFD_CLOEXEC)}; }, .undo = close_result});
  ScopedFd fd = memfd_create("sweep", 0);
  ASSERT_OK(ftruncate(fd, 32 * page));
  sweep({.call =
             [&] {
               char* memory = (char*)mmap(nullptr, 32 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
               if (memory == MAP_FAILED) return -1l;
               for (size_t i = 0; i < 32 * page; i += page) memory[i] = 1;
               return (long)memory;
             },
         .undo =
             [&](long memory) {
               munmap((void*)memory, 32 * page);
               EXPECT_OK(ftruncate(fd, 0));
               EXPECT_OK(ftruncate(fd, 32 * page));
             }});
}

TEST_F(EachAllocationOfMemory, SplittingByProtection) {
  sweep({.prepare = [&] { renew(); },
         .call = [&] { return long{mprotect(place_ + 4 * page, 4 * page, PROT_READ)}; },
         .unchanged = [&] { return intact() && (memset(place_, 1, size), true); }});
}

TEST_F(EachAllocationOfMemory, SplittingByUnmapping) {
  sweep({.prepare = [&] { renew(); },
         .call = [&] { return long{munmap(place_ + 4 * page, 4 * page)}; },
         .unchanged = [&] { return intact(); }});
}

TEST_F(EachAllocationOfMemory, MappingOver) {
  sweep({.prepare = [&] { renew(); },
         .call =
             [&] {
               return (long)mmap(place_ + 4 * page, 4 * page, PROT_READ,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
             }});
}

TEST_F(EachAllocationOfMemory, Moving) {
  sweep({.prepare = [&] { renew(); },
         .call = [&] { return (long)mremap(place_ + 4 * page, 4 * page, 64 * page, MREMAP_MAYMOVE); },
         .undo = [&](long memory) { munmap((void*)memory, 64 * page); },
         .unchanged = [&] { return intact(); }});
}

TEST_F(EachAllocationOfMemory, Locking) {
  sweep({.prepare = [&] { renew(); },
         .call = [&] { return long{mlock(place_ + 4 * page, 4 * page)}; },
         .undo = [&](long) { EXPECT_OK(munlock(place_, size)); },
         .unchanged = [&] { return intact() && munlock(place_, size) == 0; }},
        {ENOMEM, EAGAIN});
}

TEST_F(EachAllocationOfMemory, Advice) {
  sweep({.prepare = [&] { renew(); },
         .call = [&] { return long{madvise(place_ + 4 * page, 4 * page, MADV_DONTFORK)}; },
         .unchanged = [&] { return intact(); }},
        {ENOMEM, EAGAIN});
  sweep({.prepare = [&] { renew(); },
         .call = [&] { return long{madvise(place_ + 4 * page, 4 * page, MADV_DONTNEED)}; }},
        {ENOMEM, EAGAIN});
}

// ---- Sockets ----

class EachAllocationOfSockets : public TempDirTest {
 protected:
  sockaddr_un address(const char* name) const {
    sockaddr_un result = {.sun_family = AF_UNIX};
    snprintf(result.sun_path, sizeof result.sun_path, "%s", (const char*)path(name));
    return result;
  }
  static constexpr int no_wait = SOCK_NONBLOCK | SOCK_CLOEXEC;
};
const std::vector<int> socket_errors = {ENOMEM, ENOBUFS};

TEST_F(EachAllocationOfSockets, Socket) {
  for (int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}) {
    for (int type : {SOCK_STREAM, SOCK_DGRAM}) {
      SCOPED_TRACE(family * 10 + type);
      ScopedFd first = socket(family, type, 0);
      if (first < 0) continue;
      sweep({.call = [&] { return long{socket(family, type, 0)}; }, .undo = close_result}, socket_errors);
    }
  }
}

TEST_F(EachAllocationOfSockets, Pair) {
  int ends[2];
  sweep({.call = [&] { return long{socketpair(AF_UNIX, SOCK_STREAM, 0, ends)}; },
         .undo = [&](long) { close(ends[0]), close(ends[1]); }},
        socket_errors);
}

TEST_F(EachAllocationOfSockets, Bind) {
  const sockaddr_un name = address("socket");
  ScopedFd fd;
  sweep({.prepare = [&] { fd = socket(AF_UNIX, SOCK_STREAM, 0); },
         .call = [&] { return long{bind(fd, (const sockaddr*)&name, sizeof name)}; },
         .undo = [&](long) { EXPECT_OK(unlink(name.sun_path)); },
         .unchanged = [&] { return !exists("socket"); }},
        socket_errors);
}

TEST_F(EachAllocationOfSockets, ConnectAndAccept) {
  const sockaddr_un name = address("socket");
  ScopedFd listener = socket(AF_UNIX, SOCK_STREAM | no_wait, 0), fd;
  ASSERT_OK(bind(listener, (const sockaddr*)&name, sizeof name));
  ASSERT_OK(listen(listener, 5));
  sweep({.prepare = [&] { fd = socket(AF_UNIX, SOCK_STREAM, 0); },
         .call = [&] { return long{connect(fd, (const sockaddr*)&name, sizeof name)}; },
         .undo = [&](long) { close(accept(listener, nullptr, nullptr)); },
         .unchanged = [&] { return accept(listener, nullptr, nullptr) < 0; }},
        socket_errors);
  sweep({.prepare =
             [&] {
               while (ScopedFd left = accept(listener, nullptr, nullptr)) {
                 if (left < 0) break;
               }
               fd = socket(AF_UNIX, SOCK_STREAM, 0);
               EXPECT_OK(connect(fd, (const sockaddr*)&name, sizeof name));
             },
         .call = [&] { return long{accept(listener, nullptr, nullptr)}; },
         .undo = close_result},
        socket_errors);
}

// Descriptors in a message.
class Passing {
 public:
  explicit Passing(const std::vector<int>& descriptors) : descriptors_(descriptors) {}
  msghdr* header() {
    memset(control_, 0, sizeof control_);
    piece_ = {&byte_, 1};
    header_ = {
        .msg_iov = &piece_, .msg_iovlen = 1, .msg_control = control_, .msg_controllen = sizeof control_};
    return &header_;
  }
  msghdr* filled() {
    header();
    const size_t size = descriptors_.size() * sizeof(int);
    header_.msg_controllen = CMSG_SPACE(size);
    cmsghdr* message = CMSG_FIRSTHDR(&header_);
    *message = {.cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(message), descriptors_.data(), size);
    return &header_;
  }
  void close_received() {
    cmsghdr* message = CMSG_FIRSTHDR(&header_);
    if (!message) return;
    const size_t count = (message->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(message) + i * sizeof fd, sizeof fd);
      close(fd);
    }
  }

 private:
  std::vector<int> descriptors_;
  char byte_ = 'x';
  iovec piece_;
  msghdr header_;
  alignas(cmsghdr) char control_[512];
};

TEST_F(EachAllocationOfSockets, PassingDescriptors) {
  for (int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    SCOPED_TRACE(type);
    int ends[2];
    ASSERT_OK(socketpair(AF_UNIX, type | no_wait, 0, ends));
    ScopedFd sender = ends[0], receiver = ends[1];
    Passing passing({0, 1, sender, receiver});
    auto drain = [&] {
      while (recvmsg(receiver, passing.header(), MSG_CMSG_CLOEXEC) >= 0) passing.close_received();
    };
    sweep({.call = [&] { return (long)sendmsg(sender, passing.filled(), 0); },
           .undo = [&](long) { drain(); },
           .unchanged = [&] { return recvmsg(receiver, passing.header(), MSG_CMSG_CLOEXEC) < 0; }},
          {ENOMEM, ENOBUFS, ETOOMANYREFS});
    sweep({.prepare =
               [&] {
                 drain();
                 EXPECT_OK(sendmsg(sender, passing.filled(), 0));
               },
           .call = [&] { return (long)recvmsg(receiver, passing.header(), MSG_CMSG_CLOEXEC); },
           .undo = [&](long) { passing.close_received(); }},
          socket_errors);
  }
}

TEST_F(EachAllocationOfSockets, Datagram) {
  const sockaddr_un name = address("socket");
  ScopedFd receiver = socket(AF_UNIX, SOCK_DGRAM | no_wait, 0),
           sender = socket(AF_UNIX, SOCK_DGRAM | no_wait, 0);
  ASSERT_OK(bind(receiver, (const sockaddr*)&name, sizeof name));
  char data[1000] = {};
  sweep({.call =
             [&] { return (long)sendto(sender, data, sizeof data, 0, (const sockaddr*)&name, sizeof name); },
         .undo = [&](long) { EXPECT_EQ(recv(receiver, data, sizeof data, 0), 1000); },
         .unchanged = [&] { return recv(receiver, data, sizeof data, 0) < 0; }},
        socket_errors);
}

// ---- System V ----

TEST(EachAllocationOfSystemV, Objects) {
  if (msgget(IPC_PRIVATE, 0) < 0 && errno == ENOSYS) GTEST_SKIP() << "none here";
  sweep({.call = [] { return long{msgget(IPC_PRIVATE, 0600)}; },
         .undo = [](long id) { EXPECT_OK(msgctl((int)id, IPC_RMID, nullptr)); }});
  sweep({.call = [] { return long{semget(IPC_PRIVATE, 10, 0600)}; },
         .undo = [](long id) { EXPECT_OK(semctl((int)id, 0, IPC_RMID)); }});
  sweep({.call = [] { return long{shmget(IPC_PRIVATE, 8192, 0600)}; },
         .undo = [](long id) { EXPECT_OK(shmctl((int)id, IPC_RMID, nullptr)); }});
}

TEST(EachAllocationOfSystemV, Use) {
  const int queue = msgget(IPC_PRIVATE, 0600), semaphores = semget(IPC_PRIVATE, 10, 0600);
  const int segment = shmget(IPC_PRIVATE, 8192, 0600);
  ASSERT_OK(segment);
  struct {
    long type = 1;
    char text[1000] = {};
  } message;
  sweep({.call = [&] { return long{msgsnd(queue, &message, sizeof message.text, IPC_NOWAIT)}; },
         .undo = [&](long) { EXPECT_EQ(msgrcv(queue, &message, sizeof message.text, 0, IPC_NOWAIT), 1000); },
         .unchanged = [&] { return msgrcv(queue, &message, sizeof message.text, 0, IPC_NOWAIT) < 0; }});
  sembuf up = {.sem_num = 3, .sem_op = 1, .sem_flg = SEM_UNDO},
         down = {.sem_num = 3, .sem_op = -1, .sem_flg = SEM_UNDO};
  sweep({.call = [&] { return long{semop(semaphores, &up, 1)}; },
         .undo = [&](long) { EXPECT_OK(semop(semaphores, &down, 1)); },
         .unchanged = [&] { return semctl(semaphores, 3, GETVAL) == 0; }});
  sweep({.call = [&] { return (long)shmat(segment, nullptr, 0); },
         .undo = [&](long memory) { EXPECT_OK(shmdt((void*)memory)); },
         .unchanged =
             [&] {
               shmid_ds status;
               return shmctl(segment, IPC_STAT, &status) == 0 && status.shm_nattch == 0;
             }});
  msgctl(queue, IPC_RMID, nullptr);
  semctl(semaphores, 0, IPC_RMID);
  shmctl(segment, IPC_RMID, nullptr);
}

}  // namespace
