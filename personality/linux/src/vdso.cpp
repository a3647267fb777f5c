#include "linux_abi/vdso.h"

#include "arch/linux_abi.h"
#include "arch/linux_vdso.h"
#include "core/init/init_step.h"
#include "core/time/clock.h"
#include "exec_private.h"

namespace linux_abi {

namespace {

// The pages that the architecture keeps: data, then the image.
class VdsoObject final : public core::MemoryObject {
 public:
  Result<core::PageRef> page_for(std::uint64_t, core::FaultAccess) override { return error(Errno::enxio); }
  bool is_special() const override { return true; }
  bool is_plain_memory() const override { return true; }
  Result<Frame> frame_for(std::uint64_t index) override {
    if (index >= arch::linux_vdso_page_count()) return error(Errno::enxio);
    return Frame{core::PhysicalAddress(arch::linux_vdso_page(static_cast<unsigned>(index)))};
  }
};

constinit std::atomic<core::MemoryObject*> vdso_object{nullptr};

void copy_clocks(const core::ClockData& data) {
  arch::set_linux_vdso_clocks({.usable = data.usable_by_user,
                               .counter_base = data.counter_base,
                               .multiplier = data.multiplier,
                               .raw_multiplier = data.raw_multiplier,
                               .shift = data.shift,
                               .monotonic_base_ns = data.monotonic_base_ns,
                               .raw_base_ns = data.raw_base_ns,
                               .realtime_offset_ns = data.realtime_offset_ns,
                               .boot_offset_ns = data.boot_offset_ns,
                               .tai_offset_s = data.tai_offset_s});
}

Result<void> prepare_vdso() {
  if (!arch::linux_vdso_page_count()) return {};
  auto object = TRY(base::try_make_ref<VdsoObject>());
  vdso_object.store(object.leak(), std::memory_order_release);
  copy_clocks(core::clock_data());
  core::set_clock_data_listener(copy_clocks);
  return {};
}

INIT_STEP vdso_step{"linux.vdso", {"threads"}, prepare_vdso, {"personality"}};

}  // namespace

std::atomic<int>& randomize_va_space() {
  static constinit std::atomic<int> value{2};
  return value;
}

Result<std::uintptr_t> map_vdso(core::AddressSpace& space) {
  core::MemoryObject* object = vdso_object.load(std::memory_order_acquire);
  if (!object) return 0;
  unsigned pages = arch::linux_vdso_page_count(), data_pages = arch::linux_vdso_data_pages();
  // One stretch for both, so that the code finds its data at a fixed distance.
  UserAddress place =
      TRY(space.map({.length = pages * core::page_size, .flags = core::MapFlags::no_reserve}));
  TRY(space.map({.address = place,
                 .length = data_pages * core::page_size,
                 .protection = core::Protection::read,
                 .maximum_protection = core::Protection::read,
                 .flags = core::MapFlags::fixed | core::MapFlags::special | core::MapFlags::shared,
                 .object = RefPtr<core::MemoryObject>(object),
                 .name = "[vvar]"}));
  UserAddress image = place + data_pages * core::page_size;
  // Its code has the marks wherever programs can have them.
  auto execute = core::Protection::execute;
  if (arch::linux_guard().protection) execute = execute | core::Protection::guarded;
  TRY(space.map({.address = image,
                 .length = (pages - data_pages) * core::page_size,
                 .protection = core::Protection::read | execute,
                 .maximum_protection = core::Protection::read | core::Protection::execute,
                 .flags = core::MapFlags::fixed | core::MapFlags::special | core::MapFlags::shared,
                 .object = RefPtr<core::MemoryObject>(object),
                 .offset = data_pages * core::page_size,
                 .name = "[vdso]"}));
  return image.value();
}

}  // namespace linux_abi
