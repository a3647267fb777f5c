// Pages that the kernel and a program share: the rings of aio and io_uring. Zeroed, allocated at once, mapped
// in the kernel for as long as the object lives; programs map the object. What a program writes there may
// change at any moment: the kernel reads each word once and trusts none.
#pragma once

#include "base/vector.h"
#include "core/memory/memory_object.h"

namespace linux_abi {

using base::RefPtr;
using base::Result;

class SharedPages final : public core::MemoryObject {
 public:
  static Result<RefPtr<SharedPages>> create(std::size_t size);
  SharedPages() = default;
  ~SharedPages() override;

  std::size_t size() const { return pages_.size() * core::page_size; }
  // The kernel's view.
  void* at(std::size_t offset) const { return static_cast<std::byte*>(memory_) + offset; }

  Result<core::PageRef> page_for(std::uint64_t index, core::FaultAccess) override;
  bool is_special() const override { return true; }
  Result<Frame> frame_for(std::uint64_t index) override;

 private:
  base::Vector<core::PageRef> pages_;
  void* memory_ = nullptr;
};

}  // namespace linux_abi
