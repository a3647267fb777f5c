#include "core/memory/address_space.h"
#include "world.h"

#include <random>

namespace {

using namespace test;

std::shared_ptr<Node> add_file(FakeServer& server, const std::string& name, const std::string& data,
                               std::uint32_t mode = 0100644) {
  auto node = server.make(mode, data);
  server.root->entries[name] = node;
  return node;
}

TEST(NineP, FilesAreReadAndWritten) {
  FakeServer server("share");
  add_file(server, "file", "contents of the server");
  {
    World w("share");
    ASSERT_EQ(w.mount_error, 0);
    EXPECT_EQ(w.read_file("/file"), "contents of the server");
    EXPECT_EQ(w.read_file("/missing"), "error 2");
    std::string large(300'000, 'x');
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + i % 23);
    EXPECT_EQ(w.write_file("/large", large), 0);
    EXPECT_EQ(server.root->entries["large"]->data, large);
    EXPECT_EQ(w.read_file("/large"), large);
    EXPECT_EQ(w.list("/"), (std::vector<std::string>{"file", "large"}));
    Attributes found;
    EXPECT_EQ(w.stat("/large", found), 0);
    EXPECT_EQ(found.size, large.size());
    EXPECT_EQ(found.mode, Mode{0100644});
    FileSystemStatistics statistics;
    EXPECT_TRUE(vfs::statistics(w.path(w.full("/")), statistics));
    EXPECT_EQ(statistics.magic, 0x01021997u);
  }
  EXPECT_EQ(server.open_fids(), 0u);
}

TEST(NineP, WhatTheServerDoesIsSeen) {
  FakeServer server("share");
  auto node = add_file(server, "file", "old");
  World w("share");
  EXPECT_EQ(w.read_file("/file"), "old");
  node->data = "new and longer";
  Attributes found;
  EXPECT_EQ(w.stat("/file", found), 0);
  EXPECT_EQ(found.size, 14u);
  EXPECT_EQ(w.read_file("/file"), "new and longer");
  server.root->entries.erase("file");
  EXPECT_EQ(w.stat("/file"), 2);
  add_file(server, "file", "another");
  EXPECT_EQ(w.read_file("/file"), "another");
  // A name that was missing.
  EXPECT_EQ(w.stat("/late"), 2);
  add_file(server, "late", "here");
  EXPECT_EQ(w.read_file("/late"), "here");
}

TEST(NineP, NamesStayWhatTheyAreWhileTheServerSaysSo) {
  FakeServer server("share");
  World w("share");
  ASSERT_EQ(w.mkdir("/d"), 0);
  // Asked again at each use; with a new dentry each time a mount on it would be lost.
  Path first = w.path(w.full("/d")), second = w.path(w.full("/d"));
  EXPECT_EQ(&first.dentry(), &second.dentry());
  EXPECT_TRUE(first.dentry().has(Dentry::hashed));
}

TEST(NineP, Names) {
  FakeServer server("share");
  World w("share");
  EXPECT_EQ(w.mkdir("/d"), 0);
  EXPECT_EQ(w.mkdir("/d"), 17);
  EXPECT_EQ(w.write_file("/d/a", "text"), 0);
  EXPECT_EQ(w.rmdir("/d"), 39);
  EXPECT_EQ(w.link("/d/a", "/b"), 0);
  Attributes found;
  EXPECT_EQ(w.stat("/b", found), 0);
  EXPECT_EQ(found.link_count, 2u);
  EXPECT_EQ(w.symlink("d/a", "/l"), 0);
  EXPECT_EQ(w.read_file("/l"), "text");
  EXPECT_EQ(w.rename("/d/a", "/c"), 0);
  EXPECT_EQ(w.stat("/d/a"), 2);
  EXPECT_EQ(w.read_file("/c"), "text");
  EXPECT_EQ(w.write_file("/other", ""), 0);
  EXPECT_EQ(w.rename("/c", "/other", vfs::rename_exchange), 22);
  EXPECT_EQ(w.unlink("/other"), 0);
  EXPECT_EQ(w.unlink("/b"), 0);
  EXPECT_EQ(w.unlink("/c"), 0);
  EXPECT_EQ(w.unlink("/l"), 0);
  EXPECT_EQ(w.rmdir("/d"), 0);
  EXPECT_TRUE(w.list("/").empty());
}

TEST(NineP, OpenFilesOutliveTheirNames) {
  FakeServer server("share");
  World w("share");
  ASSERT_EQ(w.write_file("/f", "still here"), 0);
  auto file = *w.open("/f", open_read_write);
  EXPECT_EQ(w.unlink("/f"), 0);
  EXPECT_EQ(World::read_at(*file, 0, 100), "still here");
  EXPECT_EQ(World::write_at(*file, 0, "STILL"), 0);
  Attributes found;
  EXPECT_TRUE(vfs::stat(*file, found));
  EXPECT_EQ(found.size, 10u);
}

TEST(NineP, AMadeFileIsOpenAsItWasAskedFor) {
  FakeServer server("share");
  World w("share");
  auto file = w.open("/read-only", open_write_only | open_create | open_exclusive, 0444);
  ASSERT_TRUE(file);
  EXPECT_EQ(World::write_at(**file, 0, "data"), 0);
  EXPECT_EQ(server.root->entries["read-only"]->mode, 0100444u);
}

TEST(NineP, MappedFilesAgreeWithReadsAndWrites) {
  FakeServer server("share");
  auto node = add_file(server, "file", std::string(10000, 'a'));
  World w("share");
  auto file = *w.open("/file", open_read_write);
  core::MapRequest request;
  ASSERT_TRUE(file->map(request));
  auto page = *request.object->page_for(1, core::FaultAccess::read);
  EXPECT_EQ(static_cast<char>(page.data()[0]), 'a');
  EXPECT_EQ(World::write_at(*file, 4096, "bbbb"), 0);
  EXPECT_EQ(node->data.substr(4095, 6), "abbbba");
  EXPECT_EQ(static_cast<char>(page.data()[0]), 'b');
  // As a program does through a writable mapping.
  ASSERT_TRUE(request.object->make_writable(*page, 1));
  page.data()[1] = std::byte{'c'};
  EXPECT_EQ(World::read_at(*file, 4096, 4), "bcbb");
  EXPECT_TRUE(file->sync(0, ~std::uint64_t{0} >> 1, false));
  EXPECT_EQ(node->data.substr(4096, 4), "bcbb");
  request = {};
  page = {};
  file = nullptr;
  core::rcu_barrier();
  // After the last close the server's word counts.
  node->data.replace(4096, 4, "dddd");
  EXPECT_EQ(w.read_file("/file").substr(4096, 4), "dddd");
}

TEST(NineP, Attributes) {
  FakeServer server("share");
  server.owner = 77;
  World w("share");
  ASSERT_EQ(w.write_file("/f", "0123456789"), 0);
  EXPECT_EQ(server.root->entries["f"]->uid, 0u);  // given to its maker
  Path path = w.path(w.full("/f"));
  EXPECT_TRUE(vfs::change_mode(w.caller(), path, 0600));
  EXPECT_TRUE(vfs::change_owner(w.caller(), path, 5, 6));
  EXPECT_EQ(World::code(vfs::truncate(w.caller(), path, 4)), 0);
  auto& node = *server.root->entries["f"];
  EXPECT_EQ(node.mode, 0100600u);
  EXPECT_EQ(node.uid, 5u);
  EXPECT_EQ(node.gid, 6u);
  EXPECT_EQ(node.data, "0123");
  EXPECT_EQ(w.set_xattr("/f", "user.key", "value"), 0);
  EXPECT_EQ(w.xattr("/f", "user.key"), "value");
  EXPECT_EQ(w.xattr("/f", "user.none"), "error 61");
  EXPECT_EQ(w.xattr("/f", "system.x"), "error 95");
  EXPECT_TRUE(vfs::remove_xattr(w.caller(), path, "user.key"));
  EXPECT_EQ(w.xattr("/f", "user.key"), "error 61");
}

TEST(NineP, MountErrors) {
  FakeServer server("share");
  EXPECT_EQ(World("nothing").mount_error, 2);
  EXPECT_EQ(World("share", "version=9p2000").mount_error, 22);
  EXPECT_EQ(World("share", "trans=tcp").mount_error, 22);
  EXPECT_EQ(World("share", "nonsense").mount_error, 22);
  {
    World first("share");
    EXPECT_EQ(World("share").mount_error, 16);
  }
  EXPECT_EQ(World("share", "msize=8192,cache=loose").mount_error, 0);
}

TEST(NineP, OldServers) {
  FakeServer server("share");
  server.lie = [](const FakeServer::Bytes& request, FakeServer::Bytes& answer) {
    if (request[4] == 100) answer[answer.size() - 1] = 'u';
  };
  EXPECT_EQ(World("share").mount_error, 93);  // EPROTONOSUPPORT
}

TEST(NineP, ABrokenChannelIsEio) {
  FakeServer server("share");
  add_file(server, "file", "text");
  World w("share");
  auto file = *w.open("/file", open_read_only);
  server.broken = true;
  EXPECT_EQ(World::read_at(*file, 0, 10), "error 5");
  EXPECT_EQ(w.stat("/file"), 5);
  server.broken = false;
}

// One kind of lie after the other, in the answers to one kind of message.
TEST(NineP, LiesAreErrors) {
  using Bytes = FakeServer::Bytes;
  const std::vector<std::function<void(Bytes&)>> lies = {
      [](Bytes& a) { a.clear(); },
      [](Bytes& a) { a.resize(5); },
      [](Bytes& a) { a.resize(7); },
      [](Bytes& a) {
        if (a.size() > 8) a.resize(a.size() - 1);
      },
      [](Bytes& a) { a[0] = 0; },
      [](Bytes& a) { a[3] = 0xff; },
      [](Bytes& a) { a[4] = 99; },
      [](Bytes& a) { a[4] = 7; },
      [](Bytes& a) { a[5] = static_cast<std::uint8_t>(a[5] ^ 1); },
      [](Bytes& a) { std::fill(a.begin() + 7, a.end(), 0xff); },
      [](Bytes& a) { std::fill(a.begin() + 7, a.end(), 0); },
  };
  for (int type : {8, 12, 14, 16, 22, 24, 26, 30, 32, 40, 50, 70, 72, 74, 76, 104, 110, 116, 118, 120})
    for (std::size_t which = 0; which < lies.size(); ++which) {
      FakeServer server("share");
      add_file(server, "file", std::string(5000, 'f'));
      server.lie = [&](const Bytes& request, Bytes& answer) {
        if (request[4] == type) lies[which](answer);
      };
      World w("share");
      use_everything(w);
    }
}

TEST(NineP, RandomDamage) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    FakeServer server("share");
    add_file(server, "file", std::string(5000, 'f'));
    server.lie = [&](const FakeServer::Bytes&, FakeServer::Bytes& answer) {
      if (random() % 8) return;
      if (random() % 4 == 0) answer.resize(random() % (answer.size() + 1));
      for (unsigned i = random() % 4; i && !answer.empty(); --i)
        answer[random() % answer.size()] = static_cast<std::uint8_t>(random());
    };
    World w("share");
    use_everything(w);
  }
}

}  // namespace
