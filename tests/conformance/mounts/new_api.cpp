// The mount calls that work on descriptors: fsopen(2), fsconfig(2), fsmount(2), fspick(2), open_tree(2),
// move_mount(2), mount_setattr(2), statmount(2), listmount(2).
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "support/conformance.h"

// Newer than some C libraries.
#ifndef SYS_statmount
#define SYS_statmount 457
#define SYS_listmount 458
#endif

namespace {
using namespace conformance;

enum { set_flag, set_string, set_binary, set_path, set_path_empty, set_fd, create, reconfigure };
constexpr int cloexec = 1;
constexpr unsigned from_empty = 4, to_empty = 0x40;
constexpr unsigned clone_tree = 1, recursive = 0x8000;

long fsopen_(const char* name, unsigned flags) { return sys(SYS_fsopen, name, flags); }
long fsconfig_(long fd, unsigned command, const char* key, const void* value, int aux) {
  return sys(SYS_fsconfig, fd, command, key, value, aux);
}
long move_mount_(long from, const char* from_path, long to, const char* to_path, unsigned flags) {
  return sys(SYS_move_mount, from, from_path, to, to_path, flags);
}
struct Attributes {
  uint64_t set = 0, clear = 0, propagation = 0, user_namespace = 0;
};
long set_attributes(int fd, const char* path, unsigned flags, const Attributes& attributes,
                    size_t size = sizeof(Attributes)) {
  return sys(SYS_mount_setattr, fd, path, flags, &attributes, size);
}

class NewMounts : public TempDirTest {
 protected:
  void SetUp() override {
    TempDirTest::SetUp();
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    mkdir(path("m"), 0755);
    if (mount("none", path("m"), "tmpfs", 0, nullptr) != 0) GTEST_SKIP() << "may not mount here";
    mount(nullptr, path("m"), nullptr, MS_PRIVATE, nullptr);
    mkdir(path("m/a"), 0755);
    mkdir(path("m/b"), 0755);
  }
  void TearDown() override {
    umount2(path("m"), MNT_DETACH);
    TempDirTest::TearDown();
  }
  // A tmpfs in no tree yet.
  long detached_tmpfs(unsigned attributes = 0) {
    const long context = fsopen_("tmpfs", cloexec);
    EXPECT_OK(context);
    EXPECT_OK(fsconfig_(context, create, nullptr, nullptr, 0));
    const long mount_fd = sys(SYS_fsmount, context, cloexec, attributes);
    EXPECT_OK(mount_fd);
    close(context);
    return mount_fd;
  }
  bool is_mount(const char* name) const {
    struct stat inside, outside;
    return stat(path(name), &inside) == 0 && stat(path("m"), &outside) == 0 &&
           inside.st_dev != outside.st_dev;
  }
};

TEST_F(NewMounts, FromNothingToAPlace) {
  const long context = fsopen_("tmpfs", cloexec);
  ASSERT_OK(context);
  EXPECT_EQ(fcntl(context, F_GETFD), FD_CLOEXEC);
  EXPECT_OK(fsconfig_(context, set_string, "source", "my source", 0));
  EXPECT_OK(fsconfig_(context, set_string, "size", "65536", 0));
  EXPECT_OK(fsconfig_(context, set_string, "mode", "711", 0));
  EXPECT_ERRNO(sys(SYS_fsmount, context, 0, 0), EINVAL) << "not made yet";
  EXPECT_OK(fsconfig_(context, create, nullptr, nullptr, 0));
  EXPECT_ERRNO(fsconfig_(context, create, nullptr, nullptr, 0), EBUSY);
  EXPECT_ERRNO(fsconfig_(context, set_string, "size", "1", 0), EBUSY);
  const long mount_fd = sys(SYS_fsmount, context, cloexec, 2 /* nosuid */);
  ASSERT_OK(mount_fd);
  EXPECT_EQ(fcntl(mount_fd, F_GETFL) & O_PATH, O_PATH);
  EXPECT_ERRNO(sys(SYS_fsmount, context, 0, 0), EBUSY) << "once";

  // It can be used before it is anywhere.
  const int file = openat(mount_fd, "early", O_CREAT | O_WRONLY, 0600);
  ASSERT_OK(file);
  close(file);
  EXPECT_FALSE(is_mount("m/a"));
  EXPECT_OK(move_mount_(mount_fd, "", AT_FDCWD, path("m/a"), from_empty));
  EXPECT_TRUE(is_mount("m/a"));
  EXPECT_OK(access(path("m/a/early"), F_OK));
  struct stat root;
  ASSERT_OK(stat(path("m/a"), &root));
  EXPECT_EQ(root.st_mode & 07777, 0711u);
  struct statfs figures;
  ASSERT_OK(statfs(path("m/a"), &figures));
  EXPECT_EQ((uint64_t)figures.f_blocks * figures.f_bsize, 65536u);
  EXPECT_TRUE(figures.f_flags & ST_NOSUID);
  EXPECT_NE(slurp("/proc/self/mountinfo").find(directory() + "/m/a rw,nosuid,relatime"), std::string::npos);
  EXPECT_NE(slurp("/proc/self/mountinfo").find("- tmpfs my\\040source rw"), std::string::npos);
  close(mount_fd);
  close(context);
  EXPECT_TRUE(is_mount("m/a")) << "it stays";
  EXPECT_OK(umount(path("m/a")));
}

TEST_F(NewMounts, GoesWithItsDescriptor) {
  const long mount_fd = detached_tmpfs();
  ASSERT_OK(mkdirat(mount_fd, "x", 0755));
  EXPECT_ERRNO(move_mount_(mount_fd, "x", AT_FDCWD, path("m/a"), 0), EINVAL) << "not the root of a mount";
  EXPECT_ERRNO(move_mount_(mount_fd, "", AT_FDCWD, path("m/a"), 0), ENOENT) << "empty without the flag";
  EXPECT_ERRNO(move_mount_(mount_fd, "", AT_FDCWD, path("m/nothing"), from_empty), ENOENT);
  write_file("m/file", "");
  EXPECT_ERRNO(move_mount_(mount_fd, "", AT_FDCWD, path("m/file"), from_empty), EINVAL);
  close(mount_fd);
  EXPECT_FALSE(is_mount("m/a"));
}

TEST_F(NewMounts, ErrorsInWords) {
  const long context = fsopen_("tmpfs", 0);
  ASSERT_OK(context);
  char text[256] = {};
  EXPECT_ERRNO(read(context, text, sizeof text), ENODATA);
  EXPECT_ERRNO(fsconfig_(context, set_string, "nonsense", "1", 0), EINVAL);
  EXPECT_ERRNO(fsconfig_(context, set_string, "size", "many", 0), EINVAL);
  EXPECT_ERRNO(read(context, text, 3), EMSGSIZE);
  ssize_t got = read(context, text, sizeof text);
  ASSERT_GT(got, 0);
  EXPECT_EQ(std::string(text, got), "e tmpfs: Unknown parameter 'nonsense'\n");
  got = read(context, text, sizeof text);
  ASSERT_GT(got, 0);
  EXPECT_EQ(std::string(text, got), "e tmpfs: Bad value for 'size'\n");
  EXPECT_ERRNO(read(context, text, sizeof text), ENODATA);
  close(context);
}

TEST_F(NewMounts, FsopenErrors) {
  EXPECT_ERRNO(fsopen_("nosuchfs", 0), ENODEV);
  EXPECT_ERRNO(fsopen_("tmpfs", 2), EINVAL);
  EXPECT_ERRNO(fsopen_((const char*)low_address(), 0), EFAULT);
  EXPECT_CHILD_OK([] {
    drop_privileges();
    EXPECT_ERRNO(fsopen_("tmpfs", 0), EPERM);
    EXPECT_ERRNO(sys(SYS_fsmount, 0, 0, 0), EPERM);
    EXPECT_ERRNO(sys(SYS_fspick, AT_FDCWD, "/", 0), EPERM);
    EXPECT_ERRNO(move_mount_(AT_FDCWD, "/", AT_FDCWD, "/", 0), EPERM);
    EXPECT_ERRNO(set_attributes(AT_FDCWD, "/", 0, {.set = 1}), EPERM);
    EXPECT_ERRNO(sys(SYS_open_tree, AT_FDCWD, "/", clone_tree), EPERM);
  });
}

TEST_F(NewMounts, FsconfigErrors) {
  const long context = fsopen_("tmpfs", 0);
  ASSERT_OK(context);
  EXPECT_ERRNO(fsconfig_(-1, create, nullptr, nullptr, 0), EINVAL);
  EXPECT_ERRNO(fsconfig_(1000, create, nullptr, nullptr, 0), EBADF);
  const int other = open("/", O_RDONLY);
  EXPECT_ERRNO(fsconfig_(other, create, nullptr, nullptr, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_fsmount, other, 0, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_fsmount, 1000, 0, 0), EBADF);
  close(other);
  EXPECT_ERRNO(fsconfig_(context, 99, nullptr, nullptr, 0), EOPNOTSUPP);
  EXPECT_ERRNO(fsconfig_(context, set_flag, nullptr, nullptr, 0), EINVAL);
  EXPECT_ERRNO(fsconfig_(context, set_flag, "ro", "x", 0), EINVAL);
  EXPECT_ERRNO(fsconfig_(context, set_string, "size", nullptr, 0), EINVAL);
  EXPECT_ERRNO(fsconfig_(context, set_string, "size", "1", 1), EINVAL);
  EXPECT_ERRNO(fsconfig_(context, set_binary, "size", "1", 0), EINVAL);
  EXPECT_ERRNO(fsconfig_(context, set_fd, "size", nullptr, -1), EINVAL);
  EXPECT_ERRNO(fsconfig_(context, create, "key", nullptr, 0), EINVAL);
  EXPECT_ERRNO(fsconfig_(context, create, nullptr, nullptr, 1), EINVAL);
  EXPECT_ERRNO(fsconfig_(context, set_string, (const char*)low_address(), "1", 0), EFAULT);
  EXPECT_ERRNO(fsconfig_(context, reconfigure, nullptr, nullptr, 0), EBUSY);
  EXPECT_OK(fsconfig_(context, set_string, "source", "a", 0));
  EXPECT_ERRNO(fsconfig_(context, set_string, "source", "b", 0), EINVAL);
  EXPECT_OK(fsconfig_(context, create, nullptr, nullptr, 0));
  EXPECT_ERRNO(sys(SYS_fsmount, context, 2, 0), EINVAL) << "flags";
  EXPECT_ERRNO(sys(SYS_fsmount, context, 0, 0x30), EINVAL) << "two kinds of access times";
  EXPECT_ERRNO(sys(SYS_fsmount, context, 0, 0x40000000), EINVAL);
  close(context);
}

TEST_F(NewMounts, PickAndReconfigure) {
  const long mount_fd = detached_tmpfs();
  ASSERT_OK(move_mount_(mount_fd, "", AT_FDCWD, path("m/a"), from_empty));
  close(mount_fd);
  mkdir(path("m/a/x"), 0755);
  EXPECT_ERRNO(sys(SYS_fspick, AT_FDCWD, path("m/a/x").operator const char*(), 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_fspick, AT_FDCWD, path("m/a").operator const char*(), 16), EINVAL);
  EXPECT_ERRNO(sys(SYS_fspick, AT_FDCWD, path("m/none").operator const char*(), 0), ENOENT);
  const long context = sys(SYS_fspick, AT_FDCWD, path("m/a").operator const char*(), cloexec);
  ASSERT_OK(context);
  EXPECT_ERRNO(fsconfig_(context, create, nullptr, nullptr, 0), EBUSY);
  EXPECT_OK(fsconfig_(context, set_flag, "ro", nullptr, 0));
  EXPECT_OK(fsconfig_(context, reconfigure, nullptr, nullptr, 0));
  EXPECT_ERRNO(mkdir(path("m/a/y"), 0755), EROFS);
  EXPECT_OK(fsconfig_(context, set_flag, "rw", nullptr, 0));
  EXPECT_OK(fsconfig_(context, set_string, "size", "131072", 0));
  EXPECT_OK(fsconfig_(context, reconfigure, nullptr, nullptr, 0));
  EXPECT_OK(mkdir(path("m/a/y"), 0755));
  struct statfs figures;
  ASSERT_OK(statfs(path("m/a"), &figures));
  EXPECT_EQ((uint64_t)figures.f_blocks * figures.f_bsize, 131072u);
  close(context);
}

TEST_F(NewMounts, OpenTreeIsAPlace) {
  const long fd = sys(SYS_open_tree, AT_FDCWD, path("m/a").operator const char*(), O_CLOEXEC);
  ASSERT_OK(fd);
  EXPECT_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  close(fd);
  EXPECT_ERRNO(sys(SYS_open_tree, AT_FDCWD, "/", recursive), EINVAL) << "nothing is cloned";
  EXPECT_ERRNO(sys(SYS_open_tree, AT_FDCWD, "/", 2), EINVAL);
  EXPECT_ERRNO(sys(SYS_open_tree, AT_FDCWD, path("none").operator const char*(), 0), ENOENT);
  EXPECT_ERRNO(sys(SYS_open_tree, AT_FDCWD, "", 0), ENOENT);
}

TEST_F(NewMounts, OpenTreeClones) {
  ASSERT_OK(mkdir(path("m/a/in"), 0755));
  ASSERT_OK(mount("none", path("m/a/in"), "tmpfs", 0, nullptr));
  write_file("m/a/in/deep", "");
  for (const unsigned more : {0u, recursive}) {
    const long fd = sys(SYS_open_tree, AT_FDCWD, path("m/a").operator const char*(), clone_tree | more);
    ASSERT_OK(fd);
    EXPECT_OK(move_mount_(fd, "", AT_FDCWD, path("m/b"), from_empty));
    EXPECT_EQ(exists("m/b/in/deep"), more != 0);
    close(fd);
    EXPECT_OK(umount2(path("m/b"), MNT_DETACH));
  }
  // Never attached: nothing is left.
  const long fd = sys(SYS_open_tree, AT_FDCWD, path("m/a").operator const char*(), clone_tree | recursive);
  ASSERT_OK(fd);
  EXPECT_OK(faccessat(fd, "in/deep", F_OK, 0));
  close(fd);
  EXPECT_OK(umount(path("m/a/in"))) << "no copy keeps it busy";
}

TEST_F(NewMounts, MoveWhatIsMounted) {
  ASSERT_OK(mount("none", path("m/a"), "tmpfs", 0, nullptr));
  write_file("m/a/x", "");
  EXPECT_OK(move_mount_(AT_FDCWD, path("m/a"), AT_FDCWD, path("m/b"), 0));
  EXPECT_TRUE(exists("m/b/x"));
  EXPECT_FALSE(exists("m/a/x"));
  const int from = open(path("m/b"), O_PATH), to = open(path("m/a"), O_PATH);
  EXPECT_OK(move_mount_(from, "", to, "", from_empty | to_empty));
  EXPECT_TRUE(exists("m/a/x"));
  close(from);
  close(to);
  EXPECT_ERRNO(move_mount_(AT_FDCWD, path("m/b"), AT_FDCWD, path("m/a"), 0), EINVAL) << "nothing is mounted";
  EXPECT_ERRNO(move_mount_(AT_FDCWD, path("m/a"), AT_FDCWD, path("m/b"), 0x800), EINVAL);
  ASSERT_OK(mkdir(path("m/a/below"), 0755));
  EXPECT_ERRNO(move_mount_(AT_FDCWD, path("m/a"), AT_FDCWD, path("m/a/below"), 0), ELOOP);
}

TEST_F(NewMounts, SetAttributes) {
  ASSERT_OK(mount("none", path("m/a"), "tmpfs", 0, nullptr));
  auto flags = [&](const char* name) {
    struct statfs figures = {};
    EXPECT_OK(statfs(path(name), &figures));
    return figures.f_flags;
  };
  EXPECT_OK(set_attributes(AT_FDCWD, path("m/a"), 0, {.set = 1 | 8}));
  EXPECT_TRUE(flags("m/a") & ST_RDONLY);
  EXPECT_TRUE(flags("m/a") & ST_NOEXEC);
  EXPECT_ERRNO(mkdir(path("m/a/x"), 0755), EROFS);
  EXPECT_OK(set_attributes(AT_FDCWD, path("m/a"), 0, {.set = 4, .clear = 1}));
  EXPECT_FALSE(flags("m/a") & ST_RDONLY);
  EXPECT_TRUE(flags("m/a") & ST_NOEXEC) << "the rest stays";
  EXPECT_TRUE(flags("m/a") & ST_NODEV);
  EXPECT_OK(set_attributes(AT_FDCWD, path("m/a"), 0, {.set = 0x10, .clear = 0x70}));
  EXPECT_TRUE(flags("m/a") & ST_NOATIME);
  EXPECT_ERRNO(set_attributes(AT_FDCWD, path("m/a"), 0, {.set = 0x20}), EINVAL) << "clear the others first";
  EXPECT_ERRNO(set_attributes(AT_FDCWD, path("m/a"), 0, {.clear = 0x10}), EINVAL);
  EXPECT_ERRNO(set_attributes(AT_FDCWD, path("m/a"), 0, {.set = 0x30, .clear = 0x70}), EINVAL);
  EXPECT_ERRNO(set_attributes(AT_FDCWD, path("m/a"), 0, {.set = 1ull << 40}), EINVAL);
  EXPECT_ERRNO(set_attributes(AT_FDCWD, path("m/a"), 0, {.propagation = MS_SHARED | MS_PRIVATE}), EINVAL);
  EXPECT_ERRNO(set_attributes(AT_FDCWD, path("m/a"), 0, {.propagation = MS_RDONLY}), EINVAL);
  EXPECT_ERRNO(set_attributes(AT_FDCWD, path("m/b"), 0, {.set = 1}), EINVAL) << "no mount";
  EXPECT_ERRNO(set_attributes(AT_FDCWD, path("m/a"), 1, {.set = 1}), EINVAL);
  EXPECT_ERRNO(set_attributes(AT_FDCWD, path("m/a"), 0, {.set = 1}, 31), EINVAL);
  EXPECT_ERRNO(set_attributes(AT_FDCWD, path("m/a"), 0, {.set = 1}, 5000), E2BIG);
  EXPECT_OK(set_attributes(AT_FDCWD, path("none"), 0, {})) << "nothing to do";
  const int writer = open(path("m/a/w"), O_CREAT | O_WRONLY, 0600);
  EXPECT_ERRNO(set_attributes(AT_FDCWD, path("m/a"), 0, {.set = 1}), EBUSY);
  close(writer);
}

TEST_F(NewMounts, SetAttributesOfATree) {
  ASSERT_OK(mount("none", path("m/a"), "tmpfs", 0, nullptr));
  ASSERT_OK(mkdir(path("m/a/in"), 0755));
  ASSERT_OK(mount("none", path("m/a/in"), "tmpfs", 0, nullptr));
  const int writer = open(path("m/a/in/w"), O_CREAT | O_WRONLY, 0600);
  EXPECT_ERRNO(set_attributes(AT_FDCWD, path("m/a"), recursive, {.set = 1}), EBUSY);
  EXPECT_OK(mkdir(path("m/a/x"), 0755)) << "all or nothing";
  close(writer);
  EXPECT_OK(set_attributes(AT_FDCWD, path("m/a"), recursive, {.set = 1}));
  EXPECT_ERRNO(mkdir(path("m/a/y"), 0755), EROFS);
  EXPECT_ERRNO(mkdir(path("m/a/in/y"), 0755), EROFS);
  EXPECT_OK(set_attributes(AT_FDCWD, path("m/a"), recursive, {.clear = 1, .propagation = MS_SHARED}));
  EXPECT_NE(slurp("/proc/self/mountinfo").find("/m/a/in rw,relatime shared:"), std::string::npos);
  EXPECT_OK(set_attributes(AT_FDCWD, path("m/a"), recursive, {.propagation = MS_PRIVATE}));
}

struct Request {
  uint32_t size = 24, spare = 0;
  uint64_t id = 0, parameter = 0;
};
struct Status {
  uint32_t size, options;
  uint64_t mask;
  uint32_t device_major, device_minor;
  uint64_t magic;
  uint32_t sb_flags, type;
  uint64_t id, parent;
  uint32_t old_id, old_parent;
  uint64_t attributes, propagation, peer_group, master, from;
  uint32_t root, point;
  uint64_t name_space, spare[49];
  char text[1024];
};

uint64_t unique_id(const char* path) {
  struct statx found = {};
  EXPECT_OK(sys(SYS_statx, AT_FDCWD, path, 0, 0x4000 /* STATX_MNT_ID_UNIQUE */, &found));
  return found.stx_mask & 0x4000 ? ((uint64_t*)&found)[18] : 0;
}

TEST_F(NewMounts, Statmount) {
  Request request;
  request.id = 1;
  if (sys(SYS_statmount, &request, nullptr, 0, 0) == -1 && errno == ENOSYS) GTEST_SKIP() << "no statmount";
  ASSERT_OK(mount("a source", path("m/a"), "tmpfs", MS_NOSUID | MS_NOATIME, "size=64k"));
  Request wanted;
  wanted.id = unique_id(path("m/a"));
  wanted.parameter = 1 | 2 | 8 | 0x10 | 0x20 | 0x80;
  ASSERT_NE(wanted.id, 0u);
  Status status = {};
  ASSERT_OK(sys(SYS_statmount, &wanted, &status, sizeof status, 0));
  EXPECT_EQ(status.mask, wanted.parameter);
  EXPECT_EQ(status.id, wanted.id);
  EXPECT_EQ(status.parent, unique_id(path("m")));
  EXPECT_EQ(status.magic, 0x01021994u);
  struct stat root;
  ASSERT_OK(stat(path("m/a"), &root));
  EXPECT_EQ(makedev(status.device_major, status.device_minor), root.st_dev);
  EXPECT_EQ(status.attributes, 2u | 0x10);
  EXPECT_EQ(status.propagation, (uint64_t)MS_PRIVATE);
  EXPECT_STREQ(status.text + status.type, "tmpfs");
  EXPECT_STREQ(status.text + status.root, "/");
  EXPECT_EQ(status.text + status.point, directory() + "/m/a");
  EXPECT_NE(std::string(status.text + status.options).find("size=64k"), std::string::npos);
  EXPECT_NE(status.text[status.options], ',');
  EXPECT_ERRNO(sys(SYS_statmount, &wanted, &status, 513, 0), EOVERFLOW);
  EXPECT_ERRNO(sys(SYS_statmount, &wanted, &status, sizeof status, 1 << 30), EINVAL);
  wanted.size = 23;
  EXPECT_ERRNO(sys(SYS_statmount, &wanted, &status, sizeof status, 0), EINVAL);
  wanted.size = 24;
  wanted.id = ~0ull - 7;
  EXPECT_ERRNO(sys(SYS_statmount, &wanted, &status, sizeof status, 0), ENOENT);
  EXPECT_ERRNO(sys(SYS_statmount, low_address(), &status, sizeof status, 0), EFAULT);
}

TEST_F(NewMounts, Listmount) {
  Request request;
  request.id = ~0ull;
  uint64_t ids[512] = {};
  const long all = sys(SYS_listmount, &request, ids, 512, 0);
  if (all == -1 && errno == ENOSYS) GTEST_SKIP() << "no listmount";
  ASSERT_GT(all, 0);
  ASSERT_OK(mount("none", path("m/a"), "tmpfs", 0, nullptr));
  ASSERT_OK(mount("none", path("m/b"), "tmpfs", 0, nullptr));
  const uint64_t first = unique_id(path("m/a")), second = unique_id(path("m/b"));
  request.id = unique_id(path("m"));
  ASSERT_EQ(sys(SYS_listmount, &request, ids, 512, 0), 2);
  EXPECT_EQ(ids[0], first);
  EXPECT_EQ(ids[1], second);
  EXPECT_EQ(sys(SYS_listmount, &request, ids, 1, 0), 1);
  request.parameter = first;
  ASSERT_EQ(sys(SYS_listmount, &request, ids, 512, 0), 1);
  EXPECT_EQ(ids[0], second);
  request.parameter = 0;
  ASSERT_EQ(sys(SYS_listmount, &request, ids, 512, 1), 2) << "backwards";
  EXPECT_EQ(ids[0], second);
  EXPECT_ERRNO(sys(SYS_listmount, &request, ids, 512, 2), EINVAL);
  request.id = ~0ull - 7;
  EXPECT_ERRNO(sys(SYS_listmount, &request, ids, 512, 0), ENOENT);
}

}  // namespace
