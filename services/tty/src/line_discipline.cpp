#include "tty/line_discipline.h"

namespace tty {
namespace {

// Characters are classed as Latin-1, as Linux does it.
constexpr bool is_control(std::uint8_t byte) { return byte < 0x20 || byte == 0x7f; }
constexpr bool is_upper(std::uint8_t byte) {
  return (byte >= 'A' && byte <= 'Z') || (byte >= 0xc0 && byte <= 0xde && byte != 0xd7);
}
constexpr bool is_lower(std::uint8_t byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 0xdf && byte != 0xf7);
}
constexpr std::uint8_t to_upper(std::uint8_t byte) {
  return is_lower(byte) && byte != 0xdf && byte != 0xff ? byte & 0xdf : byte;
}
constexpr bool is_word(std::uint8_t byte) {
  return (byte >= '0' && byte <= '9') || is_upper(byte) || is_lower(byte) || byte == '_';
}

}  // namespace

void LineDiscipline::set_settings(const Termios& settings) {
  bool mode_changed = (settings_.local ^ settings.local) & (icanon | extproc);
  settings_ = settings;
  if (!(settings.input & ixon) && stopped_) {
    stopped_ = false;
    events_.output_stopped(false);
  }
  if (!mode_changed) return;
  // What waits was typed under the other mode: canonical readers get it as one line, raw readers byte by
  // byte.
  marks_ = {};
  end_marks_ = {};
  literal_next_ = false;
  if (canonical() && head_ != tail_) {
    mark(head_ - 1);
    committed_ = head_;
  } else {
    committed_ = tail_;
  }
}

std::size_t LineDiscipline::room() const {
  std::size_t free_bytes = capacity - (head_ - tail_) - 1;
  if (free_bytes) return free_bytes;
  return canonical() && committed_ == tail_ ? 1 : 0;
}

std::size_t LineDiscipline::receive(std::span<const std::uint8_t> bytes) {
  std::size_t consumed = 0;
  for (; consumed < bytes.size(); ++consumed) {
    // Signals and flow control get through even when nothing else fits.
    if (room() == 0 && !receive_special(bytes[consumed])) break;
    if (room() == 0) continue;
    receive_one(bytes[consumed]);
  }
  return consumed;
}

void LineDiscipline::receive_break() {
  if (input(ignbrk)) return;
  if (input(brkint)) {
    if (!local(noflsh)) {
      flush_input();
      events_.discard_output();
    }
    events_.raise(TerminalSignal::interrupt);
    return;
  }
  if (input(parmrk)) {
    store(0xff);
    store(0);
  }
  store(0);
}

void LineDiscipline::receive_one(std::uint8_t byte) {
  if (input(istrip)) byte &= 0x7f;
  if (input(iuclc) && local(iexten) && is_upper(byte)) byte |= 0x20;
  if (local(extproc)) return store(byte);
  if (literal_next_) {
    literal_next_ = false;
    echo_input(byte);
    return store(byte);
  }
  if (receive_special(byte)) return;
  bool translated = false;  // a newline made from a return is echoed as one even in raw mode
  if (byte == '\r') {
    if (input(igncr)) return;
    if (input(icrnl)) {
      byte = '\n';
      translated = true;
    }
  } else if (byte == '\n' && input(inlcr)) {
    byte = '\r';
  }
  if (canonical() && receive_canonical(byte)) return;
  if (translated && byte == '\n' && local(echo)) {
    finish_erase_print();
    echo_text("\n");
  } else {
    echo_input(byte);
  }
  if (byte == 0xff && input(parmrk)) store(byte);
  store(byte);
}

bool LineDiscipline::receive_special(std::uint8_t byte) {
  if (literal_next_ || local(extproc)) return false;
  if (input(ixon)) {
    if (is(vstart, byte) || is(vstop, byte)) {
      stopped_ = is(vstop, byte) && !is(vstart, byte);
      events_.output_stopped(stopped_);
      return true;
    }
    if (stopped_ && input(ixany)) {
      stopped_ = false;
      events_.output_stopped(false);
    }
  }
  if (!local(isig)) return false;
  if (is(vintr, byte))
    handle_signal(byte, TerminalSignal::interrupt);
  else if (is(vquit, byte))
    handle_signal(byte, TerminalSignal::quit);
  else if (is(vsusp, byte))
    handle_signal(byte, TerminalSignal::suspend);
  else
    return false;
  return true;
}

void LineDiscipline::handle_signal(std::uint8_t byte, TerminalSignal signal) {
  if (!local(noflsh)) {
    flush_input();
    events_.discard_output();
  }
  if (stopped_ && input(ixon)) {
    stopped_ = false;
    events_.output_stopped(false);
  }
  if (local(echo)) echo_character(byte);
  events_.raise(signal);
}

bool LineDiscipline::receive_canonical(std::uint8_t byte) {
  bool extended = local(iexten);
  if (is(verase, byte) || is(vkill, byte) || (extended && is(vwerase, byte))) {
    erase_character(byte);
    return true;
  }
  if (extended && is(vlnext, byte)) {
    literal_next_ = true;
    if (local(echo) && local(echoctl)) {
      finish_erase_print();
      echo_text("^\b");
    }
    return true;
  }
  if (extended && local(echo) && is(vreprint, byte)) {
    reprint();
    return true;
  }
  if (byte == '\n') {
    if (local(echo) || local(echonl)) echo_text("\n");  // leaves an ECHOPRT erasure open, as Linux does
    commit_line(byte);
    return true;
  }
  if (is(veof, byte)) {
    std::size_t at = head_ & mask;
    end_marks_[at / 8] |= static_cast<std::uint8_t>(1u << (at & 7));
    commit_line(0);
    return true;
  }
  if (is(veol, byte) || (extended && is(veol2, byte))) {
    if (local(echo)) {
      finish_erase_print();
      echo_character(byte);
    }
    if (byte == 0xff && input(parmrk)) store(byte);
    commit_line(byte);
    return true;
  }
  return false;
}

// The delimiter always finds a place: room() keeps one byte free, and a full line overwrites nothing but
// that.
void LineDiscipline::commit_line(std::uint8_t stored) {
  ring_[head_ & mask] = stored;
  mark(head_);
  ++head_;
  committed_ = head_;
}

void LineDiscipline::store(std::uint8_t byte) {
  if (head_ - tail_ >= capacity - 1) {
    if (input(imaxbel)) events_.put_echo("\a");
    return;
  }
  unmark(head_);
  std::size_t at = head_ & mask;
  end_marks_[at / 8] &= static_cast<std::uint8_t>(~(1u << (at & 7)));
  ring_[at] = byte;
  ++head_;
}

void LineDiscipline::erase_character(std::uint8_t byte) {
  if (head_ == committed_) return;
  if (is(vkill, byte)) {
    if (!local(echo)) {
      head_ = committed_;
      return;
    }
    if (!local(echok) || !local(echoke) || !local(echoe)) {
      head_ = committed_;
      finish_erase_print();
      echo_character(byte);
      if (local(echok)) echo_text("\n");
      return;
    }
    erase_line();
    return;
  }
  if (is(verase, byte)) {
    erase_one(Erase::character);
    return;
  }
  erase_word();
}

void LineDiscipline::erase_line() {
  while (head_ != committed_ && erase_one(Erase::more)) {
  }
}

void LineDiscipline::erase_word() {
  bool seen_word = false;
  while (head_ != committed_) {
    // Look at the character that would go, past its UTF-8 continuation bytes.
    std::size_t at = head_ - 1;
    while (at != committed_ && is_continuation(ring_[at & mask])) --at;
    bool word = is_word(ring_[at & mask]);
    if (seen_word && !word) break;
    seen_word |= word;
    if (!erase_one(Erase::more)) break;
  }
}

bool LineDiscipline::erase_one(Erase kind) {
  std::size_t end = head_, start = head_;
  do --start;
  while (start != committed_ && is_continuation(ring_[start & mask]));
  // A character whose first byte is not there is not erased in part.
  if (is_continuation(ring_[start & mask])) return false;
  head_ = start;
  if (!local(echo)) return true;
  std::uint8_t erased = ring_[head_ & mask];
  if (local(echoprt)) {
    if (!erase_printing_) {
      echo_text("\\");
      erase_printing_ = true;
    }
    for (std::size_t i = head_; i != end; ++i) echo_character(ring_[i & mask]);
    if (head_ == committed_) finish_erase_print();
    return true;
  }
  if (kind == Erase::character && !local(echoe)) {
    echo_character(settings_.control[verase]);
    return true;
  }
  if (erased == '\t') {
    for (unsigned back = 8 - (columns_before_tab() & 7); back; --back) {
      events_.put_echo("\b");
      if (column_) --column_;
    }
    return true;
  }
  unsigned width = !is_control(erased) ? 1 : local(echoctl) ? 2 : 0;
  while (width--) echo_text("\b \b");
  return true;
}

// Columns between the erased tab and the tab before it, or the column where the line began when there is
// none.
unsigned LineDiscipline::columns_before_tab() const {
  unsigned columns = 0;
  for (std::size_t i = head_; i != committed_; --i) {
    std::uint8_t byte = ring_[(i - 1) & mask];
    if (byte == '\t') return columns;
    if (is_control(byte))
      columns += local(echoctl) ? 2 : 0;
    else if (!is_continuation(byte))
      ++columns;
  }
  return columns + line_column_;
}

void LineDiscipline::finish_erase_print() {
  if (!erase_printing_) return;
  erase_printing_ = false;
  echo_text("/");
}

void LineDiscipline::reprint() {
  finish_erase_print();
  echo_character(settings_.control[vreprint]);
  echo_text("\n");
  for (std::size_t i = committed_; i != head_; ++i) echo_character(ring_[i & mask]);
}

std::size_t LineDiscipline::available() const {
  if (!canonical()) return head_ - tail_;
  std::size_t count = 0;
  for (std::size_t i = tail_; i != committed_; ++i) count += !(end_marks_[(i & mask) / 8] >> (i & 7) & 1);
  return count;
}

std::size_t LineDiscipline::read(std::span<std::uint8_t> destination) {
  ended_line_ = false;
  std::size_t count = 0;
  std::size_t end = canonical() ? committed_ : head_;
  while (tail_ != end && count < destination.size()) {
    std::size_t at = tail_++;
    bool delimiter = canonical() && marked(at);
    bool end_of_file = end_marks_[(at & mask) / 8] >> (at & 7) & 1;
    if (!(delimiter && end_of_file)) destination[count++] = ring_[at & mask];
    if (delimiter) {
      ended_line_ = true;
      return count;
    }
  }
  // A line that fills the destination exactly takes its end-of-file mark along, so that the next read does
  // not mistake it for the end of the file.
  if (canonical() && count && tail_ != end && marked(tail_) &&
      (end_marks_[(tail_ & mask) / 8] >> (tail_ & 7) & 1)) {
    ++tail_;
    ended_line_ = true;
  }
  return count;
}

void LineDiscipline::flush_input() {
  tail_ = committed_ = head_;
  marks_ = {};
  end_marks_ = {};
  literal_next_ = erase_printing_ = false;
}

void LineDiscipline::echo_input(std::uint8_t byte) {
  if (!local(echo)) return;
  finish_erase_print();
  if (canonical() && head_ == committed_) line_column_ = column_;
  echo_character(byte);
}

void LineDiscipline::echo_text(std::string_view text) {
  process_output(text, [this](std::string_view piece) { events_.put_echo(piece); });
}

void LineDiscipline::echo_character(std::uint8_t byte) {
  if (local(echoctl) && is_control(byte) && byte != '\t') {
    // Not output-processed: the two columns count even where OPOST is off.
    char text[2] = {'^', static_cast<char>(byte ^ 0x40)};
    column_ += 2;
    return events_.put_echo({text, 2});
  }
  char c = static_cast<char>(byte);
  echo_text({&c, 1});
}

std::size_t LineDiscipline::expand_output(char c, std::array<char, 10>& out) {
  std::uint32_t modes = settings_.output;
  out[0] = c;
  if (!(modes & opost)) return 1;
  switch (c) {
    case '\n': {
      bool returns = modes & onlcr;
      if (returns || (modes & onlret)) column_ = 0;
      line_column_ = column_;
      if (!returns) return 1;
      out[0] = '\r';
      out[1] = '\n';
      return 2;
    }
    case '\r':
      if ((modes & onocr) && column_ == 0) return 0;
      if (modes & ocrnl) {
        out[0] = '\n';
        if (modes & onlret) column_ = line_column_ = 0;
        return 1;
      }
      column_ = line_column_ = 0;
      return 1;
    case '\t': {
      unsigned spaces = 8 - (column_ & 7);
      column_ += spaces;
      if ((modes & tabdly) != tab3) return 1;
      for (unsigned i = 0; i < spaces; ++i) out[i] = ' ';
      return spaces;
    }
    case '\b':
      if (column_) --column_;
      return 1;
    default:
      if (modes & olcuc) out[0] = static_cast<char>(to_upper(static_cast<std::uint8_t>(c)));
      if (!is_control(static_cast<std::uint8_t>(c)) && !is_continuation(static_cast<std::uint8_t>(c)))
        ++column_;
      return 1;
  }
}

}  // namespace tty
