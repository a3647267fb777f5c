// The arithmetic of the host's time record: rates and times worked out by hand.
#include "../../src/kvm_clock.h"

#include "core/test/test.h"

using core::test::expect, core::test::expect_equal;

KERNEL_TEST(kvm_clock, rate_follows_from_multiplier_and_shift) {
  arch::KvmTimeRecord record{};
  expect_equal(arch::counter_frequency_of(record), 0u);
  record.multiplier = 0xcccccccc;  // 0.8 ns for every second tick
  record.shift = -1;
  std::uint64_t frequency = arch::counter_frequency_of(record);
  expect(frequency >= 2'500'000'000 && frequency < 2'500'000'010);
  record.multiplier = 0x80000000;  // half a nanosecond for each half of a tick
  record.shift = 1;
  expect_equal(arch::counter_frequency_of(record), 1'000'000'000u);
  record.shift = 40;
  expect_equal(arch::counter_frequency_of(record), 0u);
}

KERNEL_TEST(kvm_clock, time_goes_on_from_the_last_update) {
  arch::KvmTimeRecord record{};
  record.counter_at_update = 1'000'000;
  record.host_time_ns = 77'000'000'000;
  record.multiplier = 0x80000000;
  record.shift = 1;
  expect_equal(arch::host_time_at(record, 1'000'000), 77'000'000'000u);
  expect_equal(arch::host_time_at(record, 1'000'250), 77'000'000'250u);
  record.shift = -1;  // a quarter of a nanosecond a tick
  expect_equal(arch::host_time_at(record, 5'000'000), 77'001'000'000u);
}

KERNEL_TEST(kvm_clock, a_host_that_offers_it_gives_time_of_day) {
  arch::KvmClock clock = arch::read_kvm_clock();
  if (!clock.counter_frequency) return;  // not under KVM
  expect(clock.wall_time_ns > 1'700'000'000'000'000'000u);
}
