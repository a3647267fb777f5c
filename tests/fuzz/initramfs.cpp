// Any bytes as an initramfs image.
#include <cstddef>
#include <cstdint>
#include <span>

#include "archive/initramfs.h"

namespace {

// Checks what every sink may rely on.
class Checker final : public archive::EntrySink {
 public:
  base::Result<void> directory(const archive::Entry& entry) override { return check(entry); }
  base::Result<void> begin_file(const archive::Entry& entry) override {
    left_ = entry.size;
    return check(entry);
  }
  base::Result<void> data(std::span<const std::uint8_t> bytes) override {
    if (bytes.empty() || bytes.size() > left_) __builtin_trap();
    left_ -= bytes.size();
    total_ += bytes.size();
    if (total_ > (1u << 22)) return base::error(base::Errno::efbig);
    return {};
  }
  base::Result<void> end_file(const archive::Entry& entry) override {
    if (left_) __builtin_trap();
    return check(entry);
  }
  base::Result<void> symlink(const archive::Entry& entry, std::string_view target) override {
    if (target.find('\0') != std::string_view::npos || target.size() >= 4096) __builtin_trap();
    return check(entry);
  }
  base::Result<void> node(const archive::Entry& entry) override { return check(entry); }
  base::Result<void> hard_link(const archive::Entry& entry, std::string_view existing) override {
    if (existing.empty()) __builtin_trap();
    return check(entry);
  }

 private:
  base::Result<void> check(const archive::Entry& entry) {
    if (entry.name.size() >= 4096 || entry.name.find('\0') != std::string_view::npos) __builtin_trap();
    return {};
  }
  std::uint64_t left_ = 0, total_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Checker checker;
  char memory[200];
  base::TextBuffer problem{memory};
  (void)archive::unpack_initramfs({data, size}, checker, problem);
  return 0;
}
