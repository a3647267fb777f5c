// mmap(2) of files, msync(2), SIGBUS past the end.
#include "support/conformance.h"
#include "support/fault.h"

namespace {
using namespace conformance;

class FileMapping : public TempDirTest {
 protected:
  ScopedFd file(size_t pages, char fill = 'f') const {
    write_file("a", std::string(pages * page_size(), fill));
    return open(path("a"), O_RDWR);
  }
};

TEST_F(FileMapping, PrivateShowsContent) {
  const ScopedFd fd = file(2);
  const Mapping memory(2 * page_size(), PROT_READ, MAP_PRIVATE, fd);
  ASSERT_TRUE(memory.valid());
  EXPECT_EQ(memory[0], 'f');
  EXPECT_EQ(memory[2 * page_size() - 1], 'f');
}

TEST_F(FileMapping, SurvivesClosingTheDescriptor) {
  ScopedFd fd = file(1);
  const Mapping memory(page_size(), PROT_READ, MAP_SHARED, fd);
  fd.reset();
  ASSERT_OK(unlink(path("a")));
  EXPECT_EQ(memory[5], 'f');
}

TEST_F(FileMapping, PrivateWritesStayPrivate) {
  const ScopedFd fd = file(1);
  const Mapping first(page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
  const Mapping second(page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
  first[0] = 'x';
  EXPECT_EQ(second[0], 'f');
  EXPECT_EQ(read_file("a")[0], 'f');
  EXPECT_EQ(first[1], 'f');
}

TEST_F(FileMapping, SharedWritesReachTheFileAtOnce) {
  const ScopedFd fd = file(2);
  const Mapping first(2 * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  const Mapping second(page_size(), PROT_READ, MAP_SHARED, fd, (off_t)page_size());
  first[page_size() + 3] = 'x';
  EXPECT_EQ(second[3], 'x');
  char byte;
  EXPECT_EQ(pread(fd, &byte, 1, (off_t)page_size() + 3), 1);
  EXPECT_EQ(byte, 'x');
}

TEST_F(FileMapping, WriteCallsAreSeenInMappings) {
  const ScopedFd fd = file(1);
  const Mapping shared(page_size(), PROT_READ, MAP_SHARED, fd);
  const Mapping untouched(page_size(), PROT_READ, MAP_PRIVATE, fd);
  EXPECT_EQ(shared[0], 'f');
  ASSERT_EQ(pwrite(fd, "new", 3, 0), 3);
  EXPECT_EQ(memcmp(shared.data(), "new", 3), 0);
  EXPECT_EQ(memcmp(untouched.data(), "new", 3), 0);
}

TEST_F(FileMapping, SharedBetweenProcesses) {
  const ScopedFd fd = file(1);
  const Mapping memory(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  EXPECT_CHILD_OK([&] { memory[7] = 'c'; });
  EXPECT_EQ(memory[7], 'c');
}

TEST_F(FileMapping, PrivateCopySurvivesFork) {
  const ScopedFd fd = file(1);
  const Mapping memory(page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
  memory[0] = 'p';
  EXPECT_CHILD_OK([&] {
    EXPECT_EQ(memory[0], 'p');
    memory[0] = 'c';
  });
  EXPECT_EQ(memory[0], 'p');
}

TEST_F(FileMapping, TailOfTheLastPageIsZeroAndNotWritten) {
  write_file("a", "short");
  const ScopedFd fd = open(path("a"), O_RDWR);
  const Mapping memory(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  EXPECT_EQ(memory[5], 0);
  EXPECT_EQ(memory[page_size() - 1], 0);
  memory[100] = 'x';
  struct stat status;
  ASSERT_OK(fstat(fd, &status));
  EXPECT_EQ(status.st_size, 5);
  EXPECT_EQ(read_file("a"), "short");
}

TEST_F(FileMapping, BeyondTheEndIsSIGBUS) {
  write_file("a", "short");
  const ScopedFd fd = open(path("a"), O_RDWR);
  const Mapping memory(3 * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  ASSERT_TRUE(memory.valid()) << "mapping more than the file is allowed";
  const Fault read_fault = provoke([&] { peek(memory.data() + page_size() + 9); });
  EXPECT_EQ(read_fault.signal, SIGBUS);
  EXPECT_EQ(read_fault.code, BUS_ADRERR);
  EXPECT_EQ(read_fault.address, memory.data() + page_size() + 9);
  EXPECT_EQ(provoke([&] { poke(memory.data() + page_size()); }).signal, SIGBUS);
}

TEST_F(FileMapping, BeyondTheEndIsEFAULTForTheKernel) {
  write_file("a", "short");
  const ScopedFd fd = open(path("a"), O_RDWR);
  const Mapping memory(2 * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  const ScopedFd null = open("/dev/zero", O_RDWR);
  EXPECT_ERRNO(read(null, memory.data() + page_size(), 16), EFAULT);
  int ends[2];
  ASSERT_OK(pipe(ends));
  EXPECT_ERRNO(write(ends[1], memory.data() + page_size(), 16), EFAULT);
}

TEST_F(FileMapping, TruncationTakesPagesAway) {
  const ScopedFd fd = file(3);
  const Mapping shared(3 * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  const Mapping dirty(3 * page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
  EXPECT_EQ(shared[2 * page_size()], 'f');
  dirty[2 * page_size()] = 'd';
  ASSERT_OK(ftruncate(fd, (off_t)page_size()));
  EXPECT_EQ(provoke([&] { peek(shared.data() + 2 * page_size()); }).signal, SIGBUS);
  EXPECT_EQ(provoke([&] { peek(dirty.data() + 2 * page_size()); }).signal, SIGBUS) << "private copies too";
  EXPECT_EQ(shared[0], 'f');
}

TEST_F(FileMapping, GrowingBringsZeroPages) {
  const ScopedFd fd = file(1);
  const Mapping memory(2 * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  ASSERT_OK(ftruncate(fd, 2 * (off_t)page_size()));
  EXPECT_EQ(memory[page_size()], 0);
  memory[page_size()] = 'x';
  EXPECT_EQ(read_file("a")[page_size()], 'x');
}

TEST_F(FileMapping, TruncatedTailIsCleared) {
  const ScopedFd fd = file(1);
  const Mapping memory(page_size(), PROT_READ, MAP_SHARED, fd);
  EXPECT_EQ(memory[200], 'f');
  ASSERT_OK(ftruncate(fd, 100));
  EXPECT_EQ(memory[99], 'f');
  EXPECT_EQ(memory[200], 0);
}

TEST_F(FileMapping, AccessModesAreChecked) {
  write_file("a", "content");
  const ScopedFd reader = open(path("a"), O_RDONLY), writer = open(path("a"), O_WRONLY);
  EXPECT_ERRNO(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0), EACCES);
  EXPECT_ERRNO(mmap(nullptr, 4096, PROT_READ, MAP_SHARED, writer, 0), EACCES);
  EXPECT_ERRNO(mmap(nullptr, 4096, PROT_WRITE, MAP_PRIVATE, writer, 0), EACCES);
  const Mapping copy(page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, reader);
  EXPECT_TRUE(copy.valid()) << "private writing needs read access only";
}

TEST_F(FileMapping, ProtectCannotAddWhatTheFileForbids) {
  write_file("a", "content");
  const ScopedFd reader = open(path("a"), O_RDONLY);
  const Mapping memory(page_size(), PROT_READ, MAP_SHARED, reader);
  EXPECT_ERRNO(mprotect(memory.data(), page_size(), PROT_READ | PROT_WRITE), EACCES);
}

TEST_F(FileMapping, UnmappableFiles) {
  const ScopedFd directory_fd = open(path(), O_RDONLY);
  EXPECT_ERRNO(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, directory_fd, 0), ENODEV);
  int ends[2];
  ASSERT_OK(pipe(ends));
  EXPECT_ERRNO(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, ends[0], 0), ENODEV);
  const ScopedFd by_path = open(path(), O_PATH);
  EXPECT_ERRNO(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, by_path, 0), EBADF);
}

TEST_F(FileMapping, OffsetMustBeAlignedAndMayNotOverflow) {
  const ScopedFd fd = file(1);
  EXPECT_ERRNO(sys(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, fd.get(), 100), EINVAL);
  EXPECT_ERRNO(mmap(nullptr, 2 * page_size(), PROT_READ, MAP_PRIVATE, fd, -(off_t)page_size()), EOVERFLOW);
}

TEST_F(FileMapping, SharedValidateRefusesUnknownFlags) {
  const ScopedFd fd = file(1);
  EXPECT_ERRNO(mmap(nullptr, 4096, PROT_READ, MAP_SHARED_VALIDATE | 0x400000, fd, 0), EOPNOTSUPP);
  const Mapping good(page_size(), PROT_READ, MAP_SHARED_VALIDATE, fd);
  EXPECT_TRUE(good.valid());
}

TEST_F(FileMapping, Msync) {
  const ScopedFd fd = file(2);
  const Mapping memory(2 * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  memory[0] = 'x';
  EXPECT_OK(msync(memory.data(), 2 * page_size(), MS_SYNC));
  EXPECT_OK(msync(memory.data(), 2 * page_size(), MS_ASYNC | MS_INVALIDATE));
  EXPECT_ERRNO(msync(memory.data() + 1, page_size(), MS_SYNC), EINVAL);
  EXPECT_ERRNO(msync(memory.data(), page_size(), MS_SYNC | MS_ASYNC), EINVAL);
  EXPECT_ERRNO(msync(memory.data(), page_size(), 0x80), EINVAL);
  ASSERT_OK(munmap(memory.data() + page_size(), page_size()));
  EXPECT_ERRNO(msync(memory.data(), 2 * page_size(), MS_SYNC), ENOMEM);
}

TEST_F(FileMapping, DevZeroIsAnonymousMemory) {
  const ScopedFd zero = open("/dev/zero", O_RDWR);
  const Mapping memory(2 * page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, zero);
  ASSERT_TRUE(memory.valid());
  EXPECT_EQ(memory[page_size()], 0);
  memory[page_size()] = 1;
  const Mapping shared(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, zero);
  ASSERT_TRUE(shared.valid());
  EXPECT_CHILD_OK([&] { shared[0] = 5; });
  EXPECT_EQ(shared[0], 5);
}

TEST_F(FileMapping, ReadIntoItsOwnMapping) {
  const ScopedFd fd = file(2);
  ASSERT_EQ(pwrite(fd, "hello", 5, 0), 5);
  const Mapping memory(2 * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  EXPECT_EQ(pread(fd, memory.data() + page_size(), 5, 0), 5) << "the page being read into is the file's";
  EXPECT_EQ(memcmp(memory.data() + page_size(), "hello", 5), 0);
  EXPECT_EQ(pwrite(fd, memory.data(), 100, 50), 100) << "overlapping source and target";
}

}  // namespace
