#include "linux_abi/namespaces.h"

#include <cstring>

#include "linux_abi/abi/process.h"
#include "vfs/inode.h"

namespace linux_abi {

using base::Errno;
using base::error;

namespace {

[[clang::no_destroy]] constinit UtsNamespace::Names first_names;

// The numbers of the first namespaces end below this one.
constinit std::atomic<std::uint64_t> next_number{4026532100};

constexpr NamespaceKind kinds[] = {
    {"cgroup", "cgroup", 4026531835, clone_newcgroup},
    {"ipc", "ipc", 4026531839, clone_newipc},
    {"mnt", "mnt", 4026531841, clone_newns},
    {"net", "net", 4026531840, clone_newnet},
    {"pid", "pid", 4026531836, clone_newpid},
    {"pid_for_children", "pid", 4026531836, clone_newpid},
    {"time", "time", 4026531834, clone_newtime},
    {"time_for_children", "time", 4026531834, clone_newtime},
    {"user", "user", 4026531837, clone_newuser},
    {"uts", "uts", 4026531838, clone_newuts},
};

class NamespaceInode final : public vfs::Inode {
 public:
  NamespaceInode(const NamespaceKind& kind, RefPtr<UtsNamespace> uts)
      : Inode(vfs::anonymous_file_system(), uts ? uts->number : kind.number,
              {vfs::mode_regular | 0444, 0, 0, {}}),
        kind_(kind),
        uts_(std::move(uts)) {}
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest&) override {
    return RefPtr<vfs::File>(TRY(base::try_make_ref<NamespaceFile>(kind_, uts_)));
  }
  void describe(base::TextSink& out) const override { base::format(out, "{}:[{}]", kind_.kind, number()); }

 private:
  const NamespaceKind& kind_;
  const RefPtr<UtsNamespace> uts_;
};

}  // namespace

UtsNamespace::Names& UtsNamespace::names_of(UtsNamespace* space) {
  return space ? space->names_ : first_names;
}

Result<RefPtr<UtsNamespace>> UtsNamespace::copy_of(UtsNamespace* original) {
  auto fresh = TRY(base::try_make_ref<UtsNamespace>(next_number.fetch_add(1, std::memory_order_relaxed)));
  char node[65], domain[65];
  {
    Names& from = names_of(original);
    core::MutexGuard guard{from.lock};
    std::memcpy(node, from.node, sizeof(node));
    std::memcpy(domain, from.domain, sizeof(domain));
  }
  core::MutexGuard guard{fresh->names_.lock};
  std::memcpy(fresh->names_.node, node, sizeof(node));
  std::memcpy(fresh->names_.domain, domain, sizeof(domain));
  guard.unlock();
  return fresh;
}

std::span<const NamespaceKind> namespace_kinds() { return kinds; }

Result<vfs::Path> namespace_path(const NamespaceKind& kind, RefPtr<UtsNamespace> uts) {
  if (kind.clone_flag != clone_newuts) uts = {};
  auto* inode = new (std::nothrow) NamespaceInode(kind, std::move(uts));
  if (!inode) return error(Errno::enomem);
  return vfs::path_of_anonymous_inode(RefPtr<vfs::Inode>::adopt(inode));
}

}  // namespace linux_abi
