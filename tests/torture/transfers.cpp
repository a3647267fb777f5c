// Jobs about files, pipes, sockets, terminals and waiting.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <map>

#include "torture.h"

namespace torture {
namespace {

// Writes in odd pieces, so that readers see every split.
void write_in_pieces(int fd, const std::string& data, Random& random) {
  size_t done = 0;
  while (done < data.size()) {
    const size_t piece = 1 + random.below(20000);
    const size_t count = piece < data.size() - done ? piece : data.size() - done;
    write_all(fd, data.data() + done, count);
    done += count;
  }
}

void stream_through(int reader, int writer, Random& random) {
  const uint64_t seed = random.next();
  const size_t size = 1 + random.below(200000);
  const pid_t child = try_fork();
  if (child == 0) {
    close(reader);
    Random own(seed);
    write_in_pieces(writer, pattern(seed, size), own);
    _exit(0);
  }
  close(writer);
  if (child > 0) {
    std::string data(size, 0);
    size_t got = 0;
    while (got < size) {
      const ssize_t count = read(reader, data.data() + got, 1 + random.below(30000) % (size - got + 1));
      CHECK(count > 0 || (count == 0 && got == size));
      got += (size_t)count;
    }
    CHECK(data == pattern(seed, size));
    char byte;
    CHECK(read(reader, &byte, 1) == 0);
    expect_exit(child, 0);
  }
  close(reader);
}

JOB(pipe) {
  int ends[2];
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  stream_through(ends[0], ends[1], random);
}

JOB(stream_socket) {
  int pair[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  stream_through(pair[0], pair[1], random);
}

JOB(pipe_ring) {
  // A token goes round a ring of processes; each adds one.
  const int members = 2 + (int)random.below(4), rounds = 1 + (int)random.below(50);
  std::vector<int> readers, writers;
  for (int i = 0; i <= members; i++) {
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    readers.push_back(ends[0]);
    writers.push_back(ends[1]);
  }
  std::vector<pid_t> children;
  for (int i = 0; i < members; i++) {
    const pid_t child = try_fork();
    if (child < 0) break;
    if (child == 0) {
      for (int round = 0; round < rounds; round++) {
        uint64_t token;
        read_all(readers[i], &token, sizeof token);
        token++;
        write_all(writers[i + 1], &token, sizeof token);
      }
      _exit(0);
    }
    children.push_back(child);
  }
  const int last = (int)children.size();
  for (int round = 0; round < rounds && last > 0; round++) {
    uint64_t token = random.next() >> 1;
    const uint64_t expected = token + (uint64_t)last;
    write_all(writers[0], &token, sizeof token);
    read_all(readers[last], &token, sizeof token);
    CHECK(token == expected);
  }
  for (const pid_t child : children) expect_exit(child, 0);
  for (int i = 0; i <= members; i++) {
    close(readers[i]);
    close(writers[i]);
  }
}

JOB(descriptor_passing) {
  int pair[2], ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == 0);
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  char byte = 'x', control[CMSG_SPACE(sizeof(int))] = {};
  iovec piece = {&byte, 1};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
  const int copies = 1 + (int)random.below(5);
  for (int i = 0; i < copies; i++) CHECK(sendmsg(pair[0], &message, 0) == 1);
  close(ends[1]);
  for (int i = 0; i < copies; i++) {
    message.msg_controllen = sizeof control;
    CHECK(recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC) == 1);
    int received;
    memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
    CHECK(write(received, "ok", 2) == 2);
    close(received);
    char text[2];
    read_all(ends[0], text, 2);
  }
  CHECK(read(ends[0], &byte, 1) == 0);
  close(ends[0]);
  close(pair[0]);
  close(pair[1]);
}

JOB(file_tree) {
  // Names and contents against a model.
  const std::string top = work_directory() + "/tree";
  CHECK(mkdir(top.c_str(), 0700) == 0);
  std::map<std::string, std::string> model;
  for (int step = 0; step < 80; step++) {
    const std::string name = "f" + std::to_string(random.below(12)), path = top + "/" + name;
    const std::string other = "f" + std::to_string(random.below(12)), other_path = top + "/" + other;
    switch (random.below(6)) {
      case 0:
      case 1: {
        const std::string content = pattern(random.next(), random.below(20000));
        const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        CHECK(fd >= 0);
        if (!content.empty()) write_all(fd, content.data(), content.size());
        close(fd);
        model[name] = content;
        break;
      }
      case 2:
        if (unlink(path.c_str()) == 0) {
          CHECK(model.erase(name) == 1);
        } else {
          CHECK(errno == ENOENT && !model.count(name));
        }
        break;
      case 3:
        if (rename(path.c_str(), other_path.c_str()) == 0) {
          CHECK(model.count(name));
          if (name != other) {
            model[other] = model[name];
            model.erase(name);
          }
        } else {
          CHECK(errno == ENOENT && !model.count(name));
        }
        break;
      case 4: {
        const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        CHECK((fd >= 0) == (model.count(name) == 1));
        if (fd < 0) break;
        std::string content(model[name].size() + 10, 0);
        const ssize_t count = read(fd, content.data(), content.size());
        CHECK(count == (ssize_t)model[name].size());
        CHECK(content.compare(0, (size_t)count, model[name]) == 0);
        close(fd);
        break;
      }
      case 5: {
        DIR* stream = opendir(top.c_str());
        CHECK(stream);
        size_t seen = 0;
        while (const dirent* entry = readdir(stream)) {
          if (entry->d_name[0] == '.') continue;
          CHECK(model.count(entry->d_name));
          seen++;
        }
        closedir(stream);
        CHECK(seen == model.size());
        break;
      }
    }
  }
  for (const auto& [name, content] : model) CHECK(unlink((top + "/" + name).c_str()) == 0);
  CHECK(rmdir(top.c_str()) == 0);
}

JOB(deep_directories) {
  const std::string top = work_directory() + "/deep";
  CHECK(mkdir(top.c_str(), 0700) == 0);
  std::vector<std::string> chain = {top};
  const int depth = 1 + (int)random.below(20);
  for (int i = 0; i < depth; i++) {
    chain.push_back(chain.back() + "/d" + std::to_string(random.below(3)));
    CHECK(mkdir(chain.back().c_str(), 0700) == 0);
    CHECK(mkdir(chain.back().c_str(), 0700) == -1 && errno == EEXIST);
  }
  struct stat status;
  CHECK(stat((chain.back() + "/../.").c_str(), &status) == 0 && S_ISDIR(status.st_mode));
  CHECK(rmdir(top.c_str()) == -1 && errno == ENOTEMPTY);
  while (!chain.empty()) {
    CHECK(rmdir(chain.back().c_str()) == 0);
    chain.pop_back();
  }
}

JOB(sendfile) {
  const std::string name = work_directory() + "/source";
  const int fd = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  CHECK(fd >= 0);
  const std::string content = pattern(random.next(), 1 + random.below(60000));
  write_all(fd, content.data(), content.size());
  int ends[2];
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  off_t offset = 0;
  std::string back(content.size(), 0);
  size_t got = 0;
  while (got < content.size()) {
    const ssize_t count = sendfile(ends[1], fd, &offset, 1 + random.below(30000));
    CHECK(count > 0);
    read_all(ends[0], back.data() + got, (size_t)count);
    got += (size_t)count;
  }
  CHECK(back == content);
  close(ends[0]);
  close(ends[1]);
  close(fd);
  CHECK(unlink(name.c_str()) == 0);
}

JOB(epoll) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  CHECK(epoll >= 0);
  constexpr int count = 8;
  int events[count];
  uint64_t expected[count] = {};
  for (int i = 0; i < count; i++) {
    CHECK((events[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) >= 0);
    epoll_event event = {EPOLLIN | (i % 2 ? EPOLLET : 0u), {.u32 = (uint32_t)i}};
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, events[i], &event) == 0);
  }
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  const itimerspec often = {{0, 1000000}, {0, 1000000}};
  CHECK(timerfd_settime(timer, 0, &often, nullptr) == 0);
  epoll_event timer_event = {EPOLLIN, {.u32 = count}};
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &timer_event) == 0);
  for (int step = 0; step < 100; step++) {
    const size_t which = random.below(count);
    const uint64_t amount = 1 + random.below(100);
    write_all(events[which], &amount, sizeof amount);
    expected[which] += amount;
    if (!random.one_in(3)) continue;
    epoll_event ready[4];
    const int found = epoll_wait(epoll, ready, 4, 10000);
    CHECK(found > 0);
    for (int i = 0; i < found; i++) {
      uint64_t value = 0;
      const uint32_t index = ready[i].data.u32;
      if (index == count) {
        CHECK(read(timer, &value, sizeof value) == 8 || errno == EAGAIN);
        continue;
      }
      CHECK(expected[index] > 0);
      CHECK(read(events[index], &value, sizeof value) == 8);
      CHECK(value == expected[index]);
      expected[index] = 0;
    }
  }
  for (const int fd : events) close(fd);
  close(timer);
  close(epoll);
}

JOB(terminal) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) return;
  char name[64];
  CHECK(unlockpt(master) == 0 && ptsname_r(master, name, sizeof name) == 0);
  const int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  CHECK(slave >= 0);
  termios settings;
  CHECK(tcgetattr(slave, &settings) == 0);
  cfmakeraw(&settings);
  CHECK(tcsetattr(slave, TCSANOW, &settings) == 0);
  for (int i = 0; i < 10; i++) {
    const std::string data = pattern(random.next(), 1 + random.below(1000));
    const bool down = random.one_in(2);
    write_all(down ? master : slave, data.data(), data.size());
    std::string back(data.size(), 0);
    read_all(down ? slave : master, back.data(), back.size());
    CHECK(back == data);
  }
  close(slave);
  close(master);
}

JOB(proc_reading) {
  // Files of processes that come and go must be readable or gone, never anything else.
  DIR* stream = opendir("/proc");
  CHECK(stream);
  const char* const names[] = {"stat", "status", "maps", "cmdline", "statm"};
  while (const dirent* entry = readdir(stream)) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    const std::string path = std::string("/proc/") + entry->d_name + "/" + names[random.below(5)];
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      CHECK(errno == ENOENT || errno == ESRCH || errno == EACCES);
      continue;
    }
    char buffer[2048];
    ssize_t count;
    while ((count = read(fd, buffer, sizeof buffer)) > 0) {
    }
    CHECK(count == 0 || errno == ESRCH);
    close(fd);
  }
  closedir(stream);
}

}  // namespace
}  // namespace torture
