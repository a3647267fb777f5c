#include "queue_pair.h"

#include <atomic>
#include <cstring>

namespace nvme {

namespace {

constexpr std::uint64_t page_bytes = 4096;

Errno outcome(std::uint16_t status) {
  constexpr unsigned generic = 0;
  unsigned code = status >> 1 & 0xff, type = status >> 9 & 7;
  if (type == generic && code == 0) return Errno{0};
  if (type == generic && code == 1) return Errno::eopnotsupp;  // an opcode it does not know
  return Errno::eio;
}

}  // namespace

Result<void> QueuePair::create(core::MemoryRegisters& registers, unsigned number, unsigned doorbell_stride) {
  core::MutexGuard guard{lock_};
  registers_ = &registers;
  submission_doorbell_ = Register::doorbells + 2 * number * doorbell_stride;
  completion_doorbell_ = submission_doorbell_ + doorbell_stride;
  submissions_ = TRY(core::DmaMemory::allocate(entries * sizeof(Command)));
  completions_ = TRY(core::DmaMemory::allocate(entries * sizeof(Completion)));
  lists_ = TRY(core::DmaMemory::allocate(entries * list_bytes));
  // One entry of a ring stays empty.
  for (unsigned i = 0; i < entries; ++i) slots_[i].next_free = static_cast<std::uint16_t>(i + 1);
  free_count_ = entries - 1;
  return {};
}

// False: it does not continue what is there.
bool QueuePair::Run::add(std::uint64_t address, std::uint32_t bytes) {
  if (length) {
    bool contiguous = address == next_address;
    if (!contiguous && ((address | next_address) & (page_bytes - 1))) return false;
    if (length + bytes > bytes_max) return false;
  }
  // A page that was begun goes on; every other begins an entry.
  for (std::uint32_t left = bytes; left;) {
    std::uint64_t within = address & (page_bytes - 1);
    auto here = static_cast<std::uint32_t>(page_bytes - within < left ? page_bytes - within : left);
    if (within == 0 || count == 0) pages[count++] = address;
    address += here;
    left -= here;
  }
  next_address = address;
  length += bytes;
  return true;
}

unsigned QueuePair::commands_for(block::Request& request) {
  if (request.segment_count() == 0) return 1;
  unsigned commands = 1;
  run_ = {};
  request.for_each_segment([&](const block::Segment& segment) NO_THREAD_SAFETY_ANALYSIS {
    if (run_.add(segment.address().value(), segment.length)) return;
    run_ = {};
    ++commands;
    (void)run_.add(segment.address().value(), segment.length);
  });
  return commands;
}

void QueuePair::put(block::Request& request, Command command) {
  std::uint16_t slot = free_;
  free_ = slots_[slot].next_free;
  --free_count_;
  slots_[slot].request = &request;
  command.identifier = slot;
  std::memcpy(submissions_.bytes().data() + tail_ * sizeof(Command), &command, sizeof(command));
  tail_ = tail_ + 1 == entries ? 0 : tail_ + 1;
}

void QueuePair::put_run(block::Request& request, const NamespaceFormat& format, std::uint64_t& sector) {
  Command command;
  bool is_write = request.operation() == block::Operation::write;
  command.opcode = static_cast<std::uint8_t>(is_write ? Opcode::write : Opcode::read);
  command.name_space = format.identifier;
  command.pages[0] = run_.pages[0];
  if (run_.count == 2) command.pages[1] = run_.pages[1];
  if (run_.count > 2) {
    unsigned slot = next_slot();
    std::memcpy(list_of(slot), run_.pages + 1, (run_.count - 1) * sizeof(std::uint64_t));
    command.pages[1] = lists_.device_address(slot * list_bytes);
  }
  std::uint64_t first = sector >> (format.block_shift - block::sector_shift);
  command.words[0] = static_cast<std::uint32_t>(first);
  command.words[1] = static_cast<std::uint32_t>(first >> 32);
  command.words[2] = (run_.length >> format.block_shift) - 1;
  if (is_write && request.force_unit_access()) command.words[2] |= force_unit_access;
  sector += run_.length >> block::sector_shift;
  put(request, command);
}

block::QueueResult QueuePair::submit(block::Request& request, const NamespaceFormat& format) {
  Errno failure{0};
  {
    core::MutexGuard guard{lock_};
    failure = dead_;
    if (failure == Errno{0}) {
      unsigned needed = commands_for(request);
      if (needed > free_count_) {
        has_refused_ = true;
        return block::QueueResult::busy;
      }
      progress_[request.tag()] = {needed, Errno{0}};
      std::uint64_t sector = request.sector();
      unsigned shift = format.block_shift - block::sector_shift;
      Command command;
      command.name_space = format.identifier;
      switch (request.operation()) {
        case block::Operation::read:
        case block::Operation::write:
          run_ = {};
          request.for_each_segment([&](const block::Segment& segment) NO_THREAD_SAFETY_ANALYSIS {
            if (run_.add(segment.address().value(), segment.length)) return;
            put_run(request, format, sector);
            run_ = {};
            (void)run_.add(segment.address().value(), segment.length);
          });
          put_run(request, format, sector);
          break;
        case block::Operation::flush:
          command.opcode = static_cast<std::uint8_t>(Opcode::flush);
          put(request, command);
          break;
        case block::Operation::write_zeroes:
          command.opcode = static_cast<std::uint8_t>(Opcode::write_zeroes);
          command.words[0] = static_cast<std::uint32_t>(sector >> shift);
          command.words[1] = static_cast<std::uint32_t>(sector >> shift >> 32);
          command.words[2] = static_cast<std::uint32_t>(request.length() >> format.block_shift) - 1;
          put(request, command);
          break;
        case block::Operation::discard: {
          DatasetRange range;
          range.blocks = static_cast<std::uint32_t>(request.length() >> format.block_shift);
          range.start = sector >> shift;
          unsigned slot = next_slot();
          std::memcpy(list_of(slot), &range, sizeof(range));
          command.opcode = static_cast<std::uint8_t>(Opcode::dataset_management);
          command.pages[0] = lists_.device_address(slot * list_bytes);
          command.words[1] = deallocate;
          put(request, command);
          break;
        }
      }
    }
  }
  if (failure != Errno{0}) request.complete(failure);
  return block::QueueResult::taken;
}

void QueuePair::ring() {
  core::MutexGuard guard{lock_};
  if (rung_ == tail_ || dead_ != Errno{0}) return;
  rung_ = tail_;
  registers_->write32(submission_doorbell_, tail_);
}

bool QueuePair::take_completions() {
  bool any = false;
  struct Done {
    block::Request* request;
    Errno status;
  };
  for (;;) {
    // Finished without the lock: what waits is offered to us at once.
    std::array<Done, 16> done;
    std::size_t count = 0;
    bool taken = false;
    {
      core::MutexGuard guard{lock_};
      if (dead_ != Errno{0}) return any;
      while (count < done.size()) {
        auto* entry = static_cast<Completion*>(
            static_cast<void*>(completions_.bytes().data() + head_ * sizeof(Completion)));
        // acquire: the rest of the entry was written before its phase.
        std::uint16_t status = std::atomic_ref(entry->status).load(std::memory_order_acquire);
        if ((status & 1) != phase_) break;
        std::uint16_t identifier = entry->identifier;
        taken = true;
        if (++head_ == entries) {
          head_ = 0;
          phase_ ^= 1;
        }
        if (identifier >= entries || !slots_[identifier].request) continue;
        block::Request* request = std::exchange(slots_[identifier].request, nullptr);
        slots_[identifier].next_free = free_;
        free_ = identifier;
        ++free_count_;
        Progress& progress = progress_[request->tag()];
        if (Errno failure = outcome(status); failure != Errno{0}) progress.status = failure;
        if (--progress.commands_left == 0) done[count++] = {request, progress.status};
      }
      if (taken) registers_->write32(completion_doorbell_, head_);
    }
    for (std::size_t i = 0; i < count; ++i) done[i].request->complete(done[i].status);
    any = any || taken;
    if (!taken) return any;
  }
}

bool QueuePair::take_refusal() {
  core::MutexGuard guard{lock_};
  return std::exchange(has_refused_, false);
}

void QueuePair::fail_all(Errno code) {
  {
    core::MutexGuard guard{lock_};
    if (dead_ != Errno{0}) return;
    dead_ = code;
  }
  // Nobody but us takes slots any more.
  for (unsigned i = 0; i < entries; ++i) {
    block::Request* finished = nullptr;
    {
      core::MutexGuard guard{lock_};
      block::Request* request = std::exchange(slots_[i].request, nullptr);
      if (request && --progress_[request->tag()].commands_left == 0) finished = request;
    }
    if (finished) finished->complete(code);
  }
}

}  // namespace nvme
