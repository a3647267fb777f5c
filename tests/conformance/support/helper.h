// Programs to execute: the suite's own file plays them.
//
//   HELPER(exit_with) { return atoi(arguments[0]); }
//   ... execute_helper("exit_with", {"7"});
//
// The command line of a helper is `<argv[0]> --helper <name> <arguments...>`.
#pragma once

#include <string>
#include <vector>

namespace conformance {

using HelperFunction = int (*)(int count, char** arguments);

class HelperRegistration {
 public:
  HelperRegistration(const char* name, HelperFunction function);
};

// Called by main when the command line asks for a helper.
int run_helper(const char* name, int count, char** arguments);

// The path of the suite's own file.
const std::string& own_program();

// execve into a helper with this environment; only returns when that failed.
void execute_helper(const std::string& name, const std::vector<std::string>& arguments = {},
                    const std::vector<std::string>& environment = {});

// A null-terminated array of C strings for execve; lives as long as the strings.
std::vector<char*> c_strings(const std::vector<std::string>& strings);

}  // namespace conformance

#define HELPER(name)                                                                       \
  static int helper_##name([[maybe_unused]] int count, [[maybe_unused]] char** arguments); \
  static const ::conformance::HelperRegistration register_##name(#name, helper_##name);    \
  static int helper_##name([[maybe_unused]] int count, [[maybe_unused]] char** arguments)
