#include <pthread.h>
#include <signal.h>
#include <stdio.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int total;
static volatile sig_atomic_t signals;

static void* work(void* unused) {
  (void)unused;
  for (int i = 0; i < 10000; i++) {
    pthread_mutex_lock(&mutex);
    total++;
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static void handle(int number) {
  (void)number;
  signals++;
}

int main(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  signal(SIGUSR1, handle);
  raise(SIGUSR1);
  printf("threads 4 mutex %d signals %d\n", total, (int)signals);
  return 0;
}
