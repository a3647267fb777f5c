// io_uring: SPLICE and TEE.
#include <thread>

#include "io_uring/ring.h"

namespace {
using namespace conformance;

class UringSplice : public TempDirTest {
 protected:
  void SetUp() override {
    TempDirTest::SetUp();
    if (!ring.valid()) GTEST_SKIP() << "no io_uring";
    write_file("file", "0123456789");
  }
  io_uring_sqe& prepare(int opcode, int from, int64_t from_offset, int to, int64_t to_offset, unsigned length,
                        unsigned flags = 0) {
    io_uring_sqe& sqe = ring.prepare(opcode, to, nullptr, length, static_cast<uint64_t>(to_offset));
    sqe.splice_off_in = static_cast<uint64_t>(from_offset);
    sqe.splice_fd_in = from;
    sqe.splice_flags = flags;
    return sqe;
  }
  static std::string drained(int fd) {
    char text[64];
    const ssize_t size = read(fd, text, sizeof text);
    return size < 0 ? "" : std::string(text, static_cast<size_t>(size));
  }
  Ring ring;
  PipePair first, second;
};

TEST_F(UringSplice, FromAFileAndToAFile) {
  const ScopedFd file = open(path("file"), O_RDWR);
  prepare(IORING_OP_SPLICE, file, 3, first.ends[1], -1, 4);
  EXPECT_EQ(ring.finish(), 4);
  EXPECT_EQ(lseek(file, 0, SEEK_CUR), 0);
  const ScopedFd target = open(path("target"), O_RDWR | O_CREAT, 0600);
  prepare(IORING_OP_SPLICE, first.ends[0], -1, target, 2, 4);
  EXPECT_EQ(ring.finish(), 4);
  EXPECT_EQ(read_file("target"), std::string("\0\0"
                                             "3456",
                                             6));
  prepare(IORING_OP_SPLICE, file, -1, first.ends[1], -1, 2);
  EXPECT_EQ(ring.finish(), 2);
  EXPECT_EQ(lseek(file, 0, SEEK_CUR), 2);
}

TEST_F(UringSplice, BetweenPipes) {
  ASSERT_EQ(write(first.ends[1], "words", 5), 5);
  prepare(IORING_OP_TEE, first.ends[0], 0, second.ends[1], 0, 3);
  EXPECT_EQ(ring.finish(), 3);
  EXPECT_EQ(drained(second.ends[0]), "wor");
  prepare(IORING_OP_SPLICE, first.ends[0], -1, second.ends[1], -1, 5);
  EXPECT_EQ(ring.finish(), 5);
  EXPECT_EQ(drained(second.ends[0]), "words");
}

TEST_F(UringSplice, WaitsWithoutHoldingUpTheSubmitter) {
  prepare(IORING_OP_SPLICE, first.ends[0], -1, second.ends[1], -1, 4);
  ASSERT_EQ(ring.submit(), 1);
  EXPECT_EQ(ring.next(50).user_data, ~0ull);
  ASSERT_EQ(write(first.ends[1], "late", 4), 4);
  EXPECT_EQ(ring.next().res, 4);
  EXPECT_EQ(drained(second.ends[0]), "late");
}

TEST_F(UringSplice, SourcesCanBeFixedFiles) {
  const int files[] = {-1, first.ends[0]};
  ASSERT_OK(ring.control(IORING_REGISTER_FILES, files, 2));
  ASSERT_EQ(write(first.ends[1], "fixed", 5), 5);
  prepare(IORING_OP_SPLICE, 1, -1, second.ends[1], -1, 5, SPLICE_F_FD_IN_FIXED);
  EXPECT_EQ(ring.finish(), 5);
  EXPECT_EQ(drained(second.ends[0]), "fixed");
  prepare(IORING_OP_SPLICE, 0, -1, second.ends[1], -1, 5, SPLICE_F_FD_IN_FIXED);
  EXPECT_EQ(ring.finish(), -EBADF);
}

TEST_F(UringSplice, AShortOneBreaksItsChain) {
  ASSERT_EQ(write(first.ends[1], "abc", 3), 3);
  prepare(IORING_OP_SPLICE, first.ends[0], -1, second.ends[1], -1, 5).flags = IOSQE_IO_LINK;
  ring.prepare(IORING_OP_NOP);
  ASSERT_EQ(ring.submit(2), 2);
  EXPECT_EQ(ring.next().res, 3);
  EXPECT_EQ(ring.next().res, -ECANCELED);
}

TEST_F(UringSplice, Errors) {
  const ScopedFd file = open(path("file"), O_RDWR);
  prepare(IORING_OP_SPLICE, file, 0, file, 0, 4);
  EXPECT_EQ(ring.finish(), -EINVAL);
  prepare(IORING_OP_SPLICE, first.ends[0], 0, file, 0, 4);
  EXPECT_EQ(ring.finish(), -ESPIPE);
  prepare(IORING_OP_SPLICE, 999, -1, file, 0, 4);
  EXPECT_EQ(ring.finish(), -EBADF);
  prepare(IORING_OP_SPLICE, file, 0, first.ends[1], -1, 4, 0x100);
  EXPECT_EQ(ring.finish(), -EINVAL);
  prepare(IORING_OP_TEE, file, 0, first.ends[1], 0, 4);
  EXPECT_EQ(ring.finish(), -EINVAL);
  prepare(IORING_OP_TEE, first.ends[0], 1, second.ends[1], 0, 4);
  EXPECT_EQ(ring.finish(), -EINVAL);
  prepare(IORING_OP_SPLICE, file, 0, first.ends[1], -1, 0);
  EXPECT_EQ(ring.finish(), 0);
}

}  // namespace
