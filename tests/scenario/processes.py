"""procps and util-linux: what the system says about itself, and perl."""
import re

from nos.scenario import CheckFailed, Guest


def test_ps(guest: Guest) -> None:
    guest.check("ps -p 1 -o pid=,ppid=,comm=", pattern=r"^\s*1\s+0 init$")
    guest.check("ps aux | head -n 1", pattern="^USER +PID +%CPU +%MEM +VSZ +RSS TTY +STAT START +TIME COMMAND$")
    guest.check("ps auxww | grep -c '[b]ash'", pattern=r"^[1-9]")
    guest.check("sleep 300 & sleep 1; ps -o stat=,comm= -p $!; kill $!", pattern=r"S\S* +sleep")
    guest.check("ps -eLf | wc -l; ps -ef --forest | tail -n 1; ps -o tty= -p $$", pattern=r"@CONSOLE@")
    guest.check("pgrep -x bash; pidof bash; kill -0 $$ && echo mine", pattern="mine")
    guest.check("bash -c 'exec -a odd-name sleep 100' & sleep 1; pkill -f odd-name && echo killed; wait $! 2>/dev/null; true", pattern="killed")
    guest.check("pmap $$ | tail -n 1", pattern=r"total +\d+K")
    guest.check("pstree 2>/dev/null; ps --ppid $$ -o pid= | wc -l", pattern=r"\d")


def test_top(guest: Guest) -> None:
    guest.check("top -b -n 2 -d 0.5 | grep -c '^top - '", "2", timeout=60)
    guest.check("top -b -n 1 | sed -n '2p;3p;4p'", pattern=r"^Tasks: +\d+ total.*\n%Cpu\(s\):.*\nMiB Mem : *[\d.]+ total")
    # The interactive one: it takes the screen, answers to a key and gives the screen back.
    guest.type("top\n")
    guest.expect(r"PID USER", 60)
    guest.type("q")
    guest.expect_prompt(30)


def test_free(guest: Guest) -> None:
    guest.check("free -m | sed -n 2p", pattern=r"^Mem: +[1-9]\d* +\d+ +[1-9]\d* +\d+ +\d+ +[1-9]\d*$")
    guest.check("free | awk '/^Mem:/ {print ($2 > 500000 && $3 < $2 && $4 < $2)}'", "1")


def test_vmstat(guest: Guest) -> None:
    guest.check("vmstat 1 2 | tail -n 1 | wc -w", pattern=r"^1[78]$", timeout=60)
    guest.check("vmstat -s | grep -c -E 'total memory|context switches|interrupts|boot time'", pattern="^[45]$")


def test_cpu_times(guest: Guest) -> None:
    """What top and vmstat divide: user and system time never go back, and a loop in user mode counts as user time."""
    guest.check("while :; do :; done & loop=$!; sleep 0.5", pattern="")
    guest.check("for i in $(seq 60); do grep '^cpu' /proc/stat; true | true; done > /tmp/stat; awk '{for (i = 2; i <= 4; i++) {if ($i < last[$1, i]) bad++; last[$1, i] = $i}} END {print bad + 0}' /tmp/stat", "0", timeout=60)
    guest.check("before=$(awk '/^cpu /{print $2, $4}' /proc/stat); sleep 2; echo $before $(awk '/^cpu /{print $2, $4}' /proc/stat) | awk '{print ($3 - $1 > 50 && $3 - $1 > 2 * ($4 - $2)) ? \"user\" : $0}'", "user")
    guest.check("kill $loop; wait $loop 2>/dev/null; true")


def test_uptime_and_load(guest: Guest) -> None:
    guest.check("uptime -p; w | head -n 1; cat /proc/loadavg", pattern=r"up .*\n.*load average: .*\n[\d.]+ [\d.]+ [\d.]+ \d+/\d+ \d+$")
    first = float(guest.check("cut -d' ' -f1 /proc/uptime"))
    second = float(guest.check("sleep 1; cut -d' ' -f1 /proc/uptime"))
    if not 0.9 <= second - first < 30:
        raise CheckFailed(f"/proc/uptime went from {first} to {second} across a second")


def test_mount(guest: Guest) -> None:
    guest.check("mount", pattern=r"^proc on /proc type proc \(rw,nosuid,nodev,noexec,relatime\)$")
    guest.check("findmnt -n -o FSTYPE /dev; findmnt -n -o FSTYPE /sys; findmnt -n -o TARGET,FSTYPE /dev/pts", pattern="^devtmpfs\nsysfs\n/dev/pts +devpts$")
    guest.check("mkdir -p /tmp/m && mount -t tmpfs -o size=1M,mode=700 none /tmp/m && df --output=size,fstype /tmp/m | tail -n 1; stat -c %a /tmp/m", pattern="^ *1024 tmpfs\n700$")
    guest.check("dd if=/dev/zero of=/tmp/m/full bs=4k count=1000 2>&1 | head -n 1", pattern="No space left on device")
    guest.check("mkdir /tmp/m/in /tmp/bound; rm /tmp/m/full; mount --bind /tmp/m/in /tmp/bound && touch /tmp/bound/x && ls /tmp/m/in", "x")
    guest.check("mount -o remount,ro /tmp/m; touch /tmp/m/y; mount -o remount,rw /tmp/m", pattern="Read-only file system")
    guest.check("cd /tmp/m; umount /tmp/m; cd; umount /tmp/bound && umount /tmp/m && ls -A /tmp/m; mountpoint -q /tmp/m; echo $?", pattern="target is busy(.*\n)*32$|target is busy(.*\n)*1$")


def test_lscpu(guest: Guest) -> None:
    output = guest.check("lscpu", pattern=r"^Architecture: +@MACHINE@$")
    cpus = re.search(r"^CPU\(s\): +(\d+)$", output, re.MULTILINE)
    if cpus is None or cpus.group(1) != guest.check("nproc"):
        raise CheckFailed(f"lscpu and nproc disagree: {output!r}")
    guest.check("lscpu -e=CPU,ONLINE | tail -n 1; grep -c ^processor /proc/cpuinfo", pattern=r"^ *\d+ +yes\n\d+$")


def test_util_linux(guest: Guest) -> None:
    guest.check("setsid -w sh -c 'ps -o sid= -p $$ | tr -d \" \"; echo $$' | uniq | wc -l", "1")
    guest.check("taskset -c 0 nproc; taskset -p $$", pattern=r"^1\npid \d+'s current affinity mask: \w+$")
    guest.check("chrt -f 10 chrt -p 0 | head -n 1; chrt -m | head -n 1", pattern="SCHED_FIFO.*\n.*")
    guest.check("flock /tmp/lock -c 'flock -n /tmp/lock -c true; echo $?'", "1")
    guest.check("prlimit --nofile=77 sh -c 'ulimit -n'; nsenter --version | head -n 1; getopt -o ab: -- -a -b 1 x", pattern="^77\nnsenter.*\n -a -b '1' -- 'x'$")
    guest.check("script -qec 'tty; echo inner' /dev/null", pattern=r"/dev/pts/\d+\s+inner")
    guest.check("rev <<< abc; namei -l /usr/bin/bash | tail -n 1; wdctl --version | head -n 1", pattern=r"cba\n *-rwxr-xr-x root root bash\nwdctl")
    guest.check("dmesg | head -n 1; logger -s hi 2>&1 | tail -n 1; ipcs -l | head -n 3; lsmem 2>&1 | head -n 1; true")
    guest.check("more /etc/hostname | cat; whereis -b bash; mcookie | wc -c; uuidgen 2>/dev/null; renice -n 3 $$ >/dev/null; nice; renice -n 0 $$ >/dev/null", pattern="nos\nbash: .*\n33\n(.*\n)*3$")


def test_proc_files(guest: Guest) -> None:
    guest.check("cat /proc/self/comm; readlink /proc/self/exe; tr '\\0' ' ' < /proc/self/cmdline", "cat\n/usr/bin/readlink\ntr \\0   ")
    guest.check("(cd /proc/self/fd && ls | sort -n | head -n 3 | paste -sd' '); readlink /proc/$$/cwd /proc/$$/root", "0 1 2\n/root\n/")
    guest.check("grep -E '^(Name|State|Pid|PPid|Uid|VmRSS|Threads|SigCgt):' /proc/$$/status | wc -l", "8")
    guest.check("grep -c -E 'bash|libc|heap|stack|vdso' /proc/$$/maps", pattern=r"^([5-9]|\d\d)$")
    guest.check("cat /proc/sys/kernel/{ostype,pid_max,hostname}; head -c 5 /proc/version; grep -c . /proc/filesystems", pattern=r"^Linux\n\d+\nnos\nLinux\d+$")
    guest.check("A=b cat /proc/self/environ | tr '\\0' '\\n' | grep ^A=; wc -w < /proc/self/stat; wc -w < /proc/self/statm", "A=b\n52\n7")
    guest.check("ls /sys /sys/devices/system/cpu | grep -c -E '^(block|class|devices|cpu0|online|possible)$'", "6")


def test_devices(guest: Guest) -> None:
    guest.check("head -c 4 /dev/zero | od -An -tx1; head -c 16 /dev/urandom | wc -c; echo x > /dev/null; echo x > /dev/full", status=1, pattern="^ 00 00 00 00\n16\n.*No space left on device")
    guest.check("stat -c '%t:%T %F %n' /dev/null /dev/zero /dev/tty /dev/ptmx | paste -sd,", "1:3 character special file /dev/null,1:5 character special file /dev/zero,5:0 character special file /dev/tty,5:2 character special file /dev/ptmx")
    guest.check("echo to-tty > /dev/tty; echo kernel-line > /dev/kmsg && dmesg | grep -c kernel-line; ls -1d /dev/fd/0 /dev/stdin", pattern="to-tty\n1\n/dev/fd/0\n/dev/stdin")


def test_perl(guest: Guest) -> None:
    guest.check("perl -e 'my %h = map { $_ => $_ ** 2 } 1..5; print join(\",\", map { \"$_=$h{$_}\" } sort keys %h), \"\\n\"'", "1=1,2=4,3=9,4=16,5=25")
    guest.check("perl -ne 'print if s/^root:(.*?):.*/$1/' /etc/passwd; echo 'a1b22' | perl -pe 's/(\\d+)/<$1>/g'", "x\na<1>b<22>")
    guest.check("perl -e 'my $p = fork; if (!$p) { exit 7 } waitpid $p, 0; print $? >> 8, \"\\n\"; pipe R, W; if (!fork) { print W \"child\\n\"; exit } close W; print scalar <R>; wait'", "7\nchild")
    guest.check("perl -e 'local $SIG{ALRM} = sub { print \"alarm\\n\"; exit }; alarm 1; select undef, undef, undef, 10'", "alarm")
    guest.check("perl -e 'print `echo sub`; open F, \">\", \"/tmp/p\"; print F \"x\" x 100000; close F; print -s \"/tmp/p\", \"\\n\"; print sprintf(\"%.5f\", sqrt 2), \"\\n\"'", "sub\n100000\n1.41421")
