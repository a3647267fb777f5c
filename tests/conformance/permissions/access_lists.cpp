// Lists of access rights (acl(5)), as their extended attributes: the form, what they grant, what is
// inherited.
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <string>
#include <vector>

#include "support/conformance.h"

namespace {
using namespace conformance;

constexpr const char access_name[] = "system.posix_acl_access", default_name[] = "system.posix_acl_default";
enum Tag : uint16_t { owner = 1, user = 2, owning_group = 4, group = 8, mask = 16, others = 32 };

struct Entry {
  uint16_t tag, granted;
  uint32_t id = ~0u;
  bool operator==(const Entry&) const = default;
};
using List = std::vector<Entry>;

std::string text_of(const List& list, uint32_t version = 2) {
  std::string text((const char*)&version, 4);
  for (const Entry& entry : list) text.append((const char*)&entry, sizeof entry);
  return text;
}

class AccessLists : public TempDirTest {
 protected:
  void SetUp() override {
    TempDirTest::SetUp();
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    umask(022);
    chmod(path(""), 0777);
    write_file("file", "content");
    chmod(path("file"), 0640);
    mkdir(path("dir"), 0777);
    chmod(path("dir"), 0777);
    if (set("file", {{owner, 6}, {owning_group, 4}, {others, 0}}) != 0 && errno == EOPNOTSUPP)
      GTEST_SKIP() << "no access lists here";
  }
  int set(const char* name, const List& list, const char* which = access_name) {
    const std::string text = text_of(list);
    return setxattr(path(name), which, text.data(), text.size(), 0);
  }
  List get(const char* name, const char* which = access_name) {
    char text[1024];
    const ssize_t size = getxattr(path(name), which, text, sizeof text);
    if (size < 4) return {};
    EXPECT_EQ(*(uint32_t*)text, 2u);
    return List((Entry*)(text + 4), (Entry*)(text + size));
  }
  unsigned mode(const char* name) {
    struct stat information{};
    EXPECT_OK(stat(path(name), &information));
    return information.st_mode & 07777;
  }
  // The result of access() for somebody with these ids.
  int tried(const char* name, int wanted, uid_t uid, gid_t gid, std::vector<gid_t> more = {}) {
    return run_child([&] {
             if (setgroups(more.size(), more.data()) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
               _exit(99);
             _exit(access(path(name), wanted) == 0 ? 0 : errno);
           }) >>
           8;
  }
};

const List rich = {{owner, 6},       {user, 6, 1001},  {user, 4, 1002}, {owning_group, 4},
                   {group, 2, 2001}, {group, 4, 2002}, {mask, 6},       {others, 0}};

TEST_F(AccessLists, TheFormIsChecked) {
  EXPECT_ERRNO(setxattr(path("file"), access_name, "abc", 3, 0), EINVAL);
  const std::string other = text_of(rich, 1), torn = text_of(rich) + "x";
  EXPECT_ERRNO(setxattr(path("file"), access_name, other.data(), other.size(), 0), EOPNOTSUPP);
  EXPECT_ERRNO(setxattr(path("file"), access_name, torn.data(), torn.size(), 0), EINVAL);
  EXPECT_ERRNO(set("file", {{owner, 6}, {others, 0}}), EINVAL);
  EXPECT_ERRNO(set("file", {{owner, 6}, {user, 6, 1001}, {owning_group, 4}, {others, 0}}), EINVAL);
  EXPECT_ERRNO(set("file", {{owner, 6}, {owning_group, 4}, {others, 8}}), EINVAL);
  EXPECT_ERRNO(set("file", {{owning_group, 4}, {owner, 6}, {others, 0}}), EINVAL);
  EXPECT_ERRNO(set("file", {{owner, 6}, {owner, 6}, {owning_group, 4}, {others, 0}}), EINVAL);
  EXPECT_ERRNO(set("file", {{owner, 6}, {owning_group, 4}, {64, 4}, {others, 0}}), EINVAL);
}

TEST_F(AccessLists, AreReadAsWritten) {
  char text[8];
  EXPECT_ERRNO(getxattr(path("file"), access_name, text, sizeof text), ENODATA);
  ASSERT_OK(set("file", rich));
  EXPECT_EQ(get("file"), rich);
  EXPECT_EQ(mode("file"), 0660u);
  EXPECT_ERRNO(getxattr(path("file"), access_name, text, sizeof text), ERANGE);
  char names[200];
  const ssize_t size = listxattr(path("file"), names, sizeof names);
  EXPECT_NE(std::string(names, (size_t)size).find(access_name), std::string::npos);
  EXPECT_OK(removexattr(path("file"), access_name));
  EXPECT_TRUE(get("file").empty());
  EXPECT_EQ(mode("file"), 0660u);
  EXPECT_OK(removexattr(path("file"), access_name));
}

TEST_F(AccessLists, WhatTheBitsSayIsNotKept) {
  ASSERT_OK(set("file", rich));
  ASSERT_OK(set("file", {{owner, 7}, {owning_group, 5}, {others, 1}}));
  EXPECT_TRUE(get("file").empty());
  EXPECT_EQ(mode("file"), 0751u);
}

TEST_F(AccessLists, Grant) {
  ASSERT_OK(set("file", rich));
  EXPECT_EQ(tried("file", R_OK | W_OK, 1001, 3000), 0);
  EXPECT_EQ(tried("file", R_OK, 1002, 3000), 0);
  EXPECT_EQ(tried("file", W_OK, 1002, 2001), EACCES);
  EXPECT_EQ(tried("file", R_OK, 1003, 0), 0);
  EXPECT_EQ(tried("file", W_OK, 1003, 0), EACCES);
  EXPECT_EQ(tried("file", W_OK, 1003, 0, {2001}), 0);
  EXPECT_EQ(tried("file", R_OK | W_OK, 1003, 0, {2001}), EACCES);
  EXPECT_EQ(tried("file", R_OK, 1003, 3000), EACCES);
  EXPECT_EQ(tried("file", X_OK, 1001, 3000), EACCES);
  ASSERT_OK(chmod(path("file"), 0644));
  EXPECT_EQ(tried("file", W_OK, 1001, 3000), EACCES);
  EXPECT_EQ(tried("file", R_OK, 1001, 3000), 0);
  ASSERT_OK(chmod(path("file"), 0604));
  EXPECT_EQ(tried("file", R_OK, 1001, 3000), 0);
}

TEST_F(AccessLists, FollowTheMode) {
  ASSERT_OK(set("file", rich));
  ASSERT_OK(chmod(path("file"), 0741));
  List expected = rich;
  expected[0].granted = 7;
  expected[6].granted = 4;
  expected[7].granted = 1;
  EXPECT_EQ(get("file"), expected);
}

TEST_F(AccessLists, BelongToTheOwner) {
  EXPECT_CHILD_OK([&] {
    ASSERT_OK(setresuid(1001, 1001, 1001));
    EXPECT_ERRNO(set("file", rich), EPERM);
    EXPECT_ERRNO(removexattr(path("file"), access_name), EPERM);
  });
}

TEST_F(AccessLists, DefaultsAreForDirectories) {
  EXPECT_ERRNO(set("file", rich, default_name), EACCES);
  EXPECT_OK(set("dir", rich, default_name));
  EXPECT_EQ(get("dir", default_name), rich);
  EXPECT_TRUE(get("dir").empty());
  EXPECT_EQ(mode("dir"), 0777u);
  ASSERT_OK(symlink("file", path("link")));
  const std::string text = text_of(rich);
  EXPECT_ERRNO(lsetxattr(path("link"), access_name, text.data(), text.size(), 0), EOPNOTSUPP);
}

TEST_F(AccessLists, DefaultsAreInherited) {
  const List defaults = {{owner, 7}, {user, 6, 1001}, {owning_group, 5}, {mask, 7}, {others, 5}};
  ASSERT_OK(set("dir", defaults, default_name));
  umask(077);
  ScopedFd made = open(path("dir/file"), O_CREAT | O_WRONLY, 0664);
  ASSERT_OK(made);
  EXPECT_EQ(get("dir/file"), (List{{owner, 6}, {user, 6, 1001}, {owning_group, 5}, {mask, 6}, {others, 4}}));
  EXPECT_EQ(mode("dir/file"), 0664u);
  EXPECT_TRUE(get("dir/file", default_name).empty());
  ASSERT_OK(mkdir(path("dir/below"), 0750));
  EXPECT_EQ(get("dir/below", default_name), defaults);
  EXPECT_EQ(get("dir/below"), (List{{owner, 7}, {user, 6, 1001}, {owning_group, 5}, {mask, 5}, {others, 0}}));
  EXPECT_EQ(mode("dir/below"), 0750u);
  ASSERT_OK(set("dir", {{owner, 7}, {owning_group, 5}, {others, 4}}, default_name));
  made = open(path("dir/plain"), O_CREAT | O_WRONLY, 0666);
  EXPECT_TRUE(get("dir/plain").empty());
  EXPECT_EQ(mode("dir/plain"), 0644u);
  ASSERT_OK(removexattr(path("dir"), default_name));
  made = open(path("dir/masked"), O_CREAT | O_WRONLY, 0666);
  EXPECT_EQ(mode("dir/masked"), 0600u);
  umask(022);
}

}  // namespace
