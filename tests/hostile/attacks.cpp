// The attacks other than random calls.
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "hostile.h"

namespace hostile {
namespace {

[[noreturn]] void fail(const char* what) {
  dprintf(1, "hostile: FAILED: %s (errno %d, %s)\n", what, errno, strerror(errno));
  _exit(attack_failed);
}

}  // namespace

// Jumps into random bytes.
void random_code(Random& random) {
  constexpr size_t size = 4096;
  auto* code = static_cast<unsigned char*>(
      mmap(nullptr, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (code == MAP_FAILED) return;
  for (size_t i = 0; i < size; i++) code[i] = static_cast<unsigned char>(random.next() >> 40);
  // Handlers return into the same mess, over and over.
  if (random.one_in(2)) {
    for (const int signal : {SIGSEGV, SIGILL, SIGBUS, SIGFPE, SIGTRAP}) {
      struct sigaction action = {};
      action.sa_handler = reinterpret_cast<void (*)(int)>(code + random.below(size));
      action.sa_flags = SA_NODEFER;
      sigaction(signal, &action, nullptr);
    }
  }
  reinterpret_cast<void (*)()>(code + random.below(size))();
}

// Executes a copy of this program with random damage.
void damaged_program(Random& random) {
  const int own = open("/proc/self/exe", O_RDONLY);
  struct stat status;
  if (own < 0 || fstat(own, &status) != 0) return;
  std::string image((size_t)status.st_size, 0);
  if (read(own, image.data(), image.size()) != (ssize_t)image.size()) return;
  const size_t reach = random.one_in(2) ? 64 : 1024;
  for (uint64_t changes = 1 + random.below(12); changes > 0; changes--) {
    const size_t at = 4 + random.below(reach);
    if (random.one_in(2)) {
      image[at] ^= (char)(1 << random.below(8));
    } else {
      image[at] = (char)random.next();
    }
  }
  if (random.one_in(5)) image.resize(random.below(image.size()));
  const int copy = open("program", O_WRONLY | O_CREAT | O_TRUNC, 0700);
  if (copy < 0 || write(copy, image.data(), image.size()) < 0) return;
  close(copy);
  char name[] = "program", option[] = "--nothing";
  char* arguments[] = {name, option, nullptr};
  char* environment[] = {nullptr};
  execve("program", arguments, environment);
}

void exhaust_descriptors(Random& random) {
  const uint64_t kind = random.below(4);
  for (int i = 0; i < 10000; i++) {
    int ends[2], result = 0;
    switch (kind) {
      case 0:
        result = open("/dev/null", O_RDONLY);
        break;
      case 1:
        result = pipe(ends);
        break;
      case 2:
        result = socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
        break;
      case 3:
        result = dup(0);
        break;
    }
    if (result < 0) {
      if (errno != EMFILE && errno != ENFILE && errno != ENOMEM)
        fail("descriptors ran out with a strange errno");
      return;
    }
  }
  fail("no limit on descriptors");
}

void exhaust_processes(Random&) {
  for (int i = 0; i < 1000; i++) {
    const pid_t child = fork();
    if (child == 0) {
      pause();
      _exit(0);
    }
    if (child < 0) {
      if (errno != EAGAIN && errno != ENOMEM) fail("processes ran out with a strange errno");
      return;  // The parent kills the whole group.
    }
  }
  fail("no limit on processes");
}

void exhaust_memory(Random& random) {
  for (int i = 0; i < 100000; i++) {
    const size_t size = (1 + random.below(64)) << 16;
    char* memory =
        static_cast<char*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (memory == MAP_FAILED) {
      if (errno != ENOMEM) fail("memory ran out with a strange errno");
      return;
    }
    for (size_t at = 0; at < size; at += 4096) memory[at] = 1;
  }
}

void exhaust_signals(Random&) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  for (int i = 0; i < 200000; i++) {
    if (sigqueue(getpid(), SIGRTMIN + i % 20, sigval{.sival_int = i}) != 0) {
      if (errno != EAGAIN) fail("signals ran out with a strange errno");
      return;
    }
  }
  fail("no limit on queued signals");
}

}  // namespace hostile
