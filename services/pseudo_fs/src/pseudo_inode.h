#pragma once

#include "pseudo_fs/entry.h"

namespace pseudo_fs {

// The inode of an entry.
class PseudoInode final : public vfs::Inode {
 public:
  PseudoInode(PseudoFileSystem& file_system, RefPtr<Entry> entry);

  Result<RefPtr<vfs::Inode>> lookup(std::string_view name) override;
  bool is_stale() const override { return entry_->is_stale(); }
  std::uint32_t child_dentry_flags() const override;
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest& request) override;
  Result<vfs::LinkTarget> follow(const vfs::Credentials& credentials) override {
    return entry_->follow(credentials);
  }
  Result<base::String> read_link(const vfs::Credentials& credentials) override;
  Result<void> permission(const vfs::Credentials& credentials, vfs::Access access) const override;
  Result<void> get_attributes(vfs::Attributes& out) override;
  Result<void> truncate(std::uint64_t) override {
    return {};
  }  // O_TRUNC of what is written as a whole anyway

  Entry& entry() const { return *entry_; }

 private:
  PseudoFileSystem& pseudo() const { return static_cast<PseudoFileSystem&>(file_system()); }
  RefPtr<Entry> entry_;
};

}  // namespace pseudo_fs
