#include "core/log/log_reader.h"

#include "log_ring.h"

namespace core {

LogReader::LogReader(Start start) : sequence_(0) { seek(start); }

void LogReader::seek(Start start) {
  sequence_ = start == Start::oldest ? log_oldest_sequence() : log_next_sequence();
}

LogRead LogReader::next(LogRecord& record) {
  switch (log_ring().read(sequence_, record)) {
    case LogRing::Look::record:
      ++sequence_;
      return LogRead::record;
    case LogRing::Look::not_yet:
      return LogRead::none;
    case LogRing::Look::lost:
      break;
  }
  // A record whose text alone is gone looks present in its descriptor: step over it at least.
  sequence_ = log_ring().skip_overwritten(sequence_ + 1);
  return LogRead::lost;
}

bool LogReader::has_next() const { return log_ring().look(sequence_) != LogRing::Look::not_yet; }

std::uint64_t log_oldest_sequence() { return log_ring().skip_overwritten(0); }
std::uint64_t log_next_sequence() { return log_ring().next_sequence(); }

namespace {

void put_timestamp(base::TextSink& sink, const LogRecord& record) {
  std::uint64_t microseconds = record.time_ns / 1000;
  base::format(sink, "[{:>5}.{:06}] ", microseconds / 1'000'000, microseconds % 1'000'000);
}

unsigned priority_of(const LogRecord& record) {
  return static_cast<unsigned>(record.facility) * 8 + static_cast<unsigned>(record.level);
}

}  // namespace

void format_log_line(base::TextSink& sink, const LogRecord& record, LogTimestamp timestamp) {
  if (timestamp == LogTimestamp::yes) put_timestamp(sink, record);
  sink.put(record.view());
  sink.put("\n");
}

void format_syslog_line(base::TextSink& sink, const LogRecord& record, LogTimestamp timestamp) {
  base::format(sink, "<{}>", priority_of(record));
  format_log_line(sink, record, timestamp);
}

void format_kmsg_record(base::TextSink& sink, const LogRecord& record) {
  base::format(sink, "{},{},{},{};", priority_of(record), record.sequence, record.time_ns / 1000,
               record.continuation ? 'c' : '-');
  std::string_view text = record.view();
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= ' ' && byte < 127 && byte != '\\') continue;
    sink.put(text.substr(start, i - start));
    base::format(sink, "\\x{:02x}", byte);
    start = i + 1;
  }
  sink.put(text.substr(start));
  sink.put("\n");
}

}  // namespace core
