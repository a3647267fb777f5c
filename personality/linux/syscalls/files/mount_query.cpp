// statmount(2), listmount(2): the mounts as numbers and structures.
#include <algorithm>

#include "base/format.h"
#include "linux_abi/user_structure.h"
#include "syscalls/files/mount_context.h"
#include "syscalls/files/rows.h"
#include "vfs/mount.h"
#include "vfs/mount_sharing.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

struct MountRequest {
  std::uint32_t size = 0, spare = 0;
  std::uint64_t id = 0, parameter = 0, name_space = 0;
};
constexpr std::size_t shortest_request = 24;
constexpr std::uint64_t root_of_name_space = ~std::uint64_t{0};
constexpr unsigned list_backwards = 1;

namespace part {
constexpr std::uint64_t file_system = 1, mount = 2, propagate_from = 4, root = 8, point = 0x10, type = 0x20,
                        name_space = 0x40, options = 0x80;
}

// struct statmount; texts follow, and members that are texts say where.
struct MountStatus {
  std::uint32_t size = 0, options = 0;
  std::uint64_t mask = 0;
  std::uint32_t device_major = 0, device_minor = 0;
  std::uint64_t magic = 0;
  std::uint32_t file_system_flags = 0, type = 0;
  std::uint64_t id = 0, parent_id = 0;
  std::uint32_t old_id = 0, old_parent_id = 0;
  std::uint64_t attributes = 0, propagation = 0, peer_group = 0, master = 0, propagate_from = 0;
  std::uint32_t root = 0, point = 0;
  std::uint64_t name_space = 0;
  std::uint64_t spare[49] = {};
};
static_assert(sizeof(MountStatus) == 512);

Result<MountRequest> read_request(UserAddress address) {
  auto size = TRY(UserIn<std::uint32_t>(address).read());
  auto request = TRY(read_extensible<MountRequest>(address, size, shortest_request));
  if (request.spare) return error(Errno::einval);
  if (request.id <= unique_mount_offset) return error(Errno::einval);
  return request;
}

// Which namespace: there is one. ENOENT.
Result<void> check_name_space(const MountRequest& request, const vfs::MountNamespace& space) {
  if (request.name_space && request.name_space != space.id()) return error(Errno::enoent);
  return {};
}

RefPtr<vfs::Mount> find_mount(vfs::MountNamespace& space, std::uint64_t id) {
  RefPtr<vfs::Mount> found;
  space.for_each([&](vfs::Mount& mount) {
    if (unique_mount_id(mount) == id) found = RefPtr<vfs::Mount>(&mount);
  });
  return found;
}

vfs::Path root_of(vfs::Mount& mount) { return {RefPtr<vfs::Mount>(&mount), mount.root_reference()}; }

// What is above the caller's root is nobody's business but an administrator's.
Result<void> may_see(Context& context, vfs::Mount& mount) {
  if (context.task.can(vfs::Capability::sys_admin)) return {};
  vfs::Path root = context.task.file_system->root();
  return vfs::is_below(root_of(mount), root) ? Result<void>{} : error(Errno::eperm);
}

class Texts final : public base::TextSink {
 public:
  void put(std::string_view text) override {
    if (outcome_) outcome_ = bytes_.try_append(text);
  }
  // Where the text that comes next begins; end() closes it.
  std::uint32_t begin() const { return static_cast<std::uint32_t>(bytes_.size()); }
  void end() { put(std::string_view("\0", 1)); }
  Result<std::span<const std::byte>> bytes() const {
    TRY(outcome_);
    return std::as_bytes(std::span(bytes_.view()));
  }

 private:
  base::String bytes_;
  Result<void> outcome_;
};

class OptionTexts final : public base::TextSink {
 public:
  explicit OptionTexts(base::TextSink& out) : out_(out) {}
  void put(std::string_view text) override {
    if (first_ && text.starts_with(',')) text.remove_prefix(1);
    if (!text.empty()) first_ = false;
    out_.put(text);
  }

 private:
  base::TextSink& out_;
  bool first_ = true;
};

std::uint64_t propagation_bits(const vfs::MountSharing& sharing) {
  std::uint64_t bits = 0;
  if (sharing.peers) bits |= 1 << 20;
  if (sharing.master) bits |= 1 << 19;
  if (sharing.unbindable) bits |= 1 << 17;
  return bits ? bits : 1 << 18;
}

void describe_mount(vfs::Mount& mount, std::uint64_t wanted, const vfs::Path& root, MountStatus& out) {
  core::MutexGuard guard{vfs::mount_mutex()};
  vfs::MountSharing sharing = vfs::sharing_of_locked(mount, root);
  if (wanted & part::propagate_from) {
    out.mask |= part::propagate_from;
    out.propagate_from = static_cast<std::uint64_t>(sharing.visible_master);
  }
  if (!(wanted & part::mount)) return;
  out.mask |= part::mount;
  vfs::Mount& parent = mount.parent() ? *mount.parent() : mount;
  out.id = unique_mount_id(mount);
  out.parent_id = unique_mount_id(parent);
  out.old_id = static_cast<std::uint32_t>(mount.id());
  out.old_parent_id = static_cast<std::uint32_t>(parent.id());
  out.attributes = mount_attributes(mount.flags());
  out.propagation = propagation_bits(sharing);
  out.peer_group = static_cast<std::uint64_t>(sharing.peers);
  out.master = static_cast<std::uint64_t>(sharing.master);
}

struct PathMemory {
  char bytes[vfs::path_max];
};

Result<void> describe(Context& context, vfs::Mount& mount, std::uint64_t wanted, MountStatus& out,
                      Texts& texts) {
  const vfs::FileSystem& file_system = mount.file_system();
  if (wanted & part::file_system) {
    out.mask |= part::file_system;
    out.device_major = file_system.device().major;
    out.device_minor = file_system.device().minor;
    out.magic = file_system.magic();
    out.file_system_flags = file_system.is_read_only() ? 1 : 0;
  }
  if (wanted & (part::mount | part::propagate_from))
    describe_mount(mount, wanted, context.task.file_system->root(), out);
  if (wanted & part::name_space) {
    out.mask |= part::name_space;
    out.name_space = mount.mount_namespace() ? mount.mount_namespace()->id() : 0;
  }
  auto memory = TRY(base::try_make_unique<PathMemory>());
  auto add = [&](std::uint64_t bit, std::uint32_t& place, std::string_view text) {
    out.mask |= bit;
    place = texts.begin();
    texts.put(text);
    texts.end();
  };
  if (wanted & part::type) add(part::type, out.type, file_system.type().name());
  if (wanted & part::root) add(part::root, out.root, TRY(vfs::mount_root_text(mount, memory->bytes)));
  if (wanted & part::point) {
    vfs::Path root = context.task.file_system->root();
    add(part::point, out.point,
        TRY(vfs::path_text(root_of(mount), &root, memory->bytes, vfs::DeletedMark::omit)));
  }
  if (wanted & part::options) {
    out.mask |= part::options;
    out.options = texts.begin();
    OptionTexts options(texts);
    file_system.put_options(options);
    texts.end();
  }
  return {};
}

}  // namespace

Result<long> sys_statmount(Context& context, UserAddress request_address, UserAddress buffer,
                           std::size_t buffer_size, unsigned flags) {
  if (flags) return error(Errno::einval);
  MountRequest request = TRY(read_request(request_address));
  vfs::MountNamespace& space = vfs::initial_mount_namespace();
  TRY(check_name_space(request, space));
  RefPtr<vfs::Mount> mount = find_mount(space, request.id);
  if (!mount) return error(Errno::enoent);
  TRY(may_see(context, *mount));
  MountStatus status;
  Texts texts;
  TRY(describe(context, *mount, request.parameter, status, texts));
  auto text_bytes = TRY(texts.bytes());
  std::size_t fixed = buffer_size < sizeof(status) ? buffer_size : sizeof(status);
  if (!text_bytes.empty() && buffer_size < sizeof(status) + text_bytes.size()) return error(Errno::eoverflow);
  status.size = static_cast<std::uint32_t>(fixed + text_bytes.size());
  // SAFETY: a structure of the ABI without padding.
  TRY(core::copy_to_user(buffer, std::as_bytes(std::span(&status, 1)).first(fixed)));
  TRY(core::copy_to_user(buffer + sizeof(status), text_bytes));
  return 0;
}

Result<long> sys_listmount(Context& context, UserAddress request_address, UserAddress ids, std::size_t count,
                           unsigned flags) {
  constexpr std::size_t count_max = 1'000'000;
  if (flags & ~list_backwards) return error(Errno::einval);
  if (count > count_max) return error(Errno::eoverflow);
  MountRequest request = TRY(read_request(request_address));
  vfs::MountNamespace& space = vfs::initial_mount_namespace();
  TRY(check_name_space(request, space));
  bool all = request.id == root_of_name_space;
  RefPtr<vfs::Mount> top = all ? space.root() : find_mount(space, request.id);
  if (!top) return error(Errno::enoent);
  vfs::Path from = all ? context.task.file_system->root() : root_of(*top);
  if (!all) TRY(may_see(context, *top));
  base::Vector<RefPtr<vfs::Mount>> mounts;
  Result<void> outcome;
  space.for_each([&](vfs::Mount& mount) {
    if (outcome) outcome = mounts.try_push_back(RefPtr<vfs::Mount>(&mount));
  });
  TRY(outcome);
  base::Vector<std::uint64_t> found;
  for (auto& mount : mounts) {
    std::uint64_t id = unique_mount_id(*mount);
    bool after =
        !request.parameter || (flags & list_backwards ? id < request.parameter : id > request.parameter);
    if (after && (all || mount != top) && vfs::is_below(root_of(*mount), from)) TRY(found.try_push_back(id));
  }
  std::sort(found.begin(), found.end(),
            [&](std::uint64_t a, std::uint64_t b) { return flags & list_backwards ? a > b : a < b; });
  std::size_t given = found.size() < count ? found.size() : count;
  TRY(core::copy_to_user(ids, std::as_bytes(std::span(found.data(), given))));
  return static_cast<long>(given);
}

}  // namespace linux_abi
