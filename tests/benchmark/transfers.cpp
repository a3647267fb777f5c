// Data from one descriptor to another without a visit to the program.
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "benchmark.h"

namespace benchmark {

void measure_transfers() {
  constexpr size_t length = 16 * page_size;
  static char data[length];
  int file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);
  int null = open("/dev/null", O_WRONLY);
  int ends[2];
  require(file >= 0 && null >= 0 && pipe(ends) == 0, "open");
  require(write(file, data, length) == static_cast<ssize_t>(length), "write");
  measure("sendfile", "sendfile of 64 KiB to /dev/null", 200, [file, null](int count) {
    while (count-- > 0) {
      off_t offset = 0;
      require(sendfile(null, file, &offset, length) == static_cast<ssize_t>(length), "sendfile");
    }
  });
  measure("splice", "splice of 64 KiB, file to pipe to /dev/null", 200, [file, null, &ends](int count) {
    while (count-- > 0) {
      off64_t offset = 0;
      for (size_t left = length; left > 0;) {
        ssize_t moved = splice(file, &offset, ends[1], nullptr, left, 0);
        require(moved > 0, "splice from the file");
        left -= static_cast<size_t>(moved);
        while (moved > 0) {
          ssize_t out = splice(ends[0], nullptr, null, nullptr, static_cast<size_t>(moved), 0);
          require(out > 0, "splice to the device");
          moved -= out;
        }
      }
    }
  });
  measure("pipe-page", "4 KiB into a pipe and out", 500, [&ends](int count) {
    while (count-- > 0) {
      require(write(ends[1], data, page_size) == page_size && read(ends[0], data, page_size) == page_size,
              "pipe");
    }
  });
  close(ends[0]);
  close(ends[1]);
  close(null);
  close(file);
  unlink("file");
}

}  // namespace benchmark
