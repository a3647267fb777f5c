#include "hardware_queue.h"

#include <new>

#include "block/volume.h"
#include "core/log/log.h"
#include "core/time/clock.h"

namespace block {

unsigned Request::queue_index() const { return queue_->index(); }
Disk& Request::disk() const { return queue_->disk(); }
void Request::complete(Errno status) { queue_->completed(*this, status); }

Result<void> HardwareQueue::start(Disk& disk, unsigned index) {
  disk_ = &disk;
  index_ = index;
  depth_ = disk.limits().queue_depth;
  core::MutexGuard guard{lock_};
  TRY(free_.try_reserve(depth_));
  void* memory = ::operator new(sizeof(Request) * depth_, std::nothrow);
  if (!memory) return error(Errno::enomem);
  requests_ = static_cast<Request*>(memory);
  for (unsigned tag = 0; tag < depth_; ++tag) {
    auto* request = new (requests_ + tag) Request;
    request->queue_ = this;
    request->tag_ = tag;
    free_.push_back_reserved(depth_ - 1 - tag);
  }
  return {};
}

HardwareQueue::~HardwareQueue() {
  if (!requests_) return;
  for (unsigned tag = 0; tag < depth_; ++tag) requests_[tag].~Request();
  ::operator delete(static_cast<void*>(requests_));
}

void HardwareQueue::add(Bio& bio) {
  bio.queued_ns = core::monotonic_ns();
  core::MutexGuard guard{lock_};
  if (bio.phase != Operation::read && bio.phase != Operation::write) {
    others_.push_back(bio);
    return;
  }
  Waiting& waiting = bio.phase == Operation::read ? reads_ : writes_;
  waiting.sorted.insert(bio);
  waiting.by_age.push_back(bio);
}

// ---- From bios to a request ----

void HardwareQueue::add_to_request(Request& request, Bio& bio) {
  request.length_ += bio.phase == Operation::flush ? 0 : bio.length;
  request.segment_count_ += static_cast<unsigned>(bio.segments.size());
  request.bios_.push_back(bio);
}

void HardwareQueue::take_locked(Waiting& waiting, Bio& bio) {
  waiting.sorted.remove(bio);
  waiting.by_age.remove(bio);
}

// Who has waited too long, else the next in the direction of rising sectors, else the lowest.
Bio* HardwareQueue::choose_locked(Waiting& waiting, std::uint64_t deadline_ns) {
  Bio* oldest = waiting.by_age.first();
  if (!oldest) return nullptr;
  if (core::monotonic_ns() - oldest->queued_ns > deadline_ns) return oldest;
  if (Bio* next = waiting.sorted.lower_bound(waiting.next_sector)) return next;
  return waiting.sorted.first();
}

// `first` and the neighbours that follow it, as far as the limits allow.
void HardwareQueue::take_run_locked(Waiting& waiting, Bio& first, Request& request) {
  const DiskLimits& limits = disk_->limits();
  request.sector_ = first.sector;
  request.force_unit_access_ = first.force_unit_access && !first.flush_afterwards;
  bool wants_unit_access = first.force_unit_access;
  Bio* bio = &first;
  next_sector_before_ = waiting.next_sector;
  for (;;) {
    using Tree = base::IntrusiveTree<Bio, &Bio::by_sector, &Bio::sector>;
    Bio* next = Tree::next(*bio);
    std::uint64_t end = bio->end_sector();
    take_locked(waiting, *bio);
    add_to_request(request, *bio);
    waiting.next_sector = end;
    if (!next || next->sector != end || next->force_unit_access != wants_unit_access ||
        request.segment_count_ + next->segments.size() > limits.segments_max ||
        request.length_ + next->length > limits.request_bytes_max)
      return;
    bio = next;
    if (bio->volume) {
      Statistics& statistics = bio->volume->statistics;
      (&waiting == &reads_ ? statistics.reads : statistics.writes)
          .merged.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

Request* HardwareQueue::build_locked() {
  if (full_ || free_.empty()) return nullptr;
  Waiting* waiting = nullptr;
  Bio* bio = others_.first();
  if (!bio) {
    bool write_waits = !writes_.by_age.empty();
    bool write_is_late =
        write_waits && core::monotonic_ns() - writes_.by_age.first()->queued_ns > write_deadline_ns;
    bool reads_first =
        !reads_.by_age.empty() && !write_is_late && !(write_waits && reads_in_a_row_ >= reads_before_write);
    waiting = reads_first ? &reads_ : &writes_;
    bio = choose_locked(*waiting, reads_first ? read_deadline_ns : write_deadline_ns);
    if (!bio) return nullptr;
    reads_in_a_row_ = reads_first ? reads_in_a_row_ + 1 : 0;
  }
  Request& request = requests_[free_.back()];
  free_.pop_back();
  request.operation_ = bio->phase;
  request.force_unit_access_ = false;
  request.segment_count_ = 0;
  request.length_ = 0;
  if (waiting) {
    take_run_locked(*waiting, *bio, request);
  } else {
    others_.remove(*bio);
    request.sector_ = bio->sector;
    add_to_request(request, *bio);
  }
  return &request;
}

// Its bios wait again, so that they meet others meanwhile.
void HardwareQueue::put_back_locked(Request& request) {
  request.in_driver_ = false;
  while (Bio* bio = request.bios_.pop_back()) {
    if (bio->phase != Operation::read && bio->phase != Operation::write) {
      others_.push_front(*bio);
      continue;
    }
    Waiting& waiting = bio->phase == Operation::read ? reads_ : writes_;
    waiting.sorted.insert(*bio);
    waiting.by_age.push_front(*bio);
    waiting.next_sector = next_sector_before_;
  }
  free_.push_back_reserved(request.tag_);
}

// ---- To the driver and back ----

void HardwareQueue::run() {
  bool any_queued = false;
  {
    core::MutexGuard guard{lock_};
    if (running_) {
      run_again_ = true;
      return;
    }
    running_ = true;
  }
  for (;;) {
    Request* request;
    {
      core::MutexGuard guard{lock_};
      request = build_locked();
      if (!request) {
        if (std::exchange(run_again_, false)) continue;
        running_ = false;
        break;
      }
      run_again_ = false;
      request->in_driver_ = true;
      request->started_ns_ = core::monotonic_ns();
    }
    if (disk_->is_removed()) {
      request->complete(Errno::enodev);
      continue;
    }
    if (disk_->driver().queue(*request) == QueueResult::taken) {
      any_queued = true;
      continue;
    }
    core::MutexGuard guard{lock_};
    put_back_locked(*request);
    // What was left word of in between may be a completion: it is tried once more.
    full_ = !std::exchange(run_again_, false);
    if (!full_) continue;
    running_ = false;
    break;
  }
  if (any_queued) disk_->driver().kick(index_);
}

void HardwareQueue::completed(Request& request, Errno status) {
  RefPtr<Disk> keep(disk_);  // the last owner may go with its bio
  base::IntrusiveList<Bio, &Bio::hook> done;
  {
    core::MutexGuard guard{lock_};
    base::verify(request.in_driver_, "a request completed twice");
    request.in_driver_ = false;
    full_ = false;
    done.splice_back(request.bios_);
    free_.push_back_reserved(request.tag_);
  }
  while (Bio* bio = done.pop_front()) {
    if (status == Errno{0} && bio->flush_afterwards) {
      bio->flush_afterwards = false;
      bio->phase = Operation::flush;
      add(*bio);
      continue;
    }
    Disk::finish(*bio, status);
  }
  run();
}

void HardwareQueue::has_room() {
  {
    core::MutexGuard guard{lock_};
    full_ = false;
  }
  run();
}

void HardwareQueue::fail_waiting(Errno status) {
  base::IntrusiveList<Bio, &Bio::hook> failed;
  {
    core::MutexGuard guard{lock_};
    for (Waiting* waiting : {&reads_, &writes_}) {
      while (Bio* bio = waiting->by_age.first()) {
        take_locked(*waiting, *bio);
        failed.push_back(*bio);
      }
    }
    failed.splice_back(others_);
  }
  while (Bio* bio = failed.pop_front()) Disk::finish(*bio, status);
}

bool HardwareQueue::check_times() {
  bool any = false;
  for (unsigned tag = 0; tag < depth_; ++tag) {
    bool late = false;
    std::uint64_t sector = 0;
    {
      core::MutexGuard guard{lock_};
      Request& request = requests_[tag];
      if (!request.in_driver_) continue;
      any = true;
      std::uint64_t now = core::monotonic_ns();
      late = now - request.started_ns_ > disk_->limits().timeout_ns;
      if (late) {
        request.started_ns_ = now;
        sector = request.sector();
      }
    }
    if (!late) continue;
    core::log(core::LogLevel::error, "{}: a request at sector {} takes very long", disk_->name(), sector);
    // It may be completed meanwhile: drivers look their own state up by the tag.
    disk_->driver().timed_out(requests_[tag]);
  }
  return any;
}

}  // namespace block
