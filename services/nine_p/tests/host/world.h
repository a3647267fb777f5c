// Somebody who has the fake server's tree mounted.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "core/memory/address_space.h"
#include "core/memory/host_memory.h"
#include "core/memory/io_buffer.h"
#include "core/sync/rcu.h"
#include "fake_server.h"
#include "nine_p/nine_p.h"
#include "tmpfs/tmpfs.h"
#include "vfs/operations.h"

namespace test {

using namespace vfs;

class World {
 public:
  explicit World(const std::string& tag, const std::string& options = "trans=virtio,version=9p2000.L") {
    static bool started = [] {
      EXPECT_TRUE(tmpfs::initialize());
      EXPECT_TRUE(vfs::initialize(*tmpfs::create(tmpfs::rootfs_type, "")));
      EXPECT_TRUE(nine_p::initialize());
      return true;
    }();
    (void)started;
    credentials_ = *Credentials::create_root();
    context_ = *vfs::create_root_context();
    static int counter = 0;
    place_ = "/mnt" + std::to_string(counter++);
    EXPECT_EQ(code(make_directory(caller(), nullptr, place_, 0755)), 0);
    mount_error = code(mount_new(caller(), tag, path(place_), "9p", 0, false, options));
  }
  ~World() {
    if (mount_error == 0) EXPECT_EQ(code(vfs::unmount(caller(), path(place_), unmount_detach)), 0);
    core::rcu_barrier();
    core::rcu_barrier();
    (void)remove_directory(caller(), nullptr, place_);
  }

  Caller caller() { return {*context_, *credentials_}; }
  static int code(const auto& result) { return result ? 0 : static_cast<int>(result.error()); }
  Path path(const std::string& name) { return *resolve(caller(), nullptr, name, lookup_follow); }
  std::string full(const std::string& name) { return place_ + name; }
  Credentials& credentials() { return *credentials_; }

  int mkdir(const std::string& name) { return code(make_directory(caller(), nullptr, full(name), 0755)); }
  int rmdir(const std::string& name) { return code(remove_directory(caller(), nullptr, full(name))); }
  int unlink(const std::string& name) { return code(vfs::unlink(caller(), nullptr, full(name))); }
  int symlink(const std::string& target, const std::string& name) {
    return code(make_symlink(caller(), target, nullptr, full(name)));
  }
  int link(const std::string& from, const std::string& to) {
    return code(vfs::link(caller(), nullptr, full(from), nullptr, full(to), lookup_default));
  }
  int rename(const std::string& from, const std::string& to, unsigned flags = 0) {
    return code(vfs::rename(caller(), nullptr, full(from), nullptr, full(to), flags));
  }
  Result<RefPtr<File>> open(const std::string& name, OpenFlags flags, Mode mode = 0644) {
    return vfs::open(caller(), nullptr, full(name), {flags, mode, lookup_default});
  }
  int stat(const std::string& name, Attributes& out) {
    return code(vfs::stat(caller(), nullptr, full(name), lookup_default, out));
  }
  int stat(const std::string& name) {
    Attributes out;
    return stat(name, out);
  }
  static int write_at(File& file, std::uint64_t offset, const std::string& text) {
    auto buffer = core::IoBuffer::kernel(std::as_bytes(std::span<const char>(text.data(), text.size())));
    auto done = file.positioned_write(buffer, offset);
    return done ? (*done == text.size() ? 0 : -1) : code(done);
  }
  int write_file(const std::string& name, const std::string& text) {
    auto file = open(name, open_write_only | open_create | open_truncate);
    return file ? write_at(**file, 0, text) : code(file);
  }
  static std::string read_at(File& file, std::uint64_t offset, std::size_t length) {
    std::string text(length, '?');
    auto buffer = core::IoBuffer::kernel(std::as_writable_bytes(std::span<char>(text)));
    auto count = file.positioned_read(buffer, offset);
    if (!count) return "error " + std::to_string(code(count));
    text.resize(*count);
    return text;
  }
  std::string read_file(const std::string& name, std::size_t most = 1 << 20) {
    auto file = open(name, open_read_only);
    if (!file) return "error " + std::to_string(code(file));
    return read_at(**file, 0, most);
  }
  std::vector<std::string> list(const std::string& name) {
    struct Sink final : DirectorySink {
      std::vector<std::string> names;
      SinkState entry(std::string_view entry_name, std::uint64_t, std::uint8_t, std::uint64_t) override {
        if (names.size() >= 10000) return SinkState::full;
        names.emplace_back(entry_name);
        return SinkState::more;
      }
    } sink;
    auto file = open(name, open_read_only | open_directory);
    if (!file) return {"error " + std::to_string(code(file))};
    if (auto result = (*file)->list_directory(sink); !result)
      return {"error " + std::to_string(code(result))};
    return std::move(sink.names);
  }
  std::string xattr(const std::string& name, const std::string& key) {
    auto value = vfs::get_xattr(caller(), path(full(name)), key);
    return value ? std::string(value->data(), value->size()) : "error " + std::to_string(code(value));
  }
  int set_xattr(const std::string& name, const std::string& key, const std::string& value) {
    return code(
        vfs::set_xattr(caller(), path(full(name)), key, std::span<const char>(value), XattrMode::set));
  }

  int mount_error = -1;

 private:
  RefPtr<Credentials> credentials_;
  RefPtr<FileSystemContext> context_;
  std::string place_;
};

// Uses everything there is; errors are fine.
inline void use_everything(World& w) {
  if (w.mount_error) return;
  (void)w.list("/");
  (void)w.read_file("/file");
  (void)w.write_file("/new", std::string(9000, 'n'));
  (void)w.mkdir("/d");
  (void)w.write_file("/d/inner", "inner");
  (void)w.symlink("d/inner", "/l");
  (void)w.read_file("/l");
  (void)w.link("/new", "/d/also");
  (void)w.rename("/d/also", "/moved");
  if (w.stat("/new") == 0) {
    if (auto place = vfs::resolve(w.caller(), nullptr, w.full("/new"), lookup_follow)) {
      std::string value = "value";
      (void)vfs::set_xattr(w.caller(), *place, "user.a", std::span<const char>(value), XattrMode::set);
      (void)vfs::get_xattr(w.caller(), *place, "user.a");
      char memory[200];
      base::TextBuffer names{memory};
      (void)vfs::list_xattrs(*place, names);
      FileSystemStatistics statistics;
      (void)vfs::statistics(*place, statistics);
      (void)vfs::truncate(w.caller(), *place, 5);
    }
  }
  if (auto file = w.open("/new", open_read_write)) {
    if (auto* object = (*file)->inode().memory_object()) {
      (void)object;
      core::MapRequest request;
      if ((*file)->map(request)) {
        (void)w.read_at(**file, 0, 6000);
        (void)w.write_at(**file, 100, "through the cache");
        (void)(*file)->sync(0, ~std::uint64_t{0} >> 1, false);
      }
    }
  }
  (void)w.unlink("/moved");
  (void)w.unlink("/d/inner");
  (void)w.rmdir("/d");
}

}  // namespace test
