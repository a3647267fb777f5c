// The machine stops at any moment: every write up to there may or may not have reached the disk since the
// last flush. Afterwards our recovery and e2fsck's each give a clean disk, on which everything is that was
// promised.
#include "image.h"

using namespace test;

namespace {

struct Promise {
  std::size_t events;  // made after so many
  std::map<std::string, std::string> files;
};

// What a disk may hold after the first `count` events: all up to the last flush, and a random part of the
// rest.
Bytes state_after(const Bytes& start, const std::vector<ImageDisk::Event>& events, std::size_t count,
                  std::mt19937& random, bool reorder) {
  Bytes image = start;
  std::size_t last_flush = 0;
  for (std::size_t i = 0; i < count; ++i)
    if (events[i].data.empty()) last_flush = i;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& event = events[i];
    if (event.data.empty()) continue;
    bool lost = reorder && i > last_flush && !event.stable && random() % 3 == 0;
    if (!lost) std::memcpy(image.data() + event.offset, event.data.data(), event.data.size());
  }
  return image;
}

void check_recovery(const Bytes& image, const std::map<std::string, std::string>& promised,
                    std::size_t point) {
  SCOPED_TRACE("stopped after event " + std::to_string(point));
  {
    ImageDisk disk(image);
    {
      Ext4World w(disk);
      ASSERT_EQ(w.mount_error, 0);
      for (auto& [name, text] : promised) ASSERT_TRUE(w.read_file(name) == text) << name;
    }
    expect_clean(disk);
  }
  std::string path = scratch() + "/crash.img";
  save(path, image);
  int status = system(("e2fsck -fy " + path + " >" + scratch() + "/fsck.log 2>&1").c_str());
  // 0: nothing to do, 1: the journal was replayed and orphans were cleared.
  ASSERT_LE(WEXITSTATUS(status), 1) << std::string(load(scratch() + "/fsck.log").data());
  ImageDisk repaired(load(path));
  Ext4World w(repaired, "", true);
  ASSERT_EQ(w.mount_error, 0);
  for (auto& [name, text] : promised) ASSERT_TRUE(w.read_file(name) == text) << name << " after e2fsck";
}

}  // namespace

class Crash : public testing::TestWithParam<unsigned> {};

TEST_P(Crash, KeepsWhatWasSynced) {
  std::mt19937 random(GetParam());
  Bytes start = make_image(16, GetParam() % 2 ? "-b 1024 -J size=1" : "");
  ImageDisk disk(start);
  disk.recording = true;
  std::vector<Promise> promises{{0, {}}};
  {
    Ext4World w(disk);
    std::map<std::string, std::string> current, promised;
    for (int step = 0; step < 120; ++step) {
      std::string name = "/f" + std::to_string(random() % 12);
      switch (random() % 6) {
        case 0:
        case 1:
        case 2: {
          std::string text = pattern(random() % 30000, static_cast<unsigned>(random()));
          // A promise about a file ends when it is changed again: what is found then may be old or new.
          promised.erase(name);
          promises.push_back({disk.events.size(), promised});
          ASSERT_EQ(w.write_file(name, text), 0);
          current[name] = text;
          break;
        }
        case 3:
          promised.erase(name);
          promises.push_back({disk.events.size(), promised});
          (void)w.unlink(name);
          current.erase(name);
          break;
        case 4: {
          std::string other = "/r" + std::to_string(random() % 5);
          promised.erase(name);
          promised.erase(other);
          promises.push_back({disk.events.size(), promised});
          if (w.rename(name, other) == 0) {
            current[other] = current[name];
            current.erase(name);
          }
          break;
        }
        default:
          if (current.empty()) break;
          auto one = std::next(current.begin(), static_cast<long>(random() % current.size()));
          ASSERT_EQ(w.sync_file(one->first), 0);
          promised[one->first] = one->second;
          promises.push_back({disk.events.size(), promised});
      }
    }
    promises.push_back({disk.events.size(), promised});
  }
  const auto& events = disk.events;
  std::vector<std::size_t> points;
  for (std::size_t i = 0; i < events.size(); ++i)
    if (events[i].data.empty() && random() % 12 == 0) points.push_back(i + 1);
  for (int i = 0; i < 12; ++i) points.push_back(random() % (events.size() + 1));
  std::sort(points.begin(), points.end());
  for (std::size_t i = 0; i < points.size(); ++i) {
    std::size_t point = points[i];
    const Promise* valid = nullptr;
    for (const Promise& promise : promises)
      if (promise.events <= point) valid = &promise;
    check_recovery(state_after(start, events, point, random, i % 2), valid->files, point);
    if (HasFatalFailure()) return;
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, Crash, testing::Range(0u, 4u));

// Bytes of the metadata change at random: errors are fine, crashes and endless loops are not (ASan, and the
// time limit of the test run).
TEST(Damage, IsReported) {
  std::string folder = scratch() + "/damage";
  run("rm -rf " + folder + "; mkdir -p " + folder + "/d; cd " + folder +
      "; for i in $(seq 1 300); do echo $i > d/some-name-$i; done; head -c 300000 /dev/urandom > big; ln -s "
      "big l");
  for (const char* options : {"-b 1024", "-b 1024 -O ^metadata_csum,^metadata_csum_seed,^orphan_file"}) {
    Bytes good = make_image(4, std::string(options) + " -J size=1", folder);
    std::mt19937 random(11);
    for (int round = 0; round < 250; ++round) {
      Bytes bad = good;
      // Mostly where the metadata is; without checksums nothing else catches it.
      for (int i = 0, count = 1 + static_cast<int>(random() % 30); i < count; ++i) {
        std::size_t at = random() % 3 ? 1024 + random() % 200000 : random() % bad.size();
        bad[at] = static_cast<char>(random() % 4 ? random() : random() % 2 ? 0xff : 0);
      }
      ImageDisk disk(bad);
      Ext4World w(disk, "", round % 2);
      if (w.mount_error) continue;
      for (const auto& name : w.list("/")) (void)w.read_file("/" + name);
      for (const auto& name : w.list("/d")) (void)w.read_file("/d/" + name);
      (void)w.read_link("/l");
      if (round % 2 == 0) {
        (void)w.write_file("/new", pattern(50000, 1));
        (void)w.mkdir("/d/new");
        (void)w.unlink("/big");
        (void)w.sync_file("/new");
      }
    }
  }
}
