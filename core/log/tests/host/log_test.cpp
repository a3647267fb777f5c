#include "core/log/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/log/console.h"
#include "core/log/log_reader.h"
#include "log_ring.h"

namespace core {
namespace {

std::string read_all(LogReader& reader) {
  std::string all;
  LogRecord record;
  while (reader.next(record) == LogRead::record) all += std::string(record.view()) + "\n";
  return all;
}

TEST(Log, StoresOneRecordPerLine) {
  LogReader reader{LogReader::Start::newest};
  log(LogLevel::info, "value {}", 7);
  log_text(LogLevel::debug, "first\nsecond\n\n");
  EXPECT_EQ(read_all(reader), "value 7\nfirst\nsecond\n");
}

TEST(Log, SplitsLongTextIntoContinuations) {
  LogReader reader{LogReader::Start::newest};
  std::string text(2500, 'x');
  log_text(LogLevel::info, text);
  LogRecord record;
  std::string all;
  std::vector<bool> continuations;
  while (reader.next(record) == LogRead::record) {
    all += record.view();
    continuations.push_back(record.continuation);
  }
  EXPECT_EQ(all, text);
  EXPECT_EQ(continuations, (std::vector<bool>{false, true, true}));
}

TEST(Log, LineIsComposedOfPieces) {
  LogReader reader{LogReader::Start::newest};
  {
    LogLine line{LogLevel::notice};
    base::format(line, "a {}", 1);
    base::format(line, " b {}", 2);
    EXPECT_FALSE(reader.has_next());
  }
  EXPECT_EQ(read_all(reader), "a 1 b 2\n");
}

TEST(Log, FormatsAsLinuxDoes) {
  LogRecord record;
  record.sequence = 12;
  record.time_ns = 3'000'123'456;
  record.level = LogLevel::warning;
  record.facility = LogFacility::daemon;
  std::string_view text = "a\\b\tc\xc3";
  std::copy(text.begin(), text.end(), record.text);
  record.size = static_cast<std::uint16_t>(text.size());
  char memory[200];
  base::TextBuffer buffer{memory};
  format_kmsg_record(buffer, record);
  EXPECT_EQ(buffer.view(), "28,12,3000123,-;a\\x5cb\\x09c\\xc3\n");
  buffer.clear();
  record.size = 1;
  format_syslog_line(buffer, record, LogTimestamp::yes);
  EXPECT_EQ(buffer.view(), "<28>[    3.000123] a\n");
}

TEST(LogRing, ReportsLostRecordsOnce) {
  auto ring = std::make_unique<LogRing>();
  for (int i = 0; i < 5000; ++i) ring->store({}, "record " + std::to_string(i));
  LogRecord record;
  EXPECT_EQ(ring->read(0, record), LogRing::Look::lost);
  std::uint64_t first = ring->skip_overwritten(0);
  EXPECT_EQ(first, 5000 - LogRing::descriptor_count);
  for (std::uint64_t i = first; i < 5000; ++i) {
    ASSERT_EQ(ring->read(i, record), LogRing::Look::record);
    EXPECT_EQ(record.view(), "record " + std::to_string(i));
  }
  EXPECT_EQ(ring->read(5000, record), LogRing::Look::not_yet);
}

TEST(LogRing, LongRecordsOverwriteTextBeforeDescriptors) {
  auto ring = std::make_unique<LogRing>();
  std::string text(log_text_max, 'y');
  for (int i = 0; i < 300; ++i) ring->store({}, text);
  LogRecord record;
  EXPECT_EQ(ring->read(0, record), LogRing::Look::lost);
  ASSERT_EQ(ring->read(299, record), LogRing::Look::record);
  EXPECT_EQ(record.view(), text);
}

// Every record that is read is what one writer stored; a writer that meets one a whole turn behind loses its
// text's end.
TEST(LogRing, ConcurrentWritersAndReadersSeeWholeRecords) {
  auto ring = std::make_unique<LogRing>();
  std::atomic<int> running = 4;
  auto write = [&](int id) {
    for (int i = 0; i < 20000; ++i) {
      std::string text = std::to_string(id) + ":" + std::to_string(i) + ":";
      text.append(static_cast<std::size_t>(i % 300), static_cast<char>('a' + (id * 7 + i) % 26));
      ring->store({}, text);
    }
    --running;
  };
  auto read = [&] {
    std::uint64_t sequence = 0, seen = 0, cut = 0;
    LogRecord record;
    while (running > 0) {
      switch (ring->read(sequence, record)) {
        case LogRing::Look::lost:
          sequence = ring->skip_overwritten(sequence + 1);
          break;
        case LogRing::Look::not_yet:
          std::this_thread::yield();
          break;
        case LogRing::Look::record: {
          ++sequence, ++seen;
          std::string text(record.view());
          if (std::count(text.begin(), text.end(), ':') < 2) break;
          int id = std::stoi(text), i = std::stoi(text.substr(text.find(':') + 1));
          std::string expected = std::to_string(id) + ":" + std::to_string(i) + ":";
          expected.append(static_cast<std::size_t>(i % 300), static_cast<char>('a' + (id * 7 + i) % 26));
          ASSERT_EQ(text, expected.substr(0, text.size()));
          cut += text.size() < expected.size();
        }
      }
    }
    EXPECT_GT(seen, 0u);
    EXPECT_LT(cut, 100u);
  };
  std::vector<std::thread> threads;
  for (int id = 0; id < 4; ++id) threads.emplace_back(write, id);
  for (int i = 0; i < 2; ++i) threads.emplace_back(read);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(ring->next_sequence(), 80000u);
}

class TestConsole final : public Console {
 public:
  using Console::Console;
  void write(std::string_view text) override { output += text; }
  std::string output;
};

TEST(Console, EarlyOneHandsOverWithoutRepeating) {
  set_console_options({.timestamps = false});
  log_text(LogLevel::info, "before");
  TestConsole early{"early", Console::Kind::early}, chosen{"ttyT0"}, other{"ttyT1"};
  set_console_choice("ttyT0,9600");
  register_console(early);
  log_text(LogLevel::info, "both");
  log_text(LogLevel::debug, "too detailed");
  EXPECT_NE(early.output.find("before\nboth\n"), std::string::npos);
  EXPECT_EQ(early.output.find("too detailed"), std::string::npos);
  register_console(other);
  EXPECT_FALSE(other.enabled());
  register_console(chosen);
  EXPECT_TRUE(chosen.enabled());
  EXPECT_EQ(preferred_console(), &chosen);
  EXPECT_FALSE(early.enabled());
  log_text(LogLevel::info, "after");
  EXPECT_EQ(chosen.output, "after\n");
  EXPECT_EQ(early.output.find("after"), std::string::npos);
  EXPECT_EQ(console_choice_options("ttyT0"), "9600");
  set_console_level(console_level_quiet);
  log_text(LogLevel::warning, "quiet");
  log_text(LogLevel::error, "loud");
  EXPECT_EQ(chosen.output, "after\nloud\n");
  set_console_level(console_level_default);
  unregister_console(chosen);
  unregister_console(early);
  unregister_console(other);
  log_text(LogLevel::info, "nobody");
}

class SlowConsole final : public Console {
 public:
  using Console::Console;
  void write(std::string_view text) override {
    entered = true;
    while (!may_go_on) std::this_thread::yield();
    output += text;
  }
  std::string output;
  std::atomic<bool> entered{false}, may_go_on{false};
};

TEST(Console, PrintingIsFinishedWhenSomebodyElseIsAtIt) {
  set_console_options({.timestamps = false});
  set_console_choice("ttyT0");
  SlowConsole console{"ttyT0"};
  console.may_go_on = true;
  register_console(console);
  console.entered = console.may_go_on = false;
  std::thread printer([] { log_text(LogLevel::info, "the last words"); });
  while (!console.entered) std::this_thread::yield();
  std::atomic<bool> finished{false};
  std::thread leaver([&] {
    finish_printing();
    finished = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(finished);
  console.may_go_on = true;
  printer.join();
  leaver.join();
  EXPECT_TRUE(console.output.ends_with("the last words\n")) << console.output;
  unregister_console(console);
}

// Stops in the middle of a line, as a CPU does that another one's panic stops.
class StuckConsole final : public Console {
 public:
  using Console::Console;
  void write(std::string_view text) override {
    output += text.substr(0, 3);
    stuck = true;
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
  void write_in_panic(std::string_view text) override { output += text; }
  std::string output;
  std::atomic<bool> stuck{false};
};

[[noreturn]] void panic_while_others_log() {
  set_console_options({.timestamps = false});
  static StuckConsole console{"ttyT0"};
  register_console(console);
  std::thread{[] { log_text(LogLevel::info, "interrupted"); }}.detach();
  while (!console.stuck) std::this_thread::yield();
  (void)log_ring().draw();  // a writer that was stopped before it wrote
  enter_console_panic_mode();
  log_text(LogLevel::emergency, "the reason");
  print_in_panic();
  log_text(LogLevel::emergency, "the end");
  print_in_panic();
  std::fputs(console.output.c_str(), stderr);
  std::_Exit(0);
}

TEST(ConsoleDeathTest, PanicPrintsWhereverOthersWereStopped) {
  set_console_choice("ttyT0");
  EXPECT_EXIT(panic_while_others_log(), testing::ExitedWithCode(0),
              "int\ninterrupted\n\\*\\* unfinished log message \\*\\*\nthe reason\nthe end\n");
}

}  // namespace
}  // namespace core
