// cachestat(2), vhangup(2)
#include "linux_abi/job_control.h"
#include "page_cache/page_cache.h"
#include "syscalls/accounting/rows.h"
#include "tty/terminal.h"
#include "vfs/inode.h"

namespace linux_abi {

namespace {

struct Range {
  std::uint64_t offset = 0, length = 0;
};
struct Counts {
  std::uint64_t cached = 0, dirty = 0, under_writeback = 0, evicted = 0, recently_evicted = 0;
};

}  // namespace

Result<long> sys_cachestat(Context& context, FileDescriptor fd, UserAddress range_address, UserAddress out,
                           unsigned flags) {
  FileUse file = TRY(context.task.files->use(fd.number));
  Range range = TRY(UserIn<Range>(range_address).read());
  if (flags) return error(Errno::einval);
  Counts counts;
  // What regular files keep in memory, they keep in a page cache.
  core::MemoryObject* object =
      vfs::is_regular(file->inode().mode()) ? file->inode().memory_object() : nullptr;
  if (object) {
    auto& cache = static_cast<page_cache::PageCache&>(*object);
    std::uint64_t size = file->inode().size(), end = range.offset + range.length;
    std::uint64_t last = range.length && end > range.offset && end < size ? end : size;
    std::uint64_t pages = (last + core::page_size - 1) / core::page_size;
    for (std::uint64_t index = range.offset / core::page_size; index < pages; ++index) {
      if (index % 1024 == 0 && context.task.thread().interrupted(core::WaitMode::killable))
        return error(Errno::eintr);
      if (!cache.is_resident(index)) continue;
      ++counts.cached;
      if (cache.is_dirty(index)) ++counts.dirty;
    }
  }
  TRY(UserOut<Counts>(out).write(counts));
  return 0;
}

Result<long> sys_vhangup(Context& context) {
  if (!context.task.can(vfs::Capability::sys_tty_config)) return error(Errno::eperm);
  RefPtr<tty::Terminal> terminal;
  {
    core::MutexGuard guard{process_tree_lock()};
    terminal = context.process.terminal;
  }
  if (terminal) terminal->hang_up();
  return 0;
}

}  // namespace linux_abi
