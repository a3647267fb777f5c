#include "support/child.h"

#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <string>

namespace conformance {

void finish_child() {
  fflush(stdout);
  fflush(stderr);
  _exit(testing::Test::HasFailure() ? child_failed : 0);
}

pid_t fork_child(const std::function<void()>& body) {
  fflush(stdout);
  fflush(stderr);
  const pid_t child = fork();
  if (child == 0) {
    body();
    finish_child();
  }
  if (child < 0) {
    // Nothing can be learnt without the child, and kill(-1) would be meant for everybody.
    ADD_FAILURE() << "fork failed with " << errno_name(errno);
    finish_child();
  }
  return child;
}

int wait_for(pid_t child) {
  int status = -1;
  if (child <= 0) return -1;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return status;
}

int run_child(const std::function<void()>& body) { return wait_for(fork_child(body)); }

void drop_privileges(unsigned user, unsigned group) {
  EXPECT_OK(setgroups(0, nullptr));
  EXPECT_OK(setresgid(group, group, group));
  EXPECT_OK(setresuid(user, user, user));
}

namespace {

std::string describe(int status) {
  if (status == -1) return "could not be waited for";
  if (WIFEXITED(status)) return "exited with " + std::to_string(WEXITSTATUS(status));
  if (WIFSIGNALED(status)) return std::string("was killed by ") + strsignal(WTERMSIG(status));
  if (WIFSTOPPED(status)) return std::string("was stopped by ") + strsignal(WSTOPSIG(status));
  return "status " + std::to_string(status);
}

}  // namespace

testing::AssertionResult exited_with(int status, int code) {
  if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == code) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "the child " << describe(status) << ", expected exit with " << code;
}

testing::AssertionResult killed_by(int status, int signal) {
  if (status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == signal) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "the child " << describe(status) << ", expected death by "
                                     << strsignal(signal);
}

Rendezvous::Rendezvous() {
  int ends[2];
  if (pipe(ends) == 0) {
    reader_ = ends[0];
    writer_ = ends[1];
  } else {
    ADD_FAILURE() << "pipe failed with " << errno_name(errno);
  }
}

void Rendezvous::notify() {
  const char byte = 1;
  EXPECT_EQ(write(writer_, &byte, 1), 1);
}

bool Rendezvous::wait() {
  char byte;
  ssize_t count;
  while ((count = read(reader_, &byte, 1)) < 0 && errno == EINTR) {
  }
  return count == 1;
}

bool wait_for_state(pid_t process, char state) {
  const std::string file = "/proc/" + std::to_string(process) + "/stat";
  for (int attempt = 0; attempt < 1000; attempt++) {
    char text[512] = {};
    FILE* stream = fopen(file.c_str(), "re");
    if (!stream) return false;
    const size_t length = fread(text, 1, sizeof text - 1, stream);
    fclose(stream);
    text[length] = 0;
    const char* name_end = strrchr(text, ')');
    if (name_end && name_end[1] == ' ' && name_end[2] == state) return true;
    sleep_milliseconds(5);
  }
  return false;
}

void sleep_milliseconds(long milliseconds) {
  timespec rest = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  while (nanosleep(&rest, &rest) < 0 && errno == EINTR) {
  }
}

long now_milliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

}  // namespace conformance
