// What a loop device is bound to.
#include "loop.h"

#include <algorithm>

#include "block/volume.h"
#include "core/memory/user_pointer.h"
#include "sysfs/sysfs.h"
#include "vfs/operations.h"

namespace loop {

namespace {

enum Ioctl : unsigned {
  set_descriptor = 0x4c00,  // LOOP_SET_FD
  clear_descriptor = 0x4c01,
  set_status64 = 0x4c04,
  get_status64 = 0x4c05,
  set_capacity = 0x4c07,
  set_direct_io = 0x4c08,
  set_block_size = 0x4c09,
  configure_all = 0x4c0a,
};

std::uint64_t encoded(vfs::DeviceNumber device) {
  return (device.minor & 0xff) | (std::uint64_t{device.major & 0xfff} << 8) |
         (std::uint64_t{device.minor & ~0xffu} << 12) | (std::uint64_t{device.major & ~0xfffu} << 32);
}

}  // namespace

// A file below /sys/block/loopN/loop, which is there while the device is bound.
class LoopText final : public pseudo_fs::Text {
 public:
  enum class What : std::uint8_t { backing_file, offset, size_limit, autoclear, partition_scan, direct_io };
  LoopText(Loop& loop, What what) : Text(0444), loop_(loop), what_(what) {}
  Result<void> show(base::TextSink& out, const vfs::Credentials&) override {
    RefPtr<vfs::File> file;
    std::uint64_t offset, limit;
    std::uint32_t flags;
    {
      core::MutexGuard guard{loop_.mutex_};
      file = loop_.file_;
      offset = loop_.offset_;
      limit = loop_.size_limit_;
      flags = loop_.flags_;
    }
    if (!file) return error(Errno::enodev);
    switch (what_) {
      case What::backing_file:
        file->put_path(out);
        out.put("\n");
        return {};
      case What::offset:
        base::format(out, "{}\n", offset);
        return {};
      case What::size_limit:
        base::format(out, "{}\n", limit);
        return {};
      case What::autoclear:
        base::format(out, "{}\n", flags & autoclear ? 1 : 0);
        return {};
      case What::partition_scan:
        base::format(out, "{}\n", flags & partition_scan ? 1 : 0);
        return {};
      case What::direct_io:
        base::format(out, "0\n");
        return {};
    }
    return {};
  }

 private:
  Loop& loop_;
  What what_;
};

Loop::Loop(unsigned number)
    : number_(number),
      threads_(name_, 1),
      work_([](core::Work& work) { base::container_of(&work, &Loop::work_)->work(); }) {
  base::TextBuffer text{std::span(name_).first(sizeof(name_) - 1)};
  base::format(text, "loop{}", number);
  name_[text.view().size()] = '\0';
}

Result<void> Loop::start() { return threads_.start(); }

Result<void> Loop::appear() {
  core::MutexGuard guard{mutex_};
  if (disk_) return error(Errno::eexist);
  block::DiskDescription description;
  description.name = name_;
  description.major = major_number;
  description.first_minor = number_;
  description.minors = partitions_max;
  description.partition_major = partition_major;
  description.first_partition_minor = number_ * partitions_max;
  description.limits.queue_depth = depth;
  description.limits.volatile_cache = true;
  description.limits.discard_sectors_max = description.limits.write_zeroes_sectors_max = 1u << 22;
  auto disk = TRY(block::Disk::create(description, *this));
  TRY(disk->announce());
  disk_ = std::move(disk);
  return {};
}

Result<void> Loop::disappear() {
  RefPtr<block::Disk> old;  // dropped last
  core::MutexGuard guard{mutex_};
  if (!disk_) return error(Errno::enodev);
  if (file_ || disk_->users()) return error(Errno::ebusy);
  old = std::move(disk_);
  old->remove();
  return {};
}

bool Loop::exists() {
  core::MutexGuard guard{mutex_};
  return static_cast<bool>(disk_);
}
bool Loop::is_bound() { return static_cast<bool>(file()); }
RefPtr<vfs::File> Loop::file() {
  core::MutexGuard guard{mutex_};
  return file_;
}

// ---- Binding ----

Result<std::uint64_t> Loop::sectors_locked(vfs::File& file, std::uint64_t offset, std::uint64_t limit) {
  std::uint64_t size = TRY(file.do_seek(0, vfs::Whence::end));
  size = size > offset ? size - offset : 0;
  if (limit) size = std::min(size, limit);
  return size >> block::sector_shift;
}

Result<void> Loop::bind_locked(RefPtr<vfs::File> file, const Status& status) {
  if (!disk_) return error(Errno::enxio);
  if (file_) return error(Errno::ebusy);
  if (status.flags & ~(read_only | autoclear | partition_scan | direct_io)) return error(Errno::einval);
  if (status.encryption || status.offset > std::uint64_t{1} << 62) return error(Errno::einval);
  std::uint64_t sectors = TRY(sectors_locked(*file, status.offset, status.size_limit));
  offset_ = status.offset;
  size_limit_ = status.size_limit;
  flags_ = status.flags & ~direct_io;  // through the page cache of the file in any case
  if (!file->can_write()) flags_ |= read_only;
  file_name_ = status.file_name;
  file_name_.back() = '\0';
  file_ = std::move(file);
  if (auto added = add_attributes_locked(); !added) {
    remove_attributes_locked();
    file_ = nullptr;
    return added;
  }
  disk_->set_read_only(flags_ & read_only);
  disk_->set_sectors(sectors);
  if (flags_ & partition_scan) (void)disk_->read_partitions();  // without a table it is a disk all the same
  return {};
}

// Nobody uses it. The file is the caller's to drop, without the lock.
RefPtr<vfs::File> Loop::unbind_locked() {
  (void)!disk_->whole().invalidate_cache();
  disk_->set_sectors(0);
  (void)!disk_->read_partitions();  // there are none any more
  threads_.flush(work_);
  remove_attributes_locked();
  disk_->set_read_only(false);
  offset_ = size_limit_ = flags_ = 0;
  file_name_ = {};
  return std::move(file_);
}

Result<void> Loop::configure(const Configuration& configuration) {
  if (configuration.block_size && configuration.block_size != block::sector_size) return error(Errno::einval);
  auto file = TRY(vfs::file_of_descriptor(static_cast<int>(configuration.descriptor)));
  if (!file->can_read()) return error(Errno::ebadf);
  // Not a chain of loops that ends here.
  RefPtr<vfs::File> below = file;
  for (unsigned steps = 0; vfs::is_block(below->inode().mode()); ++steps) {
    vfs::DeviceNumber device = below->inode().device();
    bool partition = device.major == partition_major;
    if (device.major != major_number && !partition) break;
    unsigned number = partition ? device.minor / partitions_max : device.minor;
    if (number == number_ || steps == 8) return error(Errno::ebadf);
    Loop* other = find_loop(number);
    RefPtr<vfs::File> next = other ? other->file() : nullptr;
    if (!next) break;
    below = std::move(next);
  }
  vfs::Mode mode = file->inode().mode();
  if (!vfs::is_regular(mode) && !vfs::is_block(mode)) return error(Errno::einval);
  core::MutexGuard guard{mutex_};
  return bind_locked(std::move(file), configuration.status);
}

Result<void> Loop::clear() {
  RefPtr<vfs::File> old;  // dropped without the lock
  core::MutexGuard guard{mutex_};
  if (!file_) return error(Errno::enxio);
  // The caller has it open himself; while others do, or it is mounted, it stays until they have done.
  if (disk_->users() > 1)
    flags_ |= autoclear;
  else
    old = unbind_locked();
  return {};
}

void Loop::closed() {
  RefPtr<vfs::File> old;
  core::MutexGuard guard{mutex_};
  if (file_ && (flags_ & autoclear) && disk_->users() == 0) old = unbind_locked();
}

Result<Status> Loop::status_locked() {
  if (!file_) return error(Errno::enxio);
  const vfs::Inode& inode = file_->inode();
  Status status{};
  status.device = encoded(inode.file_system().device());
  status.inode = inode.number();
  if (vfs::is_block(inode.mode())) status.special_device = encoded(inode.device());
  status.offset = offset_;
  status.size_limit = size_limit_;
  status.number = number_;
  status.flags = flags_;
  status.file_name = file_name_;
  return status;
}

Result<void> Loop::set_status(const Status& status) {
  core::MutexGuard guard{mutex_};
  if (!file_) return error(Errno::enxio);
  if (status.encryption || status.offset > std::uint64_t{1} << 62) return error(Errno::einval);
  std::uint64_t sectors = TRY(sectors_locked(*file_, status.offset, status.size_limit));
  if (status.offset != offset_ || status.size_limit != size_limit_) {
    // Other contents: nothing of the old ones stays, and nothing may be under way.
    TRY(disk_->whole().sync());
    TRY(disk_->whole().invalidate_cache());
    disk_->set_sectors(0);
    threads_.flush(work_);
    offset_ = status.offset;
    size_limit_ = status.size_limit;
    disk_->set_sectors(sectors);
  }
  flags_ = (flags_ & ~autoclear) | (status.flags & autoclear) | (status.flags & partition_scan);
  file_name_ = status.file_name;
  file_name_.back() = '\0';
  if (status.flags & partition_scan) (void)disk_->read_partitions();
  return {};
}

Result<long> Loop::ioctl(unsigned command, std::uintptr_t argument) {
  switch (command) {
    case set_descriptor: {
      Configuration configuration{};
      configuration.descriptor = static_cast<std::uint32_t>(argument);
      TRY(configure(configuration));
      return 0;
    }
    case configure_all:
      TRY(configure(TRY(core::UserIn<Configuration>(argument).read())));
      return 0;
    case clear_descriptor:
      TRY(clear());
      return 0;
    case set_status64:
      TRY(set_status(TRY(core::UserIn<Status>(argument).read())));
      return 0;
    case get_status64: {
      Status status;
      {
        core::MutexGuard guard{mutex_};
        status = TRY(status_locked());
      }
      TRY(core::UserOut<Status>(argument).write(status));
      return 0;
    }
    case set_capacity: {
      core::MutexGuard guard{mutex_};
      if (!file_) return error(Errno::enxio);
      disk_->set_sectors(TRY(sectors_locked(*file_, offset_, size_limit_)));
      return 0;
    }
    case set_direct_io:
    case set_block_size: {
      core::MutexGuard guard{mutex_};
      if (!file_) return error(Errno::enxio);
      bool possible = command == set_direct_io ? argument == 0 : argument == block::sector_size;
      return possible ? Result<long>(0) : Result<long>(error(Errno::einval));
    }
    default:
      return error(Errno::enotty);
  }
}

// ---- /sys/block/loopN/loop ----

namespace {
struct AttributeName {
  std::string_view name;
  LoopText::What what;
};
constexpr AttributeName attribute_names[] = {
    {"backing_file", LoopText::What::backing_file}, {"offset", LoopText::What::offset},
    {"sizelimit", LoopText::What::size_limit},      {"autoclear", LoopText::What::autoclear},
    {"partscan", LoopText::What::partition_scan},   {"dio", LoopText::What::direct_io},
};

Result<RefPtr<pseudo_fs::StaticDirectory>> device_directory(std::string_view name) {
  char memory[64];
  base::TextBuffer path{memory};
  base::format(path, "devices/virtual/block/{}", name);
  return sysfs::root().directories(path.view());
}
}  // namespace

Result<void> Loop::add_attributes_locked() {
  auto device = TRY(device_directory(name_));
  auto directory = TRY(device->directory("loop"));
  for (const AttributeName& attribute : attribute_names)
    TRY(directory->add(attribute.name, TRY(base::try_make_ref<LoopText>(*this, attribute.what))));
  return {};
}
void Loop::remove_attributes_locked() {
  auto device = device_directory(name_);
  if (!device) return;
  if (auto directory = (*device)->directory("loop"))
    for (const AttributeName& attribute : attribute_names) (*directory)->remove(attribute.name);
  (*device)->remove("loop");
}

}  // namespace loop
