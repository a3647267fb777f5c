// One mounted 9P tree: the session, its inodes, and its options.
//
// Locking, from the outside in: vfs inode locks, page-cache locks, inodes_mutex_, an inode's fid_mutex_, the
// client. Nothing waits for the server with inodes_mutex_ or a fid_mutex_ held.
#pragma once

#include "base/intrusive_tree.h"
#include "base/string.h"
#include "client.h"
#include "core/sync/mutex.h"
#include "vfs/file_system.h"

namespace nine_p {

class NinePInode;

// What Tgetattr says.
struct ServerAttributes {
  Qid qid;
  vfs::Mode mode = 0;
  vfs::UserId uid = 0;
  vfs::GroupId gid = 0;
  std::uint64_t links = 0, device = 0, size = 0, block_size = 0, blocks = 0;
  vfs::Timestamp access, modify, change;
};

class NinePFileSystem final : public vfs::FileSystem {
 public:
  static constexpr std::uint64_t magic_number = 0x01021997;
  explicit NinePFileSystem(std::string_view source) : FileSystem(nine_p_type(), magic_number, source) {}
  ~NinePFileSystem() override;
  Result<void> start(Channel& channel, std::string_view options, bool read_only);
  // The end of the session. Once; by the last user, or a failed start.
  void finish();

  // ---- vfs::FileSystem ----
  bool remembers_missing_names() const override { return false; }
  Result<void> statistics(vfs::FileSystemStatistics& out) override;
  Result<void> sync() override;
  Result<void> remount(std::string_view data, bool read_only) override;
  void put_options(base::TextSink& out) const override;
  void unmounted() override;

  Client& client() { return *client_; }
  // For how long a name and what it means are believed without asking.
  std::uint64_t trust_ns() const { return trust_ns_; }

  // The one inode for what `found` is a fid of. Asks for the attributes; keeps the fid.
  Result<RefPtr<NinePInode>> get_inode(WalkResult found);
  void forget_inode(NinePInode& inode);
  // Its name is gone: the server may give its number to something new.
  void detach_number(NinePInode& inode);
  Result<ServerAttributes> ask_attributes(const Fid& fid);

 private:
  static const vfs::FileSystemType& nine_p_type();
  struct InodeTable;
  Result<void> parse_options(std::string_view text);
  Result<void> parse_option(const vfs::MountOption& option);

  std::unique_ptr<Client> client_;
  Channel* channel_ = nullptr;
  RefPtr<Fid> root_;
  bool finished_ = false;
  std::uint32_t message_size_ = 128 * 1024;
  std::uint64_t trust_ns_ = 0;
  base::String tree_, user_, cache_, access_;
  core::Mutex inodes_mutex_{"9p inodes"};
  InodeTable* inodes_ = nullptr;
  std::size_t inode_count_ GUARDED_BY(inodes_mutex_) = 0;  // also those without a number
  bool gone_ GUARDED_BY(inodes_mutex_) = false;
};

}  // namespace nine_p
