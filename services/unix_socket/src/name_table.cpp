#include "name_table.h"

#include <algorithm>
#include <cstring>

#include "unix_socket.h"

namespace unix_socket {

using base::RefPtr;
using base::Result;
using core::MutexGuard;

namespace {

struct NameTable {
  core::Mutex lock{"unix names"};
  base::IntrusiveTree<BoundName, &BoundName::hook, &BoundName::key> names GUARDED_BY(lock);
  std::uint32_t next_automatic GUARDED_BY(lock) = 0;
};
NameTable& table() {
  [[clang::no_destroy]] static constinit NameTable instance;
  return instance;
}

socket::Address automatic_address(std::uint32_t number) {
  socket::Address address;
  address.bytes[0] = std::byte{1};  // AF_UNIX
  for (unsigned i = 0; i < 5; ++i)
    address.bytes[3 + i] = static_cast<std::byte>("0123456789abcdef"[number >> (16 - 4 * i) & 15]);
  address.size = 8;
  return address;
}

}  // namespace

bool BoundName::Key::operator<(const Key& other) const {
  if (address->size != other.address->size) return address->size < other.address->size;
  return std::memcmp(address->bytes.data(), other.address->bytes.data(), address->size) < 0;
}

RefPtr<UnixSocket> BoundName::socket() {
  MutexGuard guard{lock_};
  return RefPtr<UnixSocket>::try_acquire(socket_);
}

void BoundName::set_socket(UnixSocket* socket) {
  MutexGuard guard{lock_};
  socket_ = socket;
}

Result<void> insert_abstract(BoundName& name) {
  NameTable& all = table();
  MutexGuard guard{all.lock};
  if (all.names.find(name.key())) return base::error(base::Errno::eaddrinuse);
  all.names.insert(name);
  return {};
}

void remove_abstract(BoundName& name) {
  NameTable& all = table();
  MutexGuard guard{all.lock};
  if (name.hook.is_linked()) all.names.remove(name);
}

RefPtr<UnixSocket> find_abstract(const socket::Address& address) {
  NameTable& all = table();
  MutexGuard guard{all.lock};
  BoundName* name = all.names.find(BoundName::Key{&address});
  return name ? name->socket() : nullptr;
}

Result<socket::Address> free_abstract_address() {
  NameTable& all = table();
  MutexGuard guard{all.lock};
  constexpr std::uint32_t count = 1u << 20;
  for (std::uint32_t tried = 0; tried < count; ++tried) {
    socket::Address address = automatic_address(all.next_automatic++ & (count - 1));
    if (!all.names.find(BoundName::Key{&address})) return address;
  }
  return base::error(base::Errno::enospc);
}

}  // namespace unix_socket
