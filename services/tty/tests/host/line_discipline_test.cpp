// The line discipline, case by case, and against the host's own: random input and settings through a real
// pseudo-terminal must give the same echo and the same reads.
#include "tty/line_discipline.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#undef ECHO
#include <unistd.h>

#include <random>
#include <string>
#include <vector>

#undef ECHO_OFF

namespace tty {
namespace {

struct Recorder final : LineDiscipline::Events {
  void put_echo(std::string_view text) override { echoed += text; }
  void raise(TerminalSignal signal) override { signals.push_back(signal); }
  void discard_output() override { ++output_flushes; }
  void output_stopped(bool value) override { stopped = value; }
  std::string echoed;
  std::vector<TerminalSignal> signals;
  int output_flushes = 0;
  bool stopped = false;
};

struct LineDisciplineTest : ::testing::Test {
  void type(std::string_view text) {
    line.receive({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  }
  std::string read(std::size_t size = 5000) {
    std::vector<std::uint8_t> buffer(size);
    std::size_t count = line.read(buffer);
    return {reinterpret_cast<const char*>(buffer.data()), count};
  }
  Recorder events;
  LineDiscipline line{events};
};

TEST_F(LineDisciplineTest, DeliversWholeLinesOnly) {
  type("abc");
  EXPECT_FALSE(line.readable());
  type("\rdef");
  EXPECT_TRUE(line.readable());
  EXPECT_EQ(read(), "abc\n");
  EXPECT_FALSE(line.readable());
  EXPECT_EQ(events.echoed, "abc\r\ndef");
}

TEST_F(LineDisciplineTest, EndOfFileAtTheStartReadsAsNothing) {
  type("\x04");
  EXPECT_TRUE(line.readable());
  EXPECT_EQ(read(), "");
  type("ab\x04");
  EXPECT_EQ(read(), "ab");
  EXPECT_FALSE(line.readable());
}

TEST_F(LineDisciplineTest, EndOfFileIsTakenAlongWhenTheReadIsExactlyFull) {
  type("abc\x04");
  EXPECT_EQ(read(3), "abc");
  EXPECT_FALSE(line.readable());
}

TEST_F(LineDisciplineTest, EditingErasesCharactersWordsAndLines) {
  type("one two\x17three\x7f\n");
  EXPECT_EQ(read(), "one thre\n");
  type("gone\x15kept\n");
  EXPECT_EQ(read(), "kept\n");
}

TEST_F(LineDisciplineTest, SignalsFlushWhatWasTyped) {
  type("half\x03");
  ASSERT_EQ(events.signals.size(), 1u);
  EXPECT_EQ(events.signals[0], TerminalSignal::interrupt);
  EXPECT_EQ(events.echoed, "half^C");
  type("\n");
  EXPECT_EQ(read(), "\n");
}

TEST_F(LineDisciplineTest, StopAndStartControlOutput) {
  type("\x13");
  EXPECT_TRUE(events.stopped);
  type("\x11");
  EXPECT_FALSE(events.stopped);
}

TEST_F(LineDisciplineTest, AFullLineCanStillBeEnded) {
  type(std::string(6000, 'x'));
  EXPECT_FALSE(line.readable());
  type("\n");
  ASSERT_TRUE(line.readable());
  std::string got = read(8192);
  EXPECT_EQ(got.size(), 4096u);
  EXPECT_EQ(got.back(), '\n');
}

TEST_F(LineDisciplineTest, RawModeRefusesWhatDoesNotFit) {
  Termios raw;
  raw.local = 0;
  raw.input = 0;
  line.set_settings(raw);
  std::vector<std::uint8_t> bytes(6000, 'x');
  EXPECT_EQ(line.receive(bytes), 4095u);
  EXPECT_EQ(read(95), std::string(95, 'x'));
  EXPECT_EQ(line.receive(bytes), 95u);
}

struct Host {
  Host() { EXPECT_EQ(openpty(&master, &slave, nullptr, nullptr, nullptr), 0); }
  ~Host() {
    close(slave);
    close(master);
  }
  static std::string drain(int fd) {
    std::string all;
    char buffer[8192];
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (;;) {
      ssize_t count = ::read(fd, buffer, sizeof(buffer));
      if (count <= 0) break;
      all.append(buffer, static_cast<std::size_t>(count));
    }
    return all;
  }
  int master = -1, slave = -1;
};

void apply(int fd, const Termios& settings) {
  struct termios host;
  tcgetattr(fd, &host);
  host.c_iflag = settings.input;
  host.c_oflag = settings.output;
  host.c_lflag = settings.local;
  for (std::size_t i = 0; i < control_character_count; ++i) host.c_cc[i] = settings.control[i];
  tcsetattr(fd, TCSANOW, &host);
}

// Each read is one line in canonical mode, so lines are compared too.
std::vector<std::string> host_reads(Host& host) {
  std::vector<std::string> reads;
  fcntl(host.slave, F_SETFL, O_NONBLOCK);
  char buffer[8192];
  for (;;) {
    ssize_t count = ::read(host.slave, buffer, sizeof(buffer));
    if (count < 0 || reads.size() > 100) break;
    reads.emplace_back(buffer, static_cast<std::size_t>(count));
  }
  return reads;
}

TEST(LineDisciplineOracle, SameEchoAndReadsAsTheHost) {
  std::mt19937 random{4};
  const std::string alphabet =
      "abcdefgh ABZ09_-.\t\n\r\n\r\x7f\x7f\x15\x17\x12\x16\x04\x01\x1b\x08\xc3\xa9\xe2\x82\xac";
  const std::uint32_t local_flags[] = {echoe, echok, echonl, echoctl, echoke, iexten, echo, icanon};
  const std::uint32_t input_flags[] = {inlcr, igncr, icrnl, iutf8, istrip};
  const std::uint32_t output_flags[] = {onlcr, ocrnl, onocr, onlret, olcuc, tab3};
  int compared = 0;
  for (int round = 0; round < 400; ++round) {
    Termios settings;
    settings.control[vmin] = 0;
    if (round > 20) {
      settings.local = isig;
      for (auto flag : local_flags)
        if (random() % 4) settings.local |= flag;
      settings.input = 0;
      for (auto flag : input_flags)
        if (random() % 2) settings.input |= flag;
      settings.output = random() % 4 ? opost : 0;
      for (auto flag : output_flags)
        if (random() % 2) settings.output |= flag;
    }
    Host host;
    apply(host.slave, settings);
    std::string typed;
    for (unsigned i = 0, n = 1 + random() % 60; i < n; ++i) typed += alphabet[random() % alphabet.size()];
    ASSERT_EQ(::write(host.master, typed.data(), typed.size()), static_cast<ssize_t>(typed.size()));
    Recorder events;
    LineDiscipline line{events};
    line.set_settings(settings);
    line.receive({reinterpret_cast<const std::uint8_t*>(typed.data()), typed.size()});
    std::string context = ::testing::PrintToString(typed) + " local " + std::to_string(settings.local) +
                          " input " + std::to_string(settings.input) + " output " +
                          std::to_string(settings.output);
    std::string echoed;
    for (int wait = 0; wait < 500 && echoed.size() < events.echoed.size();
         ++wait) {  // the host echoes in a worker
      usleep(1000);
      echoed += Host::drain(host.master);
    }
    usleep(1000);
    EXPECT_EQ(events.echoed, echoed + Host::drain(host.master)) << context;
    std::vector<std::string> ours;
    while (line.readable() && ours.size() < 100) {
      std::vector<std::uint8_t> buffer(8192);
      std::size_t count = line.read(buffer);
      ours.emplace_back(reinterpret_cast<const char*>(buffer.data()), count);
    }
    std::vector<std::string> theirs = host_reads(host);
    if (!(settings.local & icanon)) std::erase(theirs, std::string{});  // VMIN 0: no data reads as nothing
    EXPECT_EQ(ours, theirs) << context;
    ++compared;
    if (::testing::Test::HasFailure() && round > 40) break;
  }
  EXPECT_GT(compared, 40);
}

}  // namespace
}  // namespace tty
