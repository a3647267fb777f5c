// Disks over drivers that play tricks: merging, busy drivers, errors, flushes; partition tables good and
// damaged.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "block/ram_disk.h"
#include "block/volume.h"
#include "core/memory/page_allocator.h"
#include "core/sync/completion.h"

using namespace block;
using base::Errno;

namespace {

// Keeps what it is given until it is told to finish it.
class SlowDriver final : public DiskDriver {
 public:
  QueueResult queue(Request& request) override {
    if (held.size() >= room) return QueueResult::busy;
    held.push_back(&request);
    order.push_back({request.operation(), request.sector(), request.length(), request.force_unit_access()});
    return QueueResult::taken;
  }
  void kick(unsigned) override { ++kicks; }
  void timed_out(Request& request) override { late.push_back(request.tag()); }
  void finish_one(Errno status = Errno{0}) {
    Request* request = held.front();
    held.erase(held.begin());
    request->complete(status);
  }
  struct Seen {
    Operation operation;
    std::uint64_t sector, length;
    bool force_unit_access;
  };
  std::size_t room = 1;
  std::vector<Request*> held;
  std::vector<Seen> order;
  std::vector<unsigned> late;
  int kicks = 0;
};

struct Piece {
  core::PageRef page = *core::allocate_page(core::AllocationFlags::zero);
  Segment segment{page.get(), 0, 4096};
  Bio bio;
  int completions = 0;
  Piece(Operation operation, std::uint64_t sector) {
    bio.operation = operation;
    bio.sector = sector;
    bio.set_segments({&segment, 1});
    bio.owner = this;
    bio.completed = [](Bio& done) { ++static_cast<Piece*>(done.owner)->completions; };
  }
};

RefPtr<Disk> make_disk(DiskDriver& driver, bool cache = false, bool fua = false) {
  DiskDescription description;
  description.name = "slow";
  description.major = 240;
  description.sectors = 100000;
  description.minors = 1;
  description.limits.volatile_cache = cache;
  description.limits.force_unit_access = fua;
  return *Disk::create(description, driver);
}

std::string read_bytes(Volume& volume, std::uint64_t sector) {
  auto page = *core::allocate_page();
  Segment segment{page.get(), 0, 512};
  EXPECT_TRUE(volume.read(sector, {&segment, 1}));
  return {reinterpret_cast<char*>(page.data()), 512};
}
void write_bytes(Volume& volume, std::uint64_t sector, const std::string& bytes) {
  auto page = *core::allocate_page(core::AllocationFlags::zero);
  std::memcpy(page.data(), bytes.data(), bytes.size());
  Segment segment{page.get(), 0, 512};
  ASSERT_TRUE(volume.write(sector, {&segment, 1}, Durability::cached));
}

}  // namespace

TEST(Disk, MergesWhatWaitsAndSortsIt) {
  SlowDriver driver;
  auto disk = make_disk(driver);
  Piece first(Operation::write, 0), c(Operation::write, 816), b(Operation::write, 808),
      a(Operation::write, 800), far(Operation::write, 80);
  disk->submit(first.bio);
  for (Piece* piece : {&c, &a, &b, &far}) disk->submit(piece->bio);
  EXPECT_EQ(driver.order.size(), 1u);
  driver.finish_one();
  driver.finish_one();
  driver.finish_one();
  ASSERT_EQ(driver.order.size(), 3u);
  EXPECT_EQ(driver.order[1].sector, 80u);
  EXPECT_EQ(driver.order[2].sector, 800u);
  EXPECT_EQ(driver.order[2].length, 3 * 4096u);
  for (Piece* piece : {&first, &a, &b, &c, &far}) EXPECT_EQ(piece->completions, 1);
  disk->remove();
}

TEST(Disk, ABatchMergesBeforeTheDriverSeesIt) {
  SlowDriver driver;
  auto disk = make_disk(driver);
  std::vector<std::unique_ptr<Piece>> pieces;
  {
    Batch batch(*disk);
    for (int i = 7; i >= 0; --i) {
      pieces.push_back(std::make_unique<Piece>(Operation::read, static_cast<std::uint64_t>(i) * 8));
      disk->submit(pieces.back()->bio, &batch);
    }
    EXPECT_TRUE(driver.order.empty());
  }
  ASSERT_EQ(driver.order.size(), 1u);
  EXPECT_EQ(driver.order[0].length, 8 * 4096u);
  EXPECT_EQ(driver.kicks, 1);
  driver.finish_one(Errno::eio);
  for (auto& piece : pieces) EXPECT_EQ(piece->bio.status, Errno::eio);
}

TEST(Disk, ReadsGoFirstButDoNotStarveWrites) {
  SlowDriver driver;
  auto disk = make_disk(driver);
  Piece busy(Operation::write, 0);
  disk->submit(busy.bio);
  std::vector<std::unique_ptr<Piece>> pieces;
  for (unsigned i = 0; i < 8; ++i) {
    pieces.push_back(std::make_unique<Piece>(Operation::read, 1000 + i * 100));
    pieces.push_back(std::make_unique<Piece>(Operation::write, 9000 + i * 100));
  }
  for (auto& piece : pieces) disk->submit(piece->bio);
  while (!driver.held.empty()) driver.finish_one();
  unsigned row = 0, longest = 0;
  for (std::size_t i = 1; i < 10; ++i) {
    row = driver.order[i].operation == Operation::read ? row + 1 : 0;
    longest = std::max(longest, row);
  }
  EXPECT_EQ(longest, 4u);
  for (auto& piece : pieces) EXPECT_EQ(piece->completions, 1);
}

TEST(Disk, EmulatesUnitAccessWithAFlush) {
  SlowDriver driver;
  auto disk = make_disk(driver, true, false);
  Piece stable(Operation::write, 0);
  stable.bio.force_unit_access = true;
  disk->submit(stable.bio);
  driver.finish_one();
  EXPECT_EQ(stable.completions, 0);
  ASSERT_EQ(driver.order.size(), 2u);
  EXPECT_EQ(driver.order[1].operation, Operation::flush);
  driver.finish_one();
  EXPECT_EQ(stable.completions, 1);

  SlowDriver able;
  auto other = make_disk(able, true, true);
  Piece direct(Operation::write, 0);
  direct.bio.force_unit_access = true;
  other->submit(direct.bio);
  EXPECT_TRUE(able.order[0].force_unit_access);
  able.finish_one();
  EXPECT_EQ(direct.completions, 1);
}

TEST(Disk, RefusesWhatCannotBe) {
  SlowDriver driver;
  auto disk = make_disk(driver);
  Piece beyond(Operation::read, 99993), discard(Operation::discard, 0);
  disk->submit(beyond.bio);
  EXPECT_EQ(beyond.bio.status, Errno::eio);
  disk->submit(discard.bio);
  EXPECT_EQ(discard.bio.status, Errno::eopnotsupp);
  Piece held(Operation::read, 0), waiting(Operation::read, 800);
  disk->submit(held.bio);
  disk->submit(waiting.bio);
  disk->remove();
  EXPECT_EQ(waiting.bio.status, Errno::enodev);
  EXPECT_EQ(held.completions, 0);
  driver.finish_one(Errno::eio);
  EXPECT_EQ(held.completions, 1);
  Piece late(Operation::read, 0);
  disk->submit(late.bio);
  EXPECT_EQ(late.bio.status, Errno::enodev);
}

TEST(Disk, ReportsRequestsThatTakeTooLong) {
  SlowDriver driver;
  DiskDescription description{.name = "late", .major = 240, .minors = 1, .sectors = 1000};
  description.limits.timeout_ns = 20'000'000;
  auto disk = *Disk::create(description, driver);
  Piece piece(Operation::read, 0);
  disk->submit(piece.bio);
  for (int i = 0; i < 500 && driver.late.empty(); ++i) {
    timespec pause{0, 10'000'000};
    nanosleep(&pause, nullptr);
  }
  EXPECT_FALSE(driver.late.empty());
  driver.finish_one(Errno::etimedout);
  EXPECT_EQ(piece.bio.status, Errno::etimedout);
  disk->remove();
}

TEST(Names, CountInLetters) {
  char memory[16];
  EXPECT_EQ(disk_name("vd", 0, memory), "vda");
  EXPECT_EQ(disk_name("vd", 25, memory), "vdz");
  EXPECT_EQ(disk_name("vd", 26, memory), "vdaa");
  EXPECT_EQ(disk_name("vd", 27 * 26 - 1, memory), "vdzz");
  EXPECT_EQ(disk_name("vd", 27 * 26, memory), "vdaaa");
}

class RamDiskTest : public testing::Test {
 protected:
  RefPtr<Disk> disk = *RamDisk::create("ramtest", {241, 0}, 16, 8 << 20);
  Volume& whole() { return disk->whole(); }
  ~RamDiskTest() override { disk->remove(); }

  void put_mbr(std::vector<std::array<std::uint32_t, 3>> entries, std::uint64_t at = 0) {
    std::string sector(512, '\0');
    for (std::size_t i = 0; i < entries.size(); ++i) {
      std::uint32_t words[4] = {0, entries[i][0], entries[i][1], entries[i][2]};
      std::memcpy(sector.data() + 446 + 16 * i, words, 16);
    }
    sector[510] = '\x55';
    sector[511] = '\xaa';
    write_bytes(whole(), at, sector);
  }
  std::vector<std::string> names() {
    std::vector<std::string> result;
    disk->for_each_volume([&](Volume& volume) {
      if (volume.number())
        result.push_back(std::string(volume.name()) + ":" + std::to_string(volume.start()) + "+" +
                         std::to_string(volume.sectors()));
    });
    return result;
  }
};

TEST_F(RamDiskTest, KeepsWhatIsWritten) {
  write_bytes(whole(), 3, std::string(512, 'x'));
  EXPECT_EQ(read_bytes(whole(), 3), std::string(512, 'x'));
  EXPECT_EQ(read_bytes(whole(), 4), std::string(512, '\0'));
  EXPECT_TRUE(whole().discard(0, 8));
  EXPECT_EQ(read_bytes(whole(), 3), std::string(512, '\0'));
  EXPECT_TRUE(whole().write_zeroes(100, 1));
}

TEST_F(RamDiskTest, ReadsMbrTables) {
  using Strings = std::vector<std::string>;
  EXPECT_EQ(names(), Strings{});
  put_mbr({{0x83, 64, 1000}, {0x83, 2000, 100000}, {0x05, 4000, 4000}});
  put_mbr({{0x83, 10, 100}, {0x05, 1000, 1000}}, 4000);
  put_mbr({{0x83, 10, 50}, {0x05, 0, 10}}, 5000);
  ASSERT_TRUE(disk->read_partitions());
  EXPECT_EQ(names(),
            (Strings{"ramtest1:64+1000", "ramtest3:4000+2", "ramtest5:4010+100", "ramtest6:5010+50"}));
  auto found = find_volume("ramtest5");
  ASSERT_TRUE(found);
  write_bytes(**found, 0, std::string(512, 'p'));
  EXPECT_EQ(read_bytes(whole(), 4010), std::string(512, 'p'));
  auto page = *core::allocate_page();
  Segment segment{page.get(), 0, 512};
  auto beyond = (*found)->read(100, {&segment, 1});
  EXPECT_EQ(beyond.error(), Errno::eio);
  EXPECT_TRUE((*found)->claim(this));
  EXPECT_EQ((*found)->claim(&page).error(), Errno::ebusy);
  EXPECT_EQ(disk->read_partitions().error(), Errno::ebusy);
  (*found)->release(this);
  // A chain that leads back to itself ends.
  put_mbr({{0x83, 10, 50}, {0x05, 1000, 10}}, 5000);
  EXPECT_TRUE(disk->read_partitions());
}

TEST_F(RamDiskTest, SurvivesAnyTable) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    for (std::uint64_t sector : {0u, 1u, 2u}) {
      std::string bytes(512, '\0');
      for (char& byte : bytes) byte = static_cast<char>(random());
      if (sector == 0) {
        for (int i = 0; i < 4; ++i) bytes[446 + 16 * static_cast<std::size_t>(i)] = 0;
        if (round % 2) bytes[450] = '\xee';
        bytes[510] = '\x55';
        bytes[511] = '\xaa';
      }
      if (sector == 1) std::memcpy(bytes.data(), "EFI PART", 8);
      write_bytes(whole(), sector, bytes);
    }
    (void)!disk->read_partitions();
    disk->for_each_volume(
        [&](Volume& volume) { EXPECT_LE(volume.start() + volume.sectors(), disk->sectors()); });
  }
}

TEST_F(RamDiskTest, ReadsGptAndItsBackup) {
  // Made by hand: a protective MBR, one header, 4 entries of 128 bytes.
  auto crc = [](const std::string& bytes) {
    std::uint32_t state = ~0u;
    for (char byte : bytes) {
      state ^= static_cast<unsigned char>(byte);
      for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ (state & 1 ? 0xedb88320u : 0);
    }
    return ~state;
  };
  auto put = [](std::string& bytes, std::size_t at, auto value) {
    std::memcpy(bytes.data() + at, &value, sizeof(value));
  };
  std::uint64_t last = disk->sectors() - 1;
  std::string entries(512, '\0');
  for (int i = 0; i < 2; ++i) {
    std::size_t at = static_cast<std::size_t>(i) * 128;
    entries[at] = 1;
    entries[at + 16] = static_cast<char>(0xa0 + i);
    put(entries, at + 32, std::uint64_t{2048} * static_cast<unsigned>(i + 1));
    put(entries, at + 40, std::uint64_t{2048} * static_cast<unsigned>(i + 2) - 1);
    entries[at + 56] = static_cast<char>('r' + i);
  }
  auto header = [&](std::uint64_t mine, std::uint64_t table) {
    std::string bytes(512, '\0');
    std::memcpy(bytes.data(), "EFI PART", 8);
    put(bytes, 8, 0x10000u);
    put(bytes, 12, 92u);
    put(bytes, 24, mine);
    put(bytes, 40, std::uint64_t{34});
    put(bytes, 48, last - 34);
    put(bytes, 72, table);
    put(bytes, 80, 4u);
    put(bytes, 84, 128u);
    put(bytes, 88, crc(entries));
    put(bytes, 16, crc(bytes.substr(0, 92)));
    return bytes;
  };
  put_mbr({{0xee, 1, 0xffffffff}});
  write_bytes(whole(), 1, header(1, 2));
  write_bytes(whole(), 2, entries);
  write_bytes(whole(), last, header(last, last - 1));
  write_bytes(whole(), last - 1, entries);
  ASSERT_TRUE(disk->read_partitions());
  std::vector<std::string> expected{"ramtest1:2048+2048", "ramtest2:4096+2048"};
  EXPECT_EQ(names(), expected);
  EXPECT_TRUE(find_volume("PARTUUID=000000A1-0000-0000-0000-000000000000"));
  EXPECT_EQ((*find_volume("PARTLABEL=s"))->number(), 2u);
  // The first copy is damaged: the second serves.
  std::string damaged = header(1, 2);
  damaged[50] ^= 1;
  write_bytes(whole(), 1, damaged);
  ASSERT_TRUE(disk->read_partitions());
  EXPECT_EQ(names(), expected);
  write_bytes(whole(), last - 1, std::string(512, 'z'));
  EXPECT_FALSE(disk->read_partitions());
  EXPECT_TRUE(names().empty());
}

TEST_F(RamDiskTest, CachesWhatItsFileReadsAndWrites) {
  auto& cache = whole().cache();
  std::mt19937 random(3);
  std::string model(8 << 20, '\0');
  for (int step = 0; step < 600; ++step) {
    std::size_t offset = random() % model.size(), length = random() % 20000;
    length = std::min(length, model.size() - offset);
    switch (random() % 5) {
      case 0:
      case 1: {
        std::string text(length, static_cast<char>('a' + random() % 26));
        auto buffer = core::IoBuffer::kernel(std::as_bytes(std::span<const char>(text)));
        if (length) ASSERT_EQ(*cache.write(buffer, offset), length);
        model.replace(offset, length, text);
        break;
      }
      case 2:
      case 3: {
        std::string text(length, '?');
        auto buffer = core::IoBuffer::kernel(std::as_writable_bytes(std::span<char>(text)));
        ASSERT_EQ(*cache.read(buffer, offset), length);
        ASSERT_EQ(text, model.substr(offset, length));
        break;
      }
      default:
        if (random() % 4 == 0) {
          ASSERT_TRUE(whole().sync());
          EXPECT_FALSE(cache.has_dirty_pages());
          if (random() % 2) EXPECT_TRUE(whole().invalidate_cache());
        }
    }
  }
  ASSERT_TRUE(whole().sync());
  for (std::uint64_t sector = 0; sector < disk->sectors(); sector += 101)
    ASSERT_EQ(read_bytes(whole(), sector), model.substr(sector * 512, 512));
}
