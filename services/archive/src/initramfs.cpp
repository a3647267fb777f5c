#include "archive/initramfs.h"

#include "archive/cpio.h"
#include "base/ref.h"
#include "decompress/decompress.h"

namespace archive {
namespace {

using Bytes = std::span<const std::uint8_t>;

class Unpacker {
 public:
  Unpacker(Bytes image, CpioReader& reader, base::TextSink& problem)
      : image_(image), rest_(image), reader_(reader), problem_(problem) {}

  base::Result<void> run() {
    while (!rest_.empty()) {
      if (rest_.front() == 0)
        rest_ = rest_.subspan(1);
      else if (rest_.front() == '0')
        TRY(plain_member());
      else
        TRY(compressed_member());
    }
    return {};
  }

 private:
  std::size_t offset() const { return image_.size() - rest_.size(); }

  base::Result<void> plain_member() {
    std::size_t start = offset();
    reader_.begin();
    auto used = reader_.put(rest_);
    if (!used) return describe(used.error(), "cpio archive", start);
    rest_ = rest_.subspan(*used);
    // A file that ends before its trailer is accepted if no entry is cut off, as by Linux.
    if (!reader_.is_between_archives()) return describe(base::Errno::einval, "truncated cpio archive", start);
    return {};
  }

  base::Result<void> compressed_member() {
    std::size_t start = offset();
    decompress::Format format = decompress::detect(rest_);
    if (format == decompress::Format::unknown)
      return describe(base::Errno::einval, "neither a cpio archive nor compressed data", start);
    reader_.begin();
    auto used = decompress::decompress(format, rest_, [this](Bytes bytes) { return put_archives(bytes); });
    if (!used) return describe(used.error(), decompress::name_of(format), start);
    rest_ = rest_.subspan(*used);
    if (!reader_.is_between_archives()) return describe(base::Errno::einval, "truncated cpio archive", start);
    return {};
  }

  // Archives and the zeroes between them.
  base::Result<void> put_archives(Bytes bytes) {
    while (!bytes.empty()) {
      if (!reader_.is_between_archives() || bytes.front() == '0') {
        if (reader_.at_end_of_archive()) reader_.begin();
        bytes = bytes.subspan(TRY(reader_.put(bytes)));
      } else if (bytes.front() == 0) {
        bytes = bytes.subspan(1);
      } else {
        return base::error(base::Errno::einval);
      }
    }
    return {};
  }

  base::Result<void> describe(base::Errno code, std::string_view what, std::size_t start) {
    base::format(problem_, "{}: error {} in the member at byte {} of {}", what, code, start, image_.size());
    return base::error(code);
  }

  Bytes image_, rest_;
  CpioReader& reader_;
  base::TextSink& problem_;
};

}  // namespace

base::Result<void> unpack_initramfs(Bytes image, EntrySink& sink, base::TextSink& problem) {
  auto reader = TRY(base::try_make_unique<CpioReader>(sink));
  return Unpacker{image, *reader, problem}.run();
}

}  // namespace archive
