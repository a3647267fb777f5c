// chmod(2), chown(2), access(2), umask(2).

#include "support/conformance.h"

namespace {
using namespace conformance;

class Permissions : public TempDirTest {
 protected:
  unsigned mode_of(std::string_view name) const {
    struct stat status = {};
    EXPECT_OK(stat(path(name), &status));
    return status.st_mode & 07777;
  }
};

TEST_F(Permissions, ChmodSetsAllTwelveBits) {
  write_file("a", "");
  ASSERT_OK(chmod(path("a"), 07777));
  EXPECT_EQ(mode_of("a"), 07777u);
  ASSERT_OK(chmod(path("a"), 0));
  EXPECT_EQ(mode_of("a"), 0u);
}

TEST_F(Permissions, ChmodErrors) {
  write_file("a", "");
  EXPECT_ERRNO(chmod(path("none"), 0600), ENOENT);
  EXPECT_ERRNO(fchmod(-1, 0600), EBADF);
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(chmod(path("a"), 0666), EPERM);
  });
}

TEST_F(Permissions, ChmodByStrangerToTheGroupDropsSetGroupId) {
  write_file("a", "");
  ASSERT_OK(chown(path("a"), other_user, 777));
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    ASSERT_OK(chmod(path("a"), 02755));
    EXPECT_EQ(mode_of("a"), 0755u);
  });
}

TEST_F(Permissions, ChownChangesBothOrOne) {
  write_file("a", "");
  struct stat status;
  ASSERT_OK(chown(path("a"), 10, 20));
  ASSERT_OK(chown(path("a"), -1, 30));
  ASSERT_OK(stat(path("a"), &status));
  EXPECT_EQ(status.st_uid, 10u);
  EXPECT_EQ(status.st_gid, 30u);
}

TEST_F(Permissions, ChownOfSymlinkItself) {
  write_file("a", "");
  ASSERT_OK(symlink("a", path("s")));
  ASSERT_OK(lchown(path("s"), 10, 20));
  struct stat status;
  ASSERT_OK(stat(path("a"), &status));
  EXPECT_EQ(status.st_uid, 0u);
  ASSERT_OK(lstat(path("s"), &status));
  EXPECT_EQ(status.st_uid, 10u);
}

TEST_F(Permissions, OwnerMayGiveToOwnGroupsOnly) {
  write_file("a", "");
  ASSERT_OK(chown(path("a"), other_user, other_group));
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_OK(chown(path("a"), -1, other_group));
    EXPECT_ERRNO(chown(path("a"), -1, 0), EPERM);
    EXPECT_ERRNO(chown(path("a"), 0, -1), EPERM);
    EXPECT_OK(chown(path("a"), other_user, -1)) << "no change";
  });
}

TEST_F(Permissions, ChownDropsSetUserId) {
  write_file("a", "");
  ASSERT_OK(chmod(path("a"), 06755));
  ASSERT_OK(chown(path("a"), 10, 20));
  EXPECT_EQ(mode_of("a"), 0755u);
}

TEST_F(Permissions, ChownErrors) {
  EXPECT_ERRNO(chown(path("none"), 1, 1), ENOENT);
  EXPECT_ERRNO(fchown(-1, 1, 1), EBADF);
  EXPECT_ERRNO(fchownat(AT_FDCWD, path(), 1, 1, 0x8000), EINVAL);
}

TEST_F(Permissions, WritingByOthersDropsSetUserId) {
  write_file("a", "");
  ASSERT_OK(chmod(path("a"), 06777));
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    const ScopedFd fd = open(path("a"), O_WRONLY);
    ASSERT_EQ(write(fd, "x", 1), 1);
  });
  EXPECT_EQ(mode_of("a"), 0777u);
}

TEST_F(Permissions, ClassesAreNotCumulative) {
  write_file("a", "");
  ASSERT_OK(chown(path("a"), other_user, other_group));
  ASSERT_OK(chmod(path("a"), 0077));
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(open(path("a"), O_RDONLY), EACCES) << "the owner's bits alone count for the owner";
  });
  ASSERT_OK(chmod(path("a"), 0707));
  EXPECT_CHILD_OK([&] {
    drop_privileges(other_user + 1, other_group);
    EXPECT_ERRNO(open(path("a"), O_RDONLY), EACCES) << "the group's bits alone count for members";
  });
}

TEST_F(Permissions, SupplementaryGroupsCount) {
  write_file("a", "", 0640);
  ASSERT_OK(chown(path("a"), 0, 4321));
  EXPECT_CHILD_OK([&] {
    const gid_t groups[] = {1111, 4321};
    ASSERT_OK(sys(SYS_setgroups, 2, groups));
    ASSERT_OK(setresgid(other_group, other_group, other_group));
    ASSERT_OK(setresuid(other_user, other_user, other_user));
    EXPECT_OK(open(path("a"), O_RDONLY));
    EXPECT_ERRNO(open(path("a"), O_WRONLY), EACCES);
  });
}

TEST_F(Permissions, RootReadsEverythingButNeedsAnExecuteBit) {
  write_file("a", "", 0);
  EXPECT_OK(open(path("a"), O_RDWR));
  EXPECT_ERRNO(access(path("a"), X_OK), EACCES);
  ASSERT_OK(chmod(path("a"), 0001));
  EXPECT_OK(access(path("a"), X_OK));
}

TEST_F(Permissions, AccessUsesTheRealUser) {
  write_file("a", "", 0600);
  EXPECT_CHILD_OK([&] {
    ASSERT_OK(setresgid(other_group, 0, 0));
    ASSERT_OK(setresuid(other_user, 0, 0));
    EXPECT_OK(open(path("a"), O_RDONLY)) << "the effective user is root";
    EXPECT_ERRNO(access(path("a"), R_OK), EACCES);
    EXPECT_OK(sys(SYS_faccessat2, AT_FDCWD, path("a"), R_OK, AT_EACCESS));
  });
}

TEST_F(Permissions, AccessErrors) {
  write_file("a", "");
  EXPECT_ERRNO(access(path("none"), F_OK), ENOENT);
  EXPECT_ERRNO(sys(SYS_faccessat, AT_FDCWD, path("a"), 8), EINVAL);
  EXPECT_ERRNO(sys(SYS_faccessat2, AT_FDCWD, path("a"), R_OK, 0x8000), EINVAL);
  EXPECT_ERRNO(sys(SYS_faccessat, AT_FDCWD, low_address(), R_OK), EFAULT);
  EXPECT_ERRNO(access(path("a/b"), F_OK), ENOTDIR);
}

TEST_F(Permissions, UmaskReturnsTheOldOneAndMasks) {
  umask(022);
  EXPECT_EQ(umask(07777), 022u);
  EXPECT_EQ(umask(022), 0777u) << "only permission bits are kept";
}

TEST_F(Permissions, MknodNeedsPrivilegeForDevicesOnly) {
  ASSERT_OK(chmod(path(), 0777));
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(mknod(path("device"), S_IFCHR | 0600, 0x103), EPERM);
    EXPECT_OK(mknod(path("fifo"), S_IFIFO | 0600, 0));
    EXPECT_OK(mknod(path("file"), S_IFREG | 0600, 0));
  });
  EXPECT_ERRNO(mknod(path("fifo"), S_IFIFO | 0600, 0), EEXIST);
  EXPECT_ERRNO(mknod(path("d"), S_IFDIR | 0600, 0), EPERM);
  EXPECT_ERRNO(mknod(path("x"), 0170000 | 0600, 0), EINVAL);
}

}  // namespace
