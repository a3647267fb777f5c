// execve: replaces the program of the running process.
//
//   ExecRequest request(task);  request.open(...), request.add_argument... ; TRY(execute(context, request));
//
// Until execute() has passed its point of no return everything is undone on error; after it the process is killed
// instead.
#pragma once

#include "linux_abi/syscall.h"
#include "linux_abi/task.h"

namespace linux_abi {

// Where argument and environment strings come from: user memory (execve) or the kernel (the first program).
class StringSource {
 public:
  virtual Result<std::size_t> count() = 0;                     // E2BIG past the limit
  // Copies string `index` with its zero byte to `to`; the size with the zero. E2BIG when it does not fit.
  virtual Result<std::size_t> copy(std::size_t index, std::span<char> to) = 0;

 protected:
  ~StringSource() = default;
};

// `registers` of the task are set to the program's start. `display_path` becomes AT_EXECFN.
Result<void> execute(Task& task, RefPtr<vfs::File> file, std::string_view display_path, StringSource& arguments,
                     StringSource& environment);

}  // namespace linux_abi
