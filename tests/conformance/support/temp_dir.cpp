#include "support/temp_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "support/expect.h"
#include "support/scoped_fd.h"

namespace conformance {

std::string make_temp_directory(unsigned long forbidden_mount_flags) {
  const char* chosen = getenv("TMPDIR");
  for (std::string base :
       {std::string(chosen && *chosen ? chosen : "/tmp"), std::string("/var/tmp"), std::string()}) {
    struct statvfs information;
    if (forbidden_mount_flags && (statvfs(base.empty() ? "/" : base.c_str(), &information) != 0 ||
                                  (information.f_flag & forbidden_mount_flags))) {
      continue;
    }
    std::string name = base + "/conformance.XXXXXX";
    if (mkdtemp(name.data())) return name;
  }
  return {};
}

unsigned long UnrestrictedTempDirTest::forbidden_mount_flags() const {
  return ST_NOSUID | ST_NODEV | ST_NOEXEC;
}

namespace {

void remove_entries(int directory) {
  DIR* stream = fdopendir(directory);
  if (!stream) {
    close(directory);
    return;
  }
  while (const dirent* entry = readdir(stream)) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (unlinkat(dirfd(stream), entry->d_name, 0) == 0) continue;
    const int child = openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (child >= 0) remove_entries(child);
    unlinkat(dirfd(stream), entry->d_name, AT_REMOVEDIR);
  }
  closedir(stream);
}

}  // namespace

void remove_tree(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) remove_entries(fd);
  rmdir(directory.c_str());
}

void TempDirTest::SetUp() {
  directory_ = make_temp_directory(forbidden_mount_flags());
  owner_process_ = getpid();
  ASSERT_FALSE(directory_.empty()) << "mkdtemp failed with " << errno_name(errno);
  // Cases that drop their user id still have to reach their files.
  ASSERT_OK(chmod(directory_.c_str(), 0755));
}

void TempDirTest::TearDown() {
  if (!directory_.empty() && getpid() == owner_process_) remove_tree(directory_);
}

void TempDirTest::write_file(std::string_view name, std::string_view content, unsigned mode) const {
  const ScopedFd fd = open(path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  ASSERT_OK(fd.get());
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t count = write(fd, content.data() + done, content.size() - done);
    ASSERT_OK(count);
    done += static_cast<size_t>(count);
  }
  ASSERT_OK(fchmod(fd, mode));
}

std::string TempDirTest::read_file(std::string_view name) const { return slurp(path(name)); }

bool TempDirTest::exists(std::string_view name) const {
  struct stat status;
  return lstat(path(name), &status) == 0;
}

std::string slurp(const char* file) {
  const ScopedFd fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    ADD_FAILURE() << "cannot open " << file << ": " << errno_name(errno);
    return {};
  }
  std::string content;
  char buffer[4096];
  ssize_t count;
  while ((count = read(fd, buffer, sizeof buffer)) > 0) content.append(buffer, static_cast<size_t>(count));
  if (count < 0) ADD_FAILURE() << "cannot read " << file << ": " << errno_name(errno);
  return content;
}

}  // namespace conformance
