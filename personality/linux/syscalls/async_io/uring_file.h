// A ring as an open file: mapping its memory, polling it, fdinfo.
#pragma once

#include "syscalls/async_io/uring_ring.h"
#include "vfs/file.h"

namespace linux_abi {

class UringFile final : public vfs::File {
 public:
  explicit UringFile(RefPtr<Ring> ring) : File(can_map), ring_(std::move(ring)) {}
  static constexpr int kind_tag = 0;
  const void* kind() const override { return &kind_tag; }
  Ring& ring() const { return *ring_; }

  vfs::PollEvents poll(vfs::PollWaiter* waiter) override;
  Result<void> map(core::MapRequest& request) override;
  void put_fdinfo(base::TextSink& out) override;
  void release() override;

 private:
  const RefPtr<Ring> ring_;
};

}  // namespace linux_abi
