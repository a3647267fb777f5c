// A file descriptor that is closed when it goes out of scope.
#pragma once

#include <unistd.h>

#include <utility>

namespace conformance {

class ScopedFd {
 public:
  ScopedFd() = default;
  // Implicit on purpose: `ScopedFd fd = open(...)` reads like the man page.
  ScopedFd(int fd) : fd_(fd) {}
  ScopedFd(ScopedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ScopedFd& operator=(ScopedFd&& other) noexcept {
    reset();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  ~ScopedFd() { reset(); }

  operator int() const { return fd_; }
  int get() const { return fd_; }

  void reset() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

}  // namespace conformance
