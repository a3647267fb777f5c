// mseal(2), memfd_secret(2), remap_file_pages(2), process_mrelease(2).
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "support/conformance.h"
#include "support/fault.h"

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

namespace {
using namespace conformance;

constexpr size_t page = 4096;

char* map_anonymous(size_t pages, int protection = PROT_READ | PROT_WRITE) {
  void* memory = mmap(nullptr, pages * page, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_NE(memory, MAP_FAILED);
  return (char*)memory;
}
long seal(void* memory, size_t length, unsigned long flags = 0) {
  return sys(SYS_mseal, memory, length, flags);
}

bool has_mseal() { return sys(SYS_mseal, 0, 0, 0) == 0 || errno != ENOSYS; }

TEST(Mseal, SealedMemoryStaysAsItIs) {
  if (!has_mseal()) GTEST_SKIP() << "no mseal";
  EXPECT_CHILD_OK([] {
    char* memory = map_anonymous(4);
    memory[page] = 'a';
    ASSERT_OK(seal(memory + page, 2 * page));
    EXPECT_ERRNO(munmap(memory, 4 * page), EPERM);
    EXPECT_ERRNO(munmap(memory + page, page), EPERM);
    EXPECT_ERRNO(mprotect(memory + page, page, PROT_READ), EPERM);
    EXPECT_ERRNO(
        (intptr_t)mmap(memory + page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
        EPERM);
    EXPECT_ERRNO((intptr_t)mremap(memory + page, 2 * page, page, 0), EPERM);
    EXPECT_ERRNO((intptr_t)mremap(memory + page, 2 * page, 4 * page, MREMAP_MAYMOVE), EPERM);
    char* elsewhere = map_anonymous(1);
    EXPECT_ERRNO((intptr_t)mremap(elsewhere, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, memory + 2 * page),
                 EPERM);
    // What can be written may be emptied.
    EXPECT_OK(madvise(memory + page, page, MADV_DONTNEED));
    EXPECT_EQ(memory[page], 0);
    memory[page] = 'b';
    // The rest is free, and sealing twice is fine.
    EXPECT_OK(seal(memory + page, page));
    EXPECT_OK(munmap(memory, page));
    EXPECT_OK(munmap(memory + 3 * page, page));
    EXPECT_EQ(memory[page], 'b');
  });
}

TEST(Mseal, ReadOnlyMemoryIsNotEmptied) {
  if (!has_mseal()) GTEST_SKIP() << "no mseal";
  EXPECT_CHILD_OK([] {
    char* memory = map_anonymous(1, PROT_READ);
    ASSERT_OK(seal(memory, page));
    EXPECT_ERRNO(madvise(memory, page, MADV_DONTNEED), EPERM);
    EXPECT_ERRNO(madvise(memory, page, MADV_FREE), EPERM);
    EXPECT_ERRNO(madvise(memory, page, MADV_DONTFORK), EPERM);
    EXPECT_ERRNO(madvise(memory, page, MADV_WIPEONFORK), EPERM);
    EXPECT_OK(madvise(memory, page, MADV_RANDOM));
  });
}

TEST(Mseal, ArgumentsAreChecked) {
  if (!has_mseal()) GTEST_SKIP() << "no mseal";
  char* memory = map_anonymous(2);
  EXPECT_ERRNO(seal(memory, page, 1), EINVAL);
  EXPECT_ERRNO(seal(memory + 1, page), EINVAL);
  EXPECT_ERRNO(seal(memory, ~0ul - page), EINVAL);
  EXPECT_OK(seal(memory, 0));
  munmap(memory + page, page);
  EXPECT_ERRNO(seal(memory, 2 * page), ENOMEM);
  EXPECT_OK(munmap(memory, page));  // all or nothing
}

TEST(Mseal, ChildrenInheritIt) {
  if (!has_mseal()) GTEST_SKIP() << "no mseal";
  EXPECT_CHILD_OK([] {
    char* memory = map_anonymous(1);
    ASSERT_OK(seal(memory, page));
    EXPECT_CHILD_OK([&] { EXPECT_ERRNO(munmap(memory, page), EPERM); });
  });
}

class Secret : public testing::Test {
 protected:
  void SetUp() override {
    fd_ = (int)sys(SYS_memfd_secret, O_CLOEXEC);
    if (fd_ < 0 && errno == ENOSYS) GTEST_SKIP() << "no secret memory";
    ASSERT_OK(fd_.get());
  }
  ScopedFd fd_;
};

TEST_F(Secret, OnlyItsMappingShowsIt) {
  EXPECT_ERRNO(sys(SYS_memfd_secret, 2), EINVAL);
  EXPECT_EQ(fcntl(fd_, F_GETFD), FD_CLOEXEC);
  ASSERT_OK(ftruncate(fd_, 2 * page));
  EXPECT_ERRNO(ftruncate(fd_, page), EINVAL);
  struct stat status;
  ASSERT_OK(fstat(fd_, &status));
  EXPECT_EQ(status.st_size, (off_t)(2 * page));
  char byte = 0;
  EXPECT_ERRNO(read(fd_, &byte, 1), EINVAL);
  EXPECT_ERRNO(write(fd_, &byte, 1), EINVAL);
  EXPECT_ERRNO((intptr_t)mmap(nullptr, page, PROT_READ, MAP_PRIVATE, fd_, 0), EINVAL);
  char* memory = (char*)mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  ASSERT_NE(memory, MAP_FAILED);
  EXPECT_EQ(memory[page], 0);
  memory[0] = 's';
  char* again = (char*)mmap(nullptr, page, PROT_READ, MAP_SHARED, fd_, 0);
  ASSERT_NE(again, MAP_FAILED);
  EXPECT_EQ(again[0], 's');
  // The kernel does not look for others.
  iovec local{&byte, 1}, remote{memory, 1};
  EXPECT_ERRNO(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), EFAULT);
  const ScopedFd mem = open("/proc/self/mem", O_RDONLY);
  EXPECT_ERRNO(pread(mem, &byte, 1, (off_t)memory), EIO);
  // But for oneself.
  int pipes[2];
  ASSERT_OK(pipe(pipes));
  EXPECT_EQ(write(pipes[1], memory, 1), 1);
  EXPECT_EQ(read(pipes[0], memory + 1, 1), 1);
  EXPECT_EQ(memory[1], 's');
  close(pipes[0]);
  close(pipes[1]);
  EXPECT_CHILD_OK([&] { EXPECT_EQ(memory[1], 's'); });
  munmap(memory, 2 * page);
  EXPECT_EQ(again[0], 's');
  munmap(again, page);
}

TEST_F(Secret, BeyondTheEndIsABusError) {
  ASSERT_OK(ftruncate(fd_, page));
  char* memory = (char*)mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  ASSERT_NE(memory, MAP_FAILED);
  EXPECT_EQ(provoke([&] { peek(memory + page); }).signal, SIGBUS);
  munmap(memory, 2 * page);
}

TEST_F(Secret, CountsAsLocked) {
  ASSERT_OK(ftruncate(fd_, 4 * page));
  EXPECT_CHILD_OK([&] {
    const rlimit limit{2 * page, 2 * page};
    ASSERT_OK(setrlimit(RLIMIT_MEMLOCK, &limit));
    if (getuid() == 0) drop_privileges();
    EXPECT_ERRNO((intptr_t)mmap(nullptr, 4 * page, PROT_READ, MAP_SHARED, fd_, 0), EAGAIN);
    EXPECT_NE(mmap(nullptr, 2 * page, PROT_READ, MAP_SHARED, fd_, 0), MAP_FAILED);
  });
}

TEST(RemapFilePages, PutsAnotherPageThere) {
  const ScopedFd file = memfd_create("remapped", MFD_CLOEXEC);
  ASSERT_OK(ftruncate(file, 3 * page));
  char* memory = (char*)mmap(nullptr, 3 * page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ASSERT_NE(memory, MAP_FAILED);
  for (int i = 0; i < 3; i++) memory[i * page] = (char)('a' + i);
  EXPECT_ERRNO(sys(SYS_remap_file_pages, memory, page, PROT_READ, 2, 0), EINVAL);
  ASSERT_OK(sys(SYS_remap_file_pages, memory, page, 0, 2, 0));
  EXPECT_EQ(memory[0], 'c');
  EXPECT_EQ(memory[page], 'b');
  memory[0] = 'd';
  EXPECT_EQ(memory[2 * page], 'd');
  munmap(memory, 3 * page);
  char* own = map_anonymous(1);
  EXPECT_ERRNO(sys(SYS_remap_file_pages, own, page, 0, 0, 0), EINVAL);
  munmap(own, page);
}

TEST(ProcessMrelease, OnlyTheDying) {
  EXPECT_ERRNO(sys(SYS_process_mrelease, -1, 0), EBADF);
  const pid_t child = fork_child([] { pause(); });
  const ScopedFd handle = (int)sys(SYS_pidfd_open, child, 0);
  ASSERT_OK(handle.get());
  EXPECT_ERRNO(sys(SYS_process_mrelease, handle.get(), 1), EINVAL);
  EXPECT_ERRNO(sys(SYS_process_mrelease, handle.get(), 0), EINVAL);
  kill(child, SIGKILL);
  const long released = sys(SYS_process_mrelease, handle.get(), 0);
  EXPECT_TRUE(released == 0 || errno == ESRCH || errno == EAGAIN) << strerror(errno);
  EXPECT_TRUE(killed_by(wait_for(child), SIGKILL));
  EXPECT_ERRNO(sys(SYS_process_mrelease, handle.get(), 0), ESRCH);
}

}  // namespace
