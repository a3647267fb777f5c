// The store of log records: a ring that any number of writers and readers use at once without a lock, in any
// context, non-maskable interrupts included.
//
// A record is a descriptor (number, time, level, where its text is) and its text in consecutive chunks of a
// second ring. Both rings are sequences: place n of the ring with N slots is slot n % N. Writers draw their
// places with one atomic addition and then claim each slot.
//
// State of a slot, one word:  0 never used · 2(n+1) place n is being written · 2(n+1)+1 place n is complete
//
//   claim(n)    complete (older place) -> being written, by compare-and-exchange
//   complete(n) being written -> complete
//
// Invariants: 1. only the writer that claimed a slot writes it, until it completes it: a writer that sleeps
// for a whole turn of the ring keeps its slot, and the one that wants it then gives up (the record is counted
// as lost, or loses the end of its text). 2. The word only grows. 3. A reader that sees "place n complete"
// before and after copying has a whole record: contents are written with release and read with acquire, so
// having seen a newer byte means seeing the newer state.
//
// A writer that is interrupted between its draw and its completion holds back readers (not writers) at its
// place. In a panic it may never go on: whoever prints then steps over the place.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/log/log_reader.h"

namespace core {

class LogRing {
 public:
  static constexpr std::size_t descriptor_count = 1024, chunk_count = 2048;
  static constexpr std::size_t words_per_chunk = 7, chunk_size = words_per_chunk * sizeof(std::uint64_t);

  struct Header {
    std::uint64_t time_ns = 0;
    LogLevel level = LogLevel::info;
    LogFacility facility = LogFacility::kernel;
    bool continuation = false;
  };
  enum class Look { record, not_yet, lost };

  // `text` has at most log_text_max bytes.
  void store(const Header& header, std::string_view text) { store_at(draw(), header, text); }
  // The two halves of store: the next place, and what goes there.
  std::uint64_t draw() { return next_sequence_.fetch_add(1, std::memory_order_acq_rel); }
  void store_at(std::uint64_t place, const Header& header, std::string_view text);
  // Copies record `sequence`.
  Look read(std::uint64_t sequence, LogRecord& record) const;
  Look look(std::uint64_t sequence) const;
  // The first number at or after `sequence` that is not certainly gone.
  std::uint64_t skip_overwritten(std::uint64_t sequence) const;
  std::uint64_t next_sequence() const { return next_sequence_.load(std::memory_order_acquire); }

 private:
  static constexpr std::uint64_t writing(std::uint64_t place) { return 2 * (place + 1); }
  static constexpr std::uint64_t complete(std::uint64_t place) { return 2 * (place + 1) + 1; }
  static bool claim(std::atomic<std::uint64_t>& state, std::uint64_t place);

  struct Descriptor {
    std::atomic<std::uint64_t> state;
    std::atomic<std::uint64_t> dropped;  // 1 + the newest place that found the slot occupied
    std::atomic<std::uint64_t> time_ns;
    std::atomic<std::uint64_t> first_chunk;
    std::atomic<std::uint64_t> attributes;  // size | level << 16 | facility << 24 | continuation << 32
  };
  struct Chunk {
    std::atomic<std::uint64_t> state;
    std::atomic<std::uint64_t> words[words_per_chunk];
  };
  static_assert(sizeof(Chunk) == 64);

  std::size_t write_text(std::uint64_t first_chunk, std::string_view text);
  bool read_text(std::uint64_t first_chunk, LogRecord& record) const;

  std::atomic<std::uint64_t> next_sequence_{0};
  std::atomic<std::uint64_t> next_chunk_{0};
  Descriptor descriptors_[descriptor_count] = {};
  Chunk chunks_[chunk_count] = {};
};

LogRing& log_ring();

}  // namespace core
