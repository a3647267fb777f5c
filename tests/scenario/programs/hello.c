#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char** words) {
  char* copy = malloc(1000);
  copy[0] = '\0';
  for (int i = 1; i < count; i++) {
    strcat(copy, " ");
    strcat(copy, words[i]);
  }
  printf("hello from C:%s\n", copy);
  free(copy);
  return 0;
}
