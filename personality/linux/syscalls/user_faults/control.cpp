// userfaultfd(2): the call, and ioctl_userfaultfd(2).
#include <cstring>

#include "core/memory/page_allocator.h"
#include "core/memory/user_copy.h"
#include "linux_abi/abi/file.h"
#include "syscalls/user_faults/rows.h"
#include "syscalls/user_faults/user_faults.h"
#include "vfs/poll.h"

namespace linux_abi {

namespace user_faults {

namespace {

using core::AddressSpace;

Result<void> check_range(const AddressSpace& space, const Range& range) {
  if ((range.start | range.length) & (core::page_size - 1) || !range.length) return error(Errno::einval);
  std::uint64_t limit = space.layout().highest;
  if (range.start >= limit || range.length > limit - range.start) return error(Errno::einval);
  return {};
}

// What the calls that go page by page leave behind: bytes done, or the error if there are none.
Result<long> outcome(std::uint64_t done, std::uint64_t wanted, Result<void> last) {
  if (done == 0 && !last) return error(last.error());
  return done == wanted ? Result<long>(0) : error(Errno::eagain);
}
std::int64_t reported(std::uint64_t done, Result<void> last) {
  return done == 0 && !last ? -static_cast<std::int64_t>(last.error()) : static_cast<std::int64_t>(done);
}

}  // namespace

Result<long> Monitor::negotiate(UserInOut<Api> argument) {
  Api api = TRY(argument.read());
  auto refuse = [&] {
    (void)argument.write(Api{}).has_value();
    return error(Errno::einval);
  };
  if (api.api != version || (api.features & ~features)) return refuse();
  bool fresh = false;
  if (!ready_.compare_exchange_strong(fresh, true)) return refuse();
  features_.store(api.features);
  api.features = features;
  api.ioctls = can_api | can_register | can_unregister;
  TRY(argument.write(api));
  return 0;
}

Result<long> Monitor::add_range(UserInOut<Register> argument) {
  Register wanted = TRY(argument.read());
  constexpr std::uint64_t known = register_missing | register_write_protect | register_minor;
  if (!wanted.mode || (wanted.mode & ~known)) return error(Errno::einval);
  TRY(check_range(*space_, wanted.range));
  AddressSpace::MonitoredKinds kinds{.missing = (wanted.mode & register_missing) != 0,
                                     .write = (wanted.mode & register_write_protect) != 0,
                                     .minor = (wanted.mode & register_minor) != 0};
  TRY(space_->monitor(UserAddress(wanted.range.start), wanted.range.length, RefPtr<FaultMonitor>(this),
                      kinds));
  wanted.ioctls = can_wake | can_copy | can_zeropage | (kinds.write ? can_write_protect : 0) |
                  (kinds.minor ? can_continue : 0);
  TRY(argument.write(wanted));
  return 0;
}

Result<long> Monitor::remove_range(UserIn<Range> argument) {
  Range range = TRY(argument.read());
  TRY(check_range(*space_, range));
  TRY(space_->end_monitoring(UserAddress(range.start), range.length));
  let_go(range.start, range.length);
  return 0;
}

Result<void> Monitor::copy_page(UserAddress to, UserAddress from, bool guarded) {
  core::PageRef page = TRY(core::allocate_page(core::AllocationFlags::user));
  TRY(core::copy_from_user(std::span(page.data(), core::page_size), from));
  auto protection = guarded ? AddressSpace::WriteProtected::yes : AddressSpace::WriteProtected::no;
  return space_->place_copy(to, *this, std::move(page), protection);
}

Result<long> Monitor::copy(UserInOut<Copy> argument) {
  Copy wanted = TRY(argument.read());
  TRY(check_range(*space_, {wanted.to, wanted.length}));
  if (wanted.from + wanted.length <= wanted.from) return error(Errno::einval);
  if (wanted.mode & ~(do_not_wake | copy_protected)) return error(Errno::einval);
  std::uint64_t done = 0;
  Result<void> last{};
  for (; done < wanted.length; done += core::page_size) {
    last = copy_page(UserAddress(wanted.to + done), UserAddress(wanted.from + done),
                     (wanted.mode & copy_protected) != 0);
    if (!last) break;
  }
  if (done && !(wanted.mode & do_not_wake)) let_go(wanted.to, done);
  wanted.copied = reported(done, last);
  TRY(argument.write(wanted));
  return outcome(done, wanted.length, last);
}

Result<long> Monitor::place(UserInOut<Place> argument, bool zero) {
  Place wanted = TRY(argument.read());
  TRY(check_range(*space_, wanted.range));
  if (wanted.mode & ~(do_not_wake | (zero ? 0 : continue_protected))) return error(Errno::einval);
  auto protection =
      wanted.mode & continue_protected ? AddressSpace::WriteProtected::yes : AddressSpace::WriteProtected::no;
  std::uint64_t done = 0;
  Result<void> last{};
  for (; done < wanted.range.length; done += core::page_size) {
    UserAddress at(wanted.range.start + done);
    last = zero ? space_->place_zero(at, *this) : space_->place_object_page(at, *this, protection);
    if (!last) break;
  }
  if (done && !(wanted.mode & do_not_wake)) let_go(wanted.range.start, done);
  wanted.placed = reported(done, last);
  TRY(argument.write(wanted));
  return outcome(done, wanted.range.length, last);
}

Result<long> Monitor::protect(UserIn<Protect> argument) {
  Protect wanted = TRY(argument.read());
  TRY(check_range(*space_, wanted.range));
  if (wanted.mode & ~(protect_on | protect_do_not_wake)) return error(Errno::einval);
  bool on = wanted.mode & protect_on, wakes = !(wanted.mode & protect_do_not_wake);
  if (on && !wakes) return error(Errno::einval);
  TRY(space_->write_protect(UserAddress(wanted.range.start), wanted.range.length, *this,
                            on ? AddressSpace::WriteProtected::yes : AddressSpace::WriteProtected::no));
  if (!on && wakes) let_go(wanted.range.start, wanted.range.length);
  return 0;
}

Result<long> Monitor::control(unsigned command, UserAddress argument) {
  if (command == io_api) return negotiate(UserInOut<Api>(argument));
  if (!is_ready()) return error(Errno::einval);
  switch (command) {
    case io_register:
      return add_range(UserInOut<Register>(argument));
    case io_unregister:
      return remove_range(UserIn<Range>(argument));
    case io_wake: {
      Range range = TRY(UserIn<Range>(argument).read());
      TRY(check_range(*space_, range));
      let_go(range.start, range.length);
      return 0;
    }
    case io_copy:
      return copy(UserInOut<Copy>(argument));
    case io_zeropage:
      return place(UserInOut<Place>(argument), true);
    case io_continue:
      return place(UserInOut<Place>(argument), false);
    case io_write_protect:
      return protect(UserIn<Protect>(argument));
    default:
      return error(Errno::einval);
  }
}

namespace {

class MonitorFile final : public vfs::File {
 public:
  explicit MonitorFile(RefPtr<Monitor> monitor) : File(no_wait_capable), monitor_(std::move(monitor)) {}

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags io_flags) override {
    return monitor_->read(buffer, is_non_blocking() || (io_flags & vfs::io_no_wait));
  }
  vfs::PollEvents poll(vfs::PollWaiter* waiter) override {
    if (waiter) waiter->watch(monitor_->readers());
    // Only readers that do not block may poll: others could lose a fault to somebody else.
    if (!monitor_->is_ready() || !is_non_blocking()) return vfs::poll_error;
    return monitor_->has_unread() ? vfs::poll_in : 0;
  }
  Result<long> ioctl(unsigned command, std::uintptr_t argument) override {
    return monitor_->control(command, UserAddress(argument));
  }
  void put_fdinfo(base::TextSink& out) override { monitor_->put_description(out); }
  void release() override { monitor_->close(); }

 private:
  const RefPtr<Monitor> monitor_;
};

}  // namespace

}  // namespace user_faults

Result<long> sys_userfaultfd(Context& context, unsigned flags) {
  using namespace user_faults;
  if (flags & ~(user_mode_only | o_cloexec | o_nonblock)) return error(Errno::einval);
  // vm.unprivileged_userfaultfd is 0: faults in the kernel are held up by the privileged alone.
  if (!(flags & user_mode_only) && !context.task.can(vfs::Capability::sys_ptrace)) return error(Errno::eperm);
  auto scope = flags & user_mode_only ? Monitor::Scope::user_mode_only : Monitor::Scope::all_faults;
  auto monitor =
      TRY(base::try_make_ref<Monitor>(RefPtr<core::AddressSpace>(context.process.address_space()), scope));
  auto file = TRY(base::try_make_ref<MonitorFile>(std::move(monitor)));
  file->attach(TRY(vfs::anonymous_path("[userfaultfd]")), vfs::open_read_write | (flags & o_nonblock),
               context.task.credentials_reference());
  auto close_on_exec = flags & o_cloexec ? CloseOnExec::yes : CloseOnExec::no;
  return TRY(context.task.files->add(std::move(file), close_on_exec, descriptor_limit(context)));
}

}  // namespace linux_abi
