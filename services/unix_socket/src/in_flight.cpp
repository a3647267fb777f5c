#include "in_flight.h"

#include "core/sched/thread.h"
#include "core/sched/work_queue.h"
#include "core/sync/mutex.h"
#include "message_queue.h"
#include "unix_socket.h"

namespace unix_socket::in_flight {

using core::MutexGuard;

namespace {

// A thread that releases files; what it comes upon meanwhile waits in its list.
struct Releaser {
  const core::Thread* thread;
  Releaser* next = nullptr;
  PassedFilesList pending;
};

UnixSocket* unix_socket_of(vfs::File& file) {
  auto* as_socket = file.as<socket::SocketFile>();
  if (!as_socket || as_socket->socket().family() != socket::Family::unix_domain) return nullptr;
  return static_cast<UnixSocket*>(&as_socket->socket());
}

}  // namespace

struct Collector {
  core::Mutex lock{"unix sockets in flight"};
  base::IntrusiveList<Vertex, &Vertex::hook> vertices GUARDED_BY(lock);
  Releaser* releasers GUARDED_BY(lock) = nullptr;
  std::atomic<std::size_t> queued{0};  // messages with sockets; read without the lock as a hint

  using WorkList = base::IntrusiveList<Vertex, &Vertex::work_hook>;

  static void look_for_sockets(PassedFiles& passed) {
    for (auto& file : passed.files_) passed.has_sockets_ |= unix_socket_of(*file) != nullptr;
  }
  static void set_message(PassedFiles& passed, Message* message) { passed.message_ = message; }

  template <typename Function>
  static void for_each_socket(PassedFiles& passed, Function&& function) {
    for (auto& file : passed.files_)
      if (UnixSocket* socket = unix_socket_of(*file)) function(socket->vertex(), *file);
  }
  // The sockets in messages queued at `from`, once for each time.
  template <typename Function>
  static void for_each_edge(Vertex& from, Function&& function) {
    auto look_at = [&](Vertex& holder) {
      for (PassedFiles& passed : holder.queued)
        for_each_socket(passed, [&](Vertex& to, vfs::File&) { function(to); });
    };
    look_at(from);
    for (Vertex& connection : from.pending) look_at(connection);
  }

  void add(PassedFiles& passed) REQUIRES(lock) {
    for_each_socket(passed, [this](Vertex& vertex, vfs::File& file) NO_THREAD_SAFETY_ANALYSIS {
      if (vertex.in_flight++ == 0) {
        vertex.file = &file;
        vertices.push_back(vertex);
      }
    });
    queued.fetch_add(1, std::memory_order_relaxed);
  }
  // Takes the files of a queued message out of the account.
  void remove(PassedFiles& passed) REQUIRES(lock) {
    passed.hook.unlink();
    passed.message_ = nullptr;
    for_each_socket(passed, [this](Vertex& vertex, vfs::File&) NO_THREAD_SAFETY_ANALYSIS {
      if (--vertex.in_flight == 0) {
        vertex.file = nullptr;
        vertices.remove(vertex);
      }
    });
    queued.fetch_sub(1, std::memory_order_relaxed);
  }

  void find_candidates(WorkList& candidates) REQUIRES(lock) {
    for (Vertex& vertex : vertices) {
      if (vertex.file->reference_count() != vertex.in_flight) continue;
      vertex.state = Vertex::State::candidate;
      vertex.unexplained = vertex.in_flight;
      candidates.push_back(vertex);
    }
    for (Vertex& vertex : candidates)
      for_each_edge(vertex, [](Vertex& to) {
        if (to.state == Vertex::State::candidate) --to.unexplained;
      });
  }
  // Moves the candidates that can be reached out of the list.
  static void drop_reachable(WorkList& candidates) {
    WorkList reachable;
    auto reached = [&](Vertex& vertex) {
      vertex.state = Vertex::State::reachable;
      candidates.remove(vertex);
      reachable.push_back(vertex);
    };
    candidates.for_each_safe([&](Vertex& vertex) {
      if (vertex.unexplained) reached(vertex);
    });
    while (Vertex* vertex = reachable.pop_front()) {
      vertex->state = Vertex::State::idle;
      for_each_edge(*vertex, [&](Vertex& to) {
        if (to.state == Vertex::State::candidate) reached(to);
      });
    }
  }
  void condemn(Vertex& vertex, PassedFilesList& dead) REQUIRES(lock);
  void collect() EXCLUDES(lock);
};

namespace {

constinit Collector collector;

void release_list(PassedFilesList& list) {
  Releaser own{&core::Thread::current()};
  {
    MutexGuard guard{collector.lock};
    for (Releaser* other = collector.releasers; other; other = other->next) {
      if (other->thread != own.thread) continue;
      other->pending.splice_back(list);  // further up on our stack; its loop goes on with these
      return;
    }
    own.pending.splice_back(list);
    own.next = std::exchange(collector.releasers, &own);
  }
  for (;;) {
    std::unique_ptr<PassedFiles> next;
    {
      MutexGuard guard{collector.lock};
      next.reset(own.pending.pop_front());
      if (!next) {
        Releaser** at = &collector.releasers;
        while (*at != &own) at = &(*at)->next;
        *at = own.next;
        return;
      }
    }
  }
}

constinit core::Work collection{[](core::Work&) { collector.collect(); }};

}  // namespace

// The messages stay in the queue of a socket that nobody reads any more; their files go.
void Collector::condemn(Vertex& vertex, PassedFilesList& dead) {
  while (PassedFiles* passed = vertex.queued.first()) {
    passed->message_->forget_files();
    remove(*passed);
    dead.push_back(*passed);
  }
}

void Collector::collect() {
  PassedFilesList dead;
  {
    MutexGuard guard{lock};
    WorkList candidates;
    find_candidates(candidates);
    drop_reachable(candidates);
    while (Vertex* vertex = candidates.pop_front()) {
      vertex->state = Vertex::State::idle;
      condemn(*vertex, dead);
      for (Vertex& connection : vertex->pending) condemn(connection, dead);
    }
  }
  if (!dead.empty()) release_list(dead);
}

void message_queued(Vertex& receiver, Message& message) {
  PassedFiles* passed = message.passed_files();
  if (!passed || !passed->has_sockets()) return;
  MutexGuard guard{collector.lock};
  Collector::set_message(*passed, &message);
  receiver.queued.push_back(*passed);
  collector.add(*passed);
}

std::unique_ptr<PassedFiles> take(Message& message) {
  if (!message.may_pass_sockets()) return message.release_files();
  MutexGuard guard{collector.lock};
  auto passed = message.release_files();
  if (passed && passed->hook.is_linked()) collector.remove(*passed);
  return passed;
}

void copy(Message& message, base::Vector<RefPtr<vfs::File>>& to) {
  // The room comes first: the lock is not held over an allocation.
  if (!to.try_reserve(socket::maximum_passed_files)) return;
  MutexGuard guard{collector.lock};
  PassedFiles* passed = message.passed_files();
  if (!passed) return;
  for (auto& file : passed->files()) (void)to.try_push_back(file);
}

void release(std::unique_ptr<PassedFiles> files) {
  if (!files || !files->has_sockets()) return;
  PassedFilesList list;
  list.push_back(*files.release());
  release_list(list);
}

void connection_pending(Vertex& listener, Vertex& connection) {
  MutexGuard guard{collector.lock};
  listener.pending.push_back(connection);
}

void connection_taken(Vertex& connection) {
  MutexGuard guard{collector.lock};
  if (connection.pending_hook.is_linked()) connection.pending_hook.unlink();
}

void collect_later() {
  if (collector.queued.load(std::memory_order_relaxed)) core::WorkQueue::long_running().post(collection);
}

}  // namespace unix_socket::in_flight

namespace unix_socket {

Result<std::unique_ptr<PassedFiles>> PassedFiles::create(base::Vector<RefPtr<vfs::File>> files) {
  std::unique_ptr<PassedFiles> passed(new (std::nothrow) PassedFiles(std::move(files)));
  if (!passed) return base::error(base::Errno::enomem);
  in_flight::Collector::look_for_sockets(*passed);
  return passed;
}

}  // namespace unix_socket
