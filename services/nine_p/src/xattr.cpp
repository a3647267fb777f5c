// Extended attributes: read and written like files, through fids of their own.
#include "core/memory/slab.h"
#include "inode.h"

namespace nine_p {

namespace {
constexpr std::size_t value_max = 65536;
bool is_supported(std::string_view name) {
  return name.starts_with("user.") || name.starts_with("trusted.") || name.starts_with("security.");
}
}  // namespace

// The value of `name`; the list of names if it is empty.
Result<base::Vector<char>> NinePInode::read_xattr(std::string_view name) {
  RefPtr<Fid> value = TRY(client().make_fid());
  std::uint64_t size;
  {
    Call call = TRY(client().begin(Type::xattrwalk));
    call.out.number32(fid()->number()).number32(value->number()).text(name);
    Reader in = TRY(call.finish());
    value->is_valid = true;
    size = in.number64();
    TRY(call.check(in));
  }
  if (size > value_max) return error(Errno::e2big);
  base::Vector<char> bytes;
  TRY(bytes.try_resize(static_cast<std::size_t>(size)));
  for (std::size_t at = 0; at < bytes.size();) {
    auto copy = [&](std::span<const std::byte> data) {
      std::memcpy(bytes.data() + at, data.data(), data.size());
      return data.size();
    };
    std::size_t got = TRY(read_once(client(), *value, at, bytes.size() - at, copy));
    if (got == 0) return client().lied("an attribute shorter than it says", at);
    at += got;
  }
  return bytes;
}

// Its fid's end is what makes the server set it. No bytes: it is removed, says the protocol.
Result<void> NinePInode::store_xattr(std::string_view name, std::span<const char> bytes,
                                     std::uint32_t flags) {
  WalkResult value = TRY(client().walk(*fid(), {}));
  {
    Call call = TRY(client().begin(Type::xattrcreate));
    call.out.number32(value.fid->number()).text(name).number64(bytes.size()).number32(flags);
    (void)TRY(call.finish());
  }
  for (std::size_t at = 0; at < bytes.size();) {
    auto fill = [&](std::span<std::byte> room) {
      std::memcpy(room.data(), bytes.data() + at, room.size());
      return room.size();
    };
    std::size_t done = TRY(write_once(client(), *value.fid, at, bytes.size() - at, fill));
    if (done == 0) return error(Errno::eio);
    at += done;
  }
  Call call = TRY(client().begin(Type::clunk));
  call.out.number32(value.fid->number());
  value.fid->is_valid = false;
  (void)TRY(call.finish(core::WaitMode::uninterruptible));
  return {};
}

Result<base::Vector<char>> NinePInode::get_xattr(std::string_view name) {
  if (!is_supported(name)) return error(Errno::eopnotsupp);
  return read_xattr(name);
}

Result<void> NinePInode::set_xattr(std::string_view name, std::span<const char> value, vfs::XattrMode mode) {
  if (!is_supported(name)) return error(Errno::eopnotsupp);
  if (value.size() > value_max) return error(Errno::e2big);
  constexpr std::uint32_t create = 1, replace = 2;
  return store_xattr(name, value,
                     mode == vfs::XattrMode::create_only    ? create
                     : mode == vfs::XattrMode::replace_only ? replace
                                                            : 0);
}

Result<void> NinePInode::remove_xattr(std::string_view name) {
  if (!is_supported(name)) return error(Errno::eopnotsupp);
  return store_xattr(name, {}, 2);
}

void NinePInode::list_xattrs(base::TextSink& out) {
  auto names = read_xattr({});
  if (!names) return;
  std::string_view rest{names->data(), names->size()};
  while (!rest.empty()) {
    std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) return;
    if (is_supported(rest.substr(0, end))) out.put(rest.substr(0, end + 1));
    rest.remove_prefix(end + 1);
  }
}

}  // namespace nine_p
