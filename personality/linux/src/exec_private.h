// Shared by the parts of exec.
#pragma once

#include <optional>

#include "base/string.h"
#include "base/vector.h"
#include "elf/image.h"
#include "linux_abi/exec.h"

namespace linux_abi {

// A program understood, nothing mapped yet.
struct Program {
  RefPtr<vfs::File> file;
  elf::Image image;
  bool guarded = false;  // its code has marks where branches may go, and the processor looks at them
};

// ENOEXEC; ELIBBAD for a damaged interpreter.
enum class ProgramRole { program, interpreter };
Result<Program> read_program(RefPtr<vfs::File> file, ProgramRole role);
// The interpreter's path that the program asks for; nothing if it asks for none.
Result<std::optional<base::String>> interpreter_path(const Program& program);

// Where things went.
struct LoadedProgram {
  std::uintptr_t entry = 0;  // of the program itself
  std::uintptr_t start = 0;  // where execution begins: the interpreter's entry if there is one
  std::uintptr_t program_headers = 0;
  std::uintptr_t interpreter_base = 0;
  elf::Extent extent;
  std::uintptr_t bias = 0;
};

struct Randomness {
  bool enabled = true;
  std::uintptr_t stack = 0, map = 0, program = 0, brk = 0;  // offsets in bytes, page aligned
  static Randomness draw(const Task& task);
};

Result<RefPtr<core::AddressSpace>> create_address_space(Process& process, const Randomness& random);
Result<LoadedProgram> map_program(core::AddressSpace& space, const Program& program,
                                  const Program* interpreter, const Randomness& random);
// Gives the address of the vDSO in the new space, 0 if there is none.
Result<std::uintptr_t> map_vdso(core::AddressSpace& space);

// Everything that goes onto the stack, measured before anything is changed.
struct StackPlan {
  base::Vector<base::String> prefix;  // of scripts: interpreter, its argument, the script's path
  std::size_t skipped_arguments = 0;  // argv[0], replaced by the prefix
  StringSource* arguments = nullptr;
  StringSource* environment = nullptr;
  std::string_view display_path;
  std::size_t argument_count = 0, environment_count = 0;  // as the program will see them
  std::size_t argument_bytes = 0, environment_bytes = 0;

  Result<void> measure(Process& process);
};

struct StackValues {
  const LoadedProgram* loaded = nullptr;
  const vfs::Credentials* credentials = nullptr;
  std::size_t program_header_count = 0;
  std::uintptr_t vdso = 0;
  bool secure = false;
};

// Maps and fills the stack; gives the stack pointer.
Result<std::uintptr_t> build_stack(core::AddressSpace& space, StackPlan& plan, const StackValues& values,
                                   std::uintptr_t stack_top, elf::StackPermission permission);

// The credentials after exec of this file, and whether the program must be careful (AT_SECURE).
struct ExecCredentials {
  RefPtr<vfs::Credentials> credentials;
  bool secure = false;
};
Result<ExecCredentials> credentials_for_exec(const Task& task, vfs::File& file);

}  // namespace linux_abi
