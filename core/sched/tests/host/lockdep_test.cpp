#include <gtest/gtest.h>

#include "core/sched/scheduler.h"
#include "core/sync/mutex.h"
#include "core/sync/rw_mutex.h"

using namespace core;

namespace {

class Lockdep : public testing::Test {
 protected:
  void SetUp() override { lockdep_reset_for_test(); }
  void TearDown() override { lockdep_reset_for_test(); }
};

TEST_F(Lockdep, AcceptsOneOrder) {
  Mutex a{"order.a"}, b{"order.b"};
  SpinLock c{"order.c"};
  for (int i = 0; i < 3; ++i) {
    MutexGuard first(a);
    MutexGuard second(b);
    SpinGuard<IrqSave> third(c);
  }
  EXPECT_EQ(lockdep_reports(), 0u);
}

TEST_F(Lockdep, ReportsOppositeOrders) {
  Mutex a{"abba.a"}, b{"abba.b"};
  {
    MutexGuard first(a);
    MutexGuard second(b);
  }
  {
    MutexGuard first(b);
    MutexGuard second(a);
  }
  EXPECT_EQ(lockdep_reports(), 1u);
}

TEST_F(Lockdep, ReportsLongCycles) {
  Mutex a{"cycle.a"}, b{"cycle.b"};
  RwMutex c{"cycle.c"};
  {
    MutexGuard first(a);
    MutexGuard second(b);
  }
  {
    MutexGuard first(b);
    ReadGuard second(c);
  }
  {
    WriteGuard first(c);
    MutexGuard second(a);
  }
  EXPECT_EQ(lockdep_reports(), 1u);
}

// The place of both is the constructor's.
struct Namesakes {
  Namesakes() {}
  Mutex mutex{"namesakes"};
  SpinLock spin{"namesakes"};
};

TEST_F(Lockdep, MutexAndSpinLockOfOneNameAreTwoClasses) {
  Namesakes both;
  {
    MutexGuard first(both.mutex);
    SpinGuard<IrqSave> second(both.spin);
  }
  EXPECT_EQ(lockdep_reports(), 0u);
}

struct Node {
  Mutex mutex{"Node"};
};

TEST_F(Lockdep, NestingLevelsTellLocksOfOneClassApart) {
  Node parent, child;
  {
    MutexGuard first(parent.mutex);
    MutexGuard second(child.mutex, LockNesting::child);
  }
  EXPECT_EQ(lockdep_reports(), 0u);
  {
    MutexGuard first(parent.mutex);
    MutexGuard second(child.mutex);
  }
  EXPECT_EQ(lockdep_reports(), 1u);
}

TEST_F(Lockdep, ChainsMayBeAsLongAsTheyLikeButNotTakeOneLockTwice) {
  Mutex other{"beside the chain"};
  Node first, second, third, fourth, fifth;  // no array: the compiler takes its elements for one lock
  {
    MutexGuard a(first.mutex, LockNesting::chain);
    MutexGuard b(second.mutex, LockNesting::chain);
    MutexGuard c(third.mutex, LockNesting::chain);
    MutexGuard d(fourth.mutex, LockNesting::chain);
    MutexGuard e(fifth.mutex, LockNesting::chain);
    MutexGuard f(other);
  }
  EXPECT_EQ(lockdep_reports(), 0u);
  {
    MutexGuard f(other);
    MutexGuard a(first.mutex, LockNesting::chain);
  }
  EXPECT_EQ(lockdep_reports(), 1u);
}

TEST_F(Lockdep, ReportsSleepingLocksWherePinned) {
  Mutex mutex{"pinned"};
  PreemptOff pinned;
  MutexGuard guard(mutex);
  EXPECT_EQ(lockdep_reports(), 1u);
}

}  // namespace
