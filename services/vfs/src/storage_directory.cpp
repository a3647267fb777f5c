// Listing of directories whose entries are the dentries themselves.
#include "vfs/inode.h"
#include "vfs/operations.h"

namespace vfs {

namespace {

class StorageDirectoryFile final : public File {
 public:
  StorageDirectoryFile() : File(has_position | directory_file) {}

  Result<void> iterate(DirectorySink& sink) override {
    Dentry& directory = path().dentry();
    std::uint64_t at = position();
    if (at == 0) {
      if (sink.entry(".", inode().number(), directory_entry_type(mode_directory), 1) == SinkState::full)
        return {};
      set_position(at = 1);
    }
    if (at == 1) {
      auto parent = directory.parent_reference();
      Inode* above = parent->inode();
      std::uint64_t number = above ? above->number() : inode().number();
      if (sink.entry("..", number, directory_entry_type(mode_directory), 2) == SinkState::full) return {};
      set_position(at = 2);
    }
    for (;;) {
      // Entries that count are pinned and cannot go while the directory is locked; others may die under our
      // eyes.
      Dentry* child;
      Inode* child_inode;
      {
        core::RcuReadGuard guard;
        child = directory.first_child_from(at);
        if (!child) return {};
        child_inode = child->has(Dentry::pinned) && child->has(Dentry::hashed) ? child->inode() : nullptr;
        at = child->cookie() + 1;
      }
      if (child_inode && sink.entry(child->name(), child_inode->number(),
                                    directory_entry_type(child_inode->mode()), at) == SinkState::full)
        return {};
      set_position(at);
    }
  }
  Result<void> sync(std::uint64_t, std::uint64_t, bool) override { return {}; }
  Result<std::uint64_t> do_seek(std::int64_t offset, Whence whence) override {
    if (whence != Whence::set || offset < 0) return error(Errno::einval);
    return static_cast<std::uint64_t>(offset);
  }
};

}  // namespace

Result<RefPtr<File>> open_storage_directory() {
  return RefPtr<File>(TRY(base::try_make_ref<StorageDirectoryFile>()));
}

}  // namespace vfs
