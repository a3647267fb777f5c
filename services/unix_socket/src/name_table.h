// Names of Unix sockets (unix(7)): abstract ones in a table, path names through the socket's inode.
#pragma once

#include "base/intrusive_tree.h"
#include "core/sync/mutex.h"
#include "socket/socket.h"
#include "vfs/inode.h"

namespace unix_socket {

class UnixSocket;

// Holds no reference on the socket; cleared when it closes. Found under its mutex with try_acquire.
class BoundName : public vfs::InodeAttachment {
 public:
  explicit BoundName(const socket::Address& address) : address_(address) {}
  const socket::Address& address() const { return address_; }
  bool is_abstract() const { return address_.size > 2 && address_.bytes[2] == std::byte{0}; }

  base::RefPtr<UnixSocket> socket() EXCLUDES(lock_);
  void set_socket(UnixSocket* socket) EXCLUDES(lock_);

  struct Key {
    const socket::Address* address;
    bool operator<(const Key& other) const;
  };
  Key key() const { return {&address_}; }
  base::TreeHook hook;  // abstract names: protected by the table's mutex

 private:
  const socket::Address address_;
  core::Mutex lock_{"unix name"};
  UnixSocket* socket_ GUARDED_BY(lock_) = nullptr;
};

// EADDRINUSE.
base::Result<void> insert_abstract(BoundName& name);
void remove_abstract(BoundName& name);
base::RefPtr<UnixSocket> find_abstract(const socket::Address& address);
// A free five-digit abstract name (autobind).
base::Result<socket::Address> free_abstract_address();

}  // namespace unix_socket
