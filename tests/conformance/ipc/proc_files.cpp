// /proc/sysvipc/{msg,sem,shm}, as ipcs(1) reads them.
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include <sstream>

#include "support/conformance.h"

namespace {
using namespace conformance;

// The fields of the line whose second is the id.
std::vector<long> line_of(const char* file, int id) {
  std::istringstream text(slurp(file));
  std::string line;
  std::getline(text, line);  // what the fields are
  while (std::getline(text, line)) {
    std::istringstream fields(line);
    std::vector<long> values;
    for (std::string word; fields >> word;)
      values.push_back(strtol(word.c_str(), nullptr, values.size() == 2 ? 8 : 10));
    if (values.size() > 2 && values[1] == id) return values;
  }
  return {};
}

TEST(ProcSysvipc, Messages) {
  const int id = msgget(IPC_PRIVATE, 0640 | IPC_CREAT);
  ASSERT_OK(id);
  struct {
    long kind;
    char text[5];
  } letter = {1, "four"};
  EXPECT_OK(msgsnd(id, &letter, 5, 0));
  const auto fields = line_of("/proc/sysvipc/msg", id);
  ASSERT_EQ(fields.size(), 14u);
  EXPECT_EQ(fields[2], 0640);
  EXPECT_EQ(fields[3], 5) << "bytes";
  EXPECT_EQ(fields[4], 1) << "messages";
  EXPECT_EQ(fields[5], getpid());
  EXPECT_EQ(fields[7], (long)geteuid());
  EXPECT_OK(msgctl(id, IPC_RMID, nullptr));
  EXPECT_TRUE(line_of("/proc/sysvipc/msg", id).empty());
}

TEST(ProcSysvipc, Semaphores) {
  const int id = semget(IPC_PRIVATE, 3, 0600 | IPC_CREAT);
  ASSERT_OK(id);
  const auto fields = line_of("/proc/sysvipc/sem", id);
  ASSERT_EQ(fields.size(), 10u);
  EXPECT_EQ(fields[2], 0600);
  EXPECT_EQ(fields[3], 3);
  EXPECT_OK(semctl(id, 0, IPC_RMID));
}

TEST(ProcSysvipc, SharedMemory) {
  const int id = shmget(IPC_PRIVATE, 10000, 0600 | IPC_CREAT);
  ASSERT_OK(id);
  void* const memory = shmat(id, nullptr, 0);
  *(char*)memory = 1;
  auto fields = line_of("/proc/sysvipc/shm", id);
  ASSERT_EQ(fields.size(), 16u);
  EXPECT_EQ(fields[3], 10000);
  EXPECT_EQ(fields[4], getpid());
  EXPECT_EQ(fields[6], 1) << "attached";
  EXPECT_EQ(fields[14], 4096) << "in memory";
  EXPECT_OK(shmctl(id, IPC_RMID, nullptr));
  fields = line_of("/proc/sysvipc/shm", id);
  ASSERT_EQ(fields.size(), 16u);
  EXPECT_EQ(fields[2], 01600) << "it goes with the last to detach";
  EXPECT_OK(shmdt(memory));
}

}  // namespace
