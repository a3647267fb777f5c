// read(2), write(2), pread(2), readv(2), preadv2(2), sendfile(2), copy_file_range(2).
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include <limits>

#include "support/conformance.h"

namespace {
using namespace conformance;

class ReadWrite : public TempDirTest {
 protected:
  ScopedFd open_new(const char* name = "a") const { return open(path(name), O_RDWR | O_CREAT, 0600); }
};

TEST_F(ReadWrite, OffsetAdvances) {
  write_file("a", "0123456789");
  const ScopedFd fd = open(path("a"), O_RDONLY);
  char buffer[16] = {};
  EXPECT_EQ(read(fd, buffer, 4), 4);
  EXPECT_EQ(read(fd, buffer, 16), 6);
  EXPECT_EQ(std::string(buffer, 6), "456789");
  EXPECT_EQ(read(fd, buffer, 16), 0);
}

TEST_F(ReadWrite, ZeroLengthDoesNothingButChecksTheDescriptor) {
  const ScopedFd fd = open_new();
  EXPECT_EQ(read(fd, nullptr, 0), 0);
  EXPECT_EQ(write(fd, nullptr, 0), 0);
  EXPECT_ERRNO(read(-1, nullptr, 0), EBADF);
  EXPECT_ERRNO(write(-1, nullptr, 0), EBADF);
}

TEST_F(ReadWrite, BadBuffersAreEFAULT) {
  write_file("a", "0123456789");
  const ScopedFd fd = open(path("a"), O_RDWR);
  EXPECT_ERRNO(sys(SYS_read, fd.get(), low_address(), 10), EFAULT);
  EXPECT_ERRNO(sys(SYS_read, fd.get(), kernel_address(), 10), EFAULT);
  EXPECT_ERRNO(sys(SYS_write, fd.get(), low_address(), 10), EFAULT);
  EXPECT_ERRNO(sys(SYS_write, fd.get(), kernel_address(), 10), EFAULT);
  EXPECT_EQ(read_file("a"), "0123456789");
}

TEST_F(ReadWrite, AbsurdLengths) {
  write_file("a", "0123456789");
  const ScopedFd fd = open(path("a"), O_RDONLY);
  char buffer[16];
  EXPECT_ERRNO(sys(SYS_read, fd.get(), buffer, -1), EFAULT) << "the buffer would reach into the kernel";
  EXPECT_ERRNO(sys(SYS_pread64, fd.get(), buffer, LONG_MIN, 0), EFAULT);
}

TEST_F(ReadWrite, ReadIntoTheLastBytesOfAPage) {
  write_file("a", "0123456789");
  const ScopedFd fd = open(path("a"), O_RDONLY);
  const GuardedPage page;
  EXPECT_EQ(read(fd, page.end() - 10, 10), 10);
  lseek(fd, 0, SEEK_SET);
  const long partial = sys(SYS_read, fd.get(), page.end() - 4, 10);
  EXPECT_TRUE(partial == 4 || (partial == -1 && errno == EFAULT)) << partial;
}

TEST_F(ReadWrite, WriteFromAReadOnlyBufferAndReadIntoIt) {
  const Mapping buffer(page_size(), PROT_READ);
  const ScopedFd fd = open_new();
  EXPECT_EQ(write(fd, buffer.data(), 100), 100);
  EXPECT_ERRNO(pread(fd, buffer.data(), 100, 0), EFAULT);
}

TEST_F(ReadWrite, AppendAlwaysWritesAtTheEnd) {
  write_file("a", "start");
  const ScopedFd fd = open(path("a"), O_RDWR | O_APPEND);
  lseek(fd, 0, SEEK_SET);
  EXPECT_EQ(write(fd, "+", 1), 1);
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 6);
  EXPECT_EQ(pwrite(fd, "!", 1, 0), 1);
  EXPECT_EQ(read_file("a"), "start+!") << "on Linux even pwrite appends";
}

TEST_F(ReadWrite, PreadAndPwriteLeaveTheOffset) {
  write_file("a", "0123456789");
  const ScopedFd fd = open(path("a"), O_RDWR);
  char byte = 0;
  EXPECT_EQ(pread(fd, &byte, 1, 7), 1);
  EXPECT_EQ(byte, '7');
  EXPECT_EQ(pwrite(fd, "x", 1, 2), 1);
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
  EXPECT_EQ(read_file("a"), "01x3456789");
  EXPECT_EQ(pread(fd, &byte, 1, 100), 0);
}

TEST_F(ReadWrite, PreadErrors) {
  const ScopedFd fd = open_new();
  char byte;
  EXPECT_ERRNO(pread(fd, &byte, 1, -1), EINVAL);
  EXPECT_ERRNO(pwrite(fd, &byte, 1, -1), EINVAL);
  int ends[2];
  ASSERT_OK(pipe(ends));
  EXPECT_ERRNO(pread(ends[0], &byte, 1, 0), ESPIPE);
  EXPECT_ERRNO(pwrite(ends[1], &byte, 1, 0), ESPIPE);
}

TEST_F(ReadWrite, VectorsAreOneTransfer) {
  const ScopedFd fd = open_new();
  iovec out[3] = {{(void*)"ab", 2}, {nullptr, 0}, {(void*)"cde", 3}};
  EXPECT_EQ(writev(fd, out, 3), 5);
  EXPECT_EQ(read_file("a"), "abcde");
  lseek(fd, 0, SEEK_SET);
  char first[4] = {}, second[4] = {};
  iovec in[2] = {{first, 3}, {second, 3}};
  EXPECT_EQ(readv(fd, in, 2), 5);
  EXPECT_STREQ(first, "abc");
  EXPECT_STREQ(second, "de");
}

TEST_F(ReadWrite, VectorErrors) {
  const ScopedFd fd = open_new();
  iovec one = {(void*)"ab", 2};
  EXPECT_ERRNO(writev(fd, &one, -1), EINVAL);
  EXPECT_ERRNO(writev(fd, &one, 1025), EINVAL);
  EXPECT_EQ(writev(fd, &one, 0), 0);
  iovec huge[2] = {{(void*)"ab", SIZE_MAX / 2 + 1}, {(void*)"ab", 2}};
  EXPECT_ERRNO(writev(fd, huge, 2), EINVAL) << "a length that does not fit in ssize_t";
  EXPECT_ERRNO(sys(SYS_writev, fd.get(), low_address(), 1), EFAULT);
  iovec bad = {low_address(), 2};
  EXPECT_ERRNO(writev(fd, &bad, 1), EFAULT);
}

TEST_F(ReadWrite, VectorOfManyPieces) {
  const ScopedFd fd = open_new();
  std::string letters;
  for (int i = 0; i < 1024; i++) letters += static_cast<char>('a' + i % 26);
  std::vector<iovec> pieces;
  for (char& letter : letters) pieces.push_back({&letter, 1});
  EXPECT_EQ(writev(fd, pieces.data(), 1024), 1024);
  EXPECT_EQ(read_file("a"), letters);
}

TEST_F(ReadWrite, PositionedVectors) {
  write_file("a", "0123456789");
  const ScopedFd fd = open(path("a"), O_RDWR);
  char first[3] = {}, second[3] = {};
  iovec in[2] = {{first, 2}, {second, 2}};
  EXPECT_EQ(preadv(fd, in, 2, 3), 4);
  EXPECT_STREQ(first, "34");
  EXPECT_STREQ(second, "56");
  iovec out = {(void*)"XY", 2};
  EXPECT_EQ(pwritev(fd, &out, 1, 8), 2);
  EXPECT_EQ(read_file("a"), "01234567XY");
  EXPECT_EQ(preadv2(fd, in, 1, -1, 0), 2) << "-1 uses and moves the offset";
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 2);
  EXPECT_ERRNO(preadv2(fd, in, 1, 0, 0x40000000), EOPNOTSUPP);
  EXPECT_ERRNO(preadv(fd, in, 1, -1), EINVAL);
}

TEST_F(ReadWrite, Pwritev2AppendFlag) {
  write_file("a", "0123");
  const ScopedFd fd = open(path("a"), O_RDWR);
  iovec out = {(void*)"+", 1};
  EXPECT_EQ(pwritev2(fd, &out, 1, 0, RWF_APPEND), 1);
  EXPECT_EQ(read_file("a"), "0123+");
}

TEST_F(ReadWrite, LargeFileRoundTrip) {
  std::string content(3 << 20, 0);
  uint32_t state = 12345;
  for (char& byte : content) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  write_file("a", content);
  EXPECT_TRUE(read_file("a") == content);
}

TEST_F(ReadWrite, FarOffsetsWork) {
  const ScopedFd fd = open_new();
  const off_t far = 5ll << 32;
  ASSERT_EQ(pwrite(fd, "x", 1, far), 1);
  char bytes[2] = {1, 1};
  EXPECT_EQ(pread(fd, bytes, 2, far - 1), 2);
  EXPECT_EQ(bytes[0], 0);
  EXPECT_EQ(bytes[1], 'x');
}

TEST_F(ReadWrite, EndBeyondTheLargestOffsetIsEINVAL) {
  const ScopedFd fd = open_new();
  EXPECT_ERRNO(pwrite(fd, "x", 1, LONG_MAX), EINVAL);
}

TEST_F(ReadWrite, SendfileBetweenFiles) {
  write_file("a", "0123456789");
  const ScopedFd in = open(path("a"), O_RDONLY);
  const ScopedFd out = open_new("b");
  off_t offset = 2;
  EXPECT_EQ(sendfile(out, in, &offset, 5), 5);
  EXPECT_EQ(offset, 7);
  EXPECT_EQ(lseek(in, 0, SEEK_CUR), 0) << "with an offset the file's own stays";
  EXPECT_EQ(sendfile(out, in, nullptr, 3), 3);
  EXPECT_EQ(lseek(in, 0, SEEK_CUR), 3);
  EXPECT_EQ(read_file("b"), "23456012");
}

TEST_F(ReadWrite, SendfileErrors) {
  write_file("a", "0123456789");
  const ScopedFd in = open(path("a"), O_RDONLY);
  EXPECT_ERRNO(sendfile(in, in, nullptr, 1), EBADF);
  EXPECT_ERRNO(sendfile(-1, in, nullptr, 1), EBADF);
  const ScopedFd out = open_new("b");
  const ScopedFd append = open(path("b"), O_WRONLY | O_APPEND);
  EXPECT_ERRNO(sendfile(append, in, nullptr, 1), EINVAL);
  off_t offset = -1;
  EXPECT_ERRNO(sendfile(out, in, &offset, 1), EINVAL);
  EXPECT_ERRNO(sys(SYS_sendfile, out.get(), in.get(), low_address(), 1), EFAULT);
}

TEST_F(ReadWrite, SendfileIntoAPipe) {
  write_file("a", "0123456789");
  const ScopedFd in = open(path("a"), O_RDONLY);
  int ends[2];
  ASSERT_OK(pipe(ends));
  EXPECT_EQ(sendfile(ends[1], in, nullptr, 100), 10);
  char buffer[16];
  EXPECT_EQ(read(ends[0], buffer, sizeof buffer), 10);
}

TEST_F(ReadWrite, CopyFileRange) {
  write_file("a", "0123456789");
  const ScopedFd in = open(path("a"), O_RDONLY);
  const ScopedFd out = open_new("b");
  off_t from = 4, to = 1;
  EXPECT_EQ(copy_file_range(in, &from, out, &to, 100, 0), 6);
  EXPECT_EQ(from, 10);
  EXPECT_EQ(to, 7);
  EXPECT_EQ(read_file("b"), std::string("\0"
                                        "456789",
                                        7));
  EXPECT_EQ(copy_file_range(in, &from, out, &to, 100, 0), 0);
  EXPECT_ERRNO(copy_file_range(in, nullptr, out, nullptr, 1, 1), EINVAL);
  EXPECT_ERRNO(copy_file_range(in, nullptr, in, nullptr, 1, 0), EBADF);
}

TEST_F(ReadWrite, CopyFileRangeOverlappingIsEINVAL) {
  write_file("a", "0123456789");
  const ScopedFd fd = open(path("a"), O_RDWR);
  off_t from = 0, to = 2;
  EXPECT_ERRNO(copy_file_range(fd, &from, fd, &to, 5, 0), EINVAL);
}

TEST_F(ReadWrite, RangesThatEndBehindTheLargestOffset) {
  constexpr off_t largest = std::numeric_limits<off_t>::max();
  write_file("a", "0123456789");
  const ScopedFd in = open(path("a"), O_RDWR);
  const ScopedFd out = open_new("b");
  off_t from = largest - 2, to = 0;
  EXPECT_EQ(copy_file_range(in, &from, out, &to, 5, 0), 0);  // nothing is there
  from = 0;
  to = largest;
  EXPECT_ERRNO(copy_file_range(in, &from, out, &to, 5, 0), EFBIG);
  EXPECT_ERRNO(sync_file_range(in, largest, 1, SYNC_FILE_RANGE_WRITE), EINVAL);
  EXPECT_ERRNO(fallocate(in, 0, largest, 1), EFBIG);
}

TEST_F(ReadWrite, ReadaheadAndFadviseCheckTheirArguments) {
  write_file("a", "0123456789");
  const ScopedFd fd = open(path("a"), O_RDONLY);
  EXPECT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
  EXPECT_EQ(posix_fadvise(fd, 0, 0, 99), EINVAL);
  EXPECT_EQ(posix_fadvise(-1, 0, 0, POSIX_FADV_NORMAL), EBADF);
  int ends[2];
  ASSERT_OK(pipe(ends));
  EXPECT_EQ(posix_fadvise(ends[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
}

}  // namespace
