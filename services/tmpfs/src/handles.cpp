// Handles of tmpfs: the inode number, which is never used twice.
#include "handles.h"

#include "tmpfs_internal.h"
#include "vfs/file_handle.h"

namespace tmpfs {

namespace {

constexpr std::int32_t handle_type = 1;

// Three words, as Linux has them: the generation, and both halves of the number.
struct Words {
  std::uint32_t generation = 0, number_low = 0, number_high = 0;
};

class Source final : public vfs::HandleSource {
 public:
  Result<vfs::FileHandle> make(Inode& inode) const override {
    Words words{0, static_cast<std::uint32_t>(inode.number()),
                static_cast<std::uint32_t>(inode.number() >> 32)};
    vfs::FileHandle handle{handle_type, sizeof(words)};
    std::memcpy(handle.bytes, &words, sizeof(words));
    return handle;
  }
  Result<RefPtr<Dentry>> find(const vfs::Path& root, const vfs::FileHandle& handle) const override {
    if (handle.type != handle_type || handle.size < sizeof(Words)) return error(Errno::estale);
    Words words;
    std::memcpy(&words, handle.bytes, sizeof(words));
    if (words.generation) return error(Errno::estale);
    return vfs::find_stored_entry(root.mount().file_system(),
                                  std::uint64_t{words.number_high} << 32 | words.number_low);
  }
};
constinit Source source;

}  // namespace

void register_handles() {
  for (const vfs::FileSystemType* type : {&tmpfs_type, &ramfs_type, &rootfs_type}) register_handles(*type);
}
void register_handles(const vfs::FileSystemType& type) { vfs::register_handle_source(type, source); }

}  // namespace tmpfs
