// name_to_handle_at(2), open_by_handle_at(2), on tmpfs.
#include <sys/mount.h>

#include "support/conformance.h"
#include "support/each_allocation.h"

namespace {
using namespace conformance;

struct Handle {
  unsigned size = 128;
  int type = 0;
  unsigned char bytes[128] = {};
};

class FileHandles : public TempDirTest {
 protected:
  void SetUp() override {
    TempDirTest::SetUp();
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    mkdir(path("m"), 0755);
    if (mount("none", path("m"), "tmpfs", 0, nullptr) != 0) GTEST_SKIP() << "may not mount here";
    write_file("m/file", "content");
    mkdir(path("m/d"), 0755);
    mkdir(path("m/d/e"), 0755);
    write_file("m/d/e/deep", "deep");
    mount_fd_ = open(path("m"), O_RDONLY | O_DIRECTORY);
  }
  void TearDown() override {
    mount_fd_.reset();
    umount2(path("m"), MNT_DETACH);
    TempDirTest::TearDown();
  }
  static long name_to(const char* name, Handle& handle, int* mount_id, int flags = 0, int fd = AT_FDCWD) {
    return sys(SYS_name_to_handle_at, fd, name, &handle, mount_id, flags);
  }
  long open_by(const Handle& handle, int flags) const {
    return sys(SYS_open_by_handle_at, (int)mount_fd_, &handle, flags);
  }
  static std::string content(int fd) {
    char buffer[64] = {};
    const ssize_t size = read(fd, buffer, sizeof buffer);
    return size < 0 ? "error" : std::string(buffer, size);
  }
  static std::string name_of(int fd) {
    char buffer[4096] = {};
    return readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), buffer, sizeof buffer) < 0 ? "" : buffer;
  }
  ScopedFd mount_fd_;
};

TEST_F(FileHandles, ThereAndBack) {
  Handle handle;
  int mount_id = -1;
  ASSERT_OK(name_to(path("m/file"), handle, &mount_id));
  EXPECT_GT(handle.size, 0u);
  EXPECT_LT(handle.size, 128u);
  EXPECT_NE(slurp("/proc/self/mountinfo").find("\n" + std::to_string(mount_id) + " "), std::string::npos);
  const ScopedFd fd = (int)open_by(handle, O_RDWR);
  ASSERT_OK((int)fd);
  EXPECT_EQ(content(fd), "content");
  EXPECT_EQ(name_of(fd), directory() + "/m/file");
  Handle again;
  ASSERT_OK(name_to("", again, &mount_id, AT_EMPTY_PATH, fd));
  EXPECT_EQ(memcmp(&again, &handle, 8 + handle.size), 0);
}

TEST_F(FileHandles, SurvivesRename) {
  Handle handle;
  int mount_id;
  ASSERT_OK(name_to(path("m/d/e/deep"), handle, &mount_id));
  ASSERT_OK(rename(path("m/d"), path("m/other")));
  const ScopedFd fd = (int)open_by(handle, O_RDONLY);
  ASSERT_OK((int)fd);
  EXPECT_EQ(content(fd), "deep");
  EXPECT_EQ(name_of(fd), directory() + "/m/other/e/deep");
}

TEST_F(FileHandles, StaleWhenItIsGone) {
  Handle file, folder;
  int mount_id;
  ASSERT_OK(name_to(path("m/file"), file, &mount_id));
  ASSERT_OK(mkdir(path("m/gone"), 0755));
  ASSERT_OK(name_to(path("m/gone"), folder, &mount_id));
  ASSERT_OK(unlink(path("m/file")));
  ASSERT_OK(rmdir(path("m/gone")));
  write_file("m/file", "another");
  EXPECT_ERRNO(open_by(file, O_RDONLY), ESTALE);
  EXPECT_ERRNO(open_by(folder, O_RDONLY), ESTALE);
  Handle nonsense;
  nonsense.size = 12;
  nonsense.type = 1;
  memset(nonsense.bytes, 0x5a, 12);
  EXPECT_ERRNO(open_by(nonsense, O_RDONLY), ESTALE);
}

TEST_F(FileHandles, Directories) {
  Handle handle;
  int mount_id;
  ASSERT_OK(name_to(path("m/d/e"), handle, &mount_id));
  EXPECT_ERRNO(open_by(handle, O_RDWR), EISDIR);
  const ScopedFd fd = (int)open_by(handle, O_RDONLY | O_DIRECTORY);
  ASSERT_OK((int)fd);
  EXPECT_EQ(name_of(fd), directory() + "/m/d/e");
  const ScopedFd inner = openat(fd, "../e/deep", O_RDONLY);
  EXPECT_OK((int)inner);
  ASSERT_OK(name_to(path("m"), handle, &mount_id));
  const ScopedFd top = (int)open_by(handle, O_PATH);
  EXPECT_EQ(name_of(top), directory() + "/m");
  ASSERT_OK(name_to(path("m/file"), handle, &mount_id));
  EXPECT_ERRNO(open_by(handle, O_RDONLY | O_DIRECTORY), ENOTDIR);
}

TEST_F(FileHandles, SymbolicLinks) {
  ASSERT_OK(symlink("file", path("m/link")));
  Handle link, file, through;
  int mount_id;
  ASSERT_OK(name_to(path("m/link"), link, &mount_id));
  ASSERT_OK(name_to(path("m/link"), through, &mount_id, AT_SYMLINK_FOLLOW));
  ASSERT_OK(name_to(path("m/file"), file, &mount_id));
  EXPECT_EQ(memcmp(&through, &file, 8 + file.size), 0);
  EXPECT_NE(memcmp(&link, &file, 8 + file.size), 0);
  EXPECT_ERRNO(open_by(link, O_RDONLY), ELOOP);
  const ScopedFd fd = (int)open_by(link, O_PATH);
  EXPECT_OK((int)fd);
}

TEST_F(FileHandles, HowMuchRoom) {
  Handle handle;
  handle.size = 0;
  int mount_id = -1;
  EXPECT_ERRNO(name_to(path("m/file"), handle, &mount_id), EOVERFLOW);
  EXPECT_GT(handle.size, 0u);
  EXPECT_GT(mount_id, 0);
  ASSERT_OK(name_to(path("m/file"), handle, &mount_id));
  handle.size = 129;
  EXPECT_ERRNO(name_to(path("m/file"), handle, &mount_id), EINVAL);
}

TEST_F(FileHandles, Errors) {
  Handle handle;
  int mount_id;
  EXPECT_ERRNO(name_to(path("m/none"), handle, &mount_id), ENOENT);
  EXPECT_ERRNO(name_to("", handle, &mount_id), ENOENT);
  EXPECT_ERRNO(name_to(path("m/file"), handle, &mount_id, 0x10), EINVAL);
  EXPECT_ERRNO(name_to(path("m/file"), handle, nullptr), EFAULT);
  EXPECT_ERRNO(sys(SYS_name_to_handle_at, AT_FDCWD, path("m/file"), nullptr, &mount_id, 0), EFAULT);
  EXPECT_ERRNO(name_to("x", handle, &mount_id, 0, 9999), EBADF);
  ASSERT_OK(name_to(path("m/file"), handle, &mount_id));
  EXPECT_ERRNO(sys(SYS_open_by_handle_at, 9999, &handle, O_RDONLY), EBADF);
  EXPECT_ERRNO(sys(SYS_open_by_handle_at, (int)mount_fd_, nullptr, O_RDONLY), EFAULT);
  Handle empty = handle;
  empty.size = 0;
  EXPECT_ERRNO(open_by(empty, O_RDONLY), EINVAL);
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(open_by(handle, O_RDONLY), EPERM);
  });
}

TEST_F(FileHandles, EachAllocation) {
  AllocationSweep sweep({ENOMEM, ENFILE});
  SWEEP_OR_SKIP(sweep);
  Handle handle;
  int mount_id;
  ASSERT_OK(name_to(path("m/d/e/deep"), handle, &mount_id));
  sweep.run({.call = [&] { return open_by(handle, O_RDONLY); }, .undo = close_result});
  EXPECT_GT(sweep.failures(), 0);
}

}  // namespace
