// Reading the kernel log: /dev/kmsg, syslog(2), consoles.
//
//   LogReader reader{LogReader::Start::oldest};
//   LogRecord record;
//   while (reader.next(record) == LogRead::record) use(record.sequence, record.view());
//
// A reader is a position. Any number may read at once, from any context; writers never wait for them. A
// reader that is overtaken by a whole ring of newer records is told how many it lost (LogRead::lost once,
// then it goes on with the oldest that is still there): /dev/kmsg turns that into EPIPE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/format.h"
#include "core/log/log.h"

namespace core {

struct LogRecord {
  std::uint64_t sequence = 0;
  std::uint64_t time_ns = 0;
  LogLevel level = LogLevel::info;
  LogFacility facility = LogFacility::kernel;
  bool continuation = false;
  std::uint16_t size = 0;
  char text[log_text_max];

  std::string_view view() const { return {text, size}; }
};

enum class LogRead { record, none, lost };

class LogReader {
 public:
  enum class Start { oldest, newest };  // newest: only records stored from now on
  explicit LogReader(Start start);

  LogRead next(LogRecord& record);
  // True when next() would not return `none`.
  bool has_next() const;
  void seek(Start start);
  void seek(std::uint64_t sequence) { sequence_ = sequence; }
  std::uint64_t sequence() const { return sequence_; }

 private:
  std::uint64_t sequence_;
};

// Sequence number of the oldest record still stored, and of the next one to be.
std::uint64_t log_oldest_sequence();
std::uint64_t log_next_sequence();

enum class LogTimestamp { no, yes };
// "[    1.234567] text" for consoles and syslog(2); with `priority`, "<6>" before it. Ends with a newline.
void format_log_line(base::TextSink& sink, const LogRecord& record, LogTimestamp timestamp);
void format_syslog_line(base::TextSink& sink, const LogRecord& record, LogTimestamp timestamp);
// "6,1234,5678901,-;text\n" as /dev/kmsg gives it; unprintable bytes escaped as \xNN.
void format_kmsg_record(base::TextSink& sink, const LogRecord& record);

}  // namespace core
