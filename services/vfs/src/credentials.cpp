#include "vfs/credentials.h"

#include <algorithm>

namespace vfs {

using base::Errno;
using base::RefPtr;
using base::Result;

namespace {
constinit Credentials* kernel_credentials = nullptr;
}

Result<RefPtr<Credentials>> Credentials::create_root() {
  auto credentials = TRY(base::try_make_ref<Credentials>());
  credentials->permitted = credentials->effective = credentials->bounding = CapabilitySet::all();
  return credentials;
}

Result<void> initialize_kernel_credentials() {
  if (!kernel_credentials) kernel_credentials = TRY(Credentials::create_root()).leak();
  return {};
}

const Credentials& Credentials::kernel() {
  base::verify(kernel_credentials, "kernel credentials before vfs::initialize");
  return *kernel_credentials;
}

Result<RefPtr<Credentials>> Credentials::try_clone() const {
  auto copy = TRY(base::try_make_ref<Credentials>());
  copy->uid = uid, copy->euid = euid, copy->suid = suid, copy->fsuid = fsuid;
  copy->gid = gid, copy->egid = egid, copy->sgid = sgid, copy->fsgid = fsgid;
  copy->inheritable = inheritable, copy->permitted = permitted, copy->effective = effective;
  copy->bounding = bounding, copy->ambient = ambient;
  copy->secure_bits = secure_bits;
  copy->no_new_privileges = no_new_privileges;
  TRY(copy->groups_.try_append(groups_.span()));
  return copy;
}

bool Credentials::has_supplementary(GroupId group) const {
  return std::binary_search(groups_.begin(), groups_.end(), group);
}
bool Credentials::in_group(GroupId group) const { return fsgid == group || has_supplementary(group); }
bool Credentials::in_effective_group(GroupId group) const {
  return egid == group || has_supplementary(group);
}

Result<void> Credentials::set_groups(std::span<const GroupId> list) {
  base::Vector<GroupId> groups;
  TRY(groups.try_append(list));
  std::sort(groups.begin(), groups.end(), [](GroupId a, GroupId b) { return a < b; });
  groups_ = std::move(groups);
  return {};
}

}  // namespace vfs
