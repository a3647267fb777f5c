"""What programs ask of disks and of files on them beyond reading and writing: the same Python program on NOS and on Debian's Linux."""
import subprocess
import tempfile
from pathlib import Path

from nos import guest
from nos.boot_machine import CHECKS, LINUX, Boot

PROGRAM = CHECKS + r'''
import fcntl, mmap, signal, struct, sys
BLKDISCARD, BLKZEROOUT, FITRIM = 0x1277, 0x127F, 0xC0185879
O_DIRECT = os.O_DIRECT

def fallocate(fd, mode, offset, length):
    result = libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length))
    return errno.errorcode[ctypes.get_errno()] if result else 0

def direct_alignment(path):
    memory = ctypes.create_string_buffer(256)
    libc.syscall(332, -100, path.encode(), 0, 0x2000, memory)
    mask, = struct.unpack_from("I", memory, 0)
    return struct.unpack_from("II", memory, 152) if mask & 0x2000 else None

# ---- A disk ----
disk = os.open("/dev/vdb", os.O_RDWR)
size = os.lseek(disk, 0, os.SEEK_END)
same(size, 8 << 20, "size")
os.pwrite(disk, b"x" * (1 << 20), 0)
os.fsync(disk)
same(code(fcntl.ioctl, disk, BLKZEROOUT, struct.pack("QQ", 512, 8192)), 0, "BLKZEROOUT")
same(os.pread(disk, 9216, 0), b"x" * 512 + bytes(8192) + b"x" * 512, "zeroes")
same(code(fcntl.ioctl, disk, BLKZEROOUT, struct.pack("QQ", 100, 8192)), "EINVAL", "BLKZEROOUT that is not aligned")
same(code(fcntl.ioctl, disk, BLKZEROOUT, struct.pack("QQ", size, 512)), "EINVAL", "BLKZEROOUT behind the end")
same(code(fcntl.ioctl, disk, BLKDISCARD, struct.pack("QQ", 65536, 131072)), 0, "BLKDISCARD")
same(code(fcntl.ioctl, disk, BLKDISCARD, struct.pack("QQ", 0, size + 512)), "EINVAL", "BLKDISCARD behind the end")
same(os.pread(disk, 512, 65536 - 512) + os.pread(disk, 512, 65536 + 131072), b"x" * 1024, "what lies around")
same(fallocate(disk, 0, 0, 4096), "ENOTSUP", "fallocate of a disk")
same(fallocate(disk, 3, 512, 1 << 19), 0, "a hole")
same(os.pread(disk, 1 << 19, 512), bytes(1 << 19), "the hole")
same(os.pread(disk, 512, 0), b"x" * 512, "before the hole")
same(fallocate(disk, 0x10, size - 4096, 8192), "EINVAL", "zeroes behind the end")
same(fallocate(disk, 0x11, size - 4096, 8192), 0, "zeroes up to the end")
same(fallocate(disk, 0x11, size, 4096), "EINVAL", "zeroes at the end")
same(fallocate(disk, 3, 100, 4096), "EINVAL", "a hole that is not aligned")
reader = os.open("/dev/vdb", os.O_RDONLY)
same(code(fcntl.ioctl, reader, BLKDISCARD, struct.pack("QQ", 0, 4096)), "EBADF", "BLKDISCARD of who may only read")
same(fallocate(reader, 3, 0, 4096), "EBADF", "fallocate of who may only read")

# ---- Both ways to the same bytes ----
def direct(path, flags=0):
    fd = os.open(path, os.O_RDWR | O_DIRECT | flags, 0o644)
    memory = mmap.mmap(-1, 1 << 16)
    memory[:] = b"d" * len(memory)
    same(os.pwritev(fd, [memory], 4096), 1 << 16, f"{path}: direct write")
    same(code(os.pwritev, fd, [memory], 100), "EINVAL", f"{path}: offset")
    same(code(os.pwritev, fd, [memoryview(memory)[:1000]], 0), "EINVAL", f"{path}: length")
    same(code(os.pwritev, fd, [memoryview(memory)[8:520]], 0), "EINVAL", f"{path}: memory")
    plain = os.open(path, os.O_RDWR)
    same(os.pread(plain, 1 << 16, 4096), b"d" * (1 << 16), f"{path}: read what was written directly")
    os.pwrite(plain, b"p" * 8192, 8192)
    same(os.preadv(fd, [memory], 4096), 1 << 16, f"{path}: direct read")
    same(memory[:], b"d" * 4096 + b"p" * 8192 + b"d" * ((1 << 16) - 12288), f"{path}: read directly what was written")
    mapped = mmap.mmap(plain, 1 << 16)
    mapped[4096:4100] = b"mmap"
    os.preadv(fd, [memory], 0)
    same(memory[4096:4100], b"mmap", f"{path}: a store of a mapping")
    memory[:] = b"D" * len(memory)
    os.pwritev(fd, [memory], 0)
    same(mapped[4096:4100], b"DDDD", f"{path}: a mapping sees it")
    return fd
direct("/dev/vdb")
same(direct_alignment("/dev/vdb"), (512, 512), "/dev/vdb: STATX_DIOALIGN")

# ---- A file system ----
def mount(source, target, kind):
    if libc.mount(source.encode(), target.encode(), kind.encode(), 0, None):
        sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")
os.mkdir("/mnt/d")
mount("/dev/vda", "/mnt/d", "ext4")
fd = direct("/mnt/d/f", os.O_CREAT)
same(direct_alignment("/mnt/d/f"), (512, 512), "STATX_DIOALIGN of a file")
same(direct_alignment("/mnt/d"), None, "STATX_DIOALIGN of a directory")
memory = mmap.mmap(-1, 8192)
end = os.fstat(fd).st_size
same(os.preadv(fd, [memory], end - 512), 512, "a direct read of the end")
same(os.preadv(fd, [memory], end + 4096), 0, "a direct read behind the end")
with open("/mnt/d/big", "wb") as big:
    big.write(bytes(3 << 20))
    os.fsync(big.fileno())
os.unlink("/mnt/d/big")
os.sync()
folder = os.open("/mnt/d", os.O_RDONLY)
answer = bytearray(struct.pack("QQQ", 0, (1 << 64) - 1, 0))
fcntl.ioctl(folder, FITRIM, answer)
same(struct.unpack("QQQ", answer)[1] > 3 << 20, True, "trimmed bytes")
same(code(fcntl.ioctl, folder, FITRIM, struct.pack("QQQ", 1 << 40, 4096, 0)), "EINVAL", "FITRIM behind the end")

# ---- Full, for who is not root ----
os.chmod("/mnt/d", 0o777)
child = os.fork()
if child == 0:
    os.setgid(1000); os.setuid(1000)
    same(code(fcntl.ioctl, folder, FITRIM, answer), "EPERM", "FITRIM")
    sparse = os.open("/mnt/d/sparse", os.O_RDWR | os.O_CREAT)
    os.ftruncate(sparse, 64 << 20)
    mapped = mmap.mmap(sparse, 64 << 20)
    for at in range(0, 64 << 20, 4096):
        mapped[at] = 1
    os._exit(0)
same(os.WTERMSIG(os.waitpid(child, 0)[1]), signal.SIGBUS, "the end of who stores on a full disk")
found = os.statvfs("/mnt/d")
same(found.f_bavail * found.f_bsize < 1 << 20, True, "left for others")
same(found.f_bfree * found.f_bsize > 1 << 20, True, "left for root")
with open("/mnt/d/of_root", "wb") as file:
    file.write(b"r" * (1 << 20))
    os.fsync(file.fileno())
print("all as expected")
'''


def run(boot: Boot, folder: Path, kernel: str) -> None:
    image, raw, program = folder / "image", folder / "raw", folder / "program.py"
    with open(image, "wb") as file:
        file.truncate(32 << 20)
    features = "metadata_csum,metadata_csum_seed,64bit,orphan_file"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-m", "10", "-O", features, str(image)], check=True)
    raw.write_bytes(bytes(8 << 20))
    program.write_text(PROGRAM)
    words = ["--root", "debian", "--disk", str(image), "--disk", str(raw), "--add", f"{program}:/program.py"]
    options = boot.options([*words, *(LINUX if kernel else [])])
    with guest.prepared(options, ["/usr/bin/python3", "/program.py"], plain_output=True) as machine:
        outcome = boot.boot(machine, machine.kernel if kernel else None, "plain", (), None, 240)
    outcome.succeeds().prints("all as expected\n")
    checked = subprocess.run(["e2fsck", "-fp", str(image)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if checked.returncode > 1:
        outcome.fail(f"e2fsck: {checked.stdout.decode()}")


def test_on_nos(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(boot, Path(folder), "")


def test_on_linux(boot: Boot) -> None:
    """The oracle."""
    with tempfile.TemporaryDirectory() as folder:
        run(boot, Path(folder), "linux")
