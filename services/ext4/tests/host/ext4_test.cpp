// Against images that mke2fs makes, checked with e2fsck and read back with debugfs.
#include "image.h"

using namespace test;

TEST(Ext4, ReadsWhatMke2fsWrote) {
  std::string folder = scratch() + "/tree";
  run("rm -rf " + folder + "; mkdir -p " + folder + "/a/b");
  save(folder + "/a/small", Bytes{'h', 'i', '\n'});
  std::string large = pattern(3000000, 1);
  save(folder + "/a/b/large", Bytes(large.begin(), large.end()));
  run("ln -s b/large " + folder + "/a/link; ln -s " + std::string(200, 'x') + " " + folder + "/a/long");
  run("mkdir " + folder + "/many; cd " + folder +
      "/many; for i in $(seq 1 1500); do : > file-with-a-longer-name-$i; done");
  for (const char* options : {"", "-b 1024", "-b 2048 -I 128", "-O ^64bit,^metadata_csum_seed"}) {
    SCOPED_TRACE(options);
    ImageDisk disk(make_image(24, options, folder));
    Ext4World w(disk, "", true);
    ASSERT_EQ(w.mount_error, 0);
    EXPECT_EQ(w.read_file("/a/small"), "hi\n");
    EXPECT_TRUE(w.read_file("/a/b/large") == large);
    EXPECT_EQ(w.read_link("/a/link"), "b/large");
    EXPECT_EQ(w.read_link("/a/long"), std::string(200, 'x'));
    EXPECT_EQ(w.list("/many", 7).size(), 1500u);
    EXPECT_EQ(w.stat_errno("/many/file-with-a-longer-name-777"), 0);
    EXPECT_EQ(w.stat_errno("/many/file-with-a-longer-name-7777"), 2);
    EXPECT_EQ(w.mkdir("/no"), 30);
  }
}

TEST(Ext4, LeavesACleanDiskBehind) {
  ImageDisk disk(make_image(32));
  {
    Ext4World w(disk);
    ASSERT_EQ(w.mount_error, 0);
  }
  expect_clean(disk);
  {
    Ext4World w(disk);
    EXPECT_EQ(w.mkdir("/d"), 0);
    EXPECT_EQ(w.write_file("/d/f", pattern(100000, 2)), 0);
    EXPECT_EQ(w.symlink("d/f", "/l"), 0);
    EXPECT_EQ(w.symlink(std::string(100, 'y'), "/ll"), 0);
    EXPECT_EQ(w.link("/d/f", "/hard"), 0);
    EXPECT_EQ(w.write_file("/gone", pattern(5000, 3)), 0);
    EXPECT_EQ(w.unlink("/gone"), 0);
    EXPECT_EQ(w.rename("/d", "/e"), 0);
    EXPECT_EQ(w.mkdir("/e/sub"), 0);
    EXPECT_EQ(w.rename("/e/sub", "/sub"), 0);
    EXPECT_EQ(w.rmdir("/e"), 39);
  }
  expect_clean(disk);
  Ext4World w(disk, "", true);
  EXPECT_EQ(w.read_file("/e/f"), pattern(100000, 2));
  EXPECT_EQ(w.read_file("/hard"), pattern(100000, 2));
  EXPECT_EQ(w.stat("/hard").link_count, 2u);
  EXPECT_EQ(w.read_link("/l"), "d/f");
  EXPECT_EQ(w.read_link("/ll"), std::string(100, 'y'));
  EXPECT_EQ(w.stat_errno("/gone"), 2);
  EXPECT_EQ(w.stat("/").link_count, 5u);
}

TEST(Ext4, GrowsAndEmptiesLargeDirectories) {
  for (const char* options : {"", "-b 1024"}) {
    SCOPED_TRACE(options);
    ImageDisk disk(make_image(64, std::string(options) + " -N 8192"));
    const int count = 5000;
    auto name = [](int i) { return "/dir/a-name-that-takes-some-room-" + std::to_string(i * 7919); };
    {
      Ext4World w(disk);
      ASSERT_EQ(w.mkdir("/dir"), 0);
      for (int i = 0; i < count; ++i) ASSERT_EQ(w.write_file(name(i), ""), 0) << i;
      EXPECT_EQ(w.list("/dir", 50).size(), static_cast<std::size_t>(count));
    }
    expect_clean(disk);
    {
      Ext4World w(disk);
      for (int i = 0; i < count; ++i) ASSERT_EQ(w.stat_errno(name(i)), 0) << i;
      for (int i = 0; i < count; i += 2) ASSERT_EQ(w.unlink(name(i)), 0) << i;
    }
    expect_clean(disk);
    {
      Ext4World w(disk);
      EXPECT_EQ(w.list("/dir", 50).size(), static_cast<std::size_t>(count / 2));
      for (int i = 1; i < count; i += 2) ASSERT_EQ(w.unlink(name(i)), 0) << i;
      EXPECT_EQ(w.rmdir("/dir"), 0);
    }
    expect_clean(disk);
  }
}

TEST(Ext4, KeepsAttributesAndXattrs) {
  ImageDisk disk(make_image(16, "-b 4096"));
  {
    Ext4World w(disk);
    ASSERT_EQ(w.write_file("/f", "x"), 0);
    EXPECT_EQ(World::code(change_mode(w.caller(), w.path(w.full("/f")), 04751)), 0);
    EXPECT_EQ(World::code(change_owner(w.caller(), w.path(w.full("/f")), 70000, 80000)), 0);
    EXPECT_EQ(World::code(change_mode(w.caller(), w.path(w.full("/f")), 0640)), 0);
    TimeChange time{TimeChange::Kind::set, {5000000000, 123456789}};
    EXPECT_EQ(World::code(change_times(w.caller(), w.path(w.full("/f")), time, time)), 0);
    auto set = [&](std::string name, std::string value) {
      return World::code(
          set_xattr(w.caller(), w.path(w.full("/f")), name, {value.data(), value.size()}, XattrMode::set));
    };
    EXPECT_EQ(set("user.small", "value"), 0);
    EXPECT_EQ(set("user.large", std::string(2000, 'l')), 0);
    EXPECT_EQ(set("trusted.other", ""), 0);
    EXPECT_EQ(set("user.too", std::string(4000, 'l')), 28);
    EXPECT_EQ(set("user.small", "changed"), 0);
    EXPECT_EQ(World::code(make_node(w.caller(), nullptr, w.full("/null"), mode_character | 0666, {1, 3})), 0);
    EXPECT_EQ(World::code(make_node(w.caller(), nullptr, w.full("/big"), mode_block | 0600, {300, 70000})),
              0);
    EXPECT_EQ(World::code(make_node(w.caller(), nullptr, w.full("/fifo"), mode_fifo | 0600, {})), 0);
  }
  expect_clean(disk);
  {
    Ext4World w(disk);
    auto stat = w.stat("/f");
    EXPECT_EQ(stat.mode, mode_regular | 0640);
    EXPECT_EQ(stat.uid, 70000u);
    EXPECT_EQ(stat.gid, 80000u);
    EXPECT_EQ(stat.modify_time.seconds, 5000000000);
    EXPECT_EQ(stat.modify_time.nanoseconds, 123456789u);
    auto get = [&](std::string name) {
      auto value = get_xattr(w.caller(), w.path(w.full("/f")), name);
      return value ? std::string(value->data(), value->size())
                   : "error " + std::to_string(World::code(value));
    };
    EXPECT_EQ(get("user.small"), "changed");
    EXPECT_EQ(get("user.large"), std::string(2000, 'l'));
    EXPECT_EQ(get("trusted.other"), "");
    EXPECT_EQ(get("user.none"), "error 61");
    EXPECT_EQ(World::code(remove_xattr(w.caller(), w.path(w.full("/f")), "user.large")), 0);
    EXPECT_EQ(w.stat("/null").special_device, (DeviceNumber{1, 3}));
    EXPECT_EQ(w.stat("/big").special_device, (DeviceNumber{300, 70000}));
    EXPECT_EQ(w.stat("/fifo").mode & mode_type_mask, mode_fifo);
  }
  expect_clean(disk);
}

TEST(Ext4, FallocatePunchAndSeek) {
  ImageDisk disk(make_image(32));
  {
    Ext4World w(disk);
    auto file = *w.open("/f", open_read_write | open_create);
    ASSERT_EQ(World::code(allocate(*file, 0, 0, 1 << 20)), 0);
    EXPECT_EQ(w.stat("/f").size, 1u << 20);
    EXPECT_EQ(w.stat("/f").blocks_512, 2048u);
    EXPECT_EQ(World::write_at(*file, 300000, pattern(50000, 4)), 0);
    EXPECT_EQ(World::code(file->sync(0, ~0ull >> 1, false)), 0);
    EXPECT_EQ(*file->seek(0, Whence::data), 299008);
    EXPECT_EQ(World::code(allocate(*file, 3, 310000, 20000)), 0);
    std::string expected =
        std::string(300000, '\0') + pattern(50000, 4) + std::string((1 << 20) - 350000, '\0');
    std::fill_n(expected.begin() + 310000, 20000, '\0');
    EXPECT_TRUE(World::read_at(*file, 0, 2 << 20) == expected);
    EXPECT_EQ(World::code(allocate(*file, 1, 1 << 20, 1 << 20)), 0);
    EXPECT_EQ(w.stat("/f").size, 1u << 20);
    EXPECT_EQ(World::code(allocate(*file, 0x10, 0, 305000)), 0);
    std::fill_n(expected.begin(), 305000, '\0');
    EXPECT_TRUE(World::read_at(*file, 0, 2 << 20) == expected);
    EXPECT_EQ(World::code(allocate(*file, 9, 0, 4096)), 95);
  }
  expect_clean(disk);
}

TEST(Ext4, DirectTransfersKeepTheRulesOfAlignment) {
  ImageDisk disk(make_image(16));
  {
    Ext4World w(disk);
    auto file = *w.open("/f", open_read_write | open_create | open_direct);
    alignas(512) static char memory[4096];
    std::fill_n(memory, sizeof(memory), 'd');
    auto write = [&](std::size_t from, std::size_t length, std::uint64_t offset) {
      auto buffer =
          core::IoBuffer::kernel(std::as_bytes(std::span<const char>(memory).subspan(from, length)));
      return World::code(file->positioned_write(buffer, offset));
    };
    EXPECT_EQ(write(0, 1024, 512), 0);
    EXPECT_EQ(write(0, 1000, 0), 22);
    EXPECT_EQ(write(0, 512, 100), 22);
    EXPECT_EQ(write(8, 512, 0), 22);
    EXPECT_EQ(w.stat("/f").size, 1536u);
    EXPECT_EQ(w.stat("/f").direct_offset_alignment, 512u);
    EXPECT_EQ(w.stat("/f").direct_memory_alignment, 512u);
    EXPECT_EQ(w.stat("/").direct_offset_alignment, 0u);
    auto read = [&](std::size_t length, std::uint64_t offset) {
      auto buffer = core::IoBuffer::kernel(std::as_writable_bytes(std::span(memory).first(length)));
      return file->positioned_read(buffer, offset);
    };
    EXPECT_EQ(*read(4096, 0), 1536u);
    EXPECT_EQ(World::code(read(100, 0)), 22);
    EXPECT_EQ(*read(100, 4096), 0u);
  }
  expect_clean(disk);
}

struct TrimRange {
  std::uint64_t start = 0, length = ~std::uint64_t{0}, minimum = 0;
};
int trim(File& file, TrimRange& range) {
  return World::code(file.ioctl(0xc0185879, reinterpret_cast<std::uintptr_t>(&range)));
}

// The device forgets free blocks only: not those of a file whose deletion a crash would undo.
TEST(Ext4, TrimTellsOfFreeBlocksOnly) {
  for (const char* options : {"-b 4096", "-b 1024"}) {
    ImageDisk disk(make_image(24, options));
    Bytes crashed;
    {
      Ext4World w(disk);
      for (unsigned i = 0; i < 40; ++i)
        ASSERT_EQ(w.write_file("/f" + std::to_string(i), pattern(70000, i)), 0);
      for (unsigned i = 0; i < 40; ++i) ASSERT_EQ(w.sync_file("/f" + std::to_string(i)), 0);
      for (unsigned i = 1; i < 39; i += 2) ASSERT_EQ(w.unlink("/f" + std::to_string(i)), 0);
      ASSERT_EQ(w.sync_file("/"), 0);
      ASSERT_EQ(w.unlink("/f0"), 0);
      auto root = *w.open("/", open_read_only | open_directory);
      TrimRange all, none{0, ~std::uint64_t{0}, 1 << 30}, behind{1 << 30, 1 << 20, 0}, part{0, 4 << 20, 0};
      EXPECT_EQ(trim(*root, none), 22);
      EXPECT_EQ(trim(*root, behind), 22);
      EXPECT_EQ(trim(*root, part), 0);
      EXPECT_LE(part.length, 4u << 20);
      disk.discarded = 0;
      EXPECT_EQ(trim(*root, all), 0);
      EXPECT_GT(all.length, 10u << 20);
      EXPECT_EQ(all.length, disk.discarded);
      crashed = disk.image;
      TrimRange large{0, ~std::uint64_t{0}, 1 << 20};
      EXPECT_EQ(trim(*root, large), 0);
      EXPECT_GT(large.length, 0u);
      EXPECT_LT(large.length, all.length);
      for (unsigned i = 2; i < 40; i += 2)
        EXPECT_TRUE(w.read_file("/f" + std::to_string(i)) == pattern(70000, i));
    }
    expect_clean(disk);
    {
      Ext4World w(disk);
      for (unsigned i = 2; i < 40; i += 2)
        EXPECT_TRUE(w.read_file("/f" + std::to_string(i)) == pattern(70000, i));
    }
    ImageDisk after_crash(std::move(crashed));
    {
      Ext4World w(after_crash);
      EXPECT_TRUE(w.read_file("/f0") == pattern(70000, 0));
      EXPECT_TRUE(w.read_file("/f39") == pattern(70000, 39));
    }
    expect_clean(after_crash);
  }
}

RefPtr<Credentials> acting;
TEST(Ext4, TheLastBlocksAreForRoot) {
  ImageDisk disk(make_image(16, "-m 10"));
  {
    Ext4World w(disk);
    acting = *Credentials::create_root();
    acting->uid = acting->euid = acting->suid = acting->fsuid = 1000;
    acting->effective = CapabilitySet();
    set_credentials_hook([] { return RefPtr<const Credentials>(acting.get()); });
    auto file = *w.open("/f", open_write_only | open_create);
    std::string piece = pattern(64 << 10, 1);
    std::uint64_t at = 0;
    // Until there really is nothing: a short write only means that promises have to be kept first.
    for (;;) {
      auto buffer = core::IoBuffer::kernel(std::as_bytes(std::span<const char>(piece.data(), piece.size())));
      auto done = file->positioned_write(buffer, at);
      if (!done) {
        EXPECT_EQ(World::code(done), 28);
        break;
      }
      at += *done;
    }
    FileSystemStatistics now;
    EXPECT_TRUE(vfs::statistics(w.path(w.full("/")), now));
    EXPECT_LT(now.blocks_available * now.block_size, 2 * piece.size());
    EXPECT_GT(now.blocks_free * now.block_size, 1u << 20);
    EXPECT_EQ(World::code(file->allocate(0, at, 1 << 20)), 28);
    set_credentials_hook(nullptr);
    EXPECT_EQ(World::write_at(*file, at, pattern(1 << 20, 2)), 0);
    acting = nullptr;
  }
  expect_clean(disk);
}

TEST(Ext4, RunsOutOfRoomWithoutLosingAnything) {
  ImageDisk disk(make_image(8));
  std::map<std::string, std::string> kept;
  {
    Ext4World w(disk);
    for (unsigned i = 0; i < 200; ++i) {
      std::string name = "/f" + std::to_string(i), text = pattern(100000, i);
      int result = w.write_file(name, text);
      if (result) {
        EXPECT_TRUE(result == 28 || result == -1) << result;
        w.unlink(name);
        break;
      }
      kept[name] = text;
    }
    EXPECT_LT(kept.size(), 100u);
    EXPECT_GT(kept.size(), 10u);
  }
  expect_clean(disk);
  {
    Ext4World w(disk);
    for (auto& [name, text] : kept) EXPECT_TRUE(w.read_file(name) == text) << name;
    for (auto& [name, text] : kept) EXPECT_EQ(w.unlink(name), 0);
    EXPECT_EQ(w.write_file("/again", pattern(1000000, 9)), 0);
  }
  expect_clean(disk);
}

// What was deleted a moment ago is room, for data and for names, without anybody's sync.
TEST(Ext4, FullDisksTakeWhatDeletionsGaveBack) {
  ImageDisk disk(make_image(8));
  {
    Ext4World w(disk);
    int result = 0;
    unsigned files = 0;
    for (; !result; ++files) result = w.write_file("/f" + std::to_string(files), pattern(50000, files));
    EXPECT_TRUE(result == 28 || result == -1) << result;
    ASSERT_GT(files, 20u);
    for (unsigned i = 0; i < 30; ++i) {
      std::string name = "/f" + std::to_string(i % (files - 1));
      if (i % 3 == 0) ASSERT_EQ(w.sync_file("/"), 0);
      ASSERT_EQ(w.unlink(name), 0) << i;
      ASSERT_EQ(w.write_file(name, pattern(50000, i)), 0) << i;
    }
    ASSERT_EQ(w.unlink("/f0"), 0);
    for (int i = 0; i < 10; ++i) ASSERT_EQ(w.mkdir("/d" + std::to_string(i)), 0) << i;
  }
  expect_clean(disk);
}

// Small files are promised a page each and need a block of 1 KiB.
TEST(Ext4, PromisesDoNotUseUpTheDisk) {
  ImageDisk disk(make_image(8, "-b 1024 -N 8192"));
  {
    Ext4World w(disk);
    FileSystemStatistics before;
    EXPECT_TRUE(vfs::statistics(w.path(w.full("/")), before));
    unsigned files = 0;
    while (files < 8000 && w.write_file("/f" + std::to_string(files), "small") == 0) ++files;
    // All but what the directory and its growth took.
    EXPECT_GT(files, before.blocks_available * 8 / 10);
    for (unsigned i = 0; i < files; i += 97) EXPECT_EQ(w.read_file("/f" + std::to_string(i)), "small");
  }
  expect_clean(disk);
}

// What a write was promised is not given to somebody's directories.
TEST(Ext4, NamesDoNotTakeWhatDataWasPromised) {
  ImageDisk disk(make_image(8, "-N 8192"));
  unsigned files = 0, directories = 0;
  {
    Ext4World w(disk);
    while (w.write_file("/f" + std::to_string(files), pattern(100000, files)) == 0) ++files;
    w.unlink("/f" + std::to_string(files));
    while (directories < 5000 && w.mkdir("/d" + std::to_string(directories)) == 0) ++directories;
    EXPECT_LT(directories, 5000u);
    for (unsigned i = 0; i < files; ++i) EXPECT_EQ(w.sync_file("/f" + std::to_string(i)), 0) << i;
  }
  expect_clean(disk);
  Ext4World w(disk);
  for (unsigned i = 0; i < files; ++i)
    EXPECT_TRUE(w.read_file("/f" + std::to_string(i)) == pattern(100000, i)) << i;
}

TEST(Ext4, DeletesFilesThatAreStillOpen) {
  ImageDisk disk(make_image(16));
  Bytes while_open;
  {
    Ext4World w(disk);
    auto file = *w.open("/f", open_read_write | open_create);
    EXPECT_EQ(World::write_at(*file, 0, pattern(400000, 5)), 0);
    EXPECT_EQ(World::code(file->sync(0, ~0ull >> 1, false)), 0);
    EXPECT_EQ(w.unlink("/f"), 0);
    EXPECT_EQ(w.mkdir("/now"), 0);
    EXPECT_EQ(w.sync_file("/now"), 0);
    while_open = disk.image;
    EXPECT_TRUE(World::read_at(*file, 0, 400000) == pattern(400000, 5));
    auto nameless = *vfs::open(w.caller(), nullptr, w.full("/now"),
                               {open_temporary | open_read_write, 0600, lookup_default});
    EXPECT_EQ(World::write_at(*nameless, 0, "no name"), 0);
  }
  expect_clean(disk);
  // The machine stopped while it was open: the next mount deletes it.
  ImageDisk crashed(while_open);
  std::uint64_t free_before;
  {
    Ext4World w(crashed);
    ASSERT_EQ(w.mount_error, 0);
    EXPECT_EQ(w.list("/"), (std::vector<std::string>{"lost+found", "now"}));
    FileSystemStatistics statistics;
    EXPECT_TRUE(vfs::statistics(w.path(w.full("/")), statistics));
    free_before = statistics.blocks_free;
  }
  expect_clean(crashed);
  EXPECT_GT(free_before, 1000u);
}

// A name that was looked for in vain, or removed, is remembered below the directory.
TEST(Ext4, RemovedDirectoriesGoAtOnce) {
  ImageDisk disk(make_image(16));
  Ext4World w(disk);
  ASSERT_EQ(w.mkdir("/into"), 0);
  std::uint64_t before = w.free_inodes();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(w.mkdir("/d"), 0);
    EXPECT_EQ(w.write_file("/f", "text"), 0);
    EXPECT_EQ(w.rename("/f", "/d/x"), 0);
    EXPECT_EQ(w.unlink("/d/x"), 0);
    EXPECT_EQ(w.stat_errno("/d/never"), 2);
    EXPECT_EQ(w.rmdir("/d"), 0);
    // The same for one that a rename replaces.
    EXPECT_EQ(w.mkdir("/d"), 0);
    EXPECT_EQ(w.stat_errno("/into/never"), 2);
    EXPECT_EQ(w.rename("/d", "/into"), 0);
  }
  core::rcu_barrier();
  EXPECT_EQ(w.free_inodes(), before);
}

// The blocks of a directory and of a symbolic link went through the journal; then they are a file's.
TEST(Ext4, FreedMetadataDoesNotComeHome) {
  ImageDisk disk(make_image(8, "-b 1024"));
  std::map<std::string, std::string> kept;
  {
    Ext4World w(disk);
    ASSERT_EQ(w.mkdir("/d"), 0);
    for (int i = 0; i < 200; ++i)
      EXPECT_EQ(w.write_file("/d/file-with-a-longer-name-" + std::to_string(i), "x"), 0);
    EXPECT_EQ(w.symlink(std::string(100, 'y'), "/link"), 0);
    EXPECT_TRUE((*w.open("/d", open_read_only))->sync(0, ~std::uint64_t{0}, false));
    for (int i = 0; i < 200; ++i) EXPECT_EQ(w.unlink("/d/file-with-a-longer-name-" + std::to_string(i)), 0);
    EXPECT_EQ(w.rmdir("/d"), 0);
    EXPECT_EQ(w.unlink("/link"), 0);
    // Everything that is free is used.
    for (unsigned i = 0; i < 2000; ++i) {
      std::string name = "/f" + std::to_string(i), text = pattern(5000, i);
      if (w.write_file(name, text)) break;
      kept[name] = text;
      if (i % 50 == 0) EXPECT_TRUE((*w.open(name, open_read_only))->sync(0, ~std::uint64_t{0}, false));
    }
    EXPECT_GT(kept.size(), 500u);
  }
  expect_clean(disk);
  Ext4World w(disk);
  for (auto& [name, text] : kept) EXPECT_TRUE(w.read_file(name) == text) << name;
}

TEST(Ext4, RefusesWhatItDoesNotKnow) {
  struct Case {
    const char* options;
    int for_writing, for_reading;
  };
  for (Case one : {Case{"-O inline_data", 22, 22}, Case{"-O casefold", 22, 22}, Case{"-O bigalloc", 22, 22},
                   Case{"-O quota", 30, 0}, Case{"-O ^has_journal,^orphan_file", 30, 0}}) {
    SCOPED_TRACE(one.options);
    ImageDisk disk(make_image(16, one.options));
    EXPECT_EQ(Ext4World(disk).mount_error, one.for_writing);
    if (std::string(one.options) != "-O bigalloc")
      EXPECT_EQ(Ext4World(disk, "", true).mount_error, one.for_reading);
  }
  ImageDisk nothing(Bytes(8 << 20));
  EXPECT_EQ(Ext4World(nothing).mount_error, 22);
}

TEST(Ext4, StopsWritingWhenTheDiskFails) {
  ImageDisk disk(make_image(16));
  Ext4World w(disk);
  ASSERT_EQ(w.write_file("/f", "before"), 0);
  ASSERT_EQ(w.sync_file("/f"), 0);
  auto file = *w.open("/f", open_read_write);
  EXPECT_EQ(World::write_at(*file, 0, "after!"), 0);
  disk.failing = true;
  EXPECT_EQ(World::code(file->sync(0, ~0ull >> 1, false)), 5);
  EXPECT_EQ(w.mkdir("/d") == 0 && w.sync_file("/d") == 0, false);
  EXPECT_EQ(w.mkdir("/e"), 30);
  // What is not committed never will be: every fsync says so.
  for (int i = 0; i < 2; ++i) EXPECT_EQ(World::code(file->sync(0, ~0ull >> 1, false)), 5);
  EXPECT_EQ(w.sync_file("/"), 5);
  EXPECT_EQ(w.read_file("/f"), "after!");
}

// A file that was never fsynced, renamed over another: after a crash the name leads to all of one of them.
TEST(Ext4, ReplacingByRenameKeepsOneContent) {
  ImageDisk disk(make_image(16));
  Bytes crashed;
  {
    Ext4World w(disk);
    ASSERT_EQ(w.write_file("/f", pattern(9000, 1)), 0);
    ASSERT_EQ(w.sync_file("/f"), 0);
    ASSERT_EQ(w.write_file("/f.new", pattern(30000, 2)), 0);
    ASSERT_EQ(w.rename("/f.new", "/f"), 0);
    ASSERT_EQ(w.sync_file("/"), 0);
    crashed = disk.image;
  }
  ImageDisk after_crash(std::move(crashed));
  {
    Ext4World w(after_crash);
    EXPECT_TRUE(w.read_file("/f") == pattern(30000, 2));
  }
  expect_clean(after_crash);
}

// Random operations on a tree against a model in memory; clean and the same after each mount.
class Random : public testing::TestWithParam<unsigned> {};

TEST_P(Random, OperationsBehaveAsTheModel) {
  unsigned seed = GetParam();
  std::mt19937 random(seed);
  ImageDisk disk(make_image(48, seed % 3 == 1 ? "-b 1024" : seed % 3 == 2 ? "-b 2048" : ""));
  std::map<std::string, std::string> files;
  for (int round = 0; round < 3; ++round) {
    Ext4World w(disk);
    ASSERT_EQ(w.mount_error, 0);
    if (round == 0) ASSERT_EQ(w.mkdir("/d"), 0);
    for (auto& [name, text] : files) ASSERT_TRUE(w.read_file(name) == text) << name << " in round " << round;
    for (int step = 0; step < 250; ++step) {
      std::string name = (random() % 2 ? "/d/" : "/") + std::string("n") + std::to_string(random() % 30);
      std::string other = (random() % 2 ? "/d/" : "/") + std::string("n") + std::to_string(random() % 30);
      bool exists = files.count(name);
      switch (random() % 10) {
        case 0:
        case 1:
        case 2:
        case 3: {
          std::size_t offset = random() % 4 ? random() % 60000 : random() % 3000000,
                      length = random() % 40000;
          auto file = w.open(name, open_read_write | open_create);
          ASSERT_TRUE(file);
          std::string text = pattern(length, static_cast<unsigned>(random()));
          ASSERT_EQ(World::write_at(**file, offset, text), 0);
          std::string& model = files[name];
          if (length && model.size() < offset + length) model.resize(offset + length);
          model.replace(offset > model.size() ? model.size() : offset, length, text);
          break;
        }
        case 4: {
          if (!exists) break;
          auto file = *w.open(name, open_read_write);
          std::size_t size = random() % 100000;
          ASSERT_TRUE(truncate(*file, size));
          files[name].resize(size);
          break;
        }
        case 5:
          ASSERT_EQ(w.unlink(name), exists ? 0 : 2);
          files.erase(name);
          break;
        case 6:
          ASSERT_EQ(w.rename(name, other), exists ? 0 : 2);
          if (exists && name != other) {
            files[other] = files[name];
            files.erase(name);
          }
          break;
        case 7: {
          if (!exists || files[name].empty()) break;
          auto file = *w.open(name, open_read_write);
          std::size_t from = random() % files[name].size(), length = random() % 50000 + 1;
          ASSERT_EQ(World::code(allocate(*file, 3, from, length)), 0);
          std::size_t end = std::min(from + length, files[name].size());
          std::fill(files[name].begin() + static_cast<long>(from),
                    files[name].begin() + static_cast<long>(end), '\0');
          break;
        }
        case 8: {
          std::size_t blocks = exists ? files[name].size() / 4096 : 0;
          if (blocks < 2) break;
          std::size_t from = random() % (blocks - 1) * 4096, length = (1 + random() % 12) * 4096;
          bool inserts = random() % 2 || from + length >= files[name].size();
          auto file = *w.open(name, open_read_write);
          ASSERT_EQ(World::code(allocate(*file, inserts ? 0x20 : 8, from, length)), 0);
          inserts ? files[name].insert(from, length, '\0') : files[name].erase(from, length);
          break;
        }
        default:
          if (exists) ASSERT_TRUE(w.read_file(name) == files[name]) << name;
          if (random() % 3 == 0 && exists) ASSERT_EQ(w.sync_file(name), 0);
      }
    }
    w.unmount();
    expect_clean(disk);
  }
  // Another reader sees the same.
  std::string path = scratch() + "/final.img", out = scratch() + "/out";
  save(path, disk.image);
  run("rm -rf " + out + "; mkdir " + out + "; debugfs -R 'rdump / " + out + "' " + path);
  for (auto& [name, text] : files) {
    Bytes bytes = load(out + name);
    EXPECT_TRUE(std::string(bytes.begin(), bytes.end()) == text) << name;
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, Random, testing::Range(0u, 6u));
