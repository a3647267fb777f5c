// Replay of a log: what was committed and did not get home, by whoever wrote it.
//
// Three passes over the same blocks, from where the super block says to the first block that does not
// continue the sequence or whose commit is damaged: find the end, collect revoked blocks, write. Everything
// in the log is outside data: positions wrap inside the log, each pass ends after at most as many blocks as
// the log has, and targets are checked against the size of the file system.
#include <cstring>

#include "core/log/log.h"
#include "core/memory/page_allocator.h"
#include "crc32c.h"
#include "journal.h"

namespace ext4 {

using core::PageRef;

struct Journal::Recovery {
  explicit Recovery(Journal& the_journal) : journal(the_journal) {}
  Journal& journal;
  PageRef control = {}, data = {};
  std::uint32_t end_sequence = 0;  // the first that is not committed
  std::uint32_t replayed_blocks = 0;
  base::Vector<Revoked> revoked = {};  // by block

  struct Tag {
    std::uint64_t block = 0;
    std::uint32_t flags = 0, checksum = 0;
    std::uint32_t size = 0;  // with the uuid that may follow
  };

  static bool is_before(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }

  Tag read_tag(const std::byte* at) const {
    Tag tag;
    if (journal.features_ & journal_feature::checksum_v3) {
      JournalTag3 raw;
      std::memcpy(&raw, at, sizeof(raw));
      tag.block = raw.block_low | static_cast<std::uint64_t>(raw.block_high) << 32;
      tag.flags = raw.flags;
      tag.checksum = raw.checksum;
    } else {
      JournalTag raw{};
      std::memcpy(&raw, at, journal.features_ & journal_feature::bits64 ? sizeof(raw) : sizeof(raw) - 4);
      tag.block = raw.block_low;
      if (journal.features_ & journal_feature::bits64)
        tag.block |= static_cast<std::uint64_t>(raw.block_high) << 32;
      tag.flags = raw.flags;
      tag.checksum = raw.checksum;
    }
    tag.size = journal.tag_size() + (tag.flags & tag_same_uuid ? 0 : 16);
    return tag;
  }

  // Calls visit(tag) for each; false ends.
  template <typename Visit>
  Result<void> for_tags(Visit&& visit) {
    std::uint32_t end = journal.block_size_ - (journal.has_checksums() ? 4 : 0);
    for (std::uint32_t at = sizeof(JournalHeader); at + journal.tag_size() <= end;) {
      Tag tag = read_tag(control.data() + at);
      TRY(visit(tag));
      at += tag.size;
      if (tag.flags & tag_last) break;
    }
    return {};
  }

  bool tail_is_right() const {
    if (!journal.has_checksums()) return true;
    auto* tail = core::data_of<Be32>(*control) + (journal.block_size_ / 4 - 1);
    std::uint32_t stored = *tail;
    *tail = 0;
    std::uint32_t computed = crc32c(journal.seed_, {control.data(), journal.block_size_});
    *tail = stored;
    return stored == computed;
  }
  bool commit_is_right() const {
    if (!journal.has_checksums()) return true;
    auto* commit = control.data<JournalCommit>();
    std::uint32_t stored = commit->checksum[0];
    commit->checksum[0] = 0;
    std::uint32_t computed = crc32c(journal.seed_, {control.data(), journal.block_size_});
    commit->checksum[0] = stored;
    return stored == computed;
  }
  bool data_is_right(const Tag& tag, std::uint32_t sequence) const {
    if (!journal.has_checksums()) return true;
    Be32 id;
    id = sequence;
    std::uint32_t computed = crc32c(crc32c_of(journal.seed_, id), {data.data(), journal.block_size_});
    if (journal.features_ & journal_feature::checksum_v3) return tag.checksum == computed;
    return tag.checksum == (computed & 0xffff);
  }

  Result<void> collect_revoked(std::uint32_t sequence) {
    auto* header = control.data<JournalRevoke>();
    std::uint32_t bytes = header->bytes, width = journal.features_ & journal_feature::bits64 ? 8 : 4;
    if (bytes < sizeof(JournalRevoke) || bytes > journal.block_size_) return error(Errno::euclean);
    for (std::uint32_t at = sizeof(JournalRevoke); at + width <= bytes; at += width) {
      std::uint64_t block = 0;
      if (width == 8) {
        std::memcpy(&block, control.data() + at, 8);
        block = std::byteswap(block);
      } else {
        std::uint32_t low;
        std::memcpy(&low, control.data() + at, 4);
        block = std::byteswap(low);
      }
      TRY(revoked.try_push_back({block, sequence}));
    }
    return {};
  }

  // Sorted by block, with the latest sequence of each first.
  void sort_revoked() {
    // Heap sort: no recursion, no memory.
    auto less = [](const Revoked& a, const Revoked& b) {
      return a.block != b.block ? a.block < b.block : is_before(b.sequence, a.sequence);
    };
    std::size_t count = revoked.size();
    auto sift = [&](std::size_t root, std::size_t end) {
      while (root * 2 + 1 < end) {
        std::size_t child = root * 2 + 1;
        if (child + 1 < end && less(revoked[child], revoked[child + 1])) ++child;
        if (!less(revoked[root], revoked[child])) return;
        std::swap(revoked[root], revoked[child]);
        root = child;
      }
    };
    for (std::size_t i = count / 2; i-- > 0;) sift(i, count);
    for (std::size_t end = count; end-- > 1;) {
      std::swap(revoked[0], revoked[end]);
      sift(0, end);
    }
  }
  bool is_revoked(std::uint64_t block, std::uint32_t sequence) const {
    std::size_t low = 0, high = revoked.size();
    while (low < high) {
      std::size_t middle = (low + high) / 2;
      if (revoked[middle].block < block)
        low = middle + 1;
      else
        high = middle;
    }
    return low < revoked.size() && revoked[low].block == block && !is_before(revoked[low].sequence, sequence);
  }

  Result<void> replay(const Tag& tag, std::uint32_t log_block, std::uint32_t sequence) {
    if (is_revoked(tag.block, sequence)) return {};
    TRY(journal.read_log(log_block, *data));
    if (!data_is_right(tag, sequence)) {
      core::log(core::LogLevel::error, "ext4 ({}): block {} of the journal is damaged",
                journal.buffers_.volume().name(), log_block);
      return error(Errno::euclean);
    }
    if (tag.flags & tag_escaped) *core::data_of<Be32>(*data) = journal_magic;
    if (tag.block >= journal.buffers_.block_count()) return error(Errno::euclean);
    ++replayed_blocks;
    return journal.buffers_.write(tag.block, data, block::Durability::cached);
  }

  Result<void> pass(Pass kind) {
    std::uint32_t sequence = journal.super_sequence_, at = journal.super_start_, left = journal.blocks_;
    auto advance = [&](std::uint32_t& block) {
      block = journal.next(block);
      return left-- > 0;
    };
    while (left) {
      if (kind != Pass::scan && !is_before(sequence, end_sequence)) break;
      TRY(journal.read_log(at, *control));
      auto* header = control.data<JournalHeader>();
      if (header->magic != journal_magic || header->sequence != sequence) break;
      switch (static_cast<std::uint32_t>(header->type)) {
        case journal_descriptor: {
          if (!tail_is_right()) {
            if (kind == Pass::scan) return {};  // not committed: damaged while it was written
            return error(Errno::euclean);
          }
          std::uint32_t block = at;
          TRY(for_tags([&](const Tag& tag) -> Result<void> {
            if (!advance(block)) return error(Errno::euclean);
            return kind == Pass::replay ? replay(tag, block, sequence) : Result<void>();
          }));
          at = block;
          break;
        }
        case journal_revoke:
          if (!tail_is_right()) {
            if (kind == Pass::scan) return {};
            return error(Errno::euclean);
          }
          if (kind == Pass::revoke) TRY(collect_revoked(sequence));
          break;
        case journal_commit:
          if (kind == Pass::scan) {
            if (!commit_is_right()) return {};
            end_sequence = sequence + 1;
          }
          ++sequence;
          break;
        default:
          return {};
      }
      if (!advance(at)) break;
    }
    return {};
  }
};

Result<std::uint32_t> Journal::recover() {
  if (!needs_recovery()) return 0;
  Recovery recovery(*this);
  recovery.control = TRY(core::allocate_page());
  recovery.data = TRY(core::allocate_page());
  recovery.end_sequence = super_sequence_;
  TRY(recovery.pass(Pass::scan));
  TRY(recovery.pass(Pass::revoke));
  recovery.sort_revoked();
  TRY(recovery.pass(Pass::replay));
  TRY(buffers_.volume().flush());
  std::uint32_t transactions = recovery.end_sequence - super_sequence_;
  // One is left out: a half-written transaction must not look like the next one.
  super_sequence_ = recovery.end_sequence + 1;
  super_start_ = 0;
  TRY(write_super(block::Durability::stable));
  core::log(core::LogLevel::info, "ext4 ({}): recovered {} transactions, {} blocks", buffers_.volume().name(),
            transactions, recovery.replayed_blocks);
  return transactions;
}

}  // namespace ext4
