// Files on their way through Unix sockets (SCM_RIGHTS), and the collector of those nobody can receive any
// more.
//
// A socket in a message that waits in that very socket's queue (or in a ring of such sockets) keeps itself
// alive. The collector finds them by their counts, as cycle collectors of languages do:
//
//   candidate   a socket whose file has no references but those in queued messages
//   reachable   a candidate that is in a message queued at a socket which is no candidate, or at a reachable
//   one garbage     the other candidates: their messages lose their files
//
// A connection that waits in a listener's backlog has no file; what is queued at it counts as queued at the
// listener.
//
// Locking: one lock, taken inside the queue lock of a socket, protects all of this, and a message's files for
// as long as it is queued. References come out of a queued message only with the lock held, so a candidate
// stays one while the collector looks at it. A message is counted when it is queued, not before: one that is
// still being sent makes its sockets no candidates. Nothing is allocated or released with the lock held.
//
// Releasing a file may close a socket whose queue holds files, and so on: release() makes a loop of that
// recursion, so that no nesting of sockets exhausts a kernel stack.
#pragma once

#include <memory>

#include "base/intrusive_list.h"
#include "base/vector.h"
#include "vfs/file.h"

namespace unix_socket {

using base::RefPtr;
using base::Result;

class Message;
class PassedFiles;
class UnixSocket;

namespace in_flight {
struct Collector;
}

// The files of one message.
class PassedFiles {
 public:
  static Result<std::unique_ptr<PassedFiles>> create(base::Vector<RefPtr<vfs::File>> files);
  base::Vector<RefPtr<vfs::File>>& files() { return files_; }
  bool has_sockets() const { return has_sockets_; }

  base::ListHook hook;  // at the receiver's vertex, or among what is to be released

 private:
  friend struct in_flight::Collector;
  explicit PassedFiles(base::Vector<RefPtr<vfs::File>> files) : files_(std::move(files)) {}
  base::Vector<RefPtr<vfs::File>> files_;
  bool has_sockets_ = false;
  Message* message_ = nullptr;  // while queued
};
using PassedFilesList = base::IntrusiveList<PassedFiles, &PassedFiles::hook>;

// A socket as the collector sees it. All protected by the collector's lock.
struct Vertex {
  base::ListHook hook;          // among the sockets in flight
  base::ListHook work_hook;     // while the collector looks at it
  base::ListHook pending_hook;  // in the listener's list of connections not accepted yet
  vfs::File* file = nullptr;    // while in flight
  unsigned in_flight = 0;       // references to the file in queued messages
  unsigned unexplained = 0;     // those of them that are not in messages queued at candidates
  enum class State : unsigned char { idle, candidate, reachable } state = State::idle;
  PassedFilesList queued;  // messages in the socket's queue that carry Unix sockets
  base::IntrusiveList<Vertex, &Vertex::pending_hook> pending;
};

namespace in_flight {

// The message enters the receiver's queue; its queue lock is held.
void message_queued(Vertex& receiver, Message& message);
// The files of a message that is received, with the queue lock held, or dropped.
std::unique_ptr<PassedFiles> take(Message& message);
// For MSG_PEEK. What finds no memory is left out.
void copy(Message& message, base::Vector<RefPtr<vfs::File>>& to);
void release(std::unique_ptr<PassedFiles> files);

void connection_pending(Vertex& listener, Vertex& connection);
void connection_taken(Vertex& connection);

// A socket was closed: what could reach others may be gone.
void collect_later();

}  // namespace in_flight
}  // namespace unix_socket
