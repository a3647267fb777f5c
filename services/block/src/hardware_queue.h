// One way to the driver: what waits for it, and what it holds.
//
//   submit ──> waiting (tree by sector + list by age) ──build──> request ──queue()──> driver ──complete()──>
//   bios finished
//
// lock_ protects everything here and is never held while the driver or an owner of a bio runs. run() is the
// only place that offers requests; `running_` lets one thread at a time do so, and whoever comes meanwhile
// only leaves word.
#pragma once

#include "block/disk.h"

namespace block {

class HardwareQueue {
 public:
  Result<void> start(Disk& disk, unsigned index);
  ~HardwareQueue();

  void add(Bio& bio) EXCLUDES(lock_);
  // Offers the driver what waits.
  void run() EXCLUDES(lock_);
  void completed(Request& request, Errno status) EXCLUDES(lock_);
  void has_room() EXCLUDES(lock_);
  void fail_waiting(Errno status) EXCLUDES(lock_);
  // Tells the driver of requests that it has held for too long; whether it holds any.
  bool check_times() EXCLUDES(lock_);
  unsigned index() const { return index_; }
  Disk& disk() const { return *disk_; }

 private:
  // Reads, writes: by sector and by age. The rest only by age.
  struct Waiting {
    base::IntrusiveTree<Bio, &Bio::by_sector, &Bio::sector> sorted;
    base::IntrusiveList<Bio, &Bio::hook> by_age;
    std::uint64_t next_sector = 0;  // where the last request ended
  };
  static constexpr std::uint64_t read_deadline_ns = 500'000'000, write_deadline_ns = 5'000'000'000;
  static constexpr unsigned reads_before_write = 4;

  Request* build_locked() REQUIRES(lock_);
  Bio* choose_locked(Waiting& waiting, std::uint64_t deadline_ns) REQUIRES(lock_);
  void take_run_locked(Waiting& waiting, Bio& first, Request& request) REQUIRES(lock_);
  void take_locked(Waiting& waiting, Bio& bio) REQUIRES(lock_);
  void put_back_locked(Request& request) REQUIRES(lock_);
  void add_to_request(Request& request, Bio& bio);

  Disk* disk_ = nullptr;
  unsigned index_ = 0, depth_ = 0;
  core::Mutex lock_{"block queue"};
  Waiting reads_ GUARDED_BY(lock_), writes_ GUARDED_BY(lock_);
  base::IntrusiveList<Bio, &Bio::hook> others_ GUARDED_BY(lock_);
  unsigned reads_in_a_row_ GUARDED_BY(lock_) = 0;
  std::uint64_t next_sector_before_ GUARDED_BY(lock_) = 0;  // of the request being offered
  Request* requests_ = nullptr;
  base::Vector<std::uint32_t> free_ GUARDED_BY(lock_);  // tags
  bool full_ GUARDED_BY(lock_) = false;                 // the driver said so, and has completed nothing since
  bool running_ GUARDED_BY(lock_) = false, run_again_ GUARDED_BY(lock_) = false;
};

}  // namespace block
