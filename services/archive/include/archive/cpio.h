// Reader of cpio archives in the formats "newc" (070701) and "crc" (070702), from a stream that comes in
// pieces of any size.
//
//   CpioReader reader{sink};
//   while (!bytes.empty() && !reader.at_end_of_archive()) bytes = bytes.subspan(TRY(reader.put(bytes)));
//
//   entry = header of 110 characters (thirteen numbers of eight hexadecimal digits) · name, padded to 4 ·
//   data, padded to 4
//
// put() stops behind the entry "TRAILER!!!": the archive is complete. What follows is for the caller to look
// at; begin() then starts the next archive. As Linux does, entries with an empty or overlong name, and data
// of something that is not a file or a symbolic link, are skipped. Everything else that is not an archive is
// EINVAL (EBADMSG for a wrong data sum).
//
// Memory: one name, one symlink target, and the names of files with several links, until the archive ends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "archive/entry.h"
#include "base/string.h"
#include "base/vector.h"

namespace archive {

class CpioReader {
 public:
  static constexpr std::size_t path_max = 4096;  // with the zero byte at the end

  explicit CpioReader(EntrySink& sink) : sink_(sink) {}
  CpioReader(const CpioReader&) = delete;
  CpioReader& operator=(const CpioReader&) = delete;

  // Returns how many bytes were used: all, unless the archive ends before.
  base::Result<std::size_t> put(std::span<const std::uint8_t> bytes);
  bool at_end_of_archive() const { return state_ == State::finished; }
  // Nothing of an archive has been read yet, or it is complete.
  bool is_between_archives() const {
    return state_ == State::finished || (state_ == State::header && !collected_);
  }
  void begin() { restart(); }

 private:
  enum class State : std::uint8_t { header, name, target, data, padding, finished };
  struct Link {
    std::uint32_t device_major, device_minor, inode, type;
    base::String name;
    std::uint32_t next;  // in its bucket; index + 1
  };
  static constexpr std::size_t header_size = 110, bucket_count = 256;

  void restart();
  void expect(State state, std::size_t size);
  std::span<const std::uint8_t> collect(std::span<const std::uint8_t>& bytes, std::span<std::uint8_t> memory);
  base::Result<void> got_header();
  base::Result<void> got_name();
  base::Result<void> got_target();
  base::Result<void> got_data(std::span<const std::uint8_t> bytes);
  base::Result<void> begin_data();
  base::Result<void> end_data();
  void next_entry();
  // The name that an earlier link of the same file had, else an empty text, and the current one is
  // remembered.
  base::Result<std::string_view> find_or_add_link();

  EntrySink& sink_;
  State state_ = State::header;
  std::size_t wanted_ = header_size;  // bytes of the current part
  std::size_t collected_ = 0;         // of them are here already
  std::uint64_t data_left_ = 0;
  std::size_t data_padding_ = 0;
  bool file_open_ = false, skipping_ = false, has_sum_ = false;
  std::uint32_t inode_ = 0, archive_major_ = 0, archive_minor_ = 0, expected_sum_ = 0, sum_ = 0;
  std::size_t name_size_ = 0;
  Entry entry_;
  base::Vector<Link> links_;
  std::array<std::uint32_t, bucket_count> buckets_{};
  std::array<std::uint8_t, header_size> header_;
  std::array<std::uint8_t, path_max + 4> name_;
  std::array<std::uint8_t, path_max> target_;
};

}  // namespace archive
