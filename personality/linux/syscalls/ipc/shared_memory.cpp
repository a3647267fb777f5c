// shmget(2), shmat(2), shmdt(2), shmctl(2)
#include "core/init/init_step.h"
#include "core/memory/address_space.h"
#include "core/sync/rcu.h"
#include "procfs/procfs.h"
#include "syscalls/ipc/ipc_table.h"
#include "syscalls/ipc/rows.h"

namespace linux_abi {

using core::Protection;
using ipc::Object;

namespace {

constexpr unsigned attach_read_only = 010000, attach_round = 020000, attach_remap = 040000,
                   attach_execute = 0100000;
constexpr unsigned flag_huge_pages = 04000;
constexpr std::uint32_t mode_destroyed = 01000, mode_locked = 02000;
constexpr int command_lock = 11, command_unlock = 12, command_stat_index = 13, command_usage = 14,
              command_stat_any = 15;
constexpr std::uint64_t largest_segment = ~std::uint64_t{0} - (std::uint64_t{1} << 24);
constexpr std::size_t most_segments = 4096;

constinit ipc::Table segments{"shared memory segments", most_segments};

// struct shmid64_ds
struct UserSegment {
  ipc::UserPermissions permissions;
  std::uint64_t size = 0;
  std::int64_t attach_time = 0, detach_time = 0, change_time = 0;
  std::int32_t creator_pid = 0, last_pid = 0;
  std::uint64_t attachments = 0;
  std::uint64_t unused[2] = {};
};
struct UserLimits {  // struct shminfo64
  std::uint64_t largest = largest_segment, smallest = 1, segments = most_segments,
                per_process = most_segments, pages = largest_segment, unused[4] = {};
};
struct UserUsage {  // struct shm_info
  std::int32_t segments = 0, padding = 0;
  std::uint64_t total_pages = 0, resident_pages = 0, swapped_pages = 0, unused[2] = {};
};

// Each area that maps it holds it as its file, and counts as an attachment.
class Segment final : public Object, public core::MappedFile {
 public:
  Segment(Task& creator, std::uint32_t mode, std::uint64_t segment_size,
          RefPtr<core::MemoryObject> memory_object)
      : Object(creator.credentials(), mode),
        size(segment_size),
        memory(std::move(memory_object)),
        creator_pid(creator.process().id()) {}

  const std::uint64_t size;
  const RefPtr<core::MemoryObject> memory;
  const int creator_pid;
  std::atomic<int> last_pid{0};
  std::atomic<std::int64_t> attach_time{0}, detach_time{0};
  std::atomic<std::uint64_t> attachments{0};
  std::atomic<bool> destroyed{false}, locked{false};

  void acquire_mapped_file() override {
    acquire_reference();
    attachments.fetch_add(1);
    touched(attach_time);
  }
  void release_mapped_file() override {
    touched(detach_time);
    forget_attachment();
    release_reference();
  }
  void forget_attachment() {
    // seq_cst: either this or IPC_RMID sees what the other did.
    bool last = attachments.fetch_sub(1) == 1 && destroyed.load();
    RefPtr<Object> from_table = last ? segments.remove(*this) : nullptr;
  }
  void put_path(base::TextSink& sink) override {
    base::format(sink, "/SYSV{:08x} (deleted)", permissions().key);
  }
  core::MappingIdentity identity() override { return {0, 1, static_cast<std::uint64_t>(id())}; }

 private:
  void touched(std::atomic<std::int64_t>& time) {
    time.store(ipc::seconds_now());
    if (Task* task = current_task_or_null()) last_pid.store(task->process().id());
  }
};

// Areas let go of their file a grace period after they are unmapped: what was detached shows when that is
// over.
void wait_for_detached() { core::rcu_barrier(); }

Result<RefPtr<Segment>> find_segment(int id) {
  auto object = TRY(segments.find(id));
  if (static_cast<Segment&>(*object).destroyed.load()) {
    object = nullptr;
    wait_for_detached();
    object = TRY(segments.find(id));
  }
  return RefPtr<Segment>(static_cast<Segment*>(object.get()));
}

// Keeps the segment attached while it is being mapped.
class Attaching {
 public:
  explicit Attaching(Segment& segment) : segment_(segment) { segment_.attachments.fetch_add(1); }
  ~Attaching() { segment_.forget_attachment(); }
  Attaching(const Attaching&) = delete;

 private:
  Segment& segment_;
};

UserSegment describe(Segment& segment) {
  std::uint32_t extra =
      (segment.destroyed.load() ? mode_destroyed : 0) | (segment.locked.load() ? mode_locked : 0);
  return {.permissions = segment.permissions(extra),
          .size = segment.size,
          .attach_time = segment.attach_time.load(),
          .detach_time = segment.detach_time.load(),
          .change_time = segment.change_time.load(),
          .creator_pid = segment.creator_pid,
          .last_pid = segment.last_pid.load(),
          .attachments = segment.attachments.load()};
}

void destroy(Segment& segment) {
  segment.destroyed.store(true);
  segments.forget_key(segment);
  RefPtr<Object> from_table = segment.attachments.load() == 0 ? segments.remove(segment) : nullptr;
}

// IPC_INFO, SHM_INFO: about all of them.
Result<long> report_all(int command, UserAddress out) {
  if (command == ipc::command_info) {
    TRY(UserOut<UserLimits>(out).write(UserLimits{}));
    return segments.use().highest_index;
  }
  UserUsage usage;
  auto use = segments.use([&](Object& object) {
    auto& segment = static_cast<Segment&>(object);
    std::uint64_t pages = (segment.size + core::page_size - 1) / core::page_size;
    usage.total_pages += pages;
    for (std::uint64_t i = 0; i < pages; ++i) usage.resident_pages += segment.memory->is_resident(i);
  });
  usage.segments = use.count;
  TRY(UserOut<UserUsage>(out).write(usage));
  return use.highest_index;
}

Result<void> lock_segment(Context& context, Segment& segment, bool lock) {
  if (!context.task.can(vfs::Capability::ipc_lock)) {
    TRY(segment.check_control(context.task));
    if (lock && !context.process.limit_current(Resource::memlock)) return error(Errno::eperm);
  }
  segment.locked.store(lock);  // there is no swap: the pages stay in memory anyway
  return {};
}

}  // namespace

namespace {

Result<void> show_segments(base::TextSink& out) {
  base::format(
      out,
      "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      "
      "atime      dtime      ctime                   rss                  swap\n");
  segments.for_each([&](Object& object) {
    auto& segment = static_cast<Segment&>(object);
    std::uint32_t extra =
        (segment.destroyed.load() ? mode_destroyed : 0) | (segment.locked.load() ? mode_locked : 0);
    ipc::UserPermissions p = segment.permissions(extra);
    std::uint64_t pages = (segment.size + core::page_size - 1) / core::page_size, resident_pages = 0;
    for (std::uint64_t i = 0; i < pages; ++i) resident_pages += segment.memory->is_resident(i);
    base::format(out, "{:>10} {:>10}  {:>4o} {:>21} {:>5} {:>5}  {:>5} {:>5} {:>5} {:>5} {:>5} ",
                 static_cast<std::int32_t>(p.key), segment.id(), p.mode, segment.size, segment.creator_pid,
                 segment.last_pid.load(), segment.attachments.load(), p.uid, p.gid, p.creator_uid,
                 p.creator_gid);
    base::format(out, "{:>10} {:>10} {:>10} {:>21} {:>21}\n", segment.attach_time.load(),
                 segment.detach_time.load(), segment.change_time.load(), resident_pages * core::page_size, 0);
  });
  return {};
}
Result<void> add_segments_file() { return procfs::add_text("sysvipc/shm", 0444, show_segments); }
INIT_STEP segments_file_step{"ipc.shm_file", {"procfs"}, add_segments_file, {"vfs"}};

}  // namespace

Result<long> sys_shmget(Context& context, std::uint32_t key, std::size_t size, unsigned flags) {
  auto check = [size](Object& object) -> Result<void> {
    if (size > static_cast<Segment&>(object).size) return error(Errno::einval);
    return {};
  };
  auto make = [&]() -> Result<RefPtr<Object>> {
    if (size == 0 || size > largest_segment) return error(Errno::einval);
    if (flags & flag_huge_pages) return error(Errno::enosys);
    auto memory = TRY(core::create_shared_memory(size));
    return RefPtr<Object>(TRY(base::try_make_ref<Segment>(context.task, flags, size, std::move(memory))));
  };
  return TRY(segments.get(context.task, key, flags, check, make));
}

Result<long> sys_shmat(Context& context, int id, std::uintptr_t address, unsigned flags) {
  constexpr std::uintptr_t in_page = core::page_size - 1;
  if (address & in_page) {
    if (!(flags & attach_round)) return error(Errno::einval);
    address &= ~in_page;
  }
  if (!address && (flags & attach_remap)) return error(Errno::einval);
  auto segment = TRY(find_segment(id));
  bool writes = !(flags & attach_read_only), executes = flags & attach_execute;
  TRY(segment->check_access(context.task, 04 | (writes ? 02 : 0) | (executes ? 01 : 0)));
  core::MapRequest request;
  request.address = UserAddress(address);
  request.length = segment->size;
  request.protection = Protection::read;
  if (writes) request.protection = request.protection | Protection::write;
  if (executes) request.protection = request.protection | Protection::execute;
  if (!writes) request.maximum_protection = Protection::read | Protection::execute;
  request.flags = core::MapFlags::shared;
  if (address) request.flags |= core::MapFlags::fixed;
  if (address && !(flags & attach_remap)) request.flags |= core::MapFlags::no_replace;
  request.object = segment->memory;
  request.file = segment.get();
  Attaching attaching(*segment);
  auto where = context.task.thread().address_space->map(request);
  if (!where) return error(where.error() == Errno::eexist ? Errno::einval : where.error());
  return static_cast<long>(where->value());
}

Result<long> sys_shmdt(Context& context, std::uintptr_t address) {
  core::AddressSpace& space = *context.task.thread().address_space;
  if (address & (core::page_size - 1)) return error(Errno::einval);
  core::MappedFile* file = nullptr;
  std::uintptr_t end = ~std::uintptr_t{0};
  bool found = false;
  for (;;) {
    // The pieces of the attachment that began at `address`; mprotect and munmap may have cut it.
    std::uintptr_t start = 0, length = 0;
    space.for_each_area(UserAddress(address), [&](const core::Area& area) {
      if (area.start() >= end) return core::Iteration::stop;
      std::uintptr_t origin = area.start() - area.first_index() * core::page_size;
      if (!area.file() || origin != address || (file && area.file() != file)) return core::Iteration::proceed;
      if (!file) {
        std::uintptr_t size = 0;
        segments.use([&](Object& object) {
          auto& segment = static_cast<Segment&>(object);
          if (static_cast<core::MappedFile*>(&segment) == area.file()) size = segment.size;
        });
        if (!size) return core::Iteration::proceed;  // a mapped file
        file = area.file();
        end = address + size;
      }
      start = area.start();
      length = area.size();
      return core::Iteration::stop;
    });
    if (!length) break;
    TRY(space.unmap(UserAddress(start), length));
    found = true;
  }
  if (!found) return error(Errno::einval);
  // The areas themselves go a little later, on another thread.
  segments.use([&](Object& object) {
    auto& segment = static_cast<Segment&>(object);
    if (static_cast<core::MappedFile*>(&segment) == file) segment.last_pid.store(context.process.id());
  });
  return 0;
}

Result<long> sys_shmctl(Context& context, int id, int command, UserAddress argument) {
  if (id < 0) return error(Errno::einval);
  switch (command) {
    case ipc::command_info:
    case command_usage:
      return report_all(command, argument);
    case ipc::command_stat:
    case command_stat_index:
    case command_stat_any: {
      wait_for_detached();
      RefPtr<Object> object = TRY(command == ipc::command_stat ? segments.find(id) : segments.at(id));
      if (command != command_stat_any) TRY(object->check_access(context.task, ipc::wants_read));
      TRY(UserOut<UserSegment>(argument).write(describe(static_cast<Segment&>(*object))));
      return command == ipc::command_stat ? 0 : object->id();
    }
    case ipc::command_set: {
      auto wanted = TRY(UserIn<UserSegment>(argument).read());
      auto segment = TRY(find_segment(id));
      TRY(segment->check_control(context.task));
      TRY(segment->set_permissions(wanted.permissions));
      return 0;
    }
    case ipc::command_remove: {
      auto segment = TRY(find_segment(id));
      TRY(segment->check_control(context.task));
      destroy(*segment);
      return 0;
    }
    case command_lock:
    case command_unlock: {
      auto segment = TRY(find_segment(id));
      TRY(lock_segment(context, *segment, command == command_lock));
      return 0;
    }
    default:
      return error(Errno::einval);
  }
}

}  // namespace linux_abi
