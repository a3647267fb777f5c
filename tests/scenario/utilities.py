"""What an administrator types: who has which file open, locks, lists of access rights, limits, disks, terminals in terminals."""
from nos.scenario import Guest, limit

PACKAGES = ["htop", "lsof", "acl", "attr", "tmux", "screen", "mc", "vim-tiny", "psmisc", "sqlite3", "less", "bsdextrautils"]
OPTIONS = ["--memory", "2G"]


def test_lsof(guest: Guest) -> None:
    guest.check("sleep 100 3< /etc/hostname & sleep 0.5; lsof -w -p $! -a -d 3 -F n | tail -n 1; lsof -w -t /etc/hostname | grep -c -x $!; kill $!", pattern="^n/etc/hostname\n1$")
    guest.check("lsof -w -p $$ | awk '$4 == \"cwd\" {print $5, $9} $4 == \"txt\" {print $5, $9}'", "DIR /root\nREG /usr/bin/bash")
    guest.check("lsof -w -U 2>&1 | head -n 1; lsof -v 2>&1 | head -n 1", pattern="lsof version")
    guest.check("exec 9> /tmp/locked; flock 9; lsof -w /tmp/locked | awk 'NR == 2 {print $4}'; exec 9>&-", pattern="^9wW?$")


def test_fuser(guest: Guest) -> None:
    guest.check("sleep 100 3> /tmp/used & sleep 0.5; fuser /tmp/used 2>/dev/null | tr -d ' ' | grep -c -x $!; fuser -k /tmp/used 2>/dev/null | wc -w; wait $! 2>/dev/null; true", pattern="^1\n1")
    guest.check("pstree -p 1 | head -n 1; killall -q nothing-like-this; echo $?; prtstat $$ | head -n 1", pattern=r"^init\(1\)(.*\n)*1\nProcess: bash")


def test_locks(guest: Guest) -> None:
    guest.check("flock /tmp/lock sleep 100 & for try in $(seq 100); do lslocks -n -o PATH | grep -q /tmp/lock && break; sleep 0.2; done; lslocks -n -o COMMAND,TYPE,MODE,PATH | grep -c 'flock *FLOCK *WRITE */tmp/lock'; flock -n /tmp/lock true; echo $?; flock -w 0.2 -E 7 /tmp/lock true; echo $?; kill $!", pattern="^1\n1\n7")


def test_access_lists(guest: Guest) -> None:
    guest.check("echo x > /tmp/listed && setfacl -m u:daemon:rw,g:mail:r /tmp/listed && getfacl -p -c /tmp/listed", "user::rw-\nuser:daemon:rw-\ngroup::r--\ngroup:mail:r--\nmask::rw-\nother::r--")
    guest.check("ls -l /tmp/listed | cut -d' ' -f1; setfacl -b /tmp/listed; ls -l /tmp/listed | cut -d' ' -f1", "-rw-rw-r--+\n-rw-r--r--")
    guest.check("mkdir -p /tmp/defaults && setfacl -d -m u:daemon:rwx /tmp/defaults && touch /tmp/defaults/new && getfacl -p -c /tmp/defaults/new | head -n 2", pattern="^user::rw-\nuser:daemon:rwx\t*#effective:rw-$")
    guest.check("chmod 600 /tmp/listed; setfacl -m u:daemon:r /tmp/listed; setpriv --reuid daemon --clear-groups cat /tmp/listed; setpriv --reuid mail --clear-groups cat /tmp/listed", pattern="^x\ncat: .*Permission denied", status=1)


def test_attributes(guest: Guest) -> None:
    guest.check("setfattr -n user.colour -v blue /tmp/listed && getfattr --absolute-names -n user.colour --only-values /tmp/listed; echo; getfattr -d /tmp/listed 2>/dev/null | grep -c colour", "blue\n1")
    guest.check("setfattr -x user.colour /tmp/listed && getfattr --absolute-names -n user.colour /tmp/listed", pattern="No such attribute", status=1)


def test_limits(guest: Guest) -> None:
    guest.check("prlimit --pid $$ --nofile --noheadings -o SOFT,HARD | wc -w; prlimit --fsize=1000 dd if=/dev/zero of=/tmp/limited bs=2000 count=1 2>&1; echo $?", pattern="^2\n(.*\n)*(153|1)$")
    guest.check("ulimit -v 50000; python3 -c 'x = bytearray(100 << 20)' 2>&1 | tail -n 1; ulimit -v unlimited", pattern="MemoryError|annot allocate|")
    guest.check("chrt -r -p 5 $$; chrt -p $$ | head -n 1; chrt -o -p 0 $$; chrt -b 0 chrt -p 0 | head -n 1; chrt -d -T 1000000 -P 10000000 0 true; echo $?", pattern="SCHED_RR\n.*SCHED_BATCH\n0$")
    guest.check("taskset -c 0 taskset -cp $$ | wc -l; taskset 1 sh -c 'grep Cpus_allowed_list /proc/self/status'; ionice -c 3 ionice; uclampset --version | wc -l", pattern="^1\nCpus_allowed_list:\t0\nidle\n")


def test_ipc(guest: Guest) -> None:
    guest.check("id=$(ipcmk -M 4096 | grep -o '[0-9]*$'); ipcs -m -i $id | grep -c 'bytes=4096'; ipcrm -m $id; ipcs -m | grep -c -w $id", "1\n0", status=1)
    guest.check("id=$(ipcmk -S 3 | grep -o '[0-9]*$'); ipcs -s -i $id | grep -c 'nsems = 3'; ipcrm -s $id; id=$(ipcmk -Q | grep -o '[0-9]*$'); ipcrm -q $id; ipcs -u | grep -c 'allocated'; lsipc 2>/dev/null | grep -c SHMMNI", pattern=r"^1\n\d+\n1$")


def test_mounts(guest: Guest) -> None:
    guest.check("lsblk > /dev/null; echo $?; findmnt -n -o FSTYPE /proc; findmnt -D > /dev/null; echo $?; df -T /proc | awk 'NR == 2 {print $2}'; mountpoint /proc; swapon --show | wc -l", pattern=r"^\d+\nproc\n0\nproc\n/proc is a mountpoint\n0$")


def test_sqlite(guest: Guest) -> None:
    guest.check("rm -f /tmp/db; sqlite3 /tmp/db 'pragma journal_mode=wal; create table t(a); begin; insert into t select value from generate_series(1, 10000); commit; select sum(a) from t;'", "wal\n50005000")
    guest.check("for i in 1 2 3 4; do sqlite3 -cmd '.timeout 20000' /tmp/db \"with recursive c(x) as (select 1 union all select x + 1 from c where x < 500) insert into t select x from c;\" & done; wait; sqlite3 /tmp/db 'select count(*) from t; pragma integrity_check;'", pattern="^12000\nok$", timeout=100)


def test_vim(guest: Guest) -> None:
    guest.check("printf 'one\\ntwo\\n' > /tmp/text")
    guest.type("vim.tiny -u NONE /tmp/text\n")
    guest.expect("two", 30)
    guest.type("Gothree\x1b:%s/o/0/g\n")
    guest.expect("(?s)tw0", 30)
    guest.type(":wq\n")
    guest.expect_prompt(30)
    guest.check("cat /tmp/text; ls -A /tmp/.text.swp 2>/dev/null", "0ne\ntw0\nthree", status=2)


def test_htop(guest: Guest) -> None:
    guest.type("TERM=vt100 htop -d 5\n")
    guest.expect("(?s)Tasks.*Load average.*PID", 60)
    guest.type("q")
    guest.expect_prompt(30)


def test_tmux(guest: Guest) -> None:
    guest.check("tmux -f /dev/null new-session -d -s work -x 80 -y 24 'bash --norc' && tmux send-keys -t work 'echo in$((40 + 2))side; tty' Enter")
    guest.check("for try in $(seq 100); do tmux capture-pane -p -t work | grep -q '^/dev/pts/' && break; sleep 0.2; done; tmux capture-pane -p -t work | grep -c -E '^in42side|^/dev/pts/'", "2", timeout=60)
    guest.check("tmux split-window -t work && tmux list-panes -t work | wc -l && tmux kill-server; sleep 0.5; tmux ls 2>&1 | grep -c -E 'no server|error connecting'", "2\n1")


def test_screen(guest: Guest) -> None:
    # The session and its shell need a moment each.
    guest.check("screen -dmS work bash --norc; for try in $(seq 100); do screen -ls | grep -q work && break; sleep 0.2; done; screen -ls | grep -c work", "1", timeout=60)
    guest.check("screen -S work -X stuff 'echo sc$((6 * 7)) > /tmp/screened\\n'; for try in $(seq 100); do test -s /tmp/screened && break; sleep 0.2; done; cat /tmp/screened", "sc42", timeout=60)
    guest.check("screen -S work -X quit; for try in $(seq 100); do screen -ls | grep -q work || break; sleep 0.2; done; screen -ls | grep -c work", "0", status=1, timeout=60)


@limit(180)
def test_mc(guest: Guest) -> None:
    guest.check("mkdir -p /tmp/mc && touch /tmp/mc/some-file", "")
    guest.type("TERM=vt100 mc -a -u /tmp/mc\n")
    guest.expect("some-file", 60)
    guest.type("\x1b0")
    guest.expect_prompt(60)


def test_script(guest: Guest) -> None:
    guest.check("script -q -c 'echo recorded; stty size' -O /tmp/typescript -T /tmp/timing; grep -c recorded /tmp/typescript; test -s /tmp/timing && scriptreplay -d 100 -t /tmp/timing -O /tmp/typescript | grep -c recorded", pattern="2\n1$")
