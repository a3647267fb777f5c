// Names for clang's thread-safety attributes (-Wthread-safety is an error in this tree).
//
//   SpinLock lock_;
//   int count_ GUARDED_BY(lock_);
//   void add_locked() REQUIRES(lock_);   // the caller holds lock_
//   void add() EXCLUDES(lock_);          // takes lock_ itself
#pragma once

#define CAPABILITY(name) __attribute__((capability(name)))
#define SCOPED_CAPABILITY __attribute__((scoped_lockable))
#define GUARDED_BY(lock) __attribute__((guarded_by(lock)))
#define PT_GUARDED_BY(lock) __attribute__((pt_guarded_by(lock)))
#define REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define REQUIRES_SHARED(...) __attribute__((requires_shared_capability(__VA_ARGS__)))
#define EXCLUDES(...) __attribute__((locks_excluded(__VA_ARGS__)))
#define ACQUIRE(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define ACQUIRE_SHARED(...) __attribute__((acquire_shared_capability(__VA_ARGS__)))
#define TRY_ACQUIRE(...) __attribute__((try_acquire_capability(__VA_ARGS__)))
#define RELEASE(...) __attribute__((release_capability(__VA_ARGS__)))
#define RELEASE_SHARED(...) __attribute__((release_shared_capability(__VA_ARGS__)))
#define RELEASE_GENERIC(...) __attribute__((release_generic_capability(__VA_ARGS__)))
#define ASSERT_CAPABILITY(...) __attribute__((assert_capability(__VA_ARGS__)))
#define RETURN_CAPABILITY(x) __attribute__((lock_returned(x)))
// Every use needs a comment that says why the analysis cannot see what holds.
#define NO_THREAD_SAFETY_ANALYSIS __attribute__((no_thread_safety_analysis))
