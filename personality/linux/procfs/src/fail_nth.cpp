// /proc/PID/fail-nth: the N-th allocation of the thread from now on fails, once. Reading says how many are
// left, so 0 after a call says that one of the call's allocations failed.
//
// Neither reading nor writing an open file allocates: it would count, and a program that goes through a
// call's allocations one by one would meet ours among them.
#include "base/parse.h"
#include "core/memory/failure_injection.h"
#include "core/memory/io_buffer.h"
#include "subject.h"

namespace linux_procfs {

namespace {

constexpr std::size_t longest_number = 24;

class FailNthFile final : public vfs::File {
 public:
  explicit FailNthFile(RefPtr<Task> task) : File(has_position), task_(std::move(task)) {}

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset, vfs::IoFlags) override {
    char memory[longest_number];
    base::TextBuffer text(memory);
    format(text, "{}\n", task_->fail_nth.load(std::memory_order_relaxed));
    std::string_view rest = text.view();
    if (offset >= rest.size()) return 0;
    rest.remove_prefix(offset);
    std::size_t done = buffer.copy_out(std::as_bytes(std::span(rest.data(), rest.size())));
    if (!done && buffer.faulted()) return error(Errno::efault);
    return done;
  }

  Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags) override {
    char text[longest_number];
    std::size_t size = buffer.remaining();
    if (size > sizeof(text)) return error(Errno::einval);
    if (buffer.copy_in(std::as_writable_bytes(std::span(text, size))) < size) return error(Errno::efault);
    std::string_view digits(text, size);
    while (digits.ends_with('\n')) digits.remove_suffix(1);
    auto value = base::parse_unsigned(digits);
    if (!value || *value > INT32_MAX) return error(Errno::einval);
    core::enable_chosen_failures();
    task_->fail_nth.store(static_cast<std::uint32_t>(*value), std::memory_order_relaxed);
    return size;
  }

 private:
  const RefPtr<Task> task_;
};

class FailNthEntry final : public OfSubject<pseudo_fs::Entry> {
 public:
  explicit FailNthEntry(const Subject& subject) : OfSubject(subject, vfs::mode_regular | 0644) {}
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest&) override {
    RefPtr<Task> task = subject_.representative();
    if (!task) return error(Errno::esrch);
    return RefPtr<vfs::File>(TRY(base::try_make_ref<FailNthFile>(std::move(task))));
  }
};

}  // namespace

Result<RefPtr<pseudo_fs::Entry>> make_fail_nth_file(const Subject& subject) {
  return RefPtr<pseudo_fs::Entry>(TRY(base::try_make_ref<FailNthEntry>(subject)));
}

}  // namespace linux_procfs
