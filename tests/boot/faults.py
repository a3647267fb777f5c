"""Disks that fail (QEMU's blkdebug): the error reaches who must know, once for each descriptor; nothing hangs. With --long
Linux runs the same programs."""
import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import List

from nos import debian, guest
from nos.boot_machine import CHECKS, LINUX, Boot, Outcome
from nos.scenario import CheckFailed

BLOCK = 4096
FEATURES = "metadata_csum,metadata_csum_seed,64bit,orphan_file"

PRELUDE = CHECKS + r"""
import mmap, signal, sys
def one_of(found, expected, what):
    if found not in expected:
        same(found, expected, what)
def mount(options=""):
    os.makedirs("/mnt/d", exist_ok=True)
    result = libc.mount(b"/dev/vda", b"/mnt/d", b"ext4", 0, options.encode() or None)
    return errno.errorcode[ctypes.get_errno()] if result else 0
"""

# Of the disk itself; sector 2048 cannot be written.
RAW_WRITES = r"""
one, two = os.open("/dev/vda", os.O_RDWR), os.open("/dev/vda", os.O_RDWR)
os.pwrite(one, b"x" * 4096, 1 << 20)
same(code(os.fsync, one), "EIO", "fsync after a failed write")
same(code(os.fsync, one), 0, "the second fsync")
same(code(os.fsync, two), "EIO", "fsync of another descriptor")
same(code(os.fsync, two), 0, "its second fsync")
late = os.open("/dev/vda", os.O_RDWR)
same(code(os.fsync, late), 0, "fsync of a later descriptor")
os.pwrite(one, b"y" * 4096, 1 << 21)
same(code(os.fsync, one), 0, "fsync of what can be written")
os.pwrite(late, b"x" * 512, 1 << 20)
same(code(os.fdatasync, late), "EIO", "fdatasync after a failed write")
direct = os.open("/dev/vda", os.O_RDWR | os.O_DIRECT)
memory = mmap.mmap(-1, 4096)
same(code(os.pwritev, direct, [memory], 1 << 20), "EIO", "a direct write")
print("as expected")
"""

RAW_READS = r"""
fd = os.open("/dev/vda", os.O_RDONLY)
same(code(os.pread, fd, 512, 1 << 20), "EIO", "a read of what cannot be read")
same(code(os.pread, fd, 4096, 0), 0, "another read")
child = os.fork()
if child == 0:
    memory = mmap.mmap(fd, 4096, prot=mmap.PROT_READ, offset=1 << 20)
    memory[5]
    os._exit(0)
same(os.WTERMSIG(os.waitpid(child, 0)[1]), signal.SIGBUS, "a load from a mapping of it")
print("as expected")
"""

# Of a file that lies where nothing can be written.
FILE_WRITES = r"""
same(mount(), 0, "mount")
one, two = os.open("/mnt/d/file", os.O_RDWR), os.open("/mnt/d/file", os.O_RDWR)
os.pwrite(one, b"x" * 4096, 0)
same(code(os.fsync, one), "EIO", "fsync after a failed write")
same(code(os.fsync, one), 0, "the second fsync")
same(code(os.fsync, two), "EIO", "fsync of another descriptor")
same(code(os.fsync, two), 0, "its second fsync")
with open("/mnt/d/other", "w") as other:
    other.write("fine")
    other.flush()
    same(code(os.fsync, other.fileno()), 0, "fsync of another file")
os.pwrite(two, b"x" * 4096, 0)
same(code(os.sync), 0, "sync")
same(code(os.fsync, one), "EIO", "fsync after a failed sync")
os.close(one); os.close(two); other.close()
same(libc.umount(b"/mnt/d"), 0, "umount")
same(mount(), 0, "the second mount")
same(open("/mnt/d/other").read(), "fine", "what was written")
same(libc.umount(b"/mnt/d"), 0, "umount")
print("as expected")
"""

# The log of the journal cannot be written.
JOURNAL_WRITES = r"""
same(mount(), 0, "mount")
os.mkdir("/mnt/d/new")
fd = os.open("/mnt/d/new/file", os.O_RDWR | os.O_CREAT)
os.write(fd, b"x" * 10000)
one_of(code(os.fsync, fd), ("EIO", "EROFS"), "fsync without a journal")
one_of(code(os.fsync, fd), ("EIO", "EROFS"), "the second fsync")
one_of(code(os.mkdir, "/mnt/d/more"), ("EROFS", "EIO"), "mkdir")
same(open("/mnt/d/file").read(4), "good", "a file can be read")
os.close(fd)
same(libc.umount(b"/mnt/d"), 0, "umount")
print("as expected")
"""

FLUSHES = r"""
fd = os.open("/dev/vda", os.O_RDWR)
os.pwrite(fd, b"x" * 4096, 1 << 20)
same(code(os.fsync, fd), "EIO", "fsync whose flush fails")
print("as expected")
"""


def run(boot: Boot, program: str, image: Path, rules: List[dict]) -> None:
    kernels = boot.kernels() if boot.run.long else [""]
    original = image.read_bytes()
    for kernel in kernels:
        image.write_bytes(original)
        outcome = run_on(boot, kernel, program, image, rules)
        outcome.succeeds().prints("as expected\n")
        if not kernel:
            outcome.prints_no("panic")


def run_on(boot: Boot, kernel: str, program: str, image: Path, rules: List[dict]) -> Outcome:
    script = image.with_name("program.py")
    script.write_text(PRELUDE + program)
    words = ["--root", "debian", "--add", f"{script}:/program.py"]
    if kernel:
        words += [*LINUX, "--add", f"{debian.linux_module(boot.architecture, 'drivers/block/virtio_blk')}:/.nos/modules/virtio_blk.ko.xz"]
    options = boot.options(words)
    errors = [{"event": "none", "errno": 5, **rule} for rule in rules]
    node = {"driver": "blkdebug", "node-name": "faulty", "image": {"driver": "file", "filename": str(image)}, "inject-error": errors}
    extra = ["-blockdev", json.dumps(node), "-device", "virtio-blk-pci,drive=faulty"]
    with guest.prepared(options, ["/usr/bin/python3", "/program.py"], plain_output=True) as machine:
        return boot.boot(machine, machine.kernel if kernel else None, "plain", extra, None, 200)


def sectors(number: int) -> int:
    return number * (BLOCK // 512)


def raw_disk(folder: str) -> Path:
    path = Path(folder) / "disk"
    path.write_bytes(bytes(8 << 20))
    return path


def ext4_disk(folder: str) -> Path:
    path, content = Path(folder) / "disk", Path(folder) / "content"
    content.mkdir()
    (content / "file").write_bytes(b"good" * (BLOCK // 4))
    with open(path, "wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-b", str(BLOCK), "-O", FEATURES, "-d", str(content), str(path)], check=True)
    return path


def first_block(path: Path, name: str) -> int:
    text = subprocess.run(["debugfs", "-R", f"blocks {name}", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout.decode()
    found = re.search(r"\d+", text)
    if not found:
        raise CheckFailed(f"debugfs does not say where {name} lies")
    return int(found.group())


def recovered(path: Path) -> None:
    mended = subprocess.run(["e2fsck", "-fp", str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if mended.returncode > 1:
        raise CheckFailed(f"e2fsck: {mended.stdout.decode()}")


def test_writes_of_a_disk(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(boot, RAW_WRITES, raw_disk(folder), [{"iotype": "write", "sector": 2048}])


def test_reads_of_a_disk(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(boot, RAW_READS, raw_disk(folder), [{"iotype": "read", "sector": 2048}])


def test_flushes_of_a_disk(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(boot, FLUSHES, raw_disk(folder), [{"iotype": "flush"}])


def test_writes_of_a_file(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        image = ext4_disk(folder)
        run(boot, FILE_WRITES, image, [{"iotype": "write", "sector": sectors(first_block(image, "file"))}])
        recovered(image)


def test_writes_of_the_journal(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        image = ext4_disk(folder)
        # The second block of the log: the first holds what a mount writes.
        run(boot, JOURNAL_WRITES, image, [{"iotype": "write", "sector": sectors(first_block(image, "<8>") + 1)}])
        recovered(image)
