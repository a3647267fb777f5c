// A file system to play in: the root mount of this process, and somebody who acts in it. Errors are errno
// numbers, 0 is success.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/memory/io_buffer.h"
#include "tmpfs/tmpfs.h"
#include "vfs/operations.h"

namespace test {

using namespace vfs;

class World {
 public:
  // Each test gets a fresh tmpfs as its root, through chroot.
  World() {
    static bool started = [] {
      EXPECT_TRUE(tmpfs::initialize());
      EXPECT_TRUE(vfs::initialize(*tmpfs::create(tmpfs::rootfs_type, "")));
      return true;
    }();
    (void)started;
    credentials_ = *Credentials::create_root();
    context_ = *vfs::create_root_context();
    std::string name = "/root" + std::to_string(counter++);
    EXPECT_EQ(mkdir(name), 0);
    EXPECT_TRUE(mount_new(caller(), "none", path(name), "tmpfs", 0, false, "mode=755"));
    Path root = path(name);
    EXPECT_TRUE(change_root(caller(), root));
    EXPECT_TRUE(change_directory(caller(), root));
  }
  World as(UserId uid, GroupId gid) {
    World result(*this);
    result.credentials_ = *credentials_->try_clone();
    Credentials& c = *result.credentials_;
    c.uid = c.euid = c.suid = c.fsuid = uid;
    c.gid = c.egid = c.sgid = c.fsgid = gid;
    if (uid) c.permitted = c.effective = CapabilitySet();
    return result;
  }

  Caller caller() { return {*context_, *credentials_}; }
  static int code(const auto& result) { return result ? 0 : static_cast<int>(result.error()); }

  int mkdir(std::string name, Mode mode = 0755) {
    return code(make_directory(caller(), nullptr, name, mode));
  }
  int rmdir(std::string name) { return code(remove_directory(caller(), nullptr, name)); }
  int unlink(std::string name) { return code(vfs::unlink(caller(), nullptr, name)); }
  int symlink(std::string target, std::string name) {
    return code(make_symlink(caller(), target, nullptr, name));
  }
  int link(std::string from, std::string to) {
    return code(vfs::link(caller(), nullptr, from, nullptr, to, lookup_default));
  }
  int rename(std::string from, std::string to, unsigned flags = 0) {
    return code(vfs::rename(caller(), nullptr, from, nullptr, to, flags));
  }
  Result<RefPtr<File>> open(std::string name, OpenFlags flags, Mode mode = 0644) {
    return vfs::open(caller(), nullptr, name, {flags, mode, lookup_default});
  }
  int open_errno(std::string name, OpenFlags flags) { return code(open(name, flags)); }
  Path path(std::string name) { return *resolve(caller(), nullptr, name, lookup_follow); }
  Attributes stat(std::string name) {
    Attributes result;
    EXPECT_TRUE(vfs::stat(caller(), nullptr, name, lookup_follow, result)) << name;
    return result;
  }
  int stat_errno(std::string name) {
    Attributes result;
    return code(vfs::stat(caller(), nullptr, name, lookup_follow, result));
  }
  int write_file(std::string name, std::string text) {
    auto file = open(name, open_write_only | open_create | open_truncate);
    if (!file) return code(file);
    return write(**file, text);
  }
  static int write(File& file, std::string text) {
    if (text.empty()) return 0;
    auto buffer = core::IoBuffer::kernel(std::as_bytes(std::span<const char>(text.data(), text.size())));
    auto done = file.write(buffer);
    return done ? (*done == text.size() ? 0 : -1) : code(done);
  }
  static std::string read_all(File& file) {
    std::string all;
    for (;;) {
      char piece[1000];
      auto buffer = core::IoBuffer::kernel(std::as_writable_bytes(std::span<char>(piece)));
      auto count = file.read(buffer);
      if (!count) return "error " + std::to_string(code(count));
      if (!*count) return all;
      all.append(piece, *count);
    }
  }
  std::string read_file(std::string name) {
    auto file = open(name, open_read_only);
    return file ? read_all(**file) : "error " + std::to_string(code(file));
  }
  // In pieces of `at_once` entries.
  std::vector<std::string> list(std::string name, unsigned at_once) {
    struct Sink final : DirectorySink {
      std::vector<std::string> names;
      unsigned room = 0;
      SinkState entry(std::string_view entry_name, std::uint64_t, std::uint8_t, std::uint64_t) override {
        if (!room) return SinkState::full;
        --room;
        names.emplace_back(entry_name);
        return SinkState::more;
      }
    } sink;
    auto file = open(name, open_read_only | open_directory);
    EXPECT_TRUE(file);
    for (;;) {
      sink.room = at_once;
      std::size_t before = sink.names.size();
      EXPECT_TRUE((*file)->list_directory(sink));
      if (sink.names.size() == before) return std::move(sink.names);
    }
  }

 private:
  RefPtr<Credentials> credentials_;
  RefPtr<FileSystemContext> context_;
  static inline int counter = 0;
};

}  // namespace test
