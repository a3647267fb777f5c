"""Crash consistency: QEMU records every write and flush of a workload; the host stops the record at many points, drops or tears
what no flush covers, and lets e2fsck, our own mount and Linux's recover. What was fsynced is there, and nothing else is broken."""
import json
import random
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Iterator, List, NamedTuple

from nos import guest
from nos.boot_machine import LINUX, Boot
from nos.scenario import CheckFailed

FEATURES = "metadata_csum,metadata_csum_seed,64bit,orphan_file"  # as Debian 13 has them
FILE_SYSTEM_MIB, DISK_MIB = 24, 32
MARK_BYTES = 4096
MARKS = FILE_SYSTEM_MIB * 256  # in units of MARK_BYTES: behind the file system each job tells what it has been promised, on the same disk
MARKS_OF_A_JOB = 1000

# Two jobs that wait for their data and say so, and one that never does.
LOAD = """
mkdir -p /mnt; mount -t ext4 /dev/vda /mnt || exit 1
(while :; do cp /bin/busybox /mnt/noise; mkdir -p /mnt/n; mv /mnt/noise /mnt/n/moved; rm -r /mnt/n; done) & noise=$!
for job in 0 1; do (
  i=0
  while [ $i -lt ROUNDS ]; do
    d=/mnt/job$job-$((i%5)); mkdir -p $d
    echo "$job $i" >$d/kept-$i; sync $d/kept-$i; sync $d
    echo "stable $job $i job$job-$((i%5))/kept-$i" | dd of=/dev/vda bs=4096 seek=$((MARKS+job*1000+i)) conv=notrunc 2>/dev/null
    dd if=/dev/urandom of=$d/big bs=16k count=9 2>/dev/null; mv $d/big $d/big$((i%3)); rm -f $d/big$(((i+1)%3)); truncate -s $((i*777)) $d/cut
    ln -sf kept-$i $d/link; test $((i%20)) != 19 || rm -rf /mnt/job$job-$(((i+2)%5))/big*
    i=$((i+1))
  done
) & jobs="$jobs $!"; done
wait $jobs; kill $noise; wait; exec reboot -f
"""


class Entry(NamedTuple):
    """One of the log's, in the form that Linux's dm-log-writes has, too."""

    offset: int
    data: bytes
    flush: bool
    stable: bool  # force-unit-access


def read_log(path: Path) -> Iterator[Entry]:
    with open(path, "rb") as file:
        magic, version, count, sector = struct.unpack("<QQQI", file.read(28))
        if magic != 0x6A736677736872 or version != 1:
            raise CheckFailed(f"{path} is no log of writes")
        at = sector
        for _ in range(count):
            file.seek(at)
            first, sectors, flags, _ = struct.unpack("<QQQQ", file.read(32))
            at += sector
            flush, stable, discard = (bool(flags & bit) for bit in (1, 2, 4))
            data = b""
            if sectors and not discard:
                file.seek(at)
                data = file.read(sectors * sector)
                at += len(data)
            yield Entry(first * sector, data, flush, stable)


class Replay:
    """The disk after the first entries of the log, as a power failure there may leave it. Points come in rising order.

    The last write may be torn, between blocks of the file system only: the journal's format counts on a whole commit block.
    """

    def __init__(self, base: bytes, entries: List[Entry], block: int, chance: random.Random):
        self.durable, self.entries, self.block, self.chance = bytearray(base), entries, block, chance
        self.pending: List[Entry] = []
        self.at = 0

    def until(self, point: int) -> bytearray:
        for entry in self.entries[self.at : point]:
            if entry.flush:
                for waiting in self.pending:
                    self.write(self.durable, waiting, len(waiting.data))
                self.pending = []
            if entry.data:
                self.pending.append(entry)
        self.at = point
        disk = bytearray(self.durable)
        kept = self.chance.choice([1.0, 0.8, 0.5, 0.0])
        for number, entry in enumerate(self.pending):
            if entry.stable or self.chance.random() < kept:
                last = number == len(self.pending) - 1 and not entry.stable
                self.write(disk, entry, self.chance.randrange(0, len(entry.data) + 1, self.block) if last else len(entry.data))
        return disk

    @staticmethod
    def write(disk: bytearray, entry: Entry, length: int) -> None:
        disk[entry.offset : entry.offset + length] = entry.data[:length]


def promises(disk: bytearray) -> dict:
    """What the marks on the disk say: file name to content."""
    result = {}
    for job in range(2):
        for number in range(MARKS_OF_A_JOB):
            at = (MARKS + job * MARKS_OF_A_JOB + number) * MARK_BYTES
            if disk[at : at + 6] != b"stable":
                break
            words = disk[at : at + 128].split(b"\n")[0].decode().split()
            result[words[3]] = f"{words[1]} {words[2]}\n"
    return result


def run(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def check_clean(disk: Path, what: str) -> None:
    checked = run("e2fsck", "-fn", str(disk))
    if checked.returncode:
        raise CheckFailed(f"e2fsck of {what}: {checked.stdout.decode()}")


def check(path: Path, disk: bytearray, chance: random.Random, what: str) -> int:
    path.write_bytes(disk)
    # Replays the journal and deletes orphans, as a mount does; "clean" says that it saw no reason to mend anything else.
    recovered = run("e2fsck", "-p", str(path))
    if recovered.returncode > 1 or b": clean," not in recovered.stdout:
        raise CheckFailed(f"e2fsck could not just recover {what}: {recovered.stdout.decode()}")
    check_clean(path, what)
    promised = promises(disk)
    names = list(promised)
    for name in {*names[-2:], *chance.sample(names, min(3, len(names)))}:
        content = subprocess.run(["debugfs", "-R", f"cat {name}", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
        if content != promised[name]:
            raise CheckFailed(f"{what}: {name} was fsynced and holds {content!r}, not {promised[name]!r}")
    return len(promised)


def check_with_a_mount(boot: Boot, kernel: str, path: Path, disk: bytearray, what: str) -> None:
    path.write_bytes(disk)
    promised = promises(disk)
    comparisons = "; ".join(f'test "$(cat {name})" = "{content.strip()}" || exit 3' for name, content in list(promised.items())[-40:])
    script = f"mkdir -p /mnt; mount -t ext4 /dev/vda /mnt || exit 2; cd /mnt; {comparisons or 'true'}; echo x >new && rm new; cd /; umount /mnt"
    options = boot.options(["--disk", str(path), *(LINUX if kernel else [])])
    with guest.prepared(options, ["/bin/sh", "-c", script], plain_output=True) as machine:
        boot.boot(machine, machine.kernel if kernel else None, "plain", (), None, 120).succeeds()
    check_clean(path, f"{what}, which {kernel or 'nos'} recovered")


def stop_everywhere(boot: Boot, block: int) -> None:
    """Stops at 60 points of the record (with --long: 3000), each recovered by e2fsck; two (ten) by a mount of ours and one of Linux's."""
    rounds, points, mounts, limit = (300, 3000, 10, 900) if boot.run.long else (15, 60, 2, 150)
    with tempfile.TemporaryDirectory() as folder:
        image, log, copy = (Path(folder) / name for name in ("disk", "log", "copy"))
        with open(image, "wb") as file:
            file.truncate(DISK_MIB << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-b", str(block), "-O", FEATURES, str(image), f"{FILE_SYSTEM_MIB}M"], check=True)
        base = image.read_bytes()
        log.write_bytes(b"")
        recorder = {
            "driver": "blklogwrites",
            "node-name": "recorded",
            "file": {"driver": "file", "filename": str(image)},
            "log": {"driver": "file", "filename": str(log)},
            "log-super-update-interval": 1,
        }
        extra = ["-blockdev", json.dumps(recorder), "-device", "virtio-blk-pci,drive=recorded"]
        script = LOAD.replace("ROUNDS", str(rounds)).replace("MARKS", str(MARKS))
        boot.command(script, "", extra=extra, limit=limit).ends("reset")
        entries = list(read_log(log))
        if sum(entry.flush for entry in entries) < rounds:
            raise CheckFailed(f"only {len(entries)} writes and flushes were recorded")
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        replay = Replay(base, entries, block, chance)
        chosen = sorted(chance.sample(range(1, len(entries) + 1), min(points, len(entries))))
        kernels = boot.kernels()
        most = 0
        for number, point in enumerate(chosen):
            disk = replay.until(point)
            what = f"the disk after {point} of {len(entries)} entries (seed {seed})"
            most = max(most, check(copy, disk, chance, what))
            if number % (len(chosen) // mounts) == len(chosen) // mounts - 1:
                for kernel in kernels:
                    check_with_a_mount(boot, kernel, copy, disk, what)
        if not most:
            raise CheckFailed("nothing was promised anywhere in the record")


def test_every_moment_is_a_good_one_to_stop(boot: Boot) -> None:
    stop_everywhere(boot, 4096)


def test_every_moment_with_small_blocks(boot: Boot) -> None:
    stop_everywhere(boot, 1024)
