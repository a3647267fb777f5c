// semget(2), semop(2), semtimedop(2), semctl(2)
#include <signal.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/wait.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

union semun {
  int val;
  semid_ds* buf;
  unsigned short* array;
  struct seminfo* info;
};

class Semaphores : public testing::Test {
 protected:
  int make(int count, int flags = 0600) {
    const int id = semget(IPC_PRIVATE, count, IPC_CREAT | flags);
    if (id >= 0) ids_.push_back(id);
    return id;
  }
  static int add(int id, int number, int amount, int flags = 0) {
    sembuf operation = {(unsigned short)number, (short)amount, (short)flags};
    return semop(id, &operation, 1);
  }
  static int value(int id, int number = 0) { return semctl(id, number, GETVAL); }
  static void set(int id, int number, int amount) {
    semun argument = {.val = amount};
    ASSERT_OK(semctl(id, number, SETVAL, argument));
  }
  void TearDown() override {
    for (const int id : ids_) semctl(id, 0, IPC_RMID);
  }
  std::vector<int> ids_;
};

TEST_F(Semaphores, CountUpAndDown) {
  const int id = make(2);
  ASSERT_OK(id);
  EXPECT_EQ(value(id), 0);
  EXPECT_OK(add(id, 0, 3));
  EXPECT_OK(add(id, 0, -2));
  EXPECT_EQ(value(id, 0), 1);
  EXPECT_EQ(value(id, 1), 0);
  EXPECT_EQ(semctl(id, 0, GETPID), getpid());
  EXPECT_ERRNO(add(id, 0, -2, IPC_NOWAIT), EAGAIN);
  EXPECT_ERRNO(add(id, 0, 0, IPC_NOWAIT), EAGAIN);
  EXPECT_OK(add(id, 1, 0, IPC_NOWAIT));
}

TEST_F(Semaphores, OperationsAreAtomic) {
  const int id = make(2);
  set(id, 0, 5);
  sembuf operations[] = {{0, -1, IPC_NOWAIT}, {1, -1, IPC_NOWAIT}};
  EXPECT_ERRNO(semop(id, operations, 2), EAGAIN);
  EXPECT_EQ(value(id, 0), 5) << "nothing was done";
  sembuf both[] = {{0, -5, 0}, {0, 0, 0}, {0, 2, 0}, {1, 1, 0}};
  EXPECT_OK(semop(id, both, 4));
  EXPECT_EQ(value(id, 0), 2);
  EXPECT_EQ(value(id, 1), 1);
}

TEST_F(Semaphores, WaitersAreWoken) {
  const int id = make(1);
  const pid_t child = fork_child([&] { EXPECT_OK(add(id, 0, -3)); });
  for (int i = 0; i < 500 && semctl(id, 0, GETNCNT) != 1; i++) sleep_milliseconds(10);
  EXPECT_EQ(semctl(id, 0, GETNCNT), 1);
  EXPECT_OK(add(id, 0, 2));
  EXPECT_EQ(semctl(id, 0, GETNCNT), 1);
  EXPECT_OK(add(id, 0, 1));
  wait_for(child);
  EXPECT_EQ(value(id), 0);
}

TEST_F(Semaphores, WaitingForZero) {
  const int id = make(1);
  set(id, 0, 1);
  const pid_t child = fork_child([&] { EXPECT_OK(add(id, 0, 0)); });
  for (int i = 0; i < 500 && semctl(id, 0, GETZCNT) != 1; i++) sleep_milliseconds(10);
  EXPECT_EQ(semctl(id, 0, GETZCNT), 1);
  set(id, 0, 0);
  wait_for(child);
}

TEST_F(Semaphores, UndoAtExit) {
  const int id = make(2);
  set(id, 0, 4);
  EXPECT_CHILD_OK([&] {
    EXPECT_OK(add(id, 0, -3, SEM_UNDO));
    EXPECT_OK(add(id, 1, 2, SEM_UNDO));
    EXPECT_OK(add(id, 0, 1, SEM_UNDO));
    EXPECT_EQ(value(id, 0), 2);
  });
  EXPECT_EQ(value(id, 0), 4);
  EXPECT_EQ(value(id, 1), 0);
}

TEST_F(Semaphores, UndoWakesOthers) {
  const int id = make(1);
  set(id, 0, 1);
  const pid_t holder = fork_child([&] {
    EXPECT_OK(add(id, 0, -1, SEM_UNDO));
    pause();
  });
  for (int i = 0; i < 500 && value(id) != 0; i++) sleep_milliseconds(10);
  kill(holder, SIGKILL);
  EXPECT_OK(add(id, 0, -1)) << "the kernel gave the lock of the dead back";
  wait_for(holder);
}

TEST_F(Semaphores, SettingValuesForgetsUndo) {
  const int id = make(1);
  set(id, 0, 4);
  EXPECT_CHILD_OK([&] {
    EXPECT_OK(add(id, 0, -3, SEM_UNDO));
    set(id, 0, 7);
  });
  EXPECT_EQ(value(id), 7);
}

TEST_F(Semaphores, TimeOut) {
  const int id = make(1);
  sembuf operation = {0, -1, 0};
  timespec limit = {0, 30000000};
  const long start = now_milliseconds();
  EXPECT_ERRNO(semtimedop(id, &operation, 1, &limit), EAGAIN);
  EXPECT_GE(now_milliseconds() - start, 29);
  limit.tv_nsec = 1000000000;
  EXPECT_ERRNO(semtimedop(id, &operation, 1, &limit), EINVAL);
}

TEST_F(Semaphores, RemovalAndSignalsEndWaits) {
  const int id = make(1);
  const pid_t waiter = fork_child([&] { EXPECT_ERRNO(add(id, 0, -1), EIDRM); });
  for (int i = 0; i < 500 && semctl(id, 0, GETNCNT) != 1; i++) sleep_milliseconds(10);
  ASSERT_OK(semctl(id, 0, IPC_RMID));
  wait_for(waiter);
  EXPECT_ERRNO(add(id, 0, 1), EINVAL);
  const int other = make(1);
  EXPECT_CHILD_OK([&] {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, nullptr);
    const itimerval soon = {{0, 20000}, {0, 20000}};
    setitimer(ITIMER_REAL, &soon, nullptr);
    EXPECT_ERRNO(add(other, 0, -1), EINTR) << "never restarted";
  });
}

TEST_F(Semaphores, AllValues) {
  const int id = make(3);
  unsigned short values[3] = {1, 2, 3};
  semun argument = {.array = values};
  ASSERT_OK(semctl(id, 0, SETALL, argument));
  EXPECT_EQ(value(id, 2), 3);
  unsigned short now[3] = {};
  argument.array = now;
  ASSERT_OK(semctl(id, 0, GETALL, argument));
  EXPECT_EQ(now[1], 2);
  values[1] = 32768;
  argument.array = values;
  EXPECT_ERRNO(semctl(id, 0, SETALL, argument), ERANGE);
}

TEST_F(Semaphores, StatAndPermissions) {
  const int id = make(3, 0640);
  semid_ds state = {};
  semun argument = {.buf = &state};
  ASSERT_OK(semctl(id, 0, IPC_STAT, argument));
  EXPECT_EQ(state.sem_nsems, 3u);
  EXPECT_EQ(state.sem_perm.mode, 0640u);
  EXPECT_EQ(state.sem_otime, 0);
  EXPECT_NE(state.sem_ctime, 0);
  EXPECT_OK(add(id, 0, 1));
  ASSERT_OK(semctl(id, 0, IPC_STAT, argument));
  EXPECT_NE(state.sem_otime, 0);
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(add(id, 0, 1), EACCES);
    EXPECT_ERRNO(semctl(id, 0, GETVAL), EACCES);
    EXPECT_ERRNO(semctl(id, 0, IPC_RMID), EPERM);
  });
}

TEST_F(Semaphores, Errors) {
  const int id = make(2);
  EXPECT_ERRNO(semget(IPC_PRIVATE, 0, IPC_CREAT | 0600), EINVAL);
  EXPECT_ERRNO(semget(IPC_PRIVATE, 32001, IPC_CREAT | 0600), EINVAL);
  EXPECT_ERRNO(semget(0x7ab1e6, 1, 0), ENOENT);
  EXPECT_ERRNO(add(id, 2, 1), EFBIG);
  sembuf one = {0, 1, 0};
  EXPECT_ERRNO(semop(id, &one, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_semop, id, low_address(), 1), EFAULT);
  std::vector<sembuf> many(501, one);
  EXPECT_ERRNO(semop(id, many.data(), many.size()), E2BIG);
  set(id, 0, 32767);
  EXPECT_ERRNO(add(id, 0, 1), ERANGE);
  semun argument = {.val = 32768};
  EXPECT_ERRNO(semctl(id, 0, SETVAL, argument), ERANGE);
  argument.val = -1;
  EXPECT_ERRNO(semctl(id, 0, SETVAL, argument), ERANGE);
  EXPECT_ERRNO(semctl(id, 2, GETVAL), EINVAL);
  EXPECT_ERRNO(semctl(id, 0, 99), EINVAL);
}

TEST_F(Semaphores, KeysFindSets) {
  const key_t key = 0x4e4f5400 + (getpid() & 0xff);
  const int id = semget(key, 2, IPC_CREAT | IPC_EXCL | 0600);
  ASSERT_OK(id);
  ids_.push_back(id);
  EXPECT_EQ(semget(key, 0, 0), id);
  EXPECT_EQ(semget(key, 2, 0), id);
  EXPECT_ERRNO(semget(key, 3, 0), EINVAL);
  EXPECT_ERRNO(semget(key, 2, IPC_CREAT | IPC_EXCL), EEXIST);
}

}  // namespace
