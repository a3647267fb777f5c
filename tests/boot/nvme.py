"""NVMe disks: the same work as on virtio disks, with the blocks and the memory that NVMe is particular about; and one that fails."""
import json
import re
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import List

from nos.boot_machine import Boot
from nos.scenario import CheckFailed, assert_equal

FEATURES = "metadata_csum,metadata_csum_seed,64bit,orphan_file"

WORK = """
set -e
mkdir -p /mnt; mount -t ext4 /dev/nvme0n1 /mnt; cd /mnt
mkdir tree; cp -a /bin/busybox tree/; tar cf tree.tar tree; rm -r tree; tar xf tree.tar; cmp tree/busybox /bin/busybox
i=0; while [ $i -lt 200 ]; do echo $i >file-$i; i=$((i+1)); done; rm file-1*; mv file-2 moved
dd if=/dev/urandom of=random bs=4096 count=700 conv=fsync 2>/dev/null; md5sum random busybox* tree/* >sums 2>/dev/null || true
for job in 1 2 3 4; do (dd if=/dev/urandom of=job$job bs=64k count=20 conv=fsync 2>/dev/null; cp job$job copy$job; sync copy$job) & done; wait
for job in 1 2 3 4; do cmp job$job copy$job; done; rm job2 copy2; fstrim /mnt
cd /; umount /mnt; mount -t ext4 /dev/nvme0n1 /mnt; cd /mnt; md5sum -c -s sums; for job in 1 3 4; do cmp job$job copy$job; done
cd /; umount /mnt; echo all done
"""


def namespace(path: Path, number: int, *options: str) -> List[str]:
    drive = f"if=none,id=ns{number},format=raw,discard=unmap,file={path}"
    return ["-drive", drive, "-device", ",".join([f"nvme-ns,drive=ns{number},bus=nvme,nsid={number}", *options])]


def controller(*options: str) -> List[str]:
    return ["-device", ",".join(["nvme,id=nvme,serial=disk-of-test", *options])]


def make_ext4(path: Path, *options: str) -> Path:
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", FEATURES, *options, str(path)], check=True)
    return path


def works(boot: Boot, block: str, controller_options: List[str], namespace_options: List[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        image = make_ext4(Path(folder) / "disk", "-b", block)
        extra = [*controller(*controller_options), *namespace(image, 1, *namespace_options)]
        outcome = boot.command(WORK, extra=extra, limit=150)
        outcome.succeeds().prints("all done\n")
        checked = subprocess.run(["e2fsck", "-fn", str(image)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if checked.returncode:
            outcome.fail(f"e2fsck: {checked.stdout.decode()}")


def test_ext4(boot: Boot) -> None:
    works(boot, "4096", [], [])


def test_ext4_with_small_blocks(boot: Boot) -> None:
    """Pieces of pages that one command cannot describe."""
    works(boot, "1024", [], [])


def test_ext4_on_large_blocks_and_short_transfers(boot: Boot) -> None:
    works(boot, "4096", ["mdts=2"], ["logical_block_size=4096", "physical_block_size=4096"])


def test_one_queue_without_message_interrupts(boot: Boot) -> None:
    works(boot, "4096", ["max_ioqpairs=1", "msix_qsize=1"], [])


def test_names_and_partitions(boot: Boot) -> None:
    """Two namespaces, one with a partition; the end of a disk; discarded blocks."""
    with tempfile.TemporaryDirectory() as folder:
        one, two = Path(folder) / "one", Path(folder) / "two"
        one.write_bytes(b"x" * (8 << 20))
        with open(two, "wb") as file:
            file.truncate(16 << 20)
        entry = struct.pack("<B3xB3xII", 0, 0x83, 2048, 8192)
        with open(two, "r+b") as file:
            file.write(bytes(446) + entry.ljust(64, b"\0") + b"\x55\xaa")
        script = (
            "cat /proc/partitions; cat /sys/block/nvme0n2/size; blkdiscard -o 1048576 -l 1048576 /dev/nvme0n1; echo hello >/dev/nvme0n2p1; sync; "
            "dd if=/dev/zero of=/dev/nvme0n2p1 bs=1M seek=4 count=1"
        )
        outcome = boot.command(script, extra=[*controller(), *namespace(one, 1), *namespace(two, 2)])
        outcome.prints("259        0       8192 nvme0n1\n").prints("16384 nvme0n2\n").prints("32768\n").prints("No space left on device")
        outcome.matches(r"259 +17 +4096 nvme0n2p1")
        assert_equal(two.read_bytes()[1 << 20 : (1 << 20) + 6], b"hello\n", "the partition")
        assert_equal(one.read_bytes(), b"x" * (1 << 20) + bytes(1 << 20) + b"x" * (6 << 20), "what was discarded, and what lies around it")


def test_errors(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "disk"
        image.write_bytes(bytes(8 << 20))
        rules = [{"event": "none", "errno": 5, "iotype": "read", "sector": 2048}, {"event": "none", "errno": 5, "iotype": "write", "sector": 4096}]
        node = {"driver": "blkdebug", "node-name": "faulty", "image": {"driver": "file", "filename": str(image)}, "inject-error": rules}
        extra = ["-blockdev", json.dumps(node), "-device", "nvme,drive=faulty,serial=faulty"]
        script = (
            "dd if=/dev/nvme0n1 of=/dev/null bs=512 skip=2048 count=1; dd if=/dev/zero of=/dev/nvme0n1 bs=4096 seek=512 count=1 conv=fsync; "
            "dd if=/dev/nvme0n1 of=/dev/null bs=512 count=2000 2>/dev/null && echo the rest works"
        )
        outcome = boot.command(script, extra=extra).prints("the rest works\n")
        if len(re.findall("(I|i)nput/output error|I/O error", outcome.console)) < 2:
            raise CheckFailed(f"both errors reach the programs: {outcome.console}")
