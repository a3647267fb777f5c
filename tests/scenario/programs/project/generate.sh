#!/bin/sh
# Writes $1 sources, each with one function, and a main that adds up what they return.
n=$1
: > main.c
for i in $(seq "$n"); do
  echo "int part$i(void) { return $i; }" > "part$i.c"
  echo "int part$i(void);" >> main.c
done
{
  echo '#include <stdio.h>'
  echo 'int main(void) {'
  echo '  int sum = 0;'
  for i in $(seq "$n"); do echo "  sum += part$i();"; done
  printf '%s\n' '  printf("%d\n", sum);'
  echo '}'
} >> main.c
