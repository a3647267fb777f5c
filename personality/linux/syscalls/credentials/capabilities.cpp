// capget(2), capset(2)
#include "syscalls/credentials/rows.h"

namespace linux_abi {

namespace {

using vfs::CapabilitySet;

// How many CapabilityData a version has; EINVAL after writing the preferred version, as capget(2) documents.
Result<unsigned> data_count(UserInOut<CapabilityHeader> header, CapabilityHeader& value) {
  value = TRY(header.read());
  switch (value.version) {
    case capability_version_1:
      return 1u;
    case capability_version_2:
    case capability_version_3:
      return 2u;
    default: {
      CapabilityHeader answer = value;
      answer.version = capability_version_3;
      TRY(header.write(answer));
      return error(Errno::einval);
    }
  }
}

std::uint32_t half(CapabilitySet set, unsigned index) {
  return static_cast<std::uint32_t>(set.bits() >> (32 * index));
}

}  // namespace

Result<long> sys_capget(Context& context, UserInOut<CapabilityHeader> header, UserArray<CapabilityData> out) {
  CapabilityHeader value;
  auto count = data_count(header, value);
  if (!count) {
    if (count.error() == Errno::einval && out.is_null()) return 0;  // a question for the version
    return error(count.error());
  }
  if (value.pid < 0) return error(Errno::einval);
  auto target = TRY(task_by_id(context, value.pid));
  auto credentials = credentials_of(*target);
  CapabilityData data[2];
  for (unsigned i = 0; i < 2; ++i)
    data[i] = {half(credentials->effective, i), half(credentials->permitted, i),
               half(credentials->inheritable, i)};
  if (out) TRY(out.write(std::span<const CapabilityData>(data).first(*count)));
  return 0;
}

Result<long> sys_capset(Context& context, UserInOut<CapabilityHeader> header, UserArray<CapabilityData> in) {
  CapabilityHeader value;
  unsigned count = TRY(data_count(header, value));
  if (value.pid != 0 && value.pid != context.task.id()) return error(Errno::eperm);
  CapabilityData data[2];
  TRY(in.read(std::span(data).first(count)));
  auto join = [&](std::uint32_t CapabilityData::* field) {
    return CapabilitySet(data[0].*field | static_cast<std::uint64_t>(data[1].*field) << 32);
  };
  CapabilitySet effective = join(&CapabilityData::effective), permitted = join(&CapabilityData::permitted),
                inheritable = join(&CapabilityData::inheritable);
  const auto& old = context.task.credentials();
  if (!old.can(vfs::Capability::setpcap) && !inheritable.is_subset_of(old.inheritable | old.permitted))
    return error(Errno::eperm);
  if (!inheritable.is_subset_of(old.inheritable | old.bounding)) return error(Errno::eperm);
  if (!permitted.is_subset_of(old.permitted) || !effective.is_subset_of(permitted))
    return error(Errno::eperm);
  auto changed = TRY(old.try_clone());
  changed->effective = effective;
  changed->permitted = permitted;
  changed->inheritable = inheritable;
  changed->ambient = changed->ambient & permitted & inheritable;
  context.task.set_credentials(std::move(changed));
  return 0;
}

}  // namespace linux_abi
