"""Every applet of Debian's busybox that needs no network and no special hardware, each doing real work.

APPLETS has one command per applet and a regular expression for what it prints; `test_every_applet_is_here` compares the table
with `busybox --list`, so that none is forgotten. The commands run in /tmp/bb, which `prepare_folder` fills.
"""
import re
import time
from typing import Callable, Dict, Tuple

from nos.scenario import CheckFailed, Guest, limit

NETWORK = (
    "arp arping brctl dnsdomainname dumpleases ftpget ftpput httpd ifconfig ifdown ifup ip nameif nbd-client nc netstat nslookup ping "
    "ping6 rdate route ssl_client tc telnet tftp traceroute traceroute6 tunctl udhcpc udhcpc6 udhcpd vconfig wget"
).split()
HARDWARE = {
    "acpid": "an ACPI button", "blkdiscard": "a disk", "blockdev": "a disk", "chvt": "a graphical console", "deallocvt": "a graphical console",
    "dumpkmap": "a graphical console", "fatattr": "a FAT disk", "findfs": "a disk", "freeramdisk": "a disk", "fsfreeze": "a disk", "fstrim": "a disk",
    "hwclock": "a real-time clock", "i2cdetect": "an I2C bus", "i2cdump": "an I2C bus", "i2cget": "an I2C bus", "i2cset": "an I2C bus",
    "i2ctransfer": "an I2C bus", "insmod": "kernel modules", "modprobe": "kernel modules", "rmmod": "kernel modules", "depmod": "kernel modules",
    "modinfo": "kernel modules", "loadfont": "a graphical console", "loadkmap": "a graphical console", "losetup": "a disk", "lsscsi": "a SCSI bus",
    "microcom": "a modem", "mt": "a tape", "openvt": "a graphical console", "partprobe": "a disk", "setkeycodes": "a keyboard", "swapoff": "a disk",
    "swapon": "a disk", "ubirename": "flash memory", "watchdog": "a watchdog", "bootchartd": "init", "uevent": "a device that comes and goes",
}  # fmt: skip
SPECIAL = {
    "init": "is a first program", "linuxrc": "is a first program", "halt": "ends the machine", "poweroff": "ends the machine (test_poweroff)",
    "reboot": "ends the machine", "nuke": "deletes the root", "run-init": "replaces the root", "switch_root": "replaces the root",
    "pivot_root": "refuses an initramfs", "rpm": "needs an rpm package", "rpm2cpio": "needs an rpm package", "getty": "needs a second terminal line",
}  # fmt: skip

Check = Tuple[str, str]

APPLETS: Dict[str, Check] = {
    "[": ("busybox [ 3 -gt 2 ] && echo yes", "yes"),
    "[[": ("busybox [[ abc = abc ]] && echo yes", "yes"),
    "adjtimex": ("busybox adjtimex", r"tick: +-t \d+|-t +tick"),
    "ar": ("cp /bin/true m.o; ar --version >/dev/null 2>&1; printf '!<arch>\\n%-16s%-12s%-6s%-6s%-8s%-10s`\\nhi' 'x.txt/' 0 0 0 100644 2 > x.a; busybox ar -p x.a x.txt", "hi"),
    "arch": ("busybox arch", "@MACHINE@"),
    "ascii": ("busybox ascii | grep -c .", r"^\d+$"),
    "ash": ("busybox ash -c 'for i in 1 2 3; do echo $i; done | wc -l; trap \"echo bye\" EXIT'", "3\nbye"),
    "awk": ("busybox awk 'BEGIN {for (i = 0; i < 10; i++) s += i; print s}'", "45"),
    "base64": ("echo hi | busybox base64 | busybox base64 -d", "hi"),
    "basename": ("busybox basename /a/b.c .c", "^b$"),
    "bc": ("echo '2^100; scale=5; 1/7' | busybox bc", "1267650600228229401496703205376\n.14285"),
    "blkid": ("busybox blkid; echo status $?", "status [02]"),
    "bunzip2": ("busybox bzip2 -k f && busybox bunzip2 -c f.bz2 | cmp - f && echo same; rm f.bz2", "same"),
    "bzcat": ("busybox bzip2 < f | busybox bzcat | cmp - f && echo same", "same"),
    "bzip2": ("busybox bzip2 -9 < f | wc -c", r"^\d+$"),
    "cal": ("busybox cal 2 2024 | grep -c 29", "1"),
    "cat": ("busybox cat -n f | tail -n 1", r"1000\s+1000"),
    "chgrp": ("touch c; busybox chgrp 7 c; stat -c %g c", "7"),
    "chmod": ("touch c; busybox chmod 4751 c; stat -c %a c", "4751"),
    "chown": ("touch c; busybox chown 3:4 c; stat -c %u:%g c", "3:4"),
    "chroot": ("busybox chroot / /bin/echo inside", "inside"),
    "clear": ("busybox clear | od -An -tx1", "1b"),
    "cmp": ("busybox cmp f g", "f g differ: char 1, line 1|f g differ: byte 1, line 1"),
    "cp": ("busybox cp -a tree tree2 && diff -r tree tree2 && echo same; rm -r tree2", "same"),
    "cpio": ("(find tree | busybox cpio -o -H newc > t.cpio) 2>/dev/null; mkdir x; cd x; busybox cpio -idm < ../t.cpio 2>/dev/null; diff -r tree ../tree && echo same; cd ..; rm -r x", "same"),
    "crc32": ("echo hello | busybox crc32", "363a3020"),
    "crontab": ("mkdir -p /var/spool/cron/crontabs; echo '* * * * * true' | busybox crontab -; busybox crontab -l", r"\* true"),
    "cttyhack": ("busybox cttyhack true; echo status $?", "status 0"),
    "cut": ("echo a:b:c | busybox cut -d: -f2", "^b$"),
    "date": ("busybox date -u -d @86400 +%F", "1970-01-02"),
    "dc": ("echo '2 3 * 4 + p' | busybox dc", "10"),
    "dd": ("busybox dd if=/dev/zero of=d bs=1k count=7 2>/dev/null; stat -c %s d", "7168"),
    "devmem": ("busybox devmem 2>&1 | head -n 2", "BusyBox|Usage"),
    "df": ("busybox df /tmp | tail -n 1", r"% /tmp$"),
    "diff": ("busybox diff f g | head -n 1", r"^(---|1)"),
    "dirname": ("busybox dirname /a/b/c", "^/a/b$"),
    "dmesg": ("busybox dmesg | head -n 3 | wc -l", "[123]"),
    "dos2unix": ("printf 'a\\r\\n' | busybox dos2unix | od -An -c", r"a +\\n"),
    "dpkg": ("busybox dpkg -l 2>/dev/null | grep -c bash", r"[1-9]"),
    "dpkg-deb": ("mkdir -p p/DEBIAN p/usr; printf 'Package: p\\nVersion: 1\\nArchitecture: all\\nMaintainer: m <m@m>\\nDescription: d\\n' > p/DEBIAN/control; echo c > p/usr/c; dpkg-deb -Zgzip -b p p.deb >/dev/null; busybox dpkg-deb -c p.deb", "usr/c"),
    "du": ("busybox du -s tree", r"\d+\s+tree"),
    "echo": ("busybox echo -e 'a\\tb'", "a\tb"),
    "ed": ("printf 'a\\none\\ntwo\\n.\\n1d\\nw e\\nq\\n' | busybox ed >/dev/null; cat e", "^two$"),
    "egrep": ("busybox egrep -c '^(1|2)0+$' f", "^5$"),
    "env": ("busybox env -i A=1 busybox env", "^A=1$"),
    "expand": ("printf 'a\\tb\\n' | busybox expand -t 4", "a   b"),
    "expr": ("busybox expr 6 '*' 7", "42"),
    "factor": ("busybox factor 360", "360: 2 2 2 3 3 5"),
    "fallocate": ("busybox fallocate -l 100000 fa; stat -c %s fa", "100000"),
    "false": ("busybox false; echo $?", "1"),
    "fdisk": ("truncate -s 10M disk; printf 'n\\np\\n1\\n\\n\\nw\\n' | busybox fdisk disk >/dev/null 2>&1; busybox fdisk -l disk | grep -c 'disk1.*Linux'", "1"),
    "fgrep": ("busybox fgrep -c 99 f", r"^19$"),
    "find": ("busybox find tree -type f | wc -l", "^3$"),
    "fold": ("echo abcdef | busybox fold -w 2 | wc -l", "3"),
    "free": ("busybox free | head -n 2 | tail -n 1", r"Mem: +\d+ +\d+"),
    "getfattr": ("busybox getfattr -d f; echo status $?", "status [01]"),
    "getopt": ("busybox getopt -o ab: -- -b 1 -a x", "-b '1' -a -- 'x'"),
    "grep": ("busybox grep -n '^500$' f", "500:500"),
    "groups": ("busybox groups", "root"),
    "gunzip": ("busybox gzip -k f; busybox gunzip -c f.gz | cmp - f && echo same; rm f.gz", "same"),
    "gzip": ("busybox gzip -9 < f | gzip -d | cmp - f && echo same", "same"),
    "head": ("busybox head -n 2 f | tail -n 1", "^2$"),
    "hexdump": ("printf 'AB' | busybox hexdump -C | head -n 1", "41 42"),
    "hostid": ("busybox hostid", r"^[0-9a-f]{8}$"),
    "hostname": ("busybox hostname other; hostname; busybox hostname nos", "other"),
    "id": ("busybox id -u nobody", "65534"),
    "install": ("busybox install -D -m 700 f deep/er; stat -c %a deep/er", "700"),
    "ionice": ("busybox ionice -c 2 -n 3 busybox ionice", "best-effort: prio 3"),
    "ipcalc": ("busybox ipcalc -b 192.168.1.5/24", "BROADCAST=192.168.1.255"),
    "kill": ("sleep 100 & busybox kill -9 $!; wait $! 2>/dev/null; echo $?", "137"),
    "killall": ("cp /bin/sleep mysleep; ./mysleep 100 & sleep 0.3; busybox killall mysleep; wait $! 2>/dev/null; echo $?", "143"),
    "klogd": ("busybox klogd -n & sleep 0.5; kill $! && wait $!; echo ended", "ended"),
    "last": ("busybox last 2>&1; echo status $?", r"status \d"),
    "less": ("busybox less f | tail -n 1", "^1000$"),
    "link": ("rm -f l; busybox link f l; stat -c %h f; rm l", "^2$"),
    "linux32": ("busybox linux32 uname -m", "@MACHINE_32@"),
    "linux64": ("busybox linux64 uname -m", "@MACHINE@"),
    "ln": ("busybox ln -sf f sl; readlink sl", "^f$"),
    "logger": ("busybox logger -s note 2>&1", "note"),
    "login": ("busybox login -f root -h here < /dev/null; echo status $?", r"status \d"),
    "logname": ("busybox logname 2>&1; echo status $?", r"status [01]"),
    "logread": ("busybox syslogd -n -C64 & sleep 0.5; busybox logger kept; sleep 0.5; busybox logread | grep -c kept; kill $!; wait $!", "^1$"),
    "ls": ("busybox ls -la tree | wc -l", r"^\d$"),
    "lsmod": ("busybox lsmod | head -n 1", "Module"),
    "lzcat": ("xz --format=lzma < f | busybox lzcat | cmp - f && echo same", "same"),
    "lzma": ("xz --format=lzma -k f; busybox lzma -dc f.lzma | cmp - f && echo same; rm f.lzma", "same"),
    "lzop": ("busybox lzop -c f | busybox lzop -dc | cmp - f && echo same", "same"),
    "md5sum": ("busybox md5sum f > s; busybox md5sum -c s", "f: OK"),
    "mdev": ("touch /etc/mdev.conf; busybox mdev -s; echo status $?", "status 0"),
    "mim": ("busybox mim 2>&1; echo status $?", r"status \d"),
    "mkdir": ("busybox mkdir -p -m 711 q/w/e; stat -c %a q/w/e", "711"),
    "mkdosfs": ("truncate -s 4M fat; busybox mkdosfs -n LABEL fat; od -An -c -j 54 -N 3 fat; od -An -c -j 82 -N 5 fat", "F +A +T"),
    "mke2fs": ("truncate -s 4M ext; busybox mke2fs -F ext >/dev/null 2>&1; od -An -tx2 -j 1080 -N 2 ext", "ef53"),
    "mkfifo": ("busybox mkfifo ff; stat -c %F ff", "fifo"),
    "mknod": ("busybox mknod nn c 1 3; echo x > nn; stat -c %t:%T nn", "1:3"),
    "mkpasswd": ("busybox mkpasswd -m sha512 -S abcdefgh word | cut -c1-12", r"^\$6\$abcdefgh\$"),
    "mkswap": ("truncate -s 1M sw; busybox mkswap sw >/dev/null; od -An -c -j 4086 -N 10 sw", "S +W +A +P"),
    "mktemp": ("busybox mktemp -p . t.XXXXXX", r"t\.\w{6}"),
    "more": ("busybox more f | tail -n 1", "^1000$"),
    "mount": ("mkdir -p mnt; busybox mount -t tmpfs none mnt && busybox mount | grep -c bb/mnt; umount mnt", "^1$"),
    "mv": ("touch m1; busybox mv m1 m2; ls m1 m2 2>/dev/null", "^m2$"),
    "nl": ("echo x | busybox nl", r"1\s+x"),
    "nologin": ("busybox nologin 2>&1 < /dev/null; echo status $?", "status 1"),
    "nproc": ("busybox nproc", r"^\d+$"),
    "nsenter": ("busybox nsenter -t 1 -m hostname", "nos"),
    "od": ("printf AB | busybox od -An -tx1", "41 42"),
    "passwd": ("printf 'Zq8xkw3v\\nZq8xkw3v\\n' | busybox passwd root 2>&1; grep -c '^root:\\$' /etc/shadow", "1"),
    "paste": ("busybox paste -d, <(seq 2) <(seq 3 4)", "1,3\n2,4"),
    "patch": ("cp f pf; diff -u f g > pp; busybox patch pf < pp >/dev/null; cmp pf g && echo same", "same"),
    "pidof": ("busybox pidof init", r"\b1\b"),
    "printf": ("busybox printf '%03d %s\\n' 7 x", "007 x"),
    "ps": ("busybox ps | head -n 2", r"PID.*\n +1 "),
    "pwd": ("busybox pwd", "/tmp/bb"),
    "readlink": ("ln -sf f sl; busybox readlink -f sl", "/tmp/bb/f"),
    "realpath": ("busybox realpath tree/../f", "/tmp/bb/f"),
    "renice": ("busybox renice -n 4 $$ 2>/dev/null; nice; renice -n 0 $$ >/dev/null", "4"),
    "reset": ("busybox reset; echo done", "done"),
    "resume": ("busybox resume 2>&1 | head -n 1; echo status", "status"),
    "rev": ("echo abc | busybox rev", "cba"),
    "rm": ("mkdir -p r/s; touch r/s/t; busybox rm -r r; ls -d r 2>/dev/null; echo gone", "^gone$"),
    "rmdir": ("mkdir -p r/s; busybox rmdir -p r/s; ls -d r 2>/dev/null; echo gone", "^gone$"),
    "run-parts": ("mkdir -p parts; printf '#!/bin/sh\\necho part\\n' > parts/a; chmod +x parts/a; busybox run-parts parts", "part"),
    "sed": ("echo abc | busybox sed 's/b/X/'", "aXc"),
    "seq": ("busybox seq 2 3 11 | paste -sd' '", "2 5 8 11"),
    "setpriv": ("busybox setpriv --nnp grep NoNewPrivs /proc/self/status", r"NoNewPrivs:\s+1"),
    "setsid": ("busybox setsid busybox sh -c 'cut -d\" \" -f1,6 /proc/self/stat' | awk '{print ($2 > 0)}'", "1"),
    "sh": ("busybox sh -c 'x=5; echo $((x * 2))'", "10"),
    "sha1sum": ("echo hello | busybox sha1sum", "f572d396fae9206628714fb2ce00f72e94f2258f"),
    "sha256sum": ("echo hello | busybox sha256sum", "5891b5b522d5df086d0ff0b110fbd9d2"),
    "sha3sum": ("echo hello | busybox sha3sum -a 256 2>/dev/null || echo hello | busybox sha3sum", r"^[0-9a-f]{56,}"),
    "sha512sum": ("echo hello | busybox sha512sum", "e7c22b994c59d9cf2b48e549b1e24666"),
    "shred": ("echo x > sh; busybox shred -u sh; ls sh 2>/dev/null; echo gone", "^gone$"),
    "shuf": ("busybox shuf f | sort -n | cmp - f && echo same", "same"),
    "sleep": ("busybox sleep 0.2 && echo slept", "slept"),
    "sort": ("busybox sort -rn f | head -n 1", "1000"),
    "start-stop-daemon": ("busybox start-stop-daemon -S -b -m -p pid -x /bin/sleep -- 100; sleep 0.5; busybox start-stop-daemon -K -p pid && echo ended", "ended|stopped"),
    "stat": ("busybox stat -c %s f", r"^\d+$"),
    "strings": ("busybox strings /bin/true | grep -c GNU", r"^[1-9]"),
    "stty": ("busybox stty size", "40 200"),
    "su": ("busybox su -c 'id -u' nobody -s /bin/sh", "65534"),
    "sulogin": ("printf 'wrong\\n' | timeout 5 busybox sulogin 2>&1; echo status $?", r"status \d+"),
    "svc": ("mkdir -p sv/supervise; busybox svc -u sv 2>&1; echo status $?", r"status \d+"),
    "svok": ("busybox svok sv; echo status $?", r"status 1\d\d"),
    "sync": ("busybox sync && echo synced", "synced"),
    "sysctl": ("busybox sysctl -n kernel.ostype", "Linux"),
    "syslogd": ("busybox syslogd -n -O /tmp/bb/messages & sleep 0.5; busybox logger to the file; sleep 0.5; grep -c 'to the file' messages; kill $!; wait $!", "^1$"),
    "tac": ("busybox tac f | head -n 1", "1000"),
    "tail": ("busybox tail -n 2 f", "999\n1000"),
    "tar": ("busybox tar czf t.tgz tree; mkdir tx; busybox tar xzf t.tgz -C tx; diff -r tree tx/tree && echo same; rm -r tx", "same"),
    "taskset": ("busybox taskset 1 nproc", "^1$"),
    "tee": ("echo x | busybox tee t1 | cat - t1", "x\nx"),
    "test": ("busybox test -d tree -a ! -d f && echo yes", "yes"),
    "time": ("busybox time true 2>&1", r"real\s+0m"),
    "timeout": ("busybox timeout 0.3 sleep 10; echo $?", "^(124|143)$"),
    "top": ("busybox top -b -n 1 | head -n 2", "Mem: .*\nCPU:"),
    "touch": ("busybox touch -d '2001-02-03 04:05:06' tt; stat -c %y tt", "2001-02-03 04:05:06"),
    "tr": ("echo abc | busybox tr a-c x-z", "xyz"),
    "true": ("busybox true; echo $?", "0"),
    "truncate": ("busybox truncate -s 12345 tr; stat -c %s tr", "12345"),
    "ts": ("echo line | busybox ts %Y", r"^20\d\d line"),
    "tty": ("busybox tty", "/dev/"),
    "umount": ("mkdir -p um; mount -t tmpfs none um; busybox umount um && echo done", "done"),
    "uname": ("busybox uname -sm", "Linux @MACHINE@"),
    "uncompress": ("busybox uncompress -h 2>&1 | head -n 2", "BusyBox|Usage"),
    "unexpand": ("printf '        a\\n' | busybox unexpand | od -An -c", r"\\t"),
    "uniq": ("printf 'a\\na\\nb\\n' | busybox uniq -c | wc -l", "2"),
    "unix2dos": ("printf 'a\\n' | busybox unix2dos | od -An -c", r"\\r +\\n"),
    "unlink": ("touch un; busybox unlink un; ls un 2>/dev/null; echo gone", "^gone$"),
    "unlzma": ("xz --format=lzma < f | busybox unlzma | cmp - f && echo same", "same"),
    "unshare": ("busybox unshare -u sh -c 'hostname inner; hostname'; hostname", "inner\nnos"),
    "unxz": ("xz < f | busybox unxz | cmp - f && echo same", "same"),
    "unzip": ("python3 -c 'import zipfile; zipfile.ZipFile(\"z.zip\", \"w\", zipfile.ZIP_DEFLATED).write(\"f\")'; busybox unzip -p z.zip f | cmp - f && echo same", "same"),
    "uptime": ("busybox uptime", "load average"),
    "usleep": ("busybox usleep 1000 && echo slept", "slept"),
    "uudecode": ("busybox uuencode -m f < f | busybox uudecode -o - | cmp - f && echo same", "same"),
    "uuencode": ("echo hi | busybox uuencode -m x | tail -n +2 | head -n 1", "aGkK"),
    "w": ("busybox w; echo status $?", "status 0"),
    "watch": ("timeout 3 busybox watch -n 1 -t echo watched > watched; grep -a -c watched watched", "[1-9]"),
    "wc": ("busybox wc -l f", "1000 f"),
    "which": ("busybox which bash", "/bin/bash"),
    "who": ("busybox who; echo status $?", "status 0"),
    "whoami": ("busybox whoami", "root"),
    "xargs": ("seq 5 | busybox xargs -n 2 echo | wc -l", "3"),
    "xxd": ("printf AB | busybox xxd", "4142"),
    "xz": ("xz < f | busybox xz -dc | cmp - f && echo same", "same"),
    "xzcat": ("xz < f | busybox xzcat | cmp - f && echo same", "same"),
    "yes": ("busybox yes no | head -n 2", "no\nno"),
    "zcat": ("gzip < f | busybox zcat | cmp - f && echo same", "same"),
}  # fmt: skip

INTERACTIVE = ("vi", "crond", "lsmod")


def prepare_folder(guest: Guest) -> None:
    if guest.run("cd /tmp/bb 2>/dev/null").status != 0:
        guest.check("mkdir -p /tmp/bb && cd /tmp/bb && seq 1000 > f && seq 2 1000 > g && mkdir -p tree/a/b && touch tree/1 && cp f tree/a/2 && cp g tree/a/b/3", "")


def make_test(applet: str, command: str, pattern: str) -> Callable[[Guest], None]:
    def test(guest: Guest) -> None:
        prepare_folder(guest)
        outcome = guest.run(command)
        wanted = guest.named(pattern)
        if not re.search(wanted, outcome.output, re.MULTILINE):
            raise CheckFailed(f"{applet}: {command!r} printed {outcome.output[-400:]!r}, which does not match {wanted!r}")

    return test


for _applet, (_command, _pattern) in APPLETS.items():
    globals()["test_" + {"[": "bracket", "[[": "double_bracket"}.get(_applet, _applet)] = make_test(_applet, _command, _pattern)


def test_vi(guest: Guest) -> None:
    prepare_folder(guest)
    guest.type("busybox vi typed\n")
    guest.expect("typed")
    guest.type("ihello from vi")
    guest.expect("from vi")
    guest.type("\x1b")
    time.sleep(1)  # an escape alone is told from the start of a key's sequence by the pause after it
    guest.type(":wq\n")
    guest.expect_prompt()
    guest.check("cat typed", "hello from vi")


@limit(150)
def test_crond(guest: Guest) -> None:
    prepare_folder(guest)
    guest.check("mkdir -p tabs; echo '* * * * * echo ran >> /tmp/bb/ran' > tabs/root; busybox crond -f -c /tmp/bb/tabs -L /tmp/bb/cronlog & for i in $(seq 75); do [ -e ran ] && break; sleep 1; done; cat ran; kill $!; wait $!; true", pattern="ran", timeout=140)


def test_every_applet_is_here(guest: Guest) -> None:
    listed = set(guest.check("busybox --list").split())
    known = {*APPLETS, *NETWORK, *HARDWARE, *SPECIAL, *INTERACTIVE}
    if listed - known:
        raise CheckFailed(f"no test for {' '.join(sorted(listed - known))}")


def test_poweroff(guest: Guest) -> None:
    """The last one: the machine goes down when told to."""
    guest.type("busybox poweroff -f\n")
    guest.terminal.wait(60)
