#include "support/fault_injection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

namespace conformance {
namespace {

constexpr char debug_folder[] = "/sys/kernel/debug";
bool active = false;

bool put(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const bool done = fd >= 0 && write(fd, text.data(), text.size()) == (ssize_t)text.size();
  if (!done) printf("cannot write %s to %s: %s\n", text.c_str(), path.c_str(), strerror(errno));
  if (fd >= 0) close(fd);
  return done;
}

std::string setting(const char* name) { return std::string(debug_folder) + "/" + name; }

}  // namespace

bool start_failures(int interval) {
  if (access("/sys/kernel", F_OK) != 0) {
    mkdir("/sys", 0555);
    mount("sysfs", "/sys", "sysfs", 0, nullptr);
  }
  if (access(setting("failslab").c_str(), F_OK) != 0) mount("debugfs", debug_folder, "debugfs", 0, nullptr);
  active = put(setting("failslab/task-filter"), "Y") && put(setting("failslab/times"), "-1") &&
           put(setting("fail_page_alloc/probability"), "100") &&
           put(setting("failslab/interval"), std::to_string(interval));
  return active;
}

void make_it_fail() {
  if (active) put("/proc/self/make-it-fail", "1");
}

void stop_failures() {
  if (!active) return;
  put(setting("failslab/interval"), "0");
  char text[32] = {};
  const int fd = open(setting("failslab/injected").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) strcpy(text, "0\n");
  if (fd >= 0) close(fd);
  printf("injected failures: %s", text);
  fflush(stdout);
}

}  // namespace conformance
