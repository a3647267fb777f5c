// Shared, slave, private and unbindable mounts: mount_namespaces(7).
#include <sched.h>
#include <sys/mount.h>

#include <algorithm>
#include <sstream>

#include "support/conformance.h"
#include "support/each_allocation.h"

namespace {
using namespace conformance;

// Everything happens on a private tmpfs, in which a, b, c ... are directories.
class MountPropagation : public TempDirTest {
 protected:
  void SetUp() override {
    TempDirTest::SetUp();
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    mkdir(path("p"), 0755);
    if (mount("none", path("p"), "tmpfs", 0, nullptr) != 0) GTEST_SKIP() << "may not mount here";
    ASSERT_OK(set("", MS_PRIVATE));
    for (const char* name : {"a", "b", "c", "d", "source"}) {
      ASSERT_OK(mkdir(at(name), 0755));
    }
    ASSERT_OK(mkdir(at("source/x"), 0755));
  }
  void TearDown() override {
    umount2(path("p"), MNT_DETACH);
    TempDirTest::TearDown();
  }
  std::string full(const std::string& name) const {
    return directory() + (name.empty() ? "/p" : "/p/" + name);
  }
  const char* at(const std::string& name) {
    names_.push_back(full(name));
    return names_.back().c_str();
  }
  int set(const std::string& name, unsigned long kind) {
    return mount(nullptr, at(name), nullptr, kind, nullptr);
  }
  int tmpfs(const std::string& name) { return mount("t", at(name), "tmpfs", 0, nullptr); }
  int bind(const std::string& from, const std::string& to, unsigned long more = 0) {
    return mount(at(from), at(to), nullptr, MS_BIND | more, nullptr);
  }
  // A shared tmpfs with the directories x, y in it.
  void shared_tmpfs(const std::string& name) {
    ASSERT_OK(tmpfs(name));
    ASSERT_OK(set(name, MS_SHARED));
    ASSERT_OK(mkdir(at(name + "/x"), 0755));
    ASSERT_OK(mkdir(at(name + "/y"), 0755));
  }
  std::vector<std::vector<std::string>> lines(const std::string& name) {
    std::vector<std::vector<std::string>> found;
    std::istringstream text(slurp("/proc/self/mountinfo"));
    for (std::string line; std::getline(text, line);) {
      std::istringstream words(line);
      std::vector<std::string> fields;
      for (std::string word; words >> word;) fields.push_back(word);
      if (fields.size() > 6 && fields[4] == full(name)) found.push_back(fields);
    }
    return found;
  }
  size_t count(const std::string& name) { return lines(name).size(); }
  // The number behind "shared:" and so on of the topmost mount there; 0 if it says nothing.
  int tag(const std::string& name, const std::string& kind) {
    const auto all = lines(name);
    if (all.empty()) return -1;
    for (const auto& field : all.back())
      if (field.rfind(kind + ":", 0) == 0) return atoi(field.c_str() + kind.size() + 1);
    return 0;
  }
  bool unbindable(const std::string& name) {
    const auto all = lines(name);
    return !all.empty() && std::count(all.back().begin(), all.back().end(), "unbindable");
  }

 private:
  std::vector<std::string> names_ = [] {
    std::vector<std::string> names;
    names.reserve(1000);
    return names;
  }();
};

TEST_F(MountPropagation, KindsAreShownInMountinfo) {
  ASSERT_OK(tmpfs("a"));
  EXPECT_EQ(tag("a", "shared"), 0);
  ASSERT_OK(set("a", MS_SHARED));
  const int group = tag("a", "shared");
  EXPECT_GT(group, 0);
  ASSERT_OK(set("a", MS_SHARED));
  EXPECT_EQ(tag("a", "shared"), group) << "again changes nothing";
  ASSERT_OK(set("a", MS_SLAVE));
  EXPECT_EQ(tag("a", "shared"), 0) << "without peers it follows nobody";
  EXPECT_EQ(tag("a", "master"), 0);
  ASSERT_OK(set("a", MS_UNBINDABLE));
  EXPECT_TRUE(unbindable("a"));
  ASSERT_OK(set("a", MS_SLAVE));
  EXPECT_TRUE(unbindable("a")) << "that is no change";
  ASSERT_OK(set("a", MS_PRIVATE));
  EXPECT_FALSE(unbindable("a"));
  ASSERT_OK(set("a", MS_UNBINDABLE));
  ASSERT_OK(set("a", MS_SHARED));
  EXPECT_FALSE(unbindable("a"));
}

TEST_F(MountPropagation, FlagErrors) {
  EXPECT_ERRNO(set("", MS_SHARED | MS_PRIVATE), EINVAL);
  EXPECT_ERRNO(set("", MS_SHARED | MS_RDONLY), EINVAL);
  EXPECT_ERRNO(set("a", MS_SHARED), EINVAL) << "not a mount";
  EXPECT_ERRNO(set("none", MS_SHARED), ENOENT);
  EXPECT_OK(set("", MS_PRIVATE | MS_SILENT));
}

TEST_F(MountPropagation, PeersSeeMountsAndTheirEnd) {
  shared_tmpfs("a");
  ASSERT_OK(bind("a", "b"));
  EXPECT_EQ(tag("a", "shared"), tag("b", "shared"));
  ASSERT_OK(tmpfs("a/x"));
  EXPECT_EQ(count("b/x"), 1u);
  EXPECT_GT(tag("a/x", "shared"), 0) << "what comes to a shared mount is shared";
  EXPECT_EQ(tag("a/x", "shared"), tag("b/x", "shared"));
  write_file("p/b/x/file", "same");
  EXPECT_EQ(read_file("p/a/x/file"), "same");
  ASSERT_OK(tmpfs("b/y"));
  EXPECT_EQ(count("a/y"), 1u) << "both ways";
  ASSERT_OK(umount(at("b/x")));
  EXPECT_EQ(count("a/x"), 0u);
  ASSERT_OK(umount(at("a/y")));
  EXPECT_EQ(count("b/y"), 0u);
}

TEST_F(MountPropagation, PrivateMountsAreLeftAlone) {
  ASSERT_OK(tmpfs("a"));
  ASSERT_OK(mkdir(at("a/x"), 0755));
  ASSERT_OK(bind("a", "b"));
  ASSERT_OK(tmpfs("a/x"));
  EXPECT_EQ(count("b/x"), 0u);
  EXPECT_EQ(tag("a/x", "shared"), 0);
}

TEST_F(MountPropagation, SlavesFollowAndDoNotTell) {
  shared_tmpfs("a");
  ASSERT_OK(bind("a", "b"));
  ASSERT_OK(set("b", MS_SLAVE));
  EXPECT_EQ(tag("b", "master"), tag("a", "shared"));
  EXPECT_EQ(tag("b", "shared"), 0);
  ASSERT_OK(tmpfs("a/x"));
  EXPECT_EQ(count("b/x"), 1u);
  EXPECT_EQ(tag("b/x", "master"), tag("a/x", "shared"));
  EXPECT_EQ(tag("b/x", "shared"), 0);
  ASSERT_OK(tmpfs("b/y"));
  EXPECT_EQ(count("a/y"), 0u);
  ASSERT_OK(umount(at("b/x")));
  EXPECT_EQ(count("a/x"), 1u);
  ASSERT_OK(umount(at("a/x")));
}

TEST_F(MountPropagation, SharedSlavesPassItOn) {
  shared_tmpfs("a");
  ASSERT_OK(bind("a", "b"));
  ASSERT_OK(set("b", MS_SLAVE));
  ASSERT_OK(set("b", MS_SHARED));
  const int master = tag("a", "shared"), group = tag("b", "shared");
  EXPECT_EQ(tag("b", "master"), master);
  EXPECT_NE(group, master);
  ASSERT_OK(bind("b", "c"));
  EXPECT_EQ(tag("c", "shared"), group);
  EXPECT_EQ(tag("c", "master"), master);
  ASSERT_OK(bind("b", "d"));
  ASSERT_OK(set("d", MS_SLAVE));
  EXPECT_EQ(tag("d", "master"), group);

  ASSERT_OK(tmpfs("a/x"));
  for (const char* name : {"b/x", "c/x", "d/x"}) EXPECT_EQ(count(name), 1u) << name;
  EXPECT_EQ(tag("b/x", "master"), tag("a/x", "shared"));
  EXPECT_EQ(tag("c/x", "shared"), tag("b/x", "shared"));
  EXPECT_EQ(tag("d/x", "master"), tag("b/x", "shared"));
  ASSERT_OK(tmpfs("c/y"));
  EXPECT_EQ(count("a/y"), 0u);
  EXPECT_EQ(count("b/y"), 1u);
  EXPECT_EQ(count("d/y"), 1u);
  ASSERT_OK(umount(at("a/x")));
  for (const char* name : {"b/x", "c/x", "d/x"}) EXPECT_EQ(count(name), 0u) << name;
}

TEST_F(MountPropagation, TheOrphansOfAMasterFollowItsPeers) {
  shared_tmpfs("a");
  ASSERT_OK(bind("a", "b"));
  ASSERT_OK(bind("a", "c"));
  ASSERT_OK(set("c", MS_SLAVE));
  ASSERT_OK(umount(at("a")));
  EXPECT_EQ(tag("c", "master"), tag("b", "shared"));
  ASSERT_OK(tmpfs("b/x"));
  EXPECT_EQ(count("c/x"), 1u);
  ASSERT_OK(umount(at("b/x")));
  ASSERT_OK(set("b", MS_PRIVATE));
  EXPECT_EQ(tag("c", "master"), 0) << "the last of the group is gone";
}

TEST_F(MountPropagation, AMasterThatBecomesASlaveHandsItsSlavesOn) {
  shared_tmpfs("a");
  ASSERT_OK(bind("a", "b"));
  ASSERT_OK(set("b", MS_SLAVE));
  ASSERT_OK(set("b", MS_SHARED));
  ASSERT_OK(bind("b", "c"));
  ASSERT_OK(set("c", MS_SLAVE));
  EXPECT_EQ(tag("c", "master"), tag("b", "shared"));
  ASSERT_OK(set("b", MS_SLAVE));
  EXPECT_EQ(tag("b", "master"), tag("a", "shared"));
  EXPECT_EQ(tag("c", "master"), tag("a", "shared"));
  EXPECT_EQ(tag("b", "shared"), 0);
}

TEST_F(MountPropagation, BindOfASlaveIsASlaveToo) {
  shared_tmpfs("a");
  ASSERT_OK(bind("a", "b"));
  ASSERT_OK(set("b", MS_SLAVE));
  ASSERT_OK(bind("b", "c"));
  EXPECT_EQ(tag("c", "master"), tag("a", "shared"));
  ASSERT_OK(tmpfs("a/x"));
  EXPECT_EQ(count("c/x"), 1u);
  ASSERT_OK(umount(at("a/x")));
}

TEST_F(MountPropagation, UnbindableCannotBeBound) {
  ASSERT_OK(tmpfs("a"));
  ASSERT_OK(set("a", MS_UNBINDABLE));
  EXPECT_ERRNO(bind("a", "b"), EINVAL);
  EXPECT_ERRNO(bind("a", "b", MS_REC), EINVAL);
  // Inside of a tree it is left out.
  ASSERT_OK(tmpfs("b"));
  ASSERT_OK(mkdir(at("b/x"), 0755));
  ASSERT_OK(mkdir(at("b/y"), 0755));
  ASSERT_OK(tmpfs("b/x"));
  ASSERT_OK(tmpfs("b/y"));
  ASSERT_OK(set("b/x", MS_UNBINDABLE));
  ASSERT_OK(bind("b", "c", MS_REC));
  EXPECT_EQ(count("c/x"), 0u);
  EXPECT_EQ(count("c/y"), 1u);
  EXPECT_FALSE(unbindable("c"));
}

TEST_F(MountPropagation, RecursiveKind) {
  ASSERT_OK(tmpfs("a"));
  ASSERT_OK(mkdir(at("a/x"), 0755));
  ASSERT_OK(tmpfs("a/x"));
  ASSERT_OK(set("a", MS_SHARED | MS_REC));
  EXPECT_GT(tag("a", "shared"), 0);
  EXPECT_GT(tag("a/x", "shared"), 0);
  EXPECT_NE(tag("a", "shared"), tag("a/x", "shared"));
  ASSERT_OK(set("a", MS_PRIVATE));
  EXPECT_EQ(tag("a", "shared"), 0);
  EXPECT_GT(tag("a/x", "shared"), 0) << "that was for one mount";
  ASSERT_OK(set("a", MS_PRIVATE | MS_REC));
  EXPECT_EQ(tag("a/x", "shared"), 0);
}

TEST_F(MountPropagation, RecursiveBindKeepsTheGroups) {
  ASSERT_OK(tmpfs("a"));
  ASSERT_OK(mkdir(at("a/x"), 0755));
  ASSERT_OK(tmpfs("a/x"));
  ASSERT_OK(mkdir(at("a/x/deep"), 0755));
  ASSERT_OK(set("a/x", MS_SHARED));
  ASSERT_OK(bind("a", "b", MS_REC));
  EXPECT_EQ(tag("b", "shared"), 0);
  EXPECT_EQ(tag("b/x", "shared"), tag("a/x", "shared"));
  ASSERT_OK(tmpfs("b/x/deep"));
  EXPECT_EQ(count("a/x/deep"), 1u);
}

TEST_F(MountPropagation, ABindSpreadsToo) {
  shared_tmpfs("a");
  ASSERT_OK(bind("a", "b"));
  ASSERT_OK(bind("source", "a/x"));
  EXPECT_EQ(count("b/x"), 1u);
  EXPECT_EQ(lines("b/x")[0][3], "/source");
  // A tree spreads as a tree.
  ASSERT_OK(tmpfs("source/x"));
  ASSERT_OK(bind("source", "a/y", MS_REC));
  EXPECT_EQ(count("a/y/x"), 1u);
  EXPECT_EQ(count("b/y/x"), 1u);
  EXPECT_EQ(tag("a/y/x", "shared"), tag("b/y/x", "shared"));
  EXPECT_EQ(count("source/x"), 1u);
  EXPECT_ERRNO(umount(at("a/y")), EBUSY) << "something is mounted in it";
  ASSERT_OK(umount2(at("a/y"), MNT_DETACH));
  EXPECT_EQ(count("b/y"), 0u);
  EXPECT_EQ(count("b/y/x"), 0u);
}

TEST_F(MountPropagation, OnlyWhereThePlaceIsVisible) {
  shared_tmpfs("a");
  ASSERT_OK(mkdir(at("a/x/inner"), 0755));
  ASSERT_OK(bind("a/x", "b"));
  EXPECT_EQ(tag("b", "shared"), tag("a", "shared"));
  ASSERT_OK(tmpfs("a/y"));
  EXPECT_EQ(count("b/y"), 0u);
  ASSERT_OK(tmpfs("a/x/inner"));
  EXPECT_EQ(count("b/inner"), 1u);
  ASSERT_OK(umount(at("b/inner")));
  EXPECT_EQ(count("a/x/inner"), 0u);
}

TEST_F(MountPropagation, MoveIntoASharedMountSpreads) {
  shared_tmpfs("a");
  ASSERT_OK(bind("a", "b"));
  ASSERT_OK(tmpfs("c"));
  ASSERT_OK(mkdir(at("c/deep"), 0755));
  ASSERT_OK(tmpfs("c/deep"));
  ASSERT_OK(mount(at("c"), at("a/x"), nullptr, MS_MOVE, nullptr));
  EXPECT_EQ(count("c"), 0u);
  EXPECT_EQ(count("a/x/deep"), 1u);
  EXPECT_EQ(count("b/x/deep"), 1u);
  EXPECT_GT(tag("a/x", "shared"), 0);
  EXPECT_EQ(tag("b/x/deep", "shared"), tag("a/x/deep", "shared"));
}

TEST_F(MountPropagation, WhatMayNotBeMoved) {
  shared_tmpfs("a");
  ASSERT_OK(tmpfs("a/x"));
  EXPECT_ERRNO(mount(at("a/x"), at("b"), nullptr, MS_MOVE, nullptr), EINVAL) << "out of a shared mount";
  ASSERT_OK(tmpfs("c"));
  ASSERT_OK(mkdir(at("c/deep"), 0755));
  ASSERT_OK(tmpfs("c/deep"));
  ASSERT_OK(set("c/deep", MS_UNBINDABLE));
  EXPECT_ERRNO(mount(at("c"), at("a/y"), nullptr, MS_MOVE, nullptr), EINVAL) << "unbindable, to a shared one";
  EXPECT_ERRNO(mount(at("c"), at("c/deep"), nullptr, MS_MOVE, nullptr), ELOOP);
  EXPECT_OK(mount(at("c"), at("d"), nullptr, MS_MOVE, nullptr)) << "to a private one it may";
  EXPECT_TRUE(unbindable("d/deep"));
}

TEST_F(MountPropagation, BusyOnOnePeerIsBusy) {
  shared_tmpfs("a");
  ASSERT_OK(bind("a", "b"));
  ASSERT_OK(tmpfs("a/x"));
  {
    write_file("p/b/x/file", "");
    const ScopedFd fd = open(at("b/x/file"), O_RDONLY);
    ASSERT_OK(fd);
    EXPECT_ERRNO(umount(at("a/x")), EBUSY);
    EXPECT_EQ(count("a/x"), 1u);
  }
  EXPECT_OK(umount(at("a/x")));
  EXPECT_EQ(count("b/x"), 0u);
}

TEST_F(MountPropagation, AFollowerInWhichSomethingIsMountedStays) {
  shared_tmpfs("a");
  ASSERT_OK(bind("a", "b"));
  ASSERT_OK(set("b", MS_SLAVE));
  ASSERT_OK(tmpfs("a/x"));
  ASSERT_OK(mkdir(at("b/x/deep"), 0755));
  ASSERT_OK(tmpfs("b/x/deep"));
  EXPECT_EQ(count("a/x/deep"), 0u);
  ASSERT_OK(umount(at("a/x")));
  EXPECT_EQ(count("a/x"), 0u);
  EXPECT_EQ(count("b/x"), 1u);
  EXPECT_EQ(count("b/x/deep"), 1u);
  EXPECT_EQ(tag("b/x", "master"), 0) << "nobody to follow any more";
}

TEST_F(MountPropagation, ACoverOfAFollowerTakesItsPlace) {
  shared_tmpfs("a");
  ASSERT_OK(bind("a", "b"));
  ASSERT_OK(set("b", MS_SLAVE));
  ASSERT_OK(tmpfs("a/x"));
  ASSERT_OK(tmpfs("b/x"));
  write_file("p/b/x/cover", "");
  EXPECT_EQ(count("b/x"), 2u);
  ASSERT_OK(umount(at("a/x")));
  EXPECT_EQ(count("b/x"), 1u);
  EXPECT_TRUE(exists("p/b/x/cover"));
  ASSERT_OK(umount(at("b/x")));
}

TEST_F(MountPropagation, WhatComesGoesBelowWhatIsThere) {
  shared_tmpfs("a");
  ASSERT_OK(bind("a", "b"));
  ASSERT_OK(set("b", MS_SLAVE));
  ASSERT_OK(tmpfs("b/x"));
  write_file("p/b/x/own", "");
  ASSERT_OK(tmpfs("a/x"));
  EXPECT_EQ(count("b/x"), 2u);
  EXPECT_TRUE(exists("p/b/x/own")) << "it is on top still";
  ASSERT_OK(umount(at("b/x")));
  EXPECT_FALSE(exists("p/b/x/own"));
  EXPECT_EQ(count("b/x"), 1u);
  EXPECT_EQ(tag("b/x", "master"), tag("a/x", "shared"));
}

TEST_F(MountPropagation, LazyUnmountOfATreeReachesPeers) {
  shared_tmpfs("a");
  ASSERT_OK(bind("a", "b"));
  ASSERT_OK(tmpfs("a/x"));
  ASSERT_OK(mkdir(at("a/x/deep"), 0755));
  ASSERT_OK(tmpfs("a/x/deep"));
  EXPECT_EQ(count("b/x/deep"), 1u);
  ASSERT_OK(umount2(at("b/x"), MNT_DETACH));
  for (const char* name : {"a/x", "a/x/deep", "b/x", "b/x/deep"}) EXPECT_EQ(count(name), 0u) << name;
}

TEST_F(MountPropagation, PropagateFromNamesTheNearestVisibleGroup) {
  // a -> b -> c; in a root in which b is not visible, c says from where it comes.
  shared_tmpfs("a");
  ASSERT_OK(mkdir(at("a/x/root"), 0755));
  ASSERT_OK(bind("a", "b"));
  ASSERT_OK(set("b", MS_SLAVE));
  ASSERT_OK(set("b", MS_SHARED));
  ASSERT_OK(tmpfs("d"));
  for (const char* name : {"d/a", "d/c", "d/proc"}) ASSERT_OK(mkdir(at(name), 0755));
  ASSERT_OK(bind("b", "d/c"));
  ASSERT_OK(set("d/c", MS_SLAVE));
  ASSERT_OK(bind("a", "d/a"));
  ASSERT_OK(mount("proc", at("d/proc"), "proc", 0, nullptr));
  const int first = tag("a", "shared"), second = tag("b", "shared");
  EXPECT_EQ(tag("d/c", "master"), second);
  EXPECT_EQ(tag("d/c", "propagate_from"), 0) << "its master is visible";
  EXPECT_CHILD_OK([&] {
    ASSERT_OK(chroot(at("d")));
    ASSERT_OK(chdir("/"));
    const std::string text = slurp("/proc/self/mountinfo");
    const std::string wanted = " /c rw,relatime master:" + std::to_string(second) +
                               " propagate_from:" + std::to_string(first) + " -";
    EXPECT_NE(text.find(wanted), std::string::npos) << text;
  });
}

TEST_F(MountPropagation, PivotRootNeedsPrivateMounts) {
  shared_tmpfs("a");
  ASSERT_OK(tmpfs("a/x"));
  ASSERT_OK(mkdir(at("a/x/old"), 0755));
  EXPECT_ERRNO(sys(SYS_pivot_root, at("a/x"), at("a/x/old")), EINVAL);
}

TEST_F(MountPropagation, SetGroup) {
  constexpr unsigned set_group = 0x100;
  auto join = [&](const std::string& from, const std::string& to) {
    return sys(SYS_move_mount, AT_FDCWD, at(from), AT_FDCWD, at(to), set_group);
  };
  shared_tmpfs("a");
  ASSERT_OK(bind("a", "b"));
  ASSERT_OK(set("b", MS_PRIVATE));
  EXPECT_OK(join("a", "b"));
  EXPECT_EQ(tag("b", "shared"), tag("a", "shared"));
  EXPECT_ERRNO(join("a", "b"), EINVAL) << "only a private one may join";
  ASSERT_OK(tmpfs("a/x"));
  EXPECT_EQ(count("b/x"), 1u);
  ASSERT_OK(umount(at("b/x")));
  ASSERT_OK(tmpfs("c"));
  EXPECT_ERRNO(join("a", "c"), EINVAL) << "another file system";
  ASSERT_OK(set("b", MS_PRIVATE));
  ASSERT_OK(set("a", MS_PRIVATE));
  EXPECT_ERRNO(join("a", "b"), EINVAL) << "nothing to join";
  EXPECT_ERRNO(join("a/x", "b"), EINVAL) << "not a mount";
}

TEST_F(MountPropagation, ADetachedCopyFollowsOnceItHasAPlace) {
  shared_tmpfs("a");
  const long tree = sys(SYS_open_tree, AT_FDCWD, at("a"), 1 /* clone */);
  ASSERT_OK(tree);
  ASSERT_OK(sys(SYS_move_mount, tree, "", AT_FDCWD, at("b"), 4 /* from empty */));
  EXPECT_EQ(tag("b", "shared"), tag("a", "shared"));
  ASSERT_OK(tmpfs("a/x"));
  EXPECT_EQ(count("b/x"), 1u);
  close(tree);
  // One that never gets a place leaves nothing behind.
  const long other = sys(SYS_open_tree, AT_FDCWD, at("a"), 1 | 0x8000);
  ASSERT_OK(other);
  close(other);
  ASSERT_OK(tmpfs("b/y"));
  EXPECT_EQ(count("a/y"), 1u);
}

TEST_F(MountPropagation, EachAllocationOfASharedMount) {
  AllocationSweep sweep({ENOMEM});
  SWEEP_OR_SKIP(sweep);
  shared_tmpfs("a");
  for (const char* name : {"b", "c", "d"}) ASSERT_OK(bind("a", name));
  ASSERT_OK(set("c", MS_SLAVE));
  ASSERT_OK(set("d", MS_SLAVE));
  ASSERT_OK(set("d", MS_SHARED));
  ASSERT_OK(tmpfs("source/x"));
  const char* from = at("source");
  const char* to = at("a/x");
  sweep.run({.call = [&] { return long{mount(from, to, nullptr, MS_BIND | MS_REC, nullptr)}; },
             .undo = [&](long) { EXPECT_OK(umount2(to, MNT_DETACH)); },
             .unchanged = [&] { return count("a/x") + count("b/x") + count("c/x") + count("d/x") == 0; }});
  EXPECT_GT(sweep.failures(), 8);
  sweep.run({.prepare = [&] { EXPECT_OK(mount(from, to, nullptr, MS_BIND | MS_REC, nullptr)); },
             .call = [&] { return long{umount2(to, MNT_DETACH)}; },
             .unchanged =
                 [&] {
                   const bool all = count("a/x") + count("b/x") + count("c/x") + count("d/x") == 4;
                   umount2(to, MNT_DETACH);
                   return all;
                 }});
}

}  // namespace
