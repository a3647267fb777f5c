"""strace, ltrace and gdb on a program with threads: what they show of it, and that it goes on as if alone."""
from nos.scenario import Guest, limit

PACKAGES = ["gcc", "libc6-dev", "gdb", "strace", "ltrace"]
FILES = {"programs": "/root/programs"}
OPTIONS = ["--memory", "2G"]

GDB = "gdb -q -nx -batch -ex 'set debuginfod enabled off'"


@limit(240)
def test_build(guest: Guest) -> None:
    guest.check("gcc -g -O1 programs/debugged.c -o /tmp/debugged -pthread && /tmp/debugged", "counter 3210", timeout=200)


def test_strace(guest: Guest) -> None:
    guest.check("strace -o /tmp/t echo hi; grep -c -E '^(execve|write)' /tmp/t; tail -n 1 /tmp/t", "hi\n2\n+++ exited with 0 +++")
    guest.check("strace -f -e trace=clone3,exit -o /tmp/t /tmp/debugged; grep -c 'clone3(.*CLONE_THREAD' /tmp/t; grep -c 'exit(0' /tmp/t", "counter 3210\n3\n3")
    guest.check("strace -c -o /tmp/t ls /proc > /dev/null; tail -n 1 /tmp/t", pattern="total$")
    guest.check("strace -y -e trace=read cat /etc/hostname 2>&1 | grep -c '</etc/hostname>'", "2")
    guest.check("strace -k -e trace=write true 2>&1 | tail -n 1", pattern="exited with 0|not implemented|not supported")
    guest.check("strace --seccomp-bpf -f -e trace=execve sh -c 'true; /bin/true' 2>&1 | grep -c 'execve('", "2")
    guest.check("strace -e inject=getpid:retval=7 sh -c 'echo $$' 2>/dev/null; strace -e trace=openat -e inject=openat:error=ENOENT:when=3+ cat /etc/hostname 2>&1 | grep -c INJECTED", pattern="^[1-9]")
    guest.check("sleep 100 & sleep 0.5; timeout -s INT 5 strace -p $! -o /tmp/t; grep -c nanosleep /tmp/t; kill $!; wait $!", pattern="^1$", status=143)
    guest.check("strace -e trace=none -e signal=usr1 sh -c 'kill -USR1 $$' 2>&1 | grep -c -E 'SIGUSR1|killed by'", pattern="^[12]$")


def test_ltrace(guest: Guest) -> None:
    guest.check("ltrace -o /tmp/t /tmp/debugged; grep -c 'pthread_create' /tmp/t; tail -n 1 /tmp/t", "counter 3210\n3\n+++ exited (status 0) +++")
    guest.check("ltrace -S -o /tmp/t /tmp/debugged && grep -c '@SYS' /tmp/t", pattern=r"^counter 3210\n[1-9]\d+$")


@limit(240)
def test_gdb_breakpoints(guest: Guest) -> None:
    guest.check(f"{GDB} -ex 'break add if amount == 10' -ex run -ex 'print amount' -ex bt -ex 'info threads' -ex finish -ex delete -ex continue /tmp/debugged 2>&1 | tee /tmp/g | tail -n 40",
                pattern=r"Breakpoint 1, add(.*\n)*\$1 = 10(.*\n)*#1 .*work(.*\n)*.*Thread 0x(.*\n)*Value returned is \$2 = 10(.*\n)*counter 3210(.*\n)*.*exited normally", timeout=120)
    guest.check("grep -i -E 'warning|error|cannot|unable' /tmp/g", "", status=1)
    guest.check(f"{GDB} -ex 'tbreak main' -ex run -ex step -ex stepi -ex 'stepi 50' -ex 'info registers rip' -ex 'x/2i $pc' -ex 'info proc mappings' -ex continue /tmp/debugged 2>&1 | tail -n 80",
                pattern=r"rip +0x(.*\n)*=> 0x(.*\n)*.*\[vdso\](.*\n)*counter 3210")
    guest.check(f"{GDB} -ex 'catch syscall write' -ex run -ex 'info registers orig_rax' -ex continue -ex continue /tmp/debugged 2>&1", pattern=r"call to syscall write(.*\n)*orig_rax +0x1 (.*\n)*.*returned from syscall write(.*\n)*.*exited normally")


@limit(240)
def test_gdb_watchpoints(guest: Guest) -> None:
    guest.check(f"{GDB} -ex 'break main' -ex run -ex 'watch counter' -ex continue -ex continue -ex continue -ex delete -ex continue /tmp/debugged 2>&1 | grep -E 'Hardware|Old|New|exited'",
                pattern=r"Hardware watchpoint 2(.*\n)*New value = 10\n(.*\n)*New value = 210\n(.*\n)*New value = 3210\n(.*\n)*.*exited normally", timeout=120)
    guest.check(f"{GDB} -ex 'break main' -ex run -ex 'rwatch amounts[1]' -ex continue -ex bt -ex delete -ex continue /tmp/debugged 2>&1", pattern=r"Hardware read watchpoint 2(.*\n)*Value = 200(.*\n)*.*exited normally", timeout=120)


@limit(240)
def test_gdb_attach(guest: Guest) -> None:
    guest.check("/tmp/debugged wait & sleep 0.5; " + f"{GDB} -p $! -ex 'print counter > 0' -ex bt -ex 'set var counter = 100000' -ex detach 2>&1 | tail -n 12", pattern=r"\$1 = 1\n(.*\n)*.* main (.*\n)*.*detached")
    guest.check(f"sleep 0.5; {GDB} -p $! -ex 'print counter > 100000' -ex 'print (int)getpid() == '$! -ex kill 2>&1 | tail -n 4; wait $!", status=137, pattern=r"\$1 = 1\n\$2 = 1\n")


@limit(240)
def test_gdb_fork_and_core(guest: Guest) -> None:
    guest.check(f"{GDB} -ex 'set follow-fork-mode child' -ex 'set detach-on-fork off' -ex 'catch vfork' -ex 'catch exec' -ex run -ex continue -ex 'info inferiors' -ex continue --args sh -c '/bin/true; true' 2>&1",
                pattern=r"Catchpoint 1 \(vforked process(.*\n)*.*Catchpoint 2 \(exec'd /usr/bin/true\)(.*\n)*\* 2 +process(.*\n)*.*Inferior 2 .*exited normally", timeout=120)
    guest.check("cd /tmp; ulimit -c unlimited; echo /tmp/core > /proc/sys/kernel/core_pattern; sh -c '/tmp/debugged crash' > /dev/null 2>&1; ls core*; cd", pattern="^core")
    guest.check(f"{GDB} -ex bt -ex 'print counter' -ex 'info proc mappings' -ex 'info auxv' /tmp/debugged /tmp/core* 2>&1 | tee /tmp/g", pattern=r"SIGSEGV(.*\n)*#0 .*main (.*\n)*\$1 = 3210(.*\n)*.*AT_PHDR")
    guest.check("grep -i -E 'warning|error|cannot|unable' /tmp/g", "", status=1)
    guest.check("/tmp/debugged wait & sleep 0.5; gcore -o /tmp/live $! > /dev/null 2>&1; kill $!; " + f"{GDB} -ex bt -ex 'print counter > 0' /tmp/debugged /tmp/live.$! 2>&1 | tail -n 3", pattern=r"\$1 = 1$")


@limit(300)
def test_gdb_interactive(guest: Guest) -> None:
    guest.type("gdb -q -nx -ex 'set style enabled off' /tmp/debugged\n")
    guest.expect(r"\(gdb\) ", 60)
    guest.type("run wait\n")
    guest.expect(r"Starting program", 60)
    guest.expect(r"libthread_db", 60)
    guest.control("C")
    guest.expect(r"SIGINT(.*\n)*.*\(gdb\) ", 60)
    guest.type("print counter > 0\n")
    guest.expect(r"\$1 = [01]\r*\n.*\(gdb\) ", 60)
    guest.type("kill\n")
    guest.expect(r"y or n", 60)
    guest.type("y\n")
    guest.expect(r"\(gdb\) ", 60)
    guest.type("quit\n")
    guest.expect_prompt(30)
