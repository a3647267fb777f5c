// fanotify(7): a group of marks and the queue of events that they let through.
//
// Marks are found by what they are on: an inode (referenced by the mark), a mount (by its number, which is
// not used again) or a file system. An event looks at most for four of them in each group: on the object, on
// its directory, on the mount and on the file system.
//
// A question (FAN_OPEN_PERM …) is in the queue like an event. Who asks waits until somebody writes the
// answer, until the group is closed, or until it is killed; the Event is counted, so that either side may
// leave first.
//
// Locking: groups_lock() (reading, by events)  ->  marks_lock_  ->  queue_lock_. Nothing of the file systems
// is called under them.
#pragma once

#include "base/intrusive_list.h"
#include "base/intrusive_tree.h"
#include "base/string.h"
#include "core/sync/mutex.h"
#include "core/sync/rw_mutex.h"
#include "core/sync/wait_queue.h"
#include "linux_abi/prelude.h"
#include "syscalls/watches/fanotify_abi.h"
#include "vfs/file_handle.h"
#include "vfs/notify.h"

namespace linux_abi::fanotify {

// An object as a file handle with the id of its file system.
struct ObjectId {
  std::uint64_t file_system = 0;
  std::int32_t type = 0;
  std::uint32_t size = 0;
  std::byte bytes[32] = {};
  bool is_set() const { return size != 0; }
  bool operator==(const ObjectId&) const = default;
};

struct Event : base::RefCounted<Event> {
  base::ListHook hook;
  std::uint32_t mask = 0;
  RefPtr<Pid> pid;
  bool own_process = false;  // for groups without privileges
  vfs::Path path;            // for groups that report descriptors
  ObjectId object, directory;
  base::String name;
  // Questions only; protected by the group's queue_lock_.
  bool is_question = false, was_read = false, answered = false, refused = false;
  int descriptor = -1;  // by which the answer refers to it
};

struct Mark {
  enum class Kind : std::uint8_t { inode, mount, file_system };
  base::TreeHook hook;
  std::uint64_t key = 0;
  Kind kind = Kind::inode;
  std::uint64_t mask = 0, ignored = 0;
  bool ignored_survives = false;
  std::uint64_t file_system_id = 0;
  RefPtr<vfs::Inode> inode;  // kept while it is marked
};

// What happened, as the vfs told it.
struct Happening {
  std::uint32_t events = 0;  // with vfs::notify_is_directory
  vfs::Inode* object = nullptr;
  vfs::Inode* directory = nullptr;  // the one with `name` in it, if that is known
  const vfs::Path* path = nullptr;
  std::string_view name;
  bool about_name = false;  // the event is the directory's
};

class Group : public base::RefCounted<Group> {
 public:
  Group(unsigned flags, unsigned event_flags, bool privileged)
      : flags(flags), event_flags(event_flags), privileged(privileged) {}
  // Told of events from here on, until close().
  void open();
  void close();

  Result<void> add_mark(const vfs::Path& path, unsigned mark_flags, std::uint64_t mask) EXCLUDES(marks_lock_);
  Result<void> remove_mark(const vfs::Path& path, unsigned mark_flags, std::uint64_t mask)
      EXCLUDES(marks_lock_);
  void remove_all(Mark::Kind kind) EXCLUDES(marks_lock_);
  void forget(vfs::Inode& inode) EXCLUDES(marks_lock_);
  void put_marks(base::TextSink& out) EXCLUDES(marks_lock_);

  // Which of the events this group wants, and the id of the file system if any.
  std::uint32_t wanted(const Happening& what, std::uint64_t& file_system_id) EXCLUDES(marks_lock_);
  void queue(const Happening& what, std::uint32_t events, std::uint64_t file_system_id) EXCLUDES(queue_lock_);
  Result<void> ask(const Happening& what, std::uint32_t events) EXCLUDES(queue_lock_);

  Result<std::size_t> read(core::IoBuffer& buffer, bool non_blocking) EXCLUDES(queue_lock_);
  Result<std::size_t> answer(const Response& response) EXCLUDES(queue_lock_);
  bool readable() EXCLUDES(queue_lock_);
  std::size_t available() EXCLUDES(queue_lock_);
  core::WaitQueue& readers() { return readers_; }

  const unsigned flags, event_flags;
  const bool privileged;
  base::ListHook hook;   // in the list of groups
  std::uint64_t id = 0;  // rising along that list
  bool reports_descriptors() const { return !(flags & reports_ids); }

 private:
  void drop_locked(Mark& mark, RefPtr<vfs::Inode>& kept) REQUIRES(marks_lock_);
  Result<RefPtr<Event>> make_event(const Happening& what, std::uint32_t events, std::uint64_t file_system_id);
  bool merge_locked(const Event& event) REQUIRES(queue_lock_);
  Result<std::size_t> put_event(core::IoBuffer& buffer, Event& event);
  std::size_t size_of(const Event& event) const;

  core::Mutex marks_lock_{"fanotify marks"};
  base::IntrusiveTree<Mark, &Mark::hook, &Mark::key> marks_ GUARDED_BY(marks_lock_);

  core::Mutex queue_lock_{"fanotify queue"};
  core::WaitQueue readers_{"fanotify readers"}, askers_{"fanotify questions"};
  base::IntrusiveList<Event, &Event::hook> queue_ GUARDED_BY(queue_lock_);  // owns references
  base::IntrusiveList<Event, &Event::hook> asked_ GUARDED_BY(queue_lock_);  // read, to be answered; likewise
  std::size_t queued_ GUARDED_BY(queue_lock_) = 0;
  bool lost_events_ GUARDED_BY(queue_lock_) = false, closed_ GUARDED_BY(queue_lock_) = false;
};

core::RwMutex& groups_lock();
// The handle of an object, empty where its file system has none.
ObjectId id_of(vfs::Inode& inode, std::uint64_t file_system_id);

}  // namespace linux_abi::fanotify
