// The events of a group on their way to the reader, and the answers back.
#include <cstring>
#include <optional>

#include "base/bits.h"
#include "core/memory/io_buffer.h"
#include "linux_abi/abi/file.h"
#include "linux_abi/pidfd.h"
#include "syscalls/watches/fanotify_group.h"
#include "vfs/file_system.h"
#include "vfs/inode.h"
#include "vfs/operations.h"

namespace linux_abi::fanotify {

using core::MutexGuard;

namespace {

constexpr std::size_t maximum_queued = 16384, merge_depth = 128;

std::size_t record_size(const ObjectId& id, std::size_t name_size) {
  return base::align_up(sizeof(FidRecord) + id.size + name_size, std::size_t{4});
}

bool put_record(core::IoBuffer& buffer, Record type, const ObjectId& id, std::string_view name, bool named) {
  std::size_t name_size = named ? name.size() + 1 : 0, size = record_size(id, name_size);
  FidRecord record;
  record.head = {type, 0, static_cast<std::uint16_t>(size)};
  record.file_system[0] = static_cast<std::uint32_t>(id.file_system);
  record.file_system[1] = static_cast<std::uint32_t>(id.file_system >> 32);
  record.handle_size = id.size;
  record.handle_type = id.type;
  std::size_t rest = size - sizeof(record) - id.size - name.size();
  return buffer.put(record) && buffer.copy_out(std::span(id.bytes).first(id.size)) == id.size &&
         buffer.copy_out(std::as_bytes(std::span(name.data(), name.size()))) == name.size() &&
         buffer.zero(rest) == rest;
}

}  // namespace

ObjectId id_of(vfs::Inode& inode, std::uint64_t file_system_id) {
  ObjectId id;
  const vfs::HandleSource* source = vfs::handle_source_of(inode.file_system());
  if (!source) return id;
  auto handle = source->make(inode);
  if (!handle || handle->size > sizeof(id.bytes)) return id;
  id.file_system = file_system_id;
  id.type = handle->type;
  id.size = handle->size;
  std::memcpy(id.bytes, handle->bytes, handle->size);
  return id;
}

Result<RefPtr<Event>> Group::make_event(const Happening& what, std::uint32_t events,
                                        std::uint64_t file_system_id) {
  auto event = TRY(base::try_make_ref<Event>());
  event->mask = events;
  if (Task* task = current_task_or_null()) {
    event->pid = flags & report_thread ? task->pid : task->process().pid;
    event->own_process = true;
  }
  if (reports_descriptors()) {
    if (what.path) event->path = *what.path;
    return event;
  }
  bool is_directory = what.events & vfs::notify_is_directory;
  if (is_directory) event->mask |= vfs::notify_is_directory;
  bool names = flags & report_name;
  if (what.about_name) {
    event->directory = id_of(*what.directory, file_system_id);
    if (names) event->name = TRY(base::String::create(what.name));
  } else if (is_directory) {
    event->directory = id_of(*what.object, file_system_id);
    if (names) event->name = TRY(base::String::create("."));
  } else {
    event->object = id_of(*what.object, file_system_id);
    if (what.directory) {
      event->directory = id_of(*what.directory, file_system_id);
      if (names) event->name = TRY(base::String::create(what.name));
    }
  }
  if (!(flags & report_directory)) {
    // One id: that of the object, or for events of names that of the directory.
    if (!event->object.is_set()) event->object = event->directory;
    event->directory = {};
    event->name = {};
  } else if (!(flags & report_fid) && event->directory.is_set()) {
    event->object = {};
  }
  return event;
}

// What one process did to one object is told at once, as long as it has not been read.
bool Group::merge_locked(const Event& event) {
  std::size_t looked_at = 0;
  for (Event* old = queue_.last(); old && looked_at < merge_depth; old = queue_.previous(*old), ++looked_at) {
    bool same = !old->is_question && old->pid == event.pid && old->path == event.path &&
                old->object == event.object && old->directory == event.directory &&
                old->name.view() == event.name.view() && !(old->mask & queue_overflow) &&
                ((old->mask ^ event.mask) & vfs::notify_is_directory) == 0;
    if (!same) continue;
    old->mask |= event.mask;
    return true;
  }
  return false;
}

void Group::queue(const Happening& what, std::uint32_t events, std::uint64_t file_system_id) {
  // As on Linux, an event that finds no memory is lost.
  auto made = make_event(what, events & ~static_cast<std::uint32_t>(questions), file_system_id);
  if (!made) return;
  RefPtr<Event> event = std::move(*made);
  {
    MutexGuard guard{queue_lock_};
    if (closed_ || merge_locked(*event)) return;
    if (queued_ >= maximum_queued && !(flags & unlimited_queue)) {
      if (lost_events_) return;
      lost_events_ = true;
      event->mask = queue_overflow;
      event->path = {};
      event->object = event->directory = {};
      event->name = {};
      event->pid = nullptr;
    }
    ++queued_;
    queue_.push_back(*event.leak());
  }
  readers_.wake_one(vfs::poll_readable);
}

Result<void> Group::ask(const Happening& what, std::uint32_t events) {
  RefPtr<Event> event = TRY(make_event(what, events, 0));
  event->is_question = true;
  {
    MutexGuard guard{queue_lock_};
    if (closed_) return {};
    ++queued_;
    event->acquire_reference();
    queue_.push_back(*event);
  }
  readers_.wake_one(vfs::poll_readable);
  MutexGuard guard{queue_lock_};
  auto waited = askers_.wait(guard, core::WaitMode::killable,
                             [&]() NO_THREAD_SAFETY_ANALYSIS { return event->answered || closed_; });
  if (event->hook.is_linked()) {
    // Nobody has read it, or nobody has answered.
    if (!event->was_read) --queued_;
    event->hook.unlink();
    event->release_reference();
  }
  TRY(waited);
  return event->answered && event->refused ? Result<void>(error(Errno::eperm)) : Result<void>();
}

Result<std::size_t> Group::answer(const Response& response) {
  if (response.response != allow && response.response != deny) return error(Errno::einval);
  if (response.descriptor < 0) return error(Errno::einval);
  {
    MutexGuard guard{queue_lock_};
    Event* event = asked_.first();
    while (event && event->descriptor != response.descriptor) event = asked_.next(*event);
    if (!event) return error(Errno::enoent);
    event->answered = true;
    event->refused = response.response == deny;
    asked_.remove(*event);
    event->release_reference();  // who asks holds one too
  }
  askers_.wake_all();
  return sizeof(response);
}

std::size_t Group::size_of(const Event& event) const {
  std::size_t size = sizeof(EventHead);
  if (event.directory.is_set())
    size += record_size(event.directory, flags & report_name ? event.name.size() + 1 : 0);
  if (event.object.is_set()) size += record_size(event.object, 0);
  if (flags & report_pidfd) size += sizeof(PidfdRecord);
  return size;
}

// Gives the event's descriptor a number of the reader's, if it has one.
Result<std::size_t> Group::put_event(core::IoBuffer& buffer, Event& event) {
  Task& reader = current_task();
  FileTable& files = *reader.files;
  std::uint64_t limit = reader.process().limit_current(Resource::nofile);
  EventHead head;
  std::size_t size = size_of(event);
  head.length = static_cast<std::uint32_t>(size);
  head.mask = event.mask;
  bool shows_pid = event.pid && (privileged || event.pid == reader.process().pid);
  head.pid = shows_pid ? event.pid->number() : 0;
  auto close_on_exec = event_flags & o_cloexec ? CloseOnExec::yes : CloseOnExec::no;
  RefPtr<vfs::File> file, pid_file;
  std::optional<ReservedDescriptor> place, pid_place;
  if (event.path) {
    file = TRY(vfs::open_path_object(
        event.path, (event_flags & ~o_cloexec) | vfs::open_large_file | vfs::open_without_notice,
        reader.credentials_reference()));
    place.emplace(TRY(files.reserve(close_on_exec, limit)));
    head.descriptor = place->number();
  }
  PidfdRecord pidfd;
  if (flags & report_pidfd) {
    bool alive = event.pid && event.pid->process_reference();
    if (alive) {
      pid_file = TRY(open_pidfd(event.pid, 0, reader));
      pid_place.emplace(TRY(files.reserve(CloseOnExec::yes, limit)));
      pidfd.descriptor = pid_place->number();
    }
  }
  bool copied = buffer.put(head);
  if (copied && event.directory.is_set()) {
    bool named = flags & report_name;
    copied = put_record(buffer, named ? Record::directory_and_name : Record::directory, event.directory,
                        event.name.view(), named);
  }
  if (copied && event.object.is_set()) copied = put_record(buffer, Record::fid, event.object, {}, false);
  if (copied && (flags & report_pidfd)) copied = buffer.put(pidfd);
  if (!copied) return error(Errno::efault);
  if (file) place->publish(std::move(file));
  if (pid_file) pid_place->publish(std::move(pid_file));
  if (event.is_question) {
    MutexGuard guard{queue_lock_};
    event.descriptor = head.descriptor;
  }
  return size;
}

Result<std::size_t> Group::read(core::IoBuffer& buffer, bool non_blocking) {
  std::size_t total = 0;
  for (;;) {
    RefPtr<Event> event;
    {
      MutexGuard guard{queue_lock_};
      auto ready = [&]() NO_THREAD_SAFETY_ANALYSIS { return !queue_.empty(); };
      if (!ready()) {
        if (total) return total;
        if (non_blocking) return error(Errno::eagain);
        TRY(readers_.wait(guard, core::WaitMode::interruptible, ready));
      }
      Event* first = queue_.first();
      if (size_of(*first) > buffer.remaining())
        return total ? Result<std::size_t>(total) : error(Errno::einval);
      queue_.remove(*first);
      --queued_;
      first->was_read = true;
      if (queue_.empty()) lost_events_ = false;
      event = RefPtr<Event>(first);
      first->release_reference();  // the queue's
      // It can be answered once it has its descriptor.
      if (first->is_question) {
        first->acquire_reference();
        asked_.push_back(*first);
      }
    }
    auto put = put_event(buffer, *event);
    if (!put) {
      if (event->is_question) {
        // Who cannot be told of the question cannot answer it: refused.
        MutexGuard guard{queue_lock_};
        event->answered = event->refused = true;
        if (event->hook.is_linked()) {
          asked_.remove(*event);
          event->release_reference();
        }
      }
      askers_.wake_all();
      return total ? Result<std::size_t>(total) : error(put.error());
    }
    total += *put;
  }
}

bool Group::readable() {
  MutexGuard guard{queue_lock_};
  return !queue_.empty();
}

std::size_t Group::available() {
  MutexGuard guard{queue_lock_};
  std::size_t total = 0;
  for (Event& event : queue_) total += size_of(event);
  return total;
}

}  // namespace linux_abi::fanotify
