// memfd_secret(2): memory that no call of the kernel reads or writes on behalf of anybody.
//
// The pages are mapped as device memory is: by their frames, without counted references, so that nothing that
// walks page tables to get at pages (ptrace, /proc/PID/mem, process_vm_readv, direct I/O, core files) finds
// any. The object owns them; it outlives every mapping.
#include "base/intrusive_tree.h"
#include "core/memory/page_allocator.h"
#include "linux_abi/abi/file.h"
#include "syscalls/memory/rows.h"
#include "vfs/inode.h"

namespace linux_abi {

namespace {

class SecretMemory final : public core::MemoryObject {
 public:
  ~SecretMemory() override { drop_pages(); }
  void drop_pages() {
    core::MutexGuard guard{lock_};
    while (Held* held = pages_.first()) {
      pages_.remove(*held);
      delete held;
    }
  }
  Result<core::PageRef> page_for(std::uint64_t, core::FaultAccess) override { return error(Errno::enxio); }
  bool is_special() const override { return true; }
  Result<Frame> frame_for(std::uint64_t index) override {
    if (index >= page_count_.load()) return error(Errno::enxio);
    core::MutexGuard guard{lock_};
    Held* held = pages_.find(index);
    if (!held) {
      auto page = TRY(core::allocate_page(core::AllocationFlags::zero | core::AllocationFlags::user));
      held = TRY(base::try_make_unique<Held>()).release();
      held->index = index;
      held->page = std::move(page);
      pages_.insert(*held);
    }
    return Frame{.address = core::physical_of(*held->page)};
  }
  void set_size(std::uint64_t bytes) { page_count_.store((bytes + core::page_size - 1) >> core::page_shift); }

 private:
  struct Held {
    base::TreeHook hook;
    std::uint64_t index = 0;
    core::PageRef page;
  };
  std::atomic<std::uint64_t> page_count_{0};
  core::Mutex lock_{"secret memory"};
  base::IntrusiveTree<Held, &Held::hook, &Held::index> pages_ GUARDED_BY(lock_);
};

class SecretInode final : public vfs::Inode {
 public:
  SecretInode(const vfs::NewInode& properties, RefPtr<SecretMemory> memory)
      : Inode(vfs::anonymous_file_system(), vfs::next_anonymous_inode_number(), properties),
        memory_(std::move(memory)) {}
  void describe(base::TextSink& out) const override { base::format(out, "/secretmem (deleted)"); }
  const RefPtr<SecretMemory>& memory() const { return memory_; }

  Result<void> change_attributes(const vfs::AttributeChange& change) override {
    // The size is given once: what is mapped is not taken away again.
    if (change.size && size()) return error(Errno::einval);
    TRY(Inode::change_attributes(change));
    return {};
  }
  Result<void> truncate(std::uint64_t bytes) override {
    set_size(bytes);
    memory_->set_size(bytes);
    return {};
  }
  // Nobody maps it any more. Before the objects themselves go, which must not take long.
  void evict() override { memory_->drop_pages(); }

 private:
  const RefPtr<SecretMemory> memory_;
};

class SecretFile final : public vfs::File {
 public:
  explicit SecretFile(RefPtr<SecretMemory> memory) : File(can_map), memory_(std::move(memory)) {}
  Result<void> map(core::MapRequest& request) override {
    if (!core::has(request.flags, core::MapFlags::shared)) return error(Errno::einval);
    request.flags |= core::MapFlags::special | core::MapFlags::locked;
    request.object = memory_;
    request.file = this;
    return {};
  }

 private:
  const RefPtr<SecretMemory> memory_;
};

}  // namespace

Result<long> sys_memfd_secret(Context& context, unsigned flags) {
  if (flags & ~o_cloexec) return error(Errno::einval);
  auto memory = TRY(base::try_make_ref<SecretMemory>());
  const vfs::Credentials& credentials = context.task.credentials();
  vfs::NewInode properties{vfs::mode_regular | 0600, credentials.fsuid, credentials.fsgid, {}};
  auto inode = TRY(base::try_make_ref<SecretInode>(properties, memory));
  auto file = TRY(base::try_make_ref<SecretFile>(std::move(memory)));
  file->attach(TRY(vfs::path_of_anonymous_inode(std::move(inode))),
               vfs::open_read_write | vfs::open_large_file, context.task.credentials_reference());
  auto close_on_exec = flags & o_cloexec ? CloseOnExec::yes : CloseOnExec::no;
  return TRY(context.task.files->add(std::move(file), close_on_exec, descriptor_limit(context)));
}

}  // namespace linux_abi
