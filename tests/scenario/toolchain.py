"""Compilers in the guest: gcc for C and C++, make -j4, and programs linked with musl."""
from nos.scenario import Guest, limit

PACKAGES = ["gcc", "g++", "make", "libc6-dev", "musl", "musl-tools", "binutils"]
FILES = {"programs": "/root/programs"}
OPTIONS = ["--memory", "3G"]


@limit(300)
def test_c(guest: Guest) -> None:
    guest.check("gcc -O2 -Wall programs/hello.c -o /tmp/hello && /tmp/hello one two", "hello from C: one two", timeout=240)
    guest.check("gcc -static programs/hello.c -o /tmp/hello-static && /tmp/hello-static x && file /tmp/hello-static | grep -o 'statically linked'", "hello from C: x\nstatically linked", timeout=240)


@limit(400)
def test_cpp(guest: Guest) -> None:
    guest.check("g++ -O1 -std=c++20 programs/hello.cpp -o /tmp/hellopp && /tmp/hellopp", "hello from C++: 1 1 2 3 5 8 13 21\ncaught: thrown\nthreads: 40000", timeout=360)


@limit(300)
def test_pipe_and_errors(guest: Guest) -> None:
    guest.check("gcc -pipe -c programs/hello.c -o /tmp/hello.o && objdump -f /tmp/hello.o | grep -o '@ELF@' && size /tmp/hello.o | tail -n 1 | wc -w", "@ELF@\n6", timeout=240)
    guest.check("echo 'int main(void) { return undeclared; }' | gcc -x c - -o /tmp/bad 2>&1 | grep -c error", "1", timeout=120)


@limit(600)
def test_make(guest: Guest) -> None:
    """Forty objects and a library, four jobs at a time; a second run has nothing to do."""
    guest.check("rm -rf /tmp/project && cp -r programs/project /tmp/project && cd /tmp/project && sh generate.sh 40 && make -j4 2>&1 | tail -n 1", pattern="linked", timeout=500)
    guest.check("cd /tmp/project && ./sum && make -j4", pattern="^820\nmake: .*(up to date|Nothing to be done)", timeout=120)
    guest.check("cd /tmp/project && touch part7.c && make -j4 | grep -c 'cc -O1'", "1", timeout=120)


@limit(300)
def test_musl(guest: Guest) -> None:
    guest.check("musl-gcc -O1 programs/hello.c -o /tmp/hello-musl && /tmp/hello-musl a b && file /tmp/hello-musl | grep -o 'ld-musl-@MACHINE@'", "hello from C: a b\nld-musl-@MACHINE@", timeout=240)
    guest.check("musl-gcc -static -O1 programs/hello.c -o /tmp/hello-musl && /tmp/hello-musl a b", "hello from C: a b", timeout=240)
    guest.check("musl-gcc -O1 programs/musl_threads.c -o /tmp/threads-musl -pthread && /tmp/threads-musl", "threads 4 mutex 40000 signals 1", timeout=240)
