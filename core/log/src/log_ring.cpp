#include "log_ring.h"

#include <cstring>

namespace core {

bool LogRing::claim(std::atomic<std::uint64_t>& state, std::uint64_t place) {
  std::uint64_t now = state.load(std::memory_order_relaxed);
  do {
    bool occupied = now != 0 && (now & 1) == 0;
    if (occupied || now >= writing(place)) return false;
    // acquire and release: our writes come after the previous owner's, and after the state says so.
  } while (!state.compare_exchange_weak(now, writing(place), std::memory_order_acq_rel,
                                        std::memory_order_relaxed));
  return true;
}

void LogRing::store_at(std::uint64_t place, const Header& header, std::string_view text) {
  Descriptor& descriptor = descriptors_[place % descriptor_count];
  if (!claim(descriptor.state, place)) {
    std::uint64_t newest = descriptor.dropped.load(std::memory_order_relaxed);
    while (newest < place + 1 && !descriptor.dropped.compare_exchange_weak(newest, place + 1)) {
    }
    return;
  }
  std::size_t chunks = (text.size() + chunk_size - 1) / chunk_size;
  std::uint64_t first_chunk = next_chunk_.fetch_add(chunks, std::memory_order_relaxed);
  std::size_t written = write_text(first_chunk, text);
  descriptor.time_ns.store(header.time_ns, std::memory_order_release);
  descriptor.first_chunk.store(first_chunk, std::memory_order_release);
  descriptor.attributes.store(written | std::uint64_t{static_cast<std::uint8_t>(header.level)} << 16 |
                                  std::uint64_t{static_cast<std::uint8_t>(header.facility)} << 24 |
                                  std::uint64_t{header.continuation} << 32,
                              std::memory_order_release);
  descriptor.state.store(complete(place), std::memory_order_release);
}

// Returns how many bytes found room: less than all only when a chunk still belongs to a writer one turn
// behind.
std::size_t LogRing::write_text(std::uint64_t first_chunk, std::string_view text) {
  std::size_t done = 0;
  for (std::uint64_t place = first_chunk; done < text.size(); ++place) {
    Chunk& chunk = chunks_[place % chunk_count];
    if (!claim(chunk.state, place)) break;
    std::size_t size = text.size() - done < chunk_size ? text.size() - done : chunk_size;
    std::uint64_t words[words_per_chunk] = {};
    std::memcpy(words, text.data() + done, size);
    for (std::size_t i = 0; i < words_per_chunk; ++i)
      chunk.words[i].store(words[i], std::memory_order_release);
    chunk.state.store(complete(place), std::memory_order_release);
    done += size;
  }
  return done;
}

LogRing::Look LogRing::look(std::uint64_t sequence) const {
  std::uint64_t next = next_sequence();
  if (sequence >= next) return Look::not_yet;
  if (next - sequence > descriptor_count) return Look::lost;
  const Descriptor& descriptor = descriptors_[sequence % descriptor_count];
  std::uint64_t state = descriptor.state.load(std::memory_order_acquire);
  if (state == complete(sequence)) return Look::record;
  if (state > complete(sequence)) return Look::lost;
  // Drawn, but not complete. Either its writer is at work, or it gave up.
  return descriptor.dropped.load(std::memory_order_acquire) >= sequence + 1 ? Look::lost : Look::not_yet;
}

LogRing::Look LogRing::read(std::uint64_t sequence, LogRecord& record) const {
  Look found = look(sequence);
  if (found != Look::record) return found;
  const Descriptor& descriptor = descriptors_[sequence % descriptor_count];
  record.sequence = sequence;
  record.time_ns = descriptor.time_ns.load(std::memory_order_acquire);
  std::uint64_t first_chunk = descriptor.first_chunk.load(std::memory_order_acquire);
  std::uint64_t attributes = descriptor.attributes.load(std::memory_order_acquire);
  if (descriptor.state.load(std::memory_order_relaxed) != complete(sequence)) return Look::lost;
  record.size = static_cast<std::uint16_t>(attributes & 0xffff);
  record.level = static_cast<LogLevel>(attributes >> 16 & 0xff);
  record.facility = static_cast<LogFacility>(attributes >> 24 & 0xff);
  record.continuation = (attributes >> 32 & 1) != 0;
  return read_text(first_chunk, record) ? Look::record : Look::lost;
}

bool LogRing::read_text(std::uint64_t first_chunk, LogRecord& record) const {
  std::size_t done = 0;
  for (std::uint64_t place = first_chunk; done < record.size; ++place) {
    const Chunk& chunk = chunks_[place % chunk_count];
    if (chunk.state.load(std::memory_order_acquire) != complete(place)) return false;
    std::uint64_t words[words_per_chunk];
    for (std::size_t i = 0; i < words_per_chunk; ++i)
      words[i] = chunk.words[i].load(std::memory_order_acquire);
    if (chunk.state.load(std::memory_order_relaxed) != complete(place)) return false;
    std::size_t size = record.size - done < chunk_size ? record.size - done : chunk_size;
    std::memcpy(record.text + done, words, size);
    done += size;
  }
  return true;
}

std::uint64_t LogRing::skip_overwritten(std::uint64_t sequence) const {
  std::uint64_t next = next_sequence();
  std::uint64_t oldest = next > descriptor_count ? next - descriptor_count : 0;
  if (sequence < oldest) sequence = oldest;
  while (look(sequence) == Look::lost) ++sequence;
  return sequence;
}

LogRing& log_ring() {
  static constinit LogRing ring;
  return ring;
}

}  // namespace core
