// Namespaces (namespaces(7)). There is one of each kind, except of the UTS kind, of which programs make more:
// it gives its members host and domain names of their own.
//
// A thread without a UtsNamespace (Task::uts null) is in the first one. Its names and a namespace's are
// protected by a lock of their own; which namespace a thread is in changes as what clone shares (task.h).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/ref.h"
#include "core/sync/mutex.h"
#include "linux_abi/abi/types.h"
#include "vfs/file.h"

namespace linux_abi {

using base::RefPtr;
using base::Result;

class UtsNamespace final : public base::RefCounted<UtsNamespace> {
 public:
  struct Names {
    core::Mutex lock{"system names"};
    char node[65] GUARDED_BY(lock) = "(none)";
    char domain[65] GUARDED_BY(lock) = "(none)";
  };
  // A new one that begins with the names of `original` (null: the first namespace).
  static Result<RefPtr<UtsNamespace>> copy_of(UtsNamespace* original);
  // Of the first namespace for null.
  static Names& names_of(UtsNamespace* space);

  const std::uint64_t number;  // of the inode in /proc/PID/ns
  explicit UtsNamespace(std::uint64_t inode_number) : number(inode_number) {}

 private:
  Names names_;
};

// A row of /proc/PID/ns. `number` is Linux's for the first namespace of the kind.
struct NamespaceKind {
  std::string_view name, kind;
  std::uint64_t number;
  std::uint64_t clone_flag;
};
std::span<const NamespaceKind> namespace_kinds();

// What opening a file of /proc/PID/ns gives, for setns(2).
class NamespaceFile final : public vfs::File {
 public:
  NamespaceFile(const NamespaceKind& namespace_kind, RefPtr<UtsNamespace> uts)
      : File(0), namespace_kind_(namespace_kind), uts_(std::move(uts)) {}
  static constexpr int kind_tag = 0;
  const void* kind() const override { return &kind_tag; }
  const NamespaceKind& namespace_kind() const { return namespace_kind_; }
  const RefPtr<UtsNamespace>& uts() const { return uts_; }

 private:
  const NamespaceKind& namespace_kind_;
  const RefPtr<UtsNamespace> uts_;
};

// The place such a file is opened at. `uts` counts for the UTS kind only.
Result<vfs::Path> namespace_path(const NamespaceKind& kind, RefPtr<UtsNamespace> uts);

}  // namespace linux_abi
