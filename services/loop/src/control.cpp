// /dev/loop-control: which loop devices there are. None at first, as with Debian's Linux, but for max_loop=.
#include "base/function_ref.h"
#include "core/init/command_line.h"
#include "core/init/init_step.h"
#include "core/memory/slab.h"
#include "loop.h"
#include "vfs/device.h"

namespace loop {

namespace {

enum Ioctl : unsigned { add = 0x4c80, remove = 0x4c81, get_free = 0x4c82 };  // LOOP_CTL_…
constexpr vfs::DeviceNumber control_number{10, 237};
constexpr unsigned loops_max = 256;

constinit core::Mutex loops_mutex{"loop devices"};
constinit Loop* loops[loops_max] GUARDED_BY(loops_mutex) = {};  // for ever, once made

// EEXIST.
Result<void> add_locked(unsigned number) REQUIRES(loops_mutex) {
  if (number >= loops_max) return error(Errno::enospc);
  if (!loops[number]) {
    auto fresh = TRY(base::try_make_unique<Loop>(number));
    TRY(fresh->start());
    loops[number] = fresh.release();
  }
  return loops[number]->appear();
}

Result<long> find_free() {
  core::MutexGuard guard{loops_mutex};
  for (unsigned number = 0; number < loops_max; ++number) {
    if (loops[number] && loops[number]->is_bound()) continue;
    if (!loops[number] || !loops[number]->exists()) TRY(add_locked(number));
    return static_cast<long>(number);
  }
  return error(Errno::enospc);
}

Result<long> add_numbered(long wanted) {
  if (wanted >= 0) {
    core::MutexGuard guard{loops_mutex};
    if (wanted >= static_cast<long>(loops_max)) return error(Errno::enospc);
    TRY(add_locked(static_cast<unsigned>(wanted)));
    return wanted;
  }
  core::MutexGuard guard{loops_mutex};
  for (unsigned number = 0; number < loops_max; ++number) {
    auto added = add_locked(number);
    if (added) return static_cast<long>(number);
    if (added.error() != Errno::eexist) return error(added.error());
  }
  return error(Errno::enospc);
}

class ControlFile final : public vfs::File {
 public:
  ControlFile() : File(0) {}
  Result<long> ioctl(unsigned command, std::uintptr_t argument) override {
    long number = static_cast<int>(argument);
    switch (command) {
      case get_free:
        return find_free();
      case add:
        return add_numbered(number);
      case remove: {
        if (number < 0) return error(Errno::einval);
        Loop* loop = find_loop(static_cast<unsigned>(number));
        if (!loop) return error(Errno::enodev);
        TRY(loop->disappear());
        return number;
      }
      default:
        return error(Errno::enosys);  // as Linux has it here
    }
  }
};

class ControlDevice final : public vfs::DeviceOperations {
 public:
  Result<RefPtr<vfs::File>> open(vfs::DeviceNumber, const vfs::OpenRequest&) override {
    return RefPtr<vfs::File>(TRY(base::try_make_ref<ControlFile>()));
  }
};
constinit ControlDevice control_device;

Result<void> start_loops() {
  TRY(vfs::register_devices(vfs::DeviceKind::character, control_number, 1, control_device, "misc"));
  TRY(vfs::create_device_node("loop-control", vfs::mode_character | 0660, control_number, 0, 6));
  std::uint64_t count = core::command_line().get_number("max_loop").value_or(0);
  core::MutexGuard guard{loops_mutex};
  for (unsigned number = 0; number < count && number < loops_max; ++number) TRY(add_locked(number));
  return {};
}
INIT_STEP loop_step{"loop", {"block"}, start_loops, {"vfs"}};

}  // namespace

Loop* find_loop(unsigned number) {
  core::MutexGuard guard{loops_mutex};
  return number < loops_max ? loops[number] : nullptr;
}

}  // namespace loop
