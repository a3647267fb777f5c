#include "support/helper.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include <map>

namespace conformance {

namespace {
std::map<std::string, HelperFunction>& helpers() {
  static std::map<std::string, HelperFunction> all;
  return all;
}
}  // namespace

HelperRegistration::HelperRegistration(const char* name, HelperFunction function) {
  helpers()[name] = function;
}

int run_helper(const char* name, int count, char** arguments) {
  const auto found = helpers().find(name);
  if (found == helpers().end()) {
    fprintf(stderr, "no helper called %s\n", name);
    return 98;
  }
  return found->second(count, arguments);
}

const std::string& own_program() {
  static const std::string program = [] {
    char buffer[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", buffer, sizeof buffer);
    return length > 0 ? std::string(buffer, static_cast<size_t>(length)) : std::string("/proc/self/exe");
  }();
  return program;
}

std::vector<char*> c_strings(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (const std::string& text : strings) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

void execute_helper(const std::string& name, const std::vector<std::string>& arguments,
                    const std::vector<std::string>& environment) {
  std::vector<std::string> line = {own_program(), "--helper", name};
  line.insert(line.end(), arguments.begin(), arguments.end());
  execve(own_program().c_str(), c_strings(line).data(), c_strings(environment).data());
}

}  // namespace conformance
