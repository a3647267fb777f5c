// lsm_get_self_attr(2), lsm_set_self_attr(2), lsm_list_modules(2)
#include "syscalls/security/rows.h"

namespace linux_abi {

namespace {

constexpr std::uint32_t single = 1;
constexpr std::uint64_t ids_of_modules[] = {100, 110};  // capabilities, Landlock

// struct lsm_ctx, before the value.
struct AttributeHead {
  std::uint64_t id = 0, flags = 0, length = 0, value_length = 0;
};

}  // namespace

Result<long> sys_lsm_get_self_attr(Context&, unsigned attribute, UserAddress out,
                                   UserInOut<std::uint32_t> size, std::uint32_t flags) {
  if (!attribute || size.is_null()) return error(Errno::einval);
  TRY(size.read());
  if (flags) {
    if (flags != single || out.is_null()) return error(Errno::einval);
    if (!TRY(UserIn<AttributeHead>(out).read()).id) return error(Errno::einval);
  }
  TRY(size.write(0));
  return error(Errno::eopnotsupp);
}

Result<long> sys_lsm_set_self_attr(Context&, unsigned, UserAddress in, std::uint32_t size,
                                   std::uint32_t flags) {
  if (flags || size < sizeof(AttributeHead)) return error(Errno::einval);
  if (size > core::page_size) return error(Errno::e2big);
  AttributeHead head = TRY(UserIn<AttributeHead>(in).read());
  if (size < head.length || head.length < sizeof(head) || head.length - sizeof(head) < head.value_length)
    return error(Errno::einval);
  return error(Errno::eopnotsupp);
}

Result<long> sys_lsm_list_modules(Context&, UserArray<std::uint64_t> ids, UserInOut<std::uint32_t> size,
                                  std::uint32_t flags) {
  if (flags) return error(Errno::einval);
  std::uint32_t room = TRY(size.read());
  TRY(size.write(sizeof(ids_of_modules)));
  if (room < sizeof(ids_of_modules)) return error(Errno::e2big);
  TRY(ids.write(std::span<const std::uint64_t>(ids_of_modules), 0));
  return std::size(ids_of_modules);
}

}  // namespace linux_abi
