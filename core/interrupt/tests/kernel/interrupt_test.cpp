#include <atomic>

#include "core/interrupt/interrupt.h"
#include "core/interrupt/interrupt_domain.h"
#include "core/sched/scheduler.h"
#include "core/sync/completion.h"
#include "core/sync/spin_lock.h"
#include "core/test/test.h"
#include "core/time/clock.h"

using namespace core;
using core::test::expect, core::test::expect_equal, core::test::expect_ok, core::test::expect_error;

namespace {

// A controller without hardware: what it is told is remembered.
class FakeController final : public InterruptDomain {
 public:
  constexpr FakeController() : InterruptDomain("fake") {}
  void mask(unsigned) override { masked = true; }
  void unmask(unsigned) override { masked = false; }
  base::Result<void> configure(unsigned, unsigned, InterruptTrigger, const CpuMask&) override { return {}; }
  std::atomic<bool> masked{true};
};
constinit FakeController controller;

void raise(unsigned number) {
  arch::InterruptsOff off;
  handle_interrupt(number);
}

struct Device {
  std::atomic<unsigned> handled{0};
  std::atomic<bool> masked_inside{false}, mine{true};
  Completion done;
  static InterruptOutcome interrupted(void* context) {
    auto& device = *static_cast<Device*>(context);
    if (!device.mine) return InterruptOutcome::not_mine;
    device.masked_inside = controller.masked.load();
    device.handled.fetch_add(1);
    device.done.complete();
    return InterruptOutcome::handled;
  }
};

}  // namespace

KERNEL_TEST(interrupt, level_stays_masked_until_handled) {
  auto number = controller.map(7, InterruptTrigger::level_low);
  if (!expect_ok(number)) return;
  expect_equal(*controller.map(7, InterruptTrigger::level_low), *number);
  expect_error(controller.map(7, InterruptTrigger::edge_rising), base::Errno::ebusy);
  Device device;
  {
    auto registration = InterruptRegistration::request(
        *number, {.name = "test", .thread = Device::interrupted, .context = &device});
    if (!expect_ok(registration)) return;
    expect(!controller.masked, "a requested line is open");
    expect_error(InterruptRegistration::request(
                     *number, {.name = "other", .thread = Device::interrupted, .context = &device}),
                 base::Errno::ebusy);
    for (unsigned i = 0; i < 50; ++i) {
      raise(*number);
      device.done.wait();
      expect(device.masked_inside.load(), "a level must be masked while its handler runs");
      registration->disable();
      expect(controller.masked.load());
      registration->enable();
      expect(!controller.masked.load());
    }
    expect_equal(device.handled.load(), 50u);
    InterruptInformation information;
    expect(next_interrupt(*number, information) && information.number == *number);
    expect(std::string_view(information.handlers) == "test");
  }
  expect(controller.masked, "a released line is masked");
  std::uint64_t total = 0;
  for (unsigned cpu = 0; cpu < arch::cpu_count(); ++cpu) total += interrupt_count(*number, cpu);
  expect_equal(total, 50u);
  controller.unmap(*number);
}

KERNEL_TEST(interrupt, shared_lines_ask_everybody) {
  auto number = controller.map(8, InterruptTrigger::level_low);
  if (!expect_ok(number)) return;
  Device first, second;
  first.mine = false;
  {
    auto a = InterruptRegistration::request(
        *number, {.name = "a", .thread = Device::interrupted, .context = &first, .shared = true});
    auto b = InterruptRegistration::request(
        *number, {.name = "b", .thread = Device::interrupted, .context = &second, .shared = true});
    if (!expect_ok(a) || !expect_ok(b)) return;
    raise(*number);
    second.done.wait();
    expect_equal(first.handled.load(), 0u);
  }
  controller.unmap(*number);
  raise(*number);
  expect(spurious_interrupts() != 0, "an interrupt without a line is spurious");
}
