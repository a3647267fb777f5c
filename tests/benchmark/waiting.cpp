// Asking many descriptors at once which of them is ready: one of them is, the last.
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <unistd.h>

#include "benchmark.h"

namespace benchmark {

namespace {

constexpr int largest_set = 1000;
int descriptors[largest_set];
struct pollfd polled[largest_set];
fd_set selected;

// Rows are named "epoll-100".
void measure_set(const char* call, int size, bool (*ask)(int size)) {
  char name[32];
  char title[64];
  snprintf(name, sizeof name, "%s-%d", call, size);
  snprintf(title, sizeof title, "%s, one of %d descriptors ready", call, size);
  measure(name, title, size >= 100 ? 100 : 500, [call, size, ask](int count) {
    while (count-- > 0) require(ask(size), call);
  });
}

int epoll;

bool ask_epoll(int) {
  struct epoll_event event;
  return epoll_wait(epoll, &event, 1, 0) == 1;
}

bool ask_poll(int size) { return poll(polled, static_cast<nfds_t>(size), 0) == 1; }

bool ask_select(int size) {
  fd_set set = selected;
  struct timeval now = {};
  return select(descriptors[size - 1] + 1, &set, nullptr, nullptr, &now) == 1;
}

void prepare(int size) {
  FD_ZERO(&selected);
  epoll = epoll_create1(0);
  require(epoll >= 0, "epoll_create1");
  for (int i = 0; i < size; i++) {
    descriptors[i] = eventfd(i == size - 1, EFD_NONBLOCK);
    require(descriptors[i] >= 0 && descriptors[i] < FD_SETSIZE, "eventfd");
    polled[i] = {.fd = descriptors[i], .events = POLLIN, .revents = 0};
    FD_SET(descriptors[i], &selected);
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = descriptors[i]}};
    require(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptors[i], &event) == 0, "epoll_ctl");
  }
}

}  // namespace

void measure_waiting() {
  for (int size = 1; size <= largest_set; size *= 10) {
    prepare(size);
    measure_set("epoll", size, ask_epoll);
    measure_set("poll", size, ask_poll);
    measure_set("select", size, ask_select);
    for (int i = 0; i < size; i++) close(descriptors[i]);
    close(epoll);
  }
  epoll = epoll_create1(0);
  int event_source = eventfd(0, 0);
  require(epoll >= 0 && event_source >= 0, "epoll_create1");
  measure("epoll-add-remove", "epoll_ctl add + remove", 500, [event_source](int count) {
    while (count-- > 0) {
      struct epoll_event event = {.events = EPOLLIN, .data = {.fd = event_source}};
      require(epoll_ctl(epoll, EPOLL_CTL_ADD, event_source, &event) == 0 &&
                  epoll_ctl(epoll, EPOLL_CTL_DEL, event_source, nullptr) == 0,
              "epoll_ctl");
    }
  });
  close(event_source);
  close(epoll);
}

}  // namespace benchmark
