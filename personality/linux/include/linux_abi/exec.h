// execve: replaces the program of the running process.
//
// Up to the point of no return (execute() in src/exec.cpp shows it) a failure is the error of the call; after
// it the process is killed instead, as on Linux.
//
//   exec.cpp          the order of things: scripts, point of no return, threads, credentials
//   program_image.cpp what is mapped: segments, interpreter, break, vDSO
//   exec_stack.cpp    what the new program finds on its stack: strings, pointers, auxiliary vector
#pragma once

#include <cstring>
#include <span>
#include <string_view>

#include "base/string.h"
#include "linux_abi/syscall.h"
#include "linux_abi/task.h"

namespace linux_abi {

// Where argument and environment strings come from: user memory (execve) or the kernel (the first program).
class StringSource {
 public:
  virtual Result<std::size_t> count() = 0;  // E2BIG past the limit
  // Size of a string with its zero byte; E2BIG past the limit for one string.
  virtual Result<std::size_t> size(std::size_t index) = 0;
  // Bytes [offset, offset + to.size()) of the string.
  virtual Result<void> copy(std::size_t index, std::size_t offset, std::span<char> to) = 0;

 protected:
  ~StringSource() = default;
};

// Strings of the kernel's own, for the programs that it starts itself.
class KernelStrings final : public StringSource {
 public:
  explicit KernelStrings(const base::Vector<base::String>& strings) : strings_(strings) {}
  Result<std::size_t> count() override { return strings_.size(); }
  Result<std::size_t> size(std::size_t index) override { return strings_[index].size() + 1; }
  Result<void> copy(std::size_t index, std::size_t offset, std::span<char> to) override {
    std::memcpy(to.data(), strings_[index].c_str() + offset, to.size());
    return {};
  }

 private:
  const base::Vector<base::String>& strings_;
};

// The longest single string (MAX_ARG_STRLEN).
inline constexpr std::size_t exec_string_max = 128 * 1024;

// `registers` of the task are set to the program's start. `display_path` becomes AT_EXECFN.
Result<void> execute(Task& task, RefPtr<vfs::File> file, std::string_view display_path,
                     StringSource& arguments, StringSource& environment);

}  // namespace linux_abi
