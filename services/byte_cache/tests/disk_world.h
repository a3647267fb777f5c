// What the host tests of file systems on disks share: an image in memory as a disk, which remembers, if
// asked, what was written and flushed in which order; and somebody who has it mounted.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "block/volume.h"
#include "core/memory/host_memory.h"
#include "core/memory/io_buffer.h"
#include "core/sync/rcu.h"
#include "tmpfs/tmpfs.h"
#include "vfs/operations.h"

namespace test {

using namespace vfs;
using Bytes = std::vector<char>;

inline std::string scratch() {
  // Never destroyed: it is needed until the very end.
  static const std::string& folder = *[] {
    char name[] = "/tmp/nos-disk-XXXXXX";
    EXPECT_TRUE(mkdtemp(name));
    atexit([] { (void)!system(("rm -rf " + scratch()).c_str()); });
    return new std::string(name);
  }();
  return folder;
}
// Status of a command; its output is shown if it is not what is expected.
inline int run(const std::string& command, int expected = 0) {
  std::string log = scratch() + "/log";
  int status = system(("(" + command + ") >" + log + " 2>&1").c_str());
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code != expected) {
    std::ifstream in(log);
    std::stringstream text;
    text << in.rdbuf();
    ADD_FAILURE() << command << " gave " << code << ":\n" << text.str().substr(0, 4000);
  }
  return code;
}
inline void save(const std::string& path, const Bytes& bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}
inline Bytes load(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

class ImageDisk final : public block::DiskDriver {
 public:
  struct Event {
    std::uint64_t offset = 0;
    Bytes data;           // empty: a flush
    bool stable = false;  // force-unit-access
    std::string note;     // what the test had been promised before this
  };

  explicit ImageDisk(Bytes bytes) : image(std::move(bytes)) {
    static int number = 0;
    block::DiskDescription description;
    std::string name = "img" + std::to_string(number);
    description.name = name;
    description.major = 300;
    description.first_minor = static_cast<std::uint32_t>(number++);
    description.minors = 1;
    description.sectors = image.size() / 512;
    description.limits.volatile_cache = description.limits.force_unit_access = true;
    description.limits.discard_sectors_max = 1u << 16;
    disk = *block::Disk::create(description, *this);
    EXPECT_TRUE(disk->announce());
  }
  // A file system lets go of its disk when RCU does: the driver stays until it is told that nobody needs it.
  ~ImageDisk() {
    disk->remove();
    disk = nullptr;
    std::unique_lock guard{mutex};
    gone.wait(guard, [&] { return is_released; });
  }
  void released() override {
    std::lock_guard guard{mutex};
    is_released = true;
    gone.notify_all();
  }
  block::Volume& volume() { return disk->whole(); }

  block::QueueResult queue(block::Request& request) override {
    Errno status{0};
    {
      std::lock_guard guard{mutex};
      std::uint64_t at = request.sector() * 512;
      if (failing && request.operation() != block::Operation::read) {
        status = Errno::eio;
      } else if (request.operation() == block::Operation::flush) {
        if (recording) events.push_back({});
      } else if (request.operation() == block::Operation::discard) {
        // The worst that a device may do.
        std::fill_n(image.begin() + static_cast<long>(at), request.length(), '\xdd');
        discarded += request.length();
      } else {
        Event event{at, {}, request.force_unit_access(), {}};
        request.for_each_segment([&](const block::Segment& segment) {
          char* mine = image.data() + at;
          if (request.operation() == block::Operation::write) {
            std::memcpy(mine, segment.data(), segment.length);
            if (recording) event.data.insert(event.data.end(), mine, mine + segment.length);
          } else {
            std::memcpy(segment.data(), mine, segment.length);
          }
          at += segment.length;
        });
        if (recording && request.operation() == block::Operation::write) events.push_back(std::move(event));
      }
    }
    request.complete(status);
    return block::QueueResult::taken;
  }

  std::mutex mutex;
  std::condition_variable gone;
  bool is_released = false;
  Bytes image;
  std::vector<Event> events;
  bool recording = false, failing = false;
  std::uint64_t discarded = 0;  // bytes
  base::RefPtr<block::Disk> disk;
};

// Somebody who has it mounted, at the root of what he sees.
class World {
 public:
  // `initialize` registers the type; once for all.
  World(ImageDisk& disk, const std::string& type, Result<void> (*initialize)(),
        const std::string& options = "", bool read_only = false) {
    static bool started = [&] {
      EXPECT_TRUE(tmpfs::initialize());
      EXPECT_TRUE(vfs::initialize(*tmpfs::create(tmpfs::rootfs_type, "")));
      EXPECT_TRUE(initialize());
      return true;
    }();
    (void)started;
    credentials_ = *Credentials::create_root();
    context_ = *vfs::create_root_context();
    static int counter = 0;
    std::string number = std::to_string(counter++);
    place_ = "/mnt" + number;
    EXPECT_EQ(code(make_directory(caller(), nullptr, place_, 0755)), 0);
    device_ = "/dev" + number;
    EXPECT_EQ(code(make_node(caller(), nullptr, device_, mode_block | 0600, disk.volume().device())), 0);
    auto mounted = mount_new(caller(), device_, path(place_), type, 0, read_only, options);
    mount_error = code(mounted);
    if (mount_error == 0) inside_ = true;
  }
  ~World() {
    if (inside_) unmount();
    (void)vfs::unlink(caller(), nullptr, device_);
    (void)remove_directory(caller(), nullptr, place_);
  }
  void unmount() {
    inside_ = false;
    EXPECT_EQ(code(vfs::unmount(caller(), path(place_), 0)), 0);
    core::rcu_barrier();
    core::rcu_barrier();
  }

  Caller caller() { return {*context_, *credentials_}; }
  static int code(const auto& result) { return result ? 0 : static_cast<int>(result.error()); }
  Path path(const std::string& name) { return *resolve(caller(), nullptr, name, lookup_follow); }
  std::string full(const std::string& name) { return place_ + name; }

  int mkdir(const std::string& name, Mode mode = 0755) {
    return code(make_directory(caller(), nullptr, full(name), mode));
  }
  int rmdir(const std::string& name) { return code(remove_directory(caller(), nullptr, full(name))); }
  std::uint64_t free_inodes() {
    FileSystemStatistics result;
    EXPECT_TRUE(vfs::statistics(path(place_), result));
    return result.inodes_free;
  }
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
  Attributes stat(const std::string& name) {
    Attributes result;
    EXPECT_TRUE(vfs::stat(caller(), nullptr, full(name), lookup_default, result)) << name;
    return result;
  }
  int stat_errno(const std::string& name) {
    Attributes result;
    return code(vfs::stat(caller(), nullptr, full(name), lookup_default, result));
  }
  std::string read_link(const std::string& name) {
    auto text = vfs::read_link(caller(), nullptr, full(name));
    return text ? std::string(text->view()) : "error " + std::to_string(code(text));
  }
  static int write_at(File& file, std::uint64_t offset, const std::string& text) {
    if (text.empty()) return 0;
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
    std::size_t total = 0;
    while (total < length) {
      auto count = file.positioned_read(buffer, offset + total);
      if (!count) return "error " + std::to_string(code(count));
      if (!*count) break;
      total += *count;
    }
    text.resize(total);
    return text;
  }
  std::string read_file(const std::string& name) {
    auto file = open(name, open_read_only);
    if (!file) return "error " + std::to_string(code(file));
    // A damaged size may be anything.
    std::uint64_t size = std::min<std::uint64_t>((*file)->inode().size(), 16 << 20);
    return read_at(**file, 0, static_cast<std::size_t>(size) + 1);
  }
  std::vector<std::string> list(const std::string& name, unsigned at_once = 1000) {
    struct Sink final : DirectorySink {
      std::vector<std::string> names;
      unsigned room = 0;
      SinkState entry(std::string_view entry_name, std::uint64_t, std::uint8_t, std::uint64_t) override {
        if (!room) return SinkState::full;
        --room;
        if (entry_name != "." && entry_name != "..") names.emplace_back(entry_name);
        return SinkState::more;
      }
    } sink;
    auto file = open(name, open_read_only | open_directory);
    if (!file) return {"error " + std::to_string(code(file))};
    for (;;) {
      sink.room = at_once;
      auto before = (*file)->position();
      if (!(*file)->list_directory(sink)) sink.names.push_back("error");
      if ((*file)->position() == before) break;
    }
    std::sort(sink.names.begin(), sink.names.end());
    return std::move(sink.names);
  }
  int sync_file(const std::string& name) {
    auto file = open(name, open_read_only);
    return file ? code((*file)->sync(0, ~std::uint64_t{0} >> 1, false)) : code(file);
  }

  int mount_error = -1;

 private:
  RefPtr<Credentials> credentials_;
  RefPtr<FileSystemContext> context_;
  std::string place_, device_;
  bool inside_ = false;
};

inline std::string pattern(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>('a' + random() % 26);
  return text;
}

}  // namespace test
