// Path walk, entries, rename, links, permissions and mounts, on tmpfs.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "core/memory/host_memory.h"
#include "core/memory/io_buffer.h"
#include "core/sync/rcu.h"
#include "tmpfs/tmpfs.h"
#include "vfs/locks.h"
#include "vfs/notify.h"
#include "vfs/operations.h"
#include "world.h"

using namespace vfs;
using base::Errno;
using test::World;

TEST(Walk, FindsCreatesAndRemoves) {
  World w;
  EXPECT_EQ(w.mkdir("/a"), 0);
  EXPECT_EQ(w.mkdir("/a/b"), 0);
  EXPECT_EQ(w.mkdir("/a/b"), 17);
  EXPECT_EQ(w.mkdir("/nothing/b"), 2);
  EXPECT_EQ(w.write_file("/a/b/file", "hello"), 0);
  EXPECT_EQ(w.read_file("/a/b/file"), "hello");
  EXPECT_EQ(w.read_file("/a/../a/./b//file"), "hello");
  EXPECT_EQ(w.stat_errno("/a/b/file/x"), 20);
  EXPECT_EQ(w.stat_errno("/a/b/file/"), 20);
  EXPECT_EQ(w.stat_errno("/a/b/missing"), 2);
  EXPECT_EQ(w.stat_errno(std::string("/") + std::string(256, 'x')), 36);
  EXPECT_EQ(w.stat_errno(std::string(5000, '/')), 36);
  EXPECT_EQ(w.rmdir("/a"), 39);
  EXPECT_EQ(w.unlink("/a/b"), 21);
  EXPECT_EQ(w.rmdir("/a/b/file"), 20);
  EXPECT_EQ(w.unlink("/a/b/file"), 0);
  EXPECT_EQ(w.rmdir("/a/b"), 0);
  EXPECT_EQ(w.rmdir("/a/."), 22);
  EXPECT_EQ(w.rmdir("/a/.."), 39);
  EXPECT_EQ(w.rmdir("/"), 16);
  EXPECT_EQ(w.rmdir("/a"), 0);
}

TEST(Walk, FollowsLinks) {
  World w;
  w.mkdir("/usr");
  w.mkdir("/usr/lib");
  w.write_file("/usr/lib/so", "so");
  EXPECT_EQ(w.symlink("usr/lib", "/lib"), 0);
  EXPECT_EQ(w.symlink("/lib/so", "/usr/link"), 0);
  EXPECT_EQ(w.symlink("../usr/link", "/usr/again"), 0);
  EXPECT_EQ(w.read_file("/lib/so"), "so");
  EXPECT_EQ(w.read_file("/usr/link"), "so");
  EXPECT_EQ(w.read_file("/usr/again"), "so");
  EXPECT_EQ(w.symlink("loop2", "/loop1"), 0);
  EXPECT_EQ(w.symlink("loop1", "/loop2"), 0);
  EXPECT_EQ(w.stat_errno("/loop1"), 40);
  EXPECT_EQ(w.open_errno("/lib", open_read_only | open_no_follow), 40);
  EXPECT_EQ(w.open_errno("/lib", open_path | open_no_follow), 0);
  EXPECT_EQ(w.open_errno("/lib/so", open_directory), 20);
  // A chain of 40 works, 41 does not.
  std::string previous = "/usr";
  for (int i = 0; i < 41; ++i) {
    std::string name = "/chain" + std::to_string(i);
    w.symlink(previous, name);
    previous = name;
  }
  EXPECT_EQ(w.stat_errno("/chain39/lib"), 0);
  EXPECT_EQ(w.stat_errno("/chain40/lib"), 40);
  // Nested links in the middle, deeper than the walk without references keeps.
  w.symlink("d2/x", "/d1");
  w.symlink("d3/x", "/d2");
  w.mkdir("/d3");
  w.mkdir("/d3/x");
  w.mkdir("/d3/x/x");
  w.write_file("/d3/x/x/f", "deep");
  EXPECT_EQ(w.read_file("/d1/f"), "deep");
  // O_CREAT through a dangling link makes the target.
  w.symlink("/usr/new", "/dangling");
  EXPECT_EQ(w.write_file("/dangling", "made"), 0);
  EXPECT_EQ(w.read_file("/usr/new"), "made");
  EXPECT_EQ(w.open_errno("/dangling", open_create | open_exclusive | open_write_only), 17);
  EXPECT_EQ(*read_link(w.caller(), nullptr, "/dangling"), "/usr/new");
  EXPECT_EQ(read_link(w.caller(), nullptr, "/usr").error(), Errno::einval);
}

TEST(Rename, MovesReplacesExchanges) {
  World w;
  w.mkdir("/a");
  w.mkdir("/b");
  w.write_file("/a/f", "one");
  w.write_file("/b/g", "two");
  EXPECT_EQ(w.rename("/a/f", "/b/g", rename_no_replace), 17);
  EXPECT_EQ(w.rename("/a/f", "/b/g", rename_exchange), 0);
  EXPECT_EQ(w.read_file("/a/f"), "two");
  EXPECT_EQ(w.read_file("/b/g"), "one");
  EXPECT_EQ(w.rename("/a/f", "/b/g"), 0);
  EXPECT_EQ(w.stat_errno("/a/f"), 2);
  EXPECT_EQ(w.read_file("/b/g"), "two");
  EXPECT_EQ(w.rename("/a", "/a/inside"), 22);
  EXPECT_EQ(w.rename("/b/g", "/a"), 21);
  EXPECT_EQ(w.rename("/a", "/b/g"), 20);
  EXPECT_EQ(w.rename("/a", "/b"), 39);
  EXPECT_EQ(w.rename("/a", "/b/sub"), 0);
  EXPECT_EQ(w.stat("/b").link_count, 3u);
  EXPECT_EQ(w.rename("/b", "/b/sub/x"), 22);
  EXPECT_EQ(w.rename("/b/sub", "/b"), 39);
  std::string long_name(200, 'n');
  EXPECT_EQ(w.rename("/b/g", "/b/" + long_name), 0);
  EXPECT_EQ(w.read_file("/b/" + long_name), "two");
  EXPECT_EQ(w.rename("/b/" + long_name, "/b/g"), 0);
  EXPECT_EQ(w.read_file("/b/g"), "two");
  EXPECT_EQ(w.rename("/b/./", "/c"), 16);
}

TEST(Links, CountAndShare) {
  World w;
  w.write_file("/f", "x");
  EXPECT_EQ(w.link("/f", "/g"), 0);
  EXPECT_EQ(w.stat("/f").link_count, 2u);
  w.write_file("/g", "longer");
  EXPECT_EQ(w.read_file("/f"), "longer");
  EXPECT_EQ(w.rename("/f", "/g"), 0);
  EXPECT_EQ(w.read_file("/f"), "longer");  // two names of one file: nothing happens
  w.mkdir("/d");
  EXPECT_EQ(w.link("/d", "/e"), 1);
  EXPECT_EQ(w.link("/f", "/g"), 17);
  auto file = w.open("/f", open_read_only);
  w.unlink("/f");
  w.unlink("/g");
  EXPECT_EQ(w.read_all(**file), "longer");
  char memory[100];
  Path root = w.path("/");
  EXPECT_EQ(*path_text((*file)->path(), &root, memory), "/f (deleted)");
  auto temporary = w.open("/d", open_temporary | open_write_only);
  ASSERT_TRUE(temporary);
  EXPECT_TRUE(link(w.caller(), &(*temporary)->path(), "", nullptr, "/named", lookup_empty_allowed));
  EXPECT_EQ(w.stat("/named").link_count, 1u);
}

TEST(Permissions, AreChecked) {
  World w;
  w.mkdir("/private", 0700);
  w.write_file("/private/f", "secret");
  w.mkdir("/tmp", 01777);
  EXPECT_TRUE(change_mode(w.caller(), w.path("/tmp"), 01777));
  World user = w.as(1000, 1000);
  EXPECT_EQ(user.stat_errno("/private/f"), 13);
  EXPECT_EQ(user.mkdir("/x"), 13);
  EXPECT_EQ(user.write_file("/tmp/mine", "1"), 0);
  World other = w.as(1001, 1001);
  EXPECT_EQ(other.unlink("/tmp/mine"), 1);
  EXPECT_EQ(other.rename("/tmp/mine", "/tmp/his"), 1);
  EXPECT_EQ(other.open_errno("/tmp/mine", open_read_write), 13);
  EXPECT_EQ(other.open_errno("/tmp/mine", open_read_only), 0);
  EXPECT_EQ(other.link("/tmp/mine", "/tmp/link"), 1);  // protected_hardlinks
  EXPECT_EQ(user.symlink("/tmp/mine", "/tmp/s"), 0);
  EXPECT_EQ(other.stat_errno("/tmp/s"), 13);  // protected_symlinks
  EXPECT_EQ(user.stat_errno("/tmp/s"), 0);
  EXPECT_EQ(change_mode(other.caller(), w.path("/tmp/mine"), 0777).error(), Errno::eperm);
  EXPECT_EQ(change_owner(user.caller(), w.path("/tmp/mine"), 1001, no_id).error(), Errno::eperm);
  EXPECT_EQ(user.unlink("/tmp/mine"), 0);
  // Set-group-id directories hand on their group.
  w.mkdir("/group");
  EXPECT_TRUE(change_owner(w.caller(), w.path("/group"), 1000, 77));
  EXPECT_TRUE(change_mode(w.caller(), w.path("/group"), 02775));
  EXPECT_EQ(user.mkdir("/group/sub"), 0);
  EXPECT_EQ(w.stat("/group/sub").gid, 77u);
  EXPECT_EQ(w.stat("/group/sub").mode & 02000, 02000u);
  EXPECT_TRUE(access(w.caller(), nullptr, "/private/f", access_read, lookup_follow));
  EXPECT_EQ(access(user.caller(), nullptr, "/private/f", access_read, lookup_follow).error(), Errno::eacces);
}

TEST(Mounts, CoverBindMoveAndGo) {
  World w;
  w.mkdir("/mnt");
  w.mkdir("/other");
  w.write_file("/mnt/below", "below");
  EXPECT_TRUE(mount_new(w.caller(), "none", w.path("/mnt"), "tmpfs", 0, false, "size=1m"));
  EXPECT_EQ(w.stat_errno("/mnt/below"), 2);
  EXPECT_EQ(w.write_file("/mnt/above", "above"), 0);
  EXPECT_EQ(w.read_file("/mnt/../mnt/above"), "above");
  EXPECT_EQ(w.rename("/mnt/above", "/moved"), 18);
  EXPECT_EQ(w.rmdir("/mnt"), 16);
  EXPECT_TRUE(mount_bind(w.caller(), w.path("/mnt"), w.path("/other"), Recursion::single));
  EXPECT_EQ(w.read_file("/other/above"), "above");
  char memory[100];
  Path root = w.path("/");
  EXPECT_EQ(*path_text(w.path("/other/above"), &root, memory), "/other/above");
  EXPECT_TRUE(mount_change_flags(w.caller(), w.path("/other"), mount_read_only));
  EXPECT_EQ(w.write_file("/other/above", "x"), 30);
  EXPECT_EQ(w.write_file("/mnt/above", "y"), 0);
  w.mkdir("/third");
  EXPECT_TRUE(mount_move(w.caller(), w.path("/other"), w.path("/third")));
  EXPECT_EQ(w.stat_errno("/other/above"), 2);
  EXPECT_EQ(w.read_file("/third/above"), "y");
  {
    auto file = w.open("/third/above", open_read_only);
    EXPECT_EQ(unmount(w.caller(), w.path("/third"), 0).error(), Errno::ebusy);
  }
  EXPECT_TRUE(unmount(w.caller(), w.path("/third"), 0));
  auto file = w.open("/mnt/above", open_read_only);
  EXPECT_TRUE(unmount(w.caller(), w.path("/mnt"), unmount_detach));
  EXPECT_EQ(w.read_all(**file), "y");
  file = error(Errno::ebadf);
  EXPECT_EQ(w.read_file("/mnt/below"), "below");
  EXPECT_EQ(w.rmdir("/third"), 0);
  // openat2: RESOLVE_BENEATH, RESOLVE_NO_XDEV …
  Path mnt = w.path("/mnt");
  EXPECT_EQ(resolve(w.caller(), &mnt, "../mnt/below", lookup_beneath).error(), Errno::exdev);
  EXPECT_EQ(resolve(w.caller(), &mnt, "/mnt/below", lookup_beneath).error(), Errno::exdev);
  EXPECT_TRUE(resolve(w.caller(), &mnt, "below", lookup_beneath));
  EXPECT_TRUE(resolve(w.caller(), &mnt, "/../below", lookup_in_root));
}

TEST(Directories, ListInOrderAndResume) {
  World w;
  w.mkdir("/d");
  for (int i = 0; i < 1000; ++i) w.write_file("/d/" + std::to_string(i), "");
  auto names = w.list("/d", 7);
  EXPECT_EQ(names.size(), 1002u);
  EXPECT_EQ(names[0], ".");
  EXPECT_EQ(names[2], "0");
  EXPECT_EQ(names[1001], "999");
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(w.unlink("/d/" + std::to_string(i)), 0);
  EXPECT_EQ(w.list("/d", 7).size(), 2u);
}

TEST(Locks, ConflictSplitAndDeadlock) {
  World w;
  w.write_file("/f", "");
  auto file = *w.open("/f", open_read_write);
  int a = 0, b = 0;
  LockRange lock{LockKind::posix, LockType::write, 0, 99, &a, 1};
  EXPECT_TRUE(set_lock(*file, lock, LockWait::fail));
  LockRange other{LockKind::posix, LockType::read, 50, 60, &b, 2};
  EXPECT_EQ(set_lock(*file, other, LockWait::fail).error(), Errno::eagain);
  LockRange middle{LockKind::posix, LockType::unlock, 40, 69, &a, 1};
  EXPECT_TRUE(set_lock(*file, middle, LockWait::fail));
  EXPECT_TRUE(set_lock(*file, other, LockWait::fail));
  other.start = 30;
  auto conflict = find_conflict(*file, other);
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->end, 39u);
  EXPECT_EQ(conflict->process_id, 1);
  // a waits for b, so b may not wait for a.
  std::thread waiting([&] {
    LockRange wanted{LockKind::posix, LockType::write, 50, 60, &a, 1};
    EXPECT_TRUE(set_lock(*file, wanted, LockWait::wait));
  });
  for (bool blocked = false; !blocked;)
    for_each_lock([&](const LockRange&, Inode&, bool is_blocked) { blocked |= is_blocked; });
  LockRange circle{LockKind::posix, LockType::write, 0, 10, &b, 2};
  EXPECT_EQ(set_lock(*file, circle, LockWait::wait).error(), Errno::edeadlk);
  remove_locks(file->inode(), &b, LockKind::posix);
  waiting.join();
  remove_locks(file->inode(), &a, LockKind::posix);
  EXPECT_FALSE(find_conflict(*file, other));
}

TEST(Threads, LookUpWhileOthersRename) {
  World w;
  w.mkdir("/t");
  w.mkdir("/t/a");
  w.mkdir("/t/b");
  w.write_file("/t/stable", "s");
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      World mine = w.as(0, 0);
      for (int i = 0; i < 3000; ++i) {
        std::string from = "/t/a/f" + std::to_string(t), to = "/t/b/g" + std::to_string(t);
        if (mine.write_file(from, "x")) ++wrong;
        if (mine.rename(from, to)) ++wrong;
        if (mine.stat_errno(from) != 2) ++wrong;
        if (i % 2 ? mine.unlink(to) : mine.rename(to, "/t/stable" + std::to_string(t))) ++wrong;
      }
      stop = true;
    });
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      World mine = w.as(0, 0);
      while (!stop) {
        if (mine.read_file("/t/stable") != "s") ++wrong;
        if (mine.stat_errno("/t/b/../stable") != 0) ++wrong;
        mine.stat_errno("/t/a/f0");
        mine.list("/t/b", 3);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}
