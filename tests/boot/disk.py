"""Disks: virtio-blk, ext4 on them beside Debian's Linux and e2fsck, root= from one, and the machine killed while it writes."""
import random
import re
import subprocess
import tempfile
import threading
from pathlib import Path

from nos import disks, guest, programs, qemu, roots
from nos.boot_machine import LINUX, Boot, Outcome
from nos.scenario import CheckFailed, assert_equal

FEATURES = "metadata_csum,metadata_csum_seed,64bit,orphan_file"  # as Debian 13 has them


def make_ext4(path: Path, mib: int = 64, *options: str) -> Path:
    with open(path, "wb") as file:
        file.truncate(mib << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", FEATURES, *options, str(path)], check=True)
    return path


def fsck(path: Path, offset: int = 0, recover: bool = False) -> None:
    """e2fsck finds nothing to mend; with `recover`, after it has replayed the journal."""
    target = f"{path}?offset={offset}" if offset else str(path)
    if recover:
        # 1: what is left of the journal and the orphans was dealt with.
        replayed = subprocess.run(["e2fsck", "-p", "-E", "journal_only", target], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if replayed.returncode > 1:
            raise CheckFailed(f"the journal of {path.name} is damaged: {replayed.stdout.decode()}")
    checked = subprocess.run(["e2fsck", "-fn", target], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if checked.returncode:
        raise CheckFailed(f"e2fsck of {path.name}: {checked.stdout.decode()}")


def content(path: Path, name: str) -> bytes:
    return subprocess.run(["debugfs", "-R", f"cat {name}", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


WORK = """
set -e
cd /mnt
mkdir tree; cp -a /bin/busybox tree/; tar cf tree.tar tree; rm -r tree; tar xf tree.tar; cmp tree/busybox /bin/busybox
i=0; while [ $i -lt 300 ]; do echo $i >file-$i; i=$((i+1)); done
rm file-1*; mv file-2 moved; ln moved hard; ln -s moved soft; mkdir -p a/b/c; rmdir a/b/c
dd if=/dev/urandom of=sparse bs=4096 count=2 seek=10000 conv=fsync 2>/dev/null
fallocate -l 3M room; truncate -s 1M room
test "$(cat soft)" = 2; test $(stat -c %h hard) = 2
cd /; df /mnt | tail -n 1
"""


def test_names_and_numbers(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one, two = (make_ext4(Path(folder) / name) for name in ("one", "two"))
        script = (
            "cat /proc/partitions /proc/diskstats; cat /sys/block/vda/size /sys/block/vdb/ro; ls -l /dev/vda; "
            "mkdir /mnt; mount -t ext4 /dev/vdb /mnt; touch /mnt/x; umount /mnt; echo x >/dev/vdb"
        )
        outcome = boot.command(script, "", "--disk", str(one), "--disk", f"{two},readonly")
        outcome.prints("254        0      65536 vda\n").prints("254       16      65536 vdb\n").prints("131072\n1\n")
        outcome.prints("Read-only file system").prints("Permission denied")


def test_ext4_on_a_disk(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        image = make_ext4(Path(folder) / "disk")
        boot.command(f"mkdir -p /mnt; mount -t ext4 /dev/vda /mnt || exit 1; {WORK}\numount /mnt", "", "--disk", str(image)).succeeds()
        fsck(image)
        assert_equal(content(image, "hard"), b"2\n", "the content of a file")


def test_ext4_in_memory(boot: Boot) -> None:
    """On a RAM disk, whose content then goes to a disk of the host to be checked."""
    with tempfile.TemporaryDirectory() as folder:
        image = make_ext4(Path(folder) / "disk")
        script = f"cat /dev/vda >/dev/ram0; mkdir /mnt; mount -t ext4 /dev/ram0 /mnt || exit 1; {WORK}\numount /mnt; cat /dev/ram0 >/dev/vda"
        boot.command(script, "brd.rd_nr=1 brd.rd_size=65536", "--disk", str(image)).succeeds()
        fsck(image)
        assert_equal(content(image, "hard"), b"2\n", "the content of a file")


def test_deleted_files_give_their_room_back(boot: Boot) -> None:
    """Also what was never written to the disk, and what the last transaction freed."""
    with tempfile.TemporaryDirectory() as folder:
        image = make_ext4(Path(folder) / "disk", 32)
        script = (
            "mkdir -p /mnt; mount -t ext4 /dev/vda /mnt || exit 1; i=0; while [ $i -lt 6 ]; do "
            "dd if=/dev/zero of=/mnt/f bs=1M count=18 2>/dev/null || exit 2; test $i -lt 3 || sync; rm /mnt/f; i=$((i+1)); done; umount /mnt"
        )
        boot.command(script, "", "--disk", str(image)).succeeds()
        fsck(image)


def test_sync_writes_raw_disks(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "raw"
        path.write_bytes(bytes(1 << 20))
        boot.command("exec 3>/dev/vda; echo written >&3; sync; exec reboot -f", "", "--disk", str(path)).ends("reset")
        assert_equal(path.read_bytes()[:8], b"written\n", "the disk after sync")


def test_linux_and_nos_in_turn(boot: Boot) -> None:
    """The same disk, three turns of each; after every turn it is clean and holds what both wrote."""
    with tempfile.TemporaryDirectory() as folder:
        image = make_ext4(Path(folder) / "disk")
        for turn in range(6):
            kernel = LINUX if turn % 2 else []
            script = (
                "mkdir -p /mnt; mount -t ext4 /dev/vda /mnt || exit 1; cd /mnt; test ! -e sums || md5sum -c -s sums || exit 2; "
                f"rm -rf turn-$(({turn}-2)); mkdir turn-{turn}; cp /bin/busybox turn-{turn}/copy; i=0; "
                f"while [ $i -lt 200 ]; do echo {turn} $i >turn-{turn}/f$i; i=$((i+1)); done; rm turn-{turn}/f1*; "
                "find . -type f ! -name sums -exec md5sum {} + >/tmp/sums; cp /tmp/sums sums; cd /; umount /mnt"
            )
            options = boot.options(["--disk", str(image), *kernel])
            with guest.prepared(options, ["/bin/sh", "-c", script], plain_output=True) as machine:
                boot.boot(machine, machine.kernel if kernel else None, "plain", (), None, 120).succeeds()
            fsck(image)


# ---- A file as a disk ----


def test_loop_devices(boot: Boot) -> None:
    """mount -o loop makes the device and lets it go; an offset, a limit and read-only are kept; a loop on itself is refused."""
    with tempfile.TemporaryDirectory() as folder:
        image = make_ext4(Path(folder) / "disk")
        script = (
            "mkdir -p /mnt /tmp; cat /dev/vda >/tmp/img; mount -o loop -t ext4 /tmp/img /mnt || exit 1; "
            f"{WORK}\nlosetup -a | grep -q /tmp/img; cat /sys/block/loop0/loop/backing_file; umount /mnt; "
            'test -z "$(losetup -a)"; test ! -e /sys/block/loop0/loop; test $(cat /sys/block/loop0/size) = 0; cat /tmp/img >/dev/vda; '
            "losetup -r -o 1024 /dev/loop0 /tmp/img; cmp -n 4096 -s /dev/loop0 /tmp/img && exit 3; "
            "dd if=/tmp/img bs=1024 skip=1 count=8 2>/dev/null | cmp -n 8192 - /dev/loop0; cat /sys/block/loop0/ro /sys/block/loop0/size; "
            "! dd if=/dev/zero of=/dev/loop0 bs=512 count=1 conv=fsync 2>/dev/null; losetup -d /dev/loop0; ! losetup /dev/loop0 /dev/loop0; echo done"
        )
        outcome = boot.command(script, "", "--disk", str(image)).succeeds()
        outcome.prints("/tmp/img\n").prints("1\n131070\n").prints("done\n")
        fsck(image)
        assert_equal(content(image, "hard"), b"2\n", "the content of a file")


# ---- The root on a disk ----


def tiny_disk(boot: Boot, folder: str, partitioned: bool) -> Path:
    root = roots.get("tiny", boot.architecture)
    overlay, disk = Path(folder) / "overlay.cpio", Path(folder) / "root"
    roots.write_overlay(overlay, root.folders, None, [(programs.init(boot.architecture), disks.INIT)], [])
    disks.make([root.archive, overlay], disk, 64, partitioned)
    return disk


def test_root_on_a_partition(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        disk = tiny_disk(boot, folder, True)
        script = "grep ' / ' /proc/mounts; echo kept >/root/note; cat /proc/partitions; ls /dev/null"
        outcome = boot.command(script, "", "--root", str(disk)).succeeds()
        outcome.prints("/dev/root / ext4 rw,relatime 0 0").matches(r"254 +1 +\d+ vda1")
        fsck(disk, disks.FIRST_SECTOR * disks.SECTOR)
        boot.command("cat /root/note", "rootfstype=ext4 rootwait", "--root", str(disk)).succeeds().prints("kept\n")


def test_root_on_a_whole_disk(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        disk = tiny_disk(boot, folder, False)
        outcome = boot.command("grep ' / ' /proc/mounts; touch /x", "ro", "--root", str(disk))
        outcome.prints("/dev/root / ext4 ro,relatime 0 0").prints("Read-only file system")
        fsck(disk)


def test_root_that_is_not_there(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        disk = tiny_disk(boot, folder, True)
        outcome = boot.command("true", "root=/dev/vdb7", "--root", str(disk)).ends("reset")
        outcome.prints("Unable to mount root fs").prints("254:1 ")


# ---- Killed ----

LOAD = """
mkdir -p /mnt; mount -t ext4 /dev/vda /mnt || exit 1
for job in 1 2; do (
  i=0
  while :; do
    d=/mnt/job$job-$((i%7)); mkdir -p $d
    echo "$job $i" >$d/kept-TURN-$i; sync $d/kept-TURN-$i; sync $d; echo "stable $job $i $d/kept-TURN-$i"
    dd if=/dev/urandom of=$d/big bs=16k count=20 2>/dev/null; mv $d/big $d/big$((i%5)); rm -f $d/big$(((i+2)%5))
    test $((i%40)) != 39 || rm -rf /mnt/job$job-$(((i+3)%7))/big*
    i=$((i+1))
  done
) & done
wait
"""


class Killer:
    """Kills QEMU some time after the load has begun, as a power failure would."""

    def __init__(self, after_seconds: float):
        self.after_seconds = after_seconds
        self.timer: threading.Timer

    def begin(self, running: qemu.Guest) -> None:
        self.timer = threading.Timer(self.after_seconds, running.process.kill)
        self.timer.start()

    def end(self) -> str:
        self.timer.cancel()
        return ""


def test_killed_while_writing(boot: Boot) -> None:
    """At random moments under load, again and again on the same disk: what was fsynced is there, e2fsck finds nothing."""
    with tempfile.TemporaryDirectory() as folder:
        image = make_ext4(Path(folder) / "disk", 96)
        chance = random.Random()
        stable = {}
        for turn in range(boot_turns(boot)):
            seconds = chance.uniform(3.0, 9.0)
            recover_here = turn % 2 == 1  # otherwise by the kernel's own next mount
            options = boot.options(["--disk", str(image)])
            with guest.prepared(options, ["/bin/sh", "-c", LOAD.replace("TURN", str(turn))], plain_output=True) as machine:
                outcome: Outcome = boot.boot(machine, None, "plain", (), Killer(seconds), 60)  # type: ignore[arg-type]
            earlier = list(stable)
            for job, number, name in re.findall(r"stable (\d) (\d+) /mnt/(\S+)\n", outcome.console):
                stable[name] = f"{job} {number}\n".encode()
            if "panic" in outcome.console:
                outcome.fail(f"the kernel did not live through turn {turn}")
            copy = Path(folder) / "copy"
            subprocess.run(["cp", "--sparse=always", str(image), str(copy)], check=True)
            fsck(copy, recover=True)
            for name in [*stable.keys() - set(earlier), *chance.sample(earlier, min(100, len(earlier)))]:
                expected = stable[name]
                if content(copy, name) != expected:
                    raise CheckFailed(f"after {seconds:.2f} s (turn {turn}) {name} was fsynced and holds {content(copy, name)!r}, not {expected!r}")
            if recover_here:
                copy.replace(image)
        if not stable:
            raise CheckFailed("nothing was fsynced before the machine was killed")


def boot_turns(boot: Boot) -> int:
    return 200 if boot.run.long else 4


# ---- Damaged ----


def test_damaged_disks(boot: Boot) -> None:
    """Metadata overwritten at random: mounting fails or operations do; the kernel lives."""
    with tempfile.TemporaryDirectory() as folder:
        chance = random.Random(20)
        options = []
        for number in range(6):
            image = make_ext4(Path(folder) / f"disk{number}", 16, "-d", str(Path(__file__).parent))
            data = bytearray(image.read_bytes())
            for _ in range(40):
                at = chance.choice([chance.randrange(1024, 2048), chance.randrange(2048, 1 << 20)])
                data[at] = chance.randrange(256)
            image.write_bytes(data)
            options += ["--disk", str(image)]
        script = (
            "mkdir /mnt; for d in a b c d e f; do mount -t ext4 /dev/vd$d /mnt && { ls -lR /mnt; cat /mnt/*; cp -r /mnt /mnt/copy; rm -rf /mnt/*; umount /mnt; }; "
            "done >/dev/null 2>&1; echo lives"
        )
        boot.command(script, "", *options, limit=150).succeeds().prints("lives\n")
