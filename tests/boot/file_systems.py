"""File systems other than ext4 in the guest: folders of this machine, and disks that other systems' tools made."""
import hashlib
import os
import random
import subprocess
import tempfile
from pathlib import Path
from typing import Dict, List

from nos.boot_machine import Boot
from nos.scenario import CheckFailed, assert_equal

SHARE = """
set -e
grep -q 9p /proc/filesystems; grep ' /mnt/share 9p ' /proc/mounts
cd /mnt/share; cmp from-host /mnt/share/./from-host; md5sum -c -s sums
mkdir made; cp from-host made/copy; cmp from-host made/copy; mv made/copy made/moved; ln -s moved made/link; ln made/moved made/hard
cmp made/link made/hard; chmod 640 made/moved; rm made/hard; test $(stat -c %s made/moved) = $(stat -c %s from-host)
cd made; test "$(pwd)" = /mnt/share/made; touch here; test "$(ls)" = "$(printf 'here\\nlink\\nmoved')"; cd ..
cp /bin/busybox busybox-copy; chmod 755 busybox-copy; ./busybox-copy echo mapped and run
dd if=/dev/zero of=holes bs=1 count=1 seek=100000 2>/dev/null; truncate -s 5000 holes
echo one >log; echo two >>log; test "$(cat log)" = "$(printf 'one\\ntwo')"
( for i in 1 2 3 4; do ( dd if=/dev/urandom of=job$i bs=64k count=30 2>/dev/null; cp job$i same$i; cmp job$i same$i && echo same ) & done; wait ) | sort | uniq -c
rm job* same*; mkdir on; mount -t tmpfs none on; echo x >on/top; cat on/top; umount on; rmdir on
stat -f -c %t /mnt/share; cat missing 2>&1 || true
cd /; umount /mnt/share; mount -t 9p -o trans=virtio,version=9p2000.L,ro share /mnt/share; touch /mnt/share/x 2>&1 || true; echo all done
"""


def test_shared_folder(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = random.Random(1).randbytes(1_000_000)
        Path(folder, "from-host").write_bytes(data)
        Path(folder, "sums").write_text(f"{hashlib.md5(data).hexdigest()}  from-host\n")
        outcome = boot.command(SHARE, "", "--share", folder, limit=150)
        outcome.succeeds().prints("mapped and run\n").prints("1021997\n").prints("No such file").prints("Read-only file system")
        outcome.matches(r"^ +4 same$")
        outcome.prints("all done\n")
        assert_equal(sorted(os.listdir(folder)), ["busybox-copy", "from-host", "holes", "log", "made", "sums"], "what the guest left")
        assert_equal(Path(folder, "made/link").read_bytes(), data, "a file and a link to it")
        assert_equal(Path(folder, "made/moved").stat().st_mode & 0o777, 0o640, "its mode")
        assert_equal(Path(folder, "holes").stat().st_size, 5000, "a truncated file")
        assert_equal(Path(folder, "log").read_text(), "one\ntwo\n", "what was appended")


VFAT = """
set -e
mkdir -p /mnt; mount -t vfat /dev/vda /mnt; grep vfat /proc/mounts; stat -f -c %t /mnt; cd /mnt
cat 'A long name from the host.txt'; test "$(cat 'a LONG name from the HOST.txt')" = hello
mkdir -p 'Some Directory/inner'; cp /bin/busybox 'Some Directory/inner/The Shell'; cmp /bin/busybox 'some directory/INNER/the shell'
i=0; while [ $i -lt 150 ]; do echo $i >"Some Directory/number $i"; i=$((i+1)); done; rm 'Some Directory/number 1'*
mv 'Some Directory/inner' other; mv 'other/The Shell' busybox.bin; rmdir other
for job in 1 2 3; do ( dd if=/dev/urandom of=job$job bs=16k count=20 2>/dev/null; cp job$job copy$job; sync; cmp job$job copy$job && echo same ) & done; wait
./busybox.bin echo run from the disk; rm copy*; truncate -s 100 job1; md5sum busybox.bin job* >sums
ln -s a b 2>&1 || true; cp sums SUMS2.TXT
cd /; umount /mnt; mount -t vfat -o ro,uid=5,fmask=0177 /dev/vda /mnt; cd /mnt; md5sum -c -s sums; stat -c '%u %a' sums; touch x 2>&1 || true
cd /; umount /mnt; echo all done
"""


def check_fat(image: Path, description: str) -> None:
    checked = subprocess.run(["fsck.vfat", "-n", str(image)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if checked.returncode:
        raise CheckFailed(f"fsck.vfat on {description}: {checked.stdout.decode(errors='replace')}")


def vfat(boot: Boot, kib: int, *options: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "disk"
        subprocess.run(["mkfs.vfat", "-C", *options, str(image), str(kib)], check=True, stdout=subprocess.DEVNULL)
        (Path(folder) / "hello").write_text("hello\n")
        mtools: Dict[str, str] = {**os.environ, "MTOOLS_SKIP_CHECK": "1"}
        subprocess.run(["mcopy", "-i", str(image), f"{folder}/hello", "::A long name from the host.txt"], check=True, env=mtools)
        outcome = boot.command(VFAT, "", "--disk", str(image), limit=150)
        outcome.succeeds().prints("hello\n").prints("4d44\n").prints("run from the disk\n").prints("Operation not permitted")
        outcome.prints("5 600\n").prints("Read-only file system").prints("all done\n")
        check_fat(image, " ".join(options))
        read = subprocess.run(["mtype", "-i", str(image), "::Some Directory/number 99"], check=True, env=mtools, stdout=subprocess.PIPE)
        assert_equal(read.stdout, b"99\n", "what mtools reads")


def test_fat12(boot: Boot) -> None:
    vfat(boot, 8192, "-F", "12")


def test_fat16(boot: Boot) -> None:
    vfat(boot, 32768, "-F", "16")


def test_fat32(boot: Boot) -> None:
    vfat(boot, 65536, "-F", "32", "-s", "1")


def test_fat_is_whole_after_sync(boot: Boot) -> None:
    """A guest that ends without unmounting: what was synced is there, and only the dirty bit is to be mended."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "disk"
        subprocess.run(["mkfs.vfat", "-C", "-F", "32", "-s", "1", str(image), "65536"], check=True, stdout=subprocess.DEVNULL)
        script = "mkdir -p /mnt; mount -t vfat /dev/vda /mnt; cp /bin/busybox /mnt/kept; mkdir /mnt/d; echo x >/mnt/d/f; sync; echo synced; reboot -f -n"
        boot.command(script, "", "--disk", str(image)).prints("synced")
        checked = subprocess.run(["fsck.vfat", "-n", str(image)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode(errors="replace")
        wrong = [word for word in ("Reclaim", "wrong", "Orphan", "Truncat", "shared", "bad") if word in checked]
        if "Dirty bit is set" not in checked or wrong:
            raise CheckFailed(f"fsck.vfat: {checked}")


def tree(folder: Path) -> None:
    generator = random.Random(4)
    sums: List[str] = []
    (folder / "many").mkdir(parents=True)
    for number in range(60):
        data = generator.randbytes(generator.choice([0, 10, 3000, 70_000])) + bytes(generator.choice([0, 50_000]))
        (folder / "many" / f"A file with number {number}").write_bytes(data)
        sums.append(f"{hashlib.md5(data).hexdigest()}  many/A file with number {number}\n")
    big = generator.randbytes(300_000) * 8
    (folder / "big").write_bytes(big)
    sums.append(f"{hashlib.md5(big).hexdigest()}  big\n")
    (folder / "sums").write_text("".join(sums))
    (folder / "link").symlink_to("many/../big")


READ = """
set -e
mkdir -p /mnt; mount -t {type} -o ro /dev/vda /mnt; grep {type} /proc/filesystems; stat -f -c %t /mnt; cd /mnt; md5sum -c -s sums; cmp link big
test $(ls many | wc -l) = 60; readlink link; ls -la >/dev/null; find . -type f | wc -l; touch x 2>&1 || true
cd /; umount /mnt; echo all done
"""


def read_only(boot: Boot, kind: str, magic: str, command: List[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree(Path(folder) / "tree")
        image = Path(folder) / "disk"
        words = [word.replace("@IMAGE", str(image)).replace("@TREE", f"{folder}/tree") for word in command]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        outcome = boot.command(READ.replace("{type}", kind), "", "--disk", f"{image},readonly", limit=150)
        outcome.succeeds().prints(f"{magic}\n").prints("many/../big\n").prints("\n62\n").prints("Read-only file system").prints("all done\n")


def squashfs(boot: Boot, *options: str) -> None:
    read_only(boot, "squashfs", "73717368", ["mksquashfs", "@TREE", "@IMAGE", "-quiet", "-no-progress", *options])


def test_squashfs_gzip(boot: Boot) -> None:
    squashfs(boot, "-comp", "gzip")


def test_squashfs_xz(boot: Boot) -> None:
    squashfs(boot, "-comp", "xz")


def test_squashfs_zstd(boot: Boot) -> None:
    squashfs(boot, "-comp", "zstd", "-b", "1M")


def test_squashfs_lz4(boot: Boot) -> None:
    squashfs(boot, "-comp", "lz4")


def test_iso9660_rock_ridge(boot: Boot) -> None:
    read_only(boot, "iso9660", "9660", ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-J", "-o", "@IMAGE", "@TREE"])
