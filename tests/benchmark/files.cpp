// Names and files, of a tmpfs and of ext4.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "benchmark.h"

namespace benchmark {

namespace {

void measure_paths() {
  const char* deep = "/benchmark/1/2/3/4/5/6/7";
  char path[64] = "/benchmark";
  size_t length = sizeof "/benchmark" - 1;
  for (char level = '1'; level <= '7'; level++) {
    path[length++] = '/';
    path[length++] = level;
    require(mkdir(path, 0755) == 0, "mkdir");
  }
  measure("stat-1", "stat of a path of one name", 2000, [](int count) {
    struct stat status;
    while (count-- > 0) require(stat("/benchmark", &status) == 0, "stat");
  });
  measure("stat-8", "stat of a path of eight names", 1000, [deep](int count) {
    struct stat status;
    while (count-- > 0) require(stat(deep, &status) == 0, "stat");
  });
  for (; length > sizeof "/benchmark" - 1; length -= 2) {
    path[length] = '\0';
    require(rmdir(path) == 0, "rmdir");
  }
}

void measure_names() {
  measure("open-close", "open + close", 1000, [](int count) {
    int made = open("file", O_RDWR | O_CREAT, 0644);
    require(made >= 0, "create");
    close(made);
    while (count-- > 0) {
      int descriptor = open("file", O_RDONLY);
      require(descriptor >= 0, "open");
      close(descriptor);
    }
  });
  measure("stat", "stat of a file", 1000, [](int count) {
    struct stat status;
    while (count-- > 0) require(stat("file", &status) == 0, "stat");
  });
  measure("rename", "rename there and back", 500, [](int count) {
    while (count-- > 0) require(rename("file", "other") == 0 && rename("other", "file") == 0, "rename");
  });
  unlink("file");
  measure("create-unlink", "create + close + unlink", 500, [](int count) {
    while (count-- > 0) {
      int descriptor = open("file", O_RDWR | O_CREAT | O_EXCL, 0644);
      require(descriptor >= 0, "create");
      close(descriptor);
      require(unlink("file") == 0, "unlink");
    }
  });
  measure("mkdir-rmdir", "mkdir + rmdir", 500, [](int count) {
    while (count-- > 0) require(mkdir("directory", 0755) == 0 && rmdir("directory") == 0, "mkdir");
  });
}

void measure_listing() {
  constexpr int entries = 100;
  char name[16];
  require(mkdir("full", 0755) == 0, "mkdir");
  for (int i = 0; i < entries; i++) {
    snprintf(name, sizeof name, "full/%d", i);
    int descriptor = open(name, O_CREAT | O_WRONLY, 0644);
    require(descriptor >= 0, "create");
    close(descriptor);
  }
  int directory = open("full", O_RDONLY | O_DIRECTORY);
  require(directory >= 0, "open a directory");
  measure("getdents", "list a directory of 100 names", 50, [directory](int count) {
    static char buffer[16384];
    while (count-- > 0) {
      require(lseek(directory, 0, SEEK_SET) == 0, "lseek");
      while (syscall(SYS_getdents64, directory, buffer, sizeof buffer) > 0) {
      }
    }
  });
  close(directory);
  for (int i = 0; i < entries; i++) {
    snprintf(name, sizeof name, "full/%d", i);
    unlink(name);
  }
  rmdir("full");
}

void measure_contents() {
  constexpr size_t pages = 64;
  static char page[page_size];
  int file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);
  require(file >= 0, "create");
  for (size_t i = 0; i < pages; i++) require(write(file, page, sizeof page) == sizeof page, "write");
  measure("pread-byte", "read one byte of a file", 1000, [file](int count) {
    while (count-- > 0) require(pread(file, page, 1, 0) == 1, "pread");
  });
  measure("pread-page", "read 4 KiB of a file", 1000, [file](int count) {
    for (int i = 0; i < count; i++) {
      auto offset = static_cast<off_t>(static_cast<size_t>(i) % pages * page_size);
      require(pread(file, page, sizeof page, offset) == sizeof page, "pread");
    }
  });
  measure("pwrite-page", "write 4 KiB into a file", 1000, [file](int count) {
    for (int i = 0; i < count; i++) {
      auto offset = static_cast<off_t>(static_cast<size_t>(i) % pages * page_size);
      require(pwrite(file, page, sizeof page, offset) == sizeof page, "pwrite");
    }
  });
  measure("append-page", "append 4 KiB to a file", 512, [file](int count) {
    require(ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0, "ftruncate");
    while (count-- > 0) require(write(file, page, sizeof page) == sizeof page, "write");
  });
  close(file);
  unlink("file");
}

}  // namespace

void measure_files() {
  measure_paths();
  measure_names();
  measure_listing();
  measure_contents();
}

// <linux/loop.h>, which the C library of a guest need not come with.
constexpr int loop_set_file = 0x4c00, loop_control_find_free = 0x4c82;

void measure_ext4() {
  int control = open("/dev/loop-control", O_RDWR);
  require(control >= 0, "open /dev/loop-control");
  int number = ioctl(control, loop_control_find_free);
  require(number >= 0, "find a free loop device");
  char device[32];
  snprintf(device, sizeof device, "/dev/loop%d", number);
  int loop = open(device, O_RDWR), image = open("/ext4.image", O_RDWR);
  require(loop >= 0 && image >= 0, "open the loop device and its image");
  require(ioctl(loop, loop_set_file, image) == 0, "attach the image");
  mkdir("/ext4", 0755);
  require(mount(device, "/ext4", "ext4", 0, nullptr) == 0, "mount ext4");
  require(chdir("/ext4") == 0, "chdir");
  distinguish_rows("ext4-", ", ext4");
  measure_names();
  measure_listing();
  measure_contents();
  require(chdir("/") == 0, "chdir");
  require(umount("/ext4") == 0, "umount");
}

}  // namespace benchmark
