// The line discipline: what stands between the bytes of a terminal line and the program that reads and writes
// it (termios(3), POSIX chapter 11). Pure logic without locks or waiting; Terminal owns one and serialises
// all calls.
//
// Input goes through three indices into a ring of 4096 bytes:
//
//     tail_            committed_            head_
//       |  lines ready    |   line being       |
//       |  to be read     |   edited           |
//
// In canonical mode a reader sees only what lies before committed_; a line is committed by its delimiter,
// whose place is marked. An end-of-file character commits as a marked byte that is not delivered. In raw mode
// everything up to head_ can be read and committed_ is not used.
//
// When the ring is full: a canonical line under construction loses further bytes (with a bell when IMAXBEL is
// set) but can still be ended; otherwise receive() stops consuming and the sender must wait for room.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tty/termios.h"

namespace tty {

enum class TerminalSignal { interrupt, quit, suspend };

class LineDiscipline {
 public:
  // What input processing asks of the terminal around it. Called from receive() and friends only.
  class Events {
   public:
    virtual void put_echo(std::string_view text) = 0;  // echo, already output-processed
    virtual void raise(TerminalSignal signal) = 0;     // to the foreground process group
    virtual void discard_output() = 0;
    virtual void output_stopped(bool stopped) = 0;  // output, by the STOP and START characters

   protected:
    ~Events() = default;
  };

  static constexpr std::size_t capacity = 4096;

  explicit LineDiscipline(Events& events) : events_(events) {}

  const Termios& settings() const { return settings_; }
  void set_settings(const Termios& settings);

  // Takes input from the line. Returns how many bytes were consumed: fewer than given only when there is no
  // room.
  std::size_t receive(std::span<const std::uint8_t> bytes);
  void receive_break();
  // How many bytes the sender may pass without any being refused; at least 1 while a canonical line can grow
  // or drop.
  std::size_t room() const;

  bool canonical() const { return settings_.local & icanon; }
  // Bytes that a read may return now (canonical: of complete lines, delimiters of end-of-file not counted).
  std::size_t available() const;
  // Canonical: a complete line (or end-of-file) waits. Raw: at least one byte waits.
  bool readable() const { return canonical() ? committed_ != tail_ : head_ != tail_; }
  // Takes at most one line (canonical) or what is there (raw). Zero in canonical mode with readable() means
  // end of file.
  std::size_t read(std::span<std::uint8_t> destination);
  // Whether the last read() ended with a line's delimiter.
  bool ended_line() const { return ended_line_; }
  void flush_input();

  // Output processing (OPOST) of `text`; the result goes to `transmit` piece by piece.
  template <typename Transmit>
  void process_output(std::string_view text, Transmit&& transmit) {
    for (char c : text) {
      std::array<char, 10> expanded;
      transmit(std::string_view(expanded.data(), expand_output(c, expanded)));
    }
  }

 private:
  static constexpr std::size_t mask = capacity - 1;

  void receive_one(std::uint8_t byte);
  bool receive_special(std::uint8_t byte);    // flow control and signals; true when the byte is used up
  bool receive_canonical(std::uint8_t byte);  // editing; true when the byte is used up
  void handle_signal(std::uint8_t byte, TerminalSignal signal);
  void commit_line(std::uint8_t stored);
  void store(std::uint8_t byte);
  void erase_character(std::uint8_t byte);
  void erase_word();
  void erase_line();
  void reprint();
  enum class Erase { character, more };
  bool erase_one(Erase kind);  // false when nothing could be erased
  unsigned columns_before_tab() const;
  void finish_erase_print();

  bool is(ControlCharacter which, std::uint8_t byte) const {
    return settings_.control[which] != 0 && settings_.control[which] == byte;
  }
  bool local(std::uint32_t flag) const { return settings_.local & flag; }
  bool input(std::uint32_t flag) const { return settings_.input & flag; }
  bool is_continuation(std::uint8_t byte) const { return input(iutf8) && (byte & 0xc0) == 0x80; }
  void echo_input(std::uint8_t byte);
  void echo_text(std::string_view text);
  void echo_character(std::uint8_t byte);
  std::size_t expand_output(char c, std::array<char, 10>& out);

  bool marked(std::size_t index) const { return marks_[(index & mask) / 8] >> (index & 7) & 1; }
  void mark(std::size_t index) { marks_[(index & mask) / 8] |= static_cast<std::uint8_t>(1u << (index & 7)); }
  void unmark(std::size_t index) {
    marks_[(index & mask) / 8] &= static_cast<std::uint8_t>(~(1u << (index & 7)));
  }

  Events& events_;
  Termios settings_;
  std::array<std::uint8_t, capacity> ring_{};
  std::array<std::uint8_t, capacity / 8> marks_{};      // line delimiters
  std::array<std::uint8_t, capacity / 8> end_marks_{};  // of those, the end-of-file ones
  std::size_t head_ = 0, committed_ = 0, tail_ = 0;     // free running
  unsigned column_ = 0;                                 // of the cursor, for tabs
  unsigned line_column_ = 0;                            // where the line being edited began
  bool literal_next_ = false;                           // after LNEXT
  bool erase_printing_ = false;                         // between the \ and / of ECHOPRT
  bool stopped_ = false;
  bool ended_line_ = false;
};

}  // namespace tty
