// landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2)
#include "linux_abi/landlock.h"
#include "linux_abi/abi/file.h"
#include "linux_abi/user_structure.h"
#include "syscalls/security/rows.h"
#include "vfs/file.h"

namespace linux_abi {

namespace {

constexpr std::uint32_t ask_version = 1;
// Files with REFER, without TRUNCATE, the network, ioctls and scopes.
constexpr long version = 2;
constexpr std::uint64_t known_access = (1 << 14) - 1, access_of_files = vfs::guarded_execute |
                                                                        vfs::guarded_write_file |
                                                                        vfs::guarded_read_file;
constexpr unsigned path_beneath = 1;

struct RulesetAttributes {
  std::uint64_t handled = 0;
};
// struct landlock_path_beneath_attr is packed.
struct PathBeneath {
  std::uint32_t allowed_low = 0, allowed_high = 0;
  std::int32_t parent = -1;
  std::uint64_t allowed() const { return std::uint64_t{allowed_high} << 32 | allowed_low; }
};
static_assert(sizeof(PathBeneath) == 12);

class RulesetFile final : public vfs::File {
 public:
  static constexpr int kind_tag = 0;
  explicit RulesetFile(RefPtr<LandlockLayer> layer) : File(0), layer_(std::move(layer)) {}
  const void* kind() const override { return &kind_tag; }
  core::Mutex lock{"landlock ruleset"};
  LandlockLayer& layer() REQUIRES(lock) { return *layer_; }
  vfs::GuardedAccess handled() const { return layer_->handled; }
  // The inodes of its rules go now: the end of files must not sleep.
  void release() override { RefPtr<LandlockLayer> layer = std::move(layer_); }

 private:
  RefPtr<LandlockLayer> layer_;
};

Result<RulesetFile*> ruleset_of(vfs::File& file) {
  auto* ruleset = file.as<RulesetFile>();
  if (!ruleset) return error(Errno::ebadfd);
  return ruleset;
}

}  // namespace

Result<long> sys_landlock_create_ruleset(Context& context, UserAddress attributes, std::size_t size,
                                         std::uint32_t flags) {
  if (flags) {
    if (flags == ask_version && attributes.is_null() && size == 0) return version;
    return error(Errno::einval);
  }
  if (size < sizeof(RulesetAttributes)) return error(Errno::einval);
  if (size > core::page_size) return error(Errno::e2big);
  auto wanted = TRY(read_extensible<RulesetAttributes>(attributes, size, sizeof(RulesetAttributes)));
  if (wanted.handled & ~known_access) return error(Errno::einval);
  if (!wanted.handled) return error(Errno::enomsg);
  auto layer = TRY(base::try_make_ref<LandlockLayer>(static_cast<vfs::GuardedAccess>(wanted.handled)));
  auto file = TRY(base::try_make_ref<RulesetFile>(std::move(layer)));
  file->attach(TRY(vfs::anonymous_path("[landlock-ruleset]")), vfs::open_read_write,
               context.task.credentials_reference());
  return TRY(context.task.files->add(std::move(file), CloseOnExec::yes, descriptor_limit(context)));
}

Result<long> sys_landlock_add_rule(Context& context, FileDescriptor fd, unsigned type, UserAddress attributes,
                                   std::uint32_t flags) {
  if (flags) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  RulesetFile& ruleset = *TRY(ruleset_of(*file));
  if (type != path_beneath) return error(Errno::einval);
  PathBeneath rule = TRY(UserIn<PathBeneath>(attributes).read());
  if (!rule.allowed()) return error(Errno::enomsg);
  if (rule.allowed() & ~std::uint64_t{ruleset.handled()}) return error(Errno::einval);
  FileUse parent = TRY(context.task.files->use_any(rule.parent));
  if (!parent->path() || !parent->path().mount().mount_namespace()) return error(Errno::ebadfd);
  vfs::Inode& inode = parent->inode();
  if (!vfs::is_directory(inode.mode()) && (rule.allowed() & ~access_of_files)) return error(Errno::einval);
  core::MutexGuard guard{ruleset.lock};
  TRY(ruleset.layer().allow(inode, static_cast<vfs::GuardedAccess>(rule.allowed())));
  return 0;
}

Result<long> sys_landlock_restrict_self(Context& context, FileDescriptor fd, std::uint32_t flags) {
  if (!context.task.credentials().no_new_privileges && !context.task.can(vfs::Capability::sys_admin))
    return error(Errno::eperm);
  if (flags) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  RulesetFile& ruleset = *TRY(ruleset_of(*file));
  RefPtr<LandlockDomain> domain;
  {
    core::MutexGuard guard{ruleset.lock};
    domain = TRY(LandlockDomain::create(current_landlock_domain().get(), ruleset.layer()));
  }
  TRY(enter_landlock_domain(context.task, std::move(domain)));
  return 0;
}

}  // namespace linux_abi
