"""coreutils, findutils, grep, sed, gawk, diffutils: each doing its work on real files."""
from nos.scenario import Guest, limit


def test_files(guest: Guest) -> None:
    guest.check("rm -rf /tmp/f; mkdir -p /tmp/f/a/b && cd /tmp/f && echo data > a/one && cp -a a copy && mv copy moved && ls -1 moved", "b\none")
    guest.check("ln a/one hard && ln -s a/one soft && stat -c '%h %F' hard soft && readlink soft", "2 regular file\n1 symbolic link\na/one")
    guest.check("chmod 640 hard && stat -c %a a/one && chown 12:34 hard && stat -c %u:%g a/one", "640\n12:34")
    guest.check("touch -d '2020-02-03 04:05:06.789 UTC' hard && stat -c %.3Y hard && date -u -r hard +%F", "1580702706.789\n2020-02-03")
    guest.check("install -D -m 755 hard deep/er/file && stat -c %a deep/er/file && rmdir a/b && rm -r a moved deep && ls -1", "755\nhard\nsoft")
    guest.check("cat soft", status=1, pattern="No such file or directory")
    guest.check("truncate -s 10M big && stat -c %s big && shred -n 1 -u big && ls big", status=2, pattern="^10485760")
    guest.check("mkfifo pipe && (echo through > pipe &) && cat pipe && rm pipe; cd", "through")
    guest.check("mktemp -d /tmp/XXXXXX | xargs rmdir && df --output=target / | tail -n 1 && du -s /tmp/f | cut -f 2", "/\n/tmp/f")
    guest.check("sync /tmp/f/hard; sync; dd if=/dev/zero of=/tmp/d bs=64k count=16 conv=fsync 2>&1 | grep -o '1048576 bytes'; rm /tmp/d", "1048576 bytes")


def test_text(guest: Guest) -> None:
    guest.check("seq 20 | shuf | sort -n | head -n 3 | paste -sd,", "1,2,3")
    guest.check("printf 'b 2\\na 1\\nc 3\\n' | sort -k2nr | cut -d' ' -f1 | tr '\\n' ' '", "c b a ")
    guest.check("printf 'a\\na\\nb\\n' | uniq -c | sed 's/^ *//'", "2 a\n1 b")
    guest.check("printf '1 x\\n2 y\\n' > /tmp/j1; printf '1 p\\n2 q\\n' > /tmp/j2; join /tmp/j1 /tmp/j2; comm -12 <(seq 3) <(seq 2 4)", "1 x p\n2 y q\n2\n3")
    guest.check("echo hello | md5sum; echo hello | sha256sum | cut -c1-16; echo hello | cksum", "b1946ac92492d2347c6235b4d2611184  -\n5891b5b522d5df08\n3015617425 6")
    guest.check("echo hello | base64 | base64 -d; echo hello | rev 2>/dev/null; echo abc | od -An -tx1; seq 5 | tac | paste -sd' '", "hello\nolleh\n 61 62 63 0a\n5 4 3 2 1")
    guest.check("seq 100 > /tmp/s; split -l 30 /tmp/s /tmp/part. && wc -l /tmp/part.* | tail -n 1; csplit -s -f /tmp/cs /tmp/s 50; wc -l < /tmp/cs00", "100 total\n49")
    guest.check("fold -w 5 <<< 'abcdefghij'; expand <<< $'a\\tb'; nl <<< x; fmt -w 10 <<< 'one two three' | wc -l", pattern="abcde\nfghij\na       b\n     1\tx\n2")
    guest.check("numfmt --to=iec 1048576; factor 1234567; expr 6 \\* 7; printf '%05.2f\\n' 3.14159; seq -s+ 4", "1.0M\n1234567: 127 9721\n42\n03.14\n1+2+3+4")
    guest.check("tail -f /tmp/tailed --pid=$$ -s 0.1 2>/dev/null & sleep 0; kill $!; wait $! 2>/dev/null; echo done", pattern="done")


def test_follow(guest: Guest) -> None:
    guest.check("rm -f /tmp/log; touch /tmp/log; tail -f /tmp/log > /tmp/followed & sleep 1; echo line >> /tmp/log; sleep 2; kill $!; wait $! 2>/dev/null; cat /tmp/followed", pattern="^line$")


def test_system(guest: Guest) -> None:
    guest.check("id -u; id -un; whoami; groups", "0\nroot\nroot\nroot")
    guest.check("uname -s; uname -m; hostname; arch", "Linux\n@MACHINE@\nnos\n@MACHINE@")
    guest.check("nproc", pattern=r"^\d+$")
    guest.check("date +%Y", pattern=r"^20[2-9]\d$")
    guest.check("env -i A=1 env; nice -n 5 nice; timeout 5 true; nohup true; stdbuf -oL echo buffered", pattern="A=1\n5\n(.*\n)*buffered")
    guest.check("sleep 0.2; usleep 1 2>/dev/null; cd /proc/self/..; pwd -P; cd; test -d /proc && echo yes; [ 2 -gt 1 ] && echo gt", "/proc\nyes\ngt")
    guest.check("chroot / /bin/echo inside; tee /tmp/t1 /tmp/t2 <<< both | cat - /tmp/t1 /tmp/t2", "inside\nboth\nboth\nboth")
    guest.check("who; users; tty -s; uptime", pattern="load average")


def test_find(guest: Guest) -> None:
    guest.check("rm -rf /tmp/w; mkdir -p /tmp/w/{a,b}/{1,2}; touch /tmp/w/{a,b}/{1,2}/f.{c,h}; find /tmp/w -name '*.c' | sort | paste -sd' '",
                "/tmp/w/a/1/f.c /tmp/w/a/2/f.c /tmp/w/b/1/f.c /tmp/w/b/2/f.c")
    guest.check("find /tmp/w -type d -empty -o -type f -newer /etc/hostname | wc -l", "8")
    guest.check("find /tmp/w -name '*.h' -delete; find /tmp/w -type f -printf '%f %s %d\\n' | sort -u", "f.c 0 3")
    guest.check("find /tmp/w -type f -print0 | xargs -0 -n 1 -P 4 basename | sort -u; find /tmp/w -maxdepth 1 -exec echo {} + | wc -w", "f.c\n3")
    guest.check("find / -xdev -type f 2>/dev/null | wc -l", pattern=r"^[4-9]\d\d\d$|^\d{5}$", timeout=120)


def test_grep(guest: Guest) -> None:
    guest.check("grep -c root /etc/passwd; grep -rl 'debian' /etc 2>/dev/null | head -n 1", pattern="^1\n/etc/")
    guest.check("printf 'one\\ntwo\\nthree\\n' | grep -nE '^t(w|h)'; printf 'aXb\\n' | grep -oP '(?<=a).(?=b)'; echo abc | grep -v b", "2:two\n3:three\nX", status=1)
    guest.check("grep -q nothing_like_this /usr/bin/bash; echo $?; grep -c GNU /usr/bin/bash", pattern=r"^1\n\d+")


def test_sed(guest: Guest) -> None:
    guest.check("seq 5 | sed -n '2,4{s/$/!/;p}'; echo 'a-b' | sed -E 's/(.)-(.)/\\2-\\1/'", "2!\n3!\n4!\nb-a")
    guest.check("seq 3 > /tmp/e; sed -i.bak '2d' /tmp/e; cat /tmp/e /tmp/e.bak | paste -sd' '", "1 3 1 2 3")
    guest.check("seq 6 | sed 'N;N;s/\\n/,/g'; seq 3 | sed '1!G;h;$!d'", "1,2,3\n4,5,6\n3\n2\n1")


def test_awk(guest: Guest) -> None:
    guest.check("awk --version | head -n 1", pattern="GNU Awk")
    guest.check("seq 100 | gawk '{s += $1; c[$1 % 3]++} END {print s, c[0], c[1], c[2]}'", "5050 33 34 33")
    guest.check("gawk -F: '$3 == 0 {print $1, toupper($7)}' /etc/passwd", "root /BIN/BASH")
    guest.check("gawk 'BEGIN {\"echo sub\" | getline x; print x; print \"b\\na\" | \"sort\"; close(\"sort\"); printf \"%.3f %s\\n\", atan2(0, -1), strftime(\"%Y\", 0)}'", "sub\na\nb\n3.142 1970")
    guest.check("gawk 'BEGIN {n = 200000; for (i = 0; i < n; i++) a[i] = i * i; t = 0; for (i in a) t += a[i]; printf \"%d\\n\", t}'", "2666646666700000")


def test_diff_and_file(guest: Guest) -> None:
    guest.check("seq 5 > /tmp/d1; seq 2 6 > /tmp/d2; diff -u /tmp/d1 /tmp/d2 | tail -n +3 | paste -sd'|'", "@@ -1,5 +1,5 @@|-1| 2| 3| 4| 5|+6")
    guest.check("cmp /tmp/d1 /tmp/d2", pattern="differ: (byte|char) 1, line 1", status=1)
    guest.check("file /usr/bin/bash /etc/passwd /usr/bin | sed 's/,.*//'", pattern="ELF 64-bit LSB pie executable\n.*ASCII text\n.*directory")


@limit(600)
def test_archives(guest: Guest) -> None:
    """tar with gzip and with xz, there and back, over a tree of 100 MB: programs and libraries, and text for the rest."""
    guest.check("cd /tmp; rm -rf src out; mkdir -p src/text out; cp -a /usr/bin /usr/lib/python3.13 src; for i in 1 2 3 4; do seq 400000 > src/text/$i; done", "", timeout=200)
    guest.check("n=0; while [ $(du -sm src | cut -f1) -lt 100 ]; do cp -r src/text src/copy$n; n=$((n + 1)); done; test $(du -sm src | cut -f1) -ge 100; echo $?; cd", "0", timeout=200)
    guest.check("tar -C /tmp -cf - src | gzip -1 > /tmp/a.tar.gz && tar -C /tmp/out -xzf /tmp/a.tar.gz && echo unpacked", "unpacked", timeout=300)
    guest.check("diff -r --no-dereference /tmp/src /tmp/out/src && echo same; rm -rf /tmp/out/src /tmp/a.tar.gz", "same", timeout=200)


@limit(600)
def test_archives_xz(guest: Guest) -> None:
    guest.check("test -d /tmp/src && tar -C /tmp -cf - src | xz -0 -T2 > /tmp/a.tar.xz && tar -C /tmp/out -xJf /tmp/a.tar.xz && echo unpacked", "unpacked", timeout=500)
    guest.check("diff -r --no-dereference /tmp/src /tmp/out/src && echo same; rm -rf /tmp/src /tmp/out /tmp/a.tar.xz", "same", timeout=200)


OPTIONS = ["--memory", "2G"]
