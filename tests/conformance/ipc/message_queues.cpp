// msgget(2), msgsnd(2), msgrcv(2), msgctl(2)
#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/wait.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

struct Letter {
  long kind;
  char text[64];
};

class MessageQueues : public testing::Test {
 protected:
  int make(int flags = 0600) {
    const int id = msgget(IPC_PRIVATE, IPC_CREAT | flags);
    if (id >= 0) ids_.push_back(id);
    return id;
  }
  static int send(int id, long kind, const std::string& text, int flags = IPC_NOWAIT) {
    Letter letter = {kind, {}};
    memcpy(letter.text, text.data(), text.size());
    return msgsnd(id, &letter, text.size(), flags);
  }
  static std::string receive(int id, long kind, int flags = IPC_NOWAIT, long* kind_out = nullptr) {
    Letter letter = {};
    const ssize_t size = msgrcv(id, &letter, sizeof letter.text, kind, flags);
    if (size < 0) return errno_name(errno);
    if (kind_out) *kind_out = letter.kind;
    return std::string(letter.text, (size_t)size);
  }
  void TearDown() override {
    for (const int id : ids_) msgctl(id, IPC_RMID, nullptr);
  }
  std::vector<int> ids_;
};

TEST_F(MessageQueues, InOrder) {
  const int id = make();
  ASSERT_OK(id);
  EXPECT_OK(send(id, 1, "one"));
  EXPECT_OK(send(id, 2, "two"));
  EXPECT_OK(send(id, 1, ""));
  EXPECT_EQ(receive(id, 0), "one");
  long kind = 0;
  EXPECT_EQ(receive(id, 0, IPC_NOWAIT, &kind), "two");
  EXPECT_EQ(kind, 2);
  EXPECT_EQ(receive(id, 0), "");
  EXPECT_EQ(receive(id, 0), "ENOMSG");
}

TEST_F(MessageQueues, ByKind) {
  const int id = make();
  for (const auto& [kind, text] : {std::pair{5L, "5"}, {3L, "3"}, {4L, "4"}, {3L, "3b"}})
    EXPECT_OK(send(id, kind, text));
  EXPECT_EQ(receive(id, 4), "4");
  EXPECT_EQ(receive(id, -4), "3") << "the lowest kind up to 4";
  EXPECT_EQ(receive(id, 3, IPC_NOWAIT | MSG_EXCEPT), "5");
  EXPECT_EQ(receive(id, 9), "ENOMSG");
  EXPECT_EQ(receive(id, -2), "ENOMSG");
  EXPECT_EQ(receive(id, 3), "3b");
}

TEST_F(MessageQueues, TooLong) {
  const int id = make();
  EXPECT_OK(send(id, 1, "abcdef"));
  Letter letter = {};
  EXPECT_ERRNO(msgrcv(id, &letter, 3, 0, IPC_NOWAIT), E2BIG);
  EXPECT_EQ(msgrcv(id, &letter, 3, 0, IPC_NOWAIT | MSG_NOERROR), 3);
  EXPECT_EQ(receive(id, 0), "ENOMSG") << "the rest is lost";
}

TEST_F(MessageQueues, ReceiversWait) {
  const int id = make();
  const pid_t child = fork_child([&] { EXPECT_EQ(receive(id, 7, 0), "hello"); });
  sleep_milliseconds(20);
  EXPECT_OK(send(id, 6, "not this"));
  EXPECT_OK(send(id, 7, "hello"));
  wait_for(child);
  EXPECT_EQ(receive(id, 0), "not this");
}

TEST_F(MessageQueues, SendersWaitForRoom) {
  const int id = make();
  msqid_ds state = {};
  ASSERT_OK(msgctl(id, IPC_STAT, &state));
  state.msg_qbytes = 100;
  ASSERT_OK(msgctl(id, IPC_SET, &state));
  EXPECT_OK(send(id, 1, std::string(60, 'a')));
  EXPECT_ERRNO(send(id, 1, std::string(60, 'b')), EAGAIN);
  const pid_t child = fork_child([&] { EXPECT_OK(send(id, 2, std::string(60, 'c'), 0)); });
  sleep_milliseconds(20);
  EXPECT_EQ(receive(id, 0).size(), 60u);
  wait_for(child);
  EXPECT_EQ(receive(id, 2), std::string(60, 'c'));
}

TEST_F(MessageQueues, Stat) {
  const int id = make(0620);
  msqid_ds state = {};
  ASSERT_OK(msgctl(id, IPC_STAT, &state));
  EXPECT_EQ(state.msg_qnum, 0u);
  EXPECT_EQ(state.msg_qbytes, 16384u);
  EXPECT_EQ(state.msg_perm.mode, 0620u);
  EXPECT_EQ(state.msg_stime, 0);
  EXPECT_OK(send(id, 1, "abc"));
  ASSERT_OK(msgctl(id, IPC_STAT, &state));
  EXPECT_EQ(state.msg_qnum, 1u);
  EXPECT_EQ(state.__msg_cbytes, 3u);
  EXPECT_EQ(state.msg_lspid, getpid());
  EXPECT_NE(state.msg_stime, 0);
  EXPECT_EQ(state.msg_lrpid, 0);
}

TEST_F(MessageQueues, RemovalAndSignalsEndWaits) {
  const int id = make();
  const pid_t receiver = fork_child([&] { EXPECT_EQ(receive(id, 0, 0), "EIDRM"); });
  sleep_milliseconds(50);
  ASSERT_OK(msgctl(id, IPC_RMID, nullptr));
  wait_for(receiver);
  EXPECT_ERRNO(send(id, 1, "x"), EINVAL);
  const int other = make();
  EXPECT_CHILD_OK([&] {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, nullptr);
    const itimerval soon = {{0, 20000}, {0, 20000}};
    setitimer(ITIMER_REAL, &soon, nullptr);
    EXPECT_EQ(receive(other, 0, 0), "EINTR");
  });
}

TEST_F(MessageQueues, Errors) {
  const int id = make();
  EXPECT_ERRNO(send(id, 0, "x"), EINVAL) << "a kind is positive";
  EXPECT_ERRNO(send(id, -1, "x"), EINVAL);
  Letter letter = {1, {}};
  EXPECT_ERRNO(msgsnd(id, &letter, 8193, IPC_NOWAIT), EINVAL);
  EXPECT_ERRNO(sys(SYS_msgsnd, id, low_address(), 1, IPC_NOWAIT), EFAULT);
  EXPECT_ERRNO(msgget(0x7ab1e7, 0), ENOENT);
  EXPECT_ERRNO(msgctl(id, 99, nullptr), EINVAL);
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(send(id, 1, "x"), EACCES);
    EXPECT_EQ(receive(id, 0), "EACCES");
    EXPECT_ERRNO(msgctl(id, IPC_RMID, nullptr), EPERM);
  });
}

}  // namespace
