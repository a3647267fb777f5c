// What the scenario "tracing" looks at: a counter that threads change one after the other, and a crash on request.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
int counter;

__attribute__((noinline)) static int add(int amount) {
  pthread_mutex_lock(&lock);
  counter += amount;
  int now = counter;
  pthread_mutex_unlock(&lock);
  return now;
}

static void* work(void* argument) {
  add(*(int*)argument);
  return NULL;
}

int main(int count, char** words) {
  static int amounts[] = {10, 200, 3000};
  pthread_t threads[3];
  if (count > 1 && strcmp(words[1], "wait") == 0) {
    for (;;) {
      usleep(10000);
      counter++;
    }
  }
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, work, &amounts[i]);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  printf("counter %d\n", counter);
  if (count > 1 && strcmp(words[1], "crash") == 0) *(volatile int*)(long)(counter - 3210) = 1;
  return 0;
}
