#include "archive/cpio.h"

#include <cstring>

#include "base/bits.h"
#include "base/parse.h"

namespace archive {
namespace {

constexpr std::string_view trailer_name = "TRAILER!!!";

std::string_view as_text(std::span<const std::uint8_t> bytes) {
  // SAFETY: char may alias anything.
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::size_t padding_of(std::uint64_t size) { return static_cast<std::size_t>(-size & 3); }

}  // namespace

void CpioReader::restart() {
  links_ = {};
  buckets_ = {};
  next_entry();
}

void CpioReader::expect(State state, std::size_t size) {
  state_ = state;
  wanted_ = size;
  collected_ = 0;
}

void CpioReader::next_entry() {
  file_open_ = skipping_ = false;
  expect(State::header, header_size);
}

// Takes what is missing of the current part off the front of `bytes`. Returns the part when it is complete,
// else nothing.
std::span<const std::uint8_t> CpioReader::collect(std::span<const std::uint8_t>& bytes,
                                                  std::span<std::uint8_t> memory) {
  std::size_t missing = wanted_ - collected_, taken = bytes.size() < missing ? bytes.size() : missing;
  std::memcpy(memory.data() + collected_, bytes.data(), taken);
  collected_ += taken;
  bytes = bytes.subspan(taken);
  return collected_ == wanted_ ? memory.first(wanted_) : std::span<std::uint8_t>{};
}

base::Result<std::size_t> CpioReader::put(std::span<const std::uint8_t> bytes) {
  const std::size_t size = bytes.size();
  while (!bytes.empty() && state_ != State::finished) {
    switch (state_) {
      case State::header:
        if (!collect(bytes, header_).empty()) TRY(got_header());
        break;
      case State::name:
        if (!collect(bytes, name_).empty()) TRY(got_name());
        break;
      case State::target:
        if (!collect(bytes, target_).empty()) TRY(got_target());
        break;
      case State::data: {
        std::size_t taken = bytes.size() < data_left_ ? bytes.size() : static_cast<std::size_t>(data_left_);
        TRY(got_data(bytes.first(taken)));
        bytes = bytes.subspan(taken);
        break;
      }
      case State::padding: {
        std::size_t missing = wanted_ - collected_, taken = bytes.size() < missing ? bytes.size() : missing;
        collected_ += taken;
        bytes = bytes.subspan(taken);
        if (collected_ == wanted_) next_entry();
        break;
      }
      case State::finished:
        break;
    }
  }
  return size - bytes.size();
}

base::Result<void> CpioReader::got_header() {
  std::string_view text = as_text(header_), magic = text.substr(0, 6);
  has_sum_ = magic == "070702";
  if (!has_sum_ && magic != "070701") return base::error(base::Errno::einval);
  enum : unsigned {
    inode,
    file_mode,
    user,
    group,
    links,
    modified,
    size,
    major,
    minor,
    node_major,
    node_minor,
    name_size,
    sum,
    count
  };
  std::uint32_t fields[count];
  for (unsigned i = 0; i < count; ++i) {
    auto value = base::parse_unsigned(text.substr(6 + 8 * i, 8), 16);
    if (!value) return base::error(base::Errno::einval);
    fields[i] = static_cast<std::uint32_t>(*value);
  }
  entry_ = {.mode = fields[file_mode],
            .user = fields[user],
            .group = fields[group],
            .links = fields[links],
            .modified_seconds = fields[modified],
            .device_major = fields[node_major],
            .device_minor = fields[node_minor],
            .size = fields[size]};
  inode_ = fields[inode];
  archive_major_ = fields[major];
  archive_minor_ = fields[minor];
  expected_sum_ = fields[sum];
  name_size_ = fields[name_size];
  data_left_ = entry_.size;
  data_padding_ = padding_of(entry_.size);

  bool has_use = entry_.type() == mode::regular || entry_.size == 0 ||
                 (entry_.type() == mode::symlink && entry_.size < path_max);
  std::size_t padded = name_size_ + padding_of(header_size + name_size_);
  if (name_size_ == 0 || name_size_ > path_max || !has_use) {
    skipping_ = true;
    data_left_ += padded;
    expect(State::data, 0);
    return data_left_ ? base::Result<void>{} : end_data();
  }
  expect(State::name, padded);
  return {};
}

base::Result<void> CpioReader::got_name() {
  std::string_view name = as_text(std::span(name_).first(name_size_));
  if (name.back() != '\0') return base::error(base::Errno::einval);
  entry_.name = name.substr(0, name.find('\0'));
  if (entry_.name == trailer_name) {
    links_ = {};
    buckets_ = {};
    state_ = State::finished;
    return {};
  }
  switch (entry_.type()) {
    case mode::symlink:
      if (entry_.size == 0) break;
      expect(State::target, static_cast<std::size_t>(entry_.size));
      return {};
    case mode::directory:
      TRY(sink_.directory(entry_));
      break;
    case mode::regular: {
      std::string_view existing = TRY(find_or_add_link());
      if (!existing.empty()) TRY(sink_.hard_link(entry_, existing));
      if (!existing.empty() && entry_.size == 0) break;
      return begin_data();
    }
    case mode::block_device:
    case mode::character_device:
    case mode::fifo:
    case mode::socket: {
      std::string_view existing = TRY(find_or_add_link());
      TRY(existing.empty() ? sink_.node(entry_) : sink_.hard_link(entry_, existing));
      break;
    }
    default:  // no type Linux knows: passed over
      break;
  }
  next_entry();
  return {};
}

base::Result<void> CpioReader::got_target() {
  std::string_view target = as_text(std::span(target_).first(wanted_));
  TRY(sink_.symlink(entry_, target.substr(0, target.find('\0'))));
  data_left_ = 0;
  return end_data();
}

base::Result<void> CpioReader::begin_data() {
  TRY(sink_.begin_file(entry_));
  file_open_ = true;
  sum_ = 0;
  expect(State::data, 0);
  return data_left_ ? base::Result<void>{} : end_data();
}

base::Result<void> CpioReader::got_data(std::span<const std::uint8_t> bytes) {
  if (!skipping_) {
    if (has_sum_)
      for (std::uint8_t byte : bytes) sum_ += byte;
    TRY(sink_.data(bytes));
  }
  data_left_ -= bytes.size();
  return data_left_ ? base::Result<void>{} : end_data();
}

base::Result<void> CpioReader::end_data() {
  if (file_open_) {
    TRY(sink_.end_file(entry_));
    if (has_sum_ && sum_ != expected_sum_) return base::error(base::Errno::ebadmsg);
  }
  if (data_padding_)
    expect(State::padding, data_padding_);
  else
    next_entry();
  return {};
}

base::Result<std::string_view> CpioReader::find_or_add_link() {
  if (entry_.links < 2) return std::string_view{};
  std::uint32_t hash = (inode_ * 31 + archive_minor_ + (archive_major_ << 3)) * 0x9e3779b1u;
  std::uint32_t& bucket = buckets_[hash >> 24];
  for (std::uint32_t at = bucket; at; at = links_[at - 1].next) {
    const Link& link = links_[at - 1];
    if (link.inode == inode_ && link.device_minor == archive_minor_ && link.device_major == archive_major_ &&
        link.type == entry_.type())
      return link.name.view();
  }
  TRY(links_.try_push_back({archive_major_, archive_minor_, inode_, entry_.type(),
                            TRY(base::String::create(entry_.name)), bucket}));
  bucket = static_cast<std::uint32_t>(links_.size());
  return std::string_view{};
}

}  // namespace archive
