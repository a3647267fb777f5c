"""fallocate's COLLAPSE_RANGE and INSERT_RANGE on ext4: the same program on this machine's Linux, where its folder is on ext4, and on NOS."""
import subprocess
import tempfile
from pathlib import Path

from nos import guest
from nos.boot_machine import Boot
from nos.scenario import CheckFailed

FEATURES = "metadata_csum,metadata_csum_seed,64bit,orphan_file"  # as Debian 13 has them

PROGRAM = r'''
import ctypes, errno, mmap, os, random, sys
libc = ctypes.CDLL(None, use_errno=True)
KEEP, PUNCH, COLLAPSE, INSERT = 1, 2, 8, 0x20

def allocate(file, mode, offset, length):
    done = libc.fallocate(file, mode, ctypes.c_long(offset), ctypes.c_long(length))
    return errno.errorcode[ctypes.get_errno()] if done else 0

def same(found, expected, what):
    if found != expected:
        print(f"{what}: {found!r:.200}, not {expected!r:.200}")
        os._exit(1)

path = sys.argv[1] + "/file"
file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
block = 4096
model = bytearray(random.Random(1).randbytes(200 * block + 100))
os.write(file, model)
same(allocate(file, COLLAPSE, 1, block), "EINVAL", "collapse at a byte")
same(allocate(file, COLLAPSE, block, 1), "EINVAL", "collapse of a byte")
same(allocate(file, INSERT, 1, block), "EINVAL", "insert at a byte")
same(allocate(file, COLLAPSE, 0, 201 * block), "EINVAL", "collapse up to the end")
same(allocate(file, COLLAPSE, 300 * block, block), "EINVAL", "collapse behind the end")
same(allocate(file, INSERT, 201 * block, block), "EINVAL", "insert behind the end")
same(allocate(file, INSERT, 0, 1 << 62), "EFBIG", "insert of too much")
reader = os.open(path, os.O_RDONLY)
same(allocate(reader, COLLAPSE, 0, block), "EBADF", "collapse for a reader")
folder = os.open(sys.argv[1], os.O_RDONLY)
same(allocate(folder, COLLAPSE, 0, block), "EBADF", "collapse of a folder")
os.ftruncate(file, 200 * block)
del model[200 * block:]
mapping = mmap.mmap(file, 200 * block)
before = os.fstat(file)
numbers = random.Random(2)
for step in range(80):
    blocks = len(model) // block
    at, count = numbers.randrange(blocks - 1), numbers.randrange(1, 12)
    if step % 2:
        same(allocate(file, INSERT, at * block, count * block), 0, f"insert {step}")
        model[at * block:at * block] = bytes(count * block)
    elif at + count < blocks:
        same(allocate(file, COLLAPSE, at * block, count * block), 0, f"collapse {step}")
        del model[at * block:(at + count) * block]
    same(os.fstat(file).st_size, len(model), f"size after {step}")
    # Through a mapping and by a call: what is only in memory moves too.
    where = numbers.randrange(min(len(model), 200 * block) - 10)
    mapping[where:where + 10] = b"0123456789"
    model[where:where + 10] = b"0123456789"
    where = numbers.randrange(len(model) - 5000)
    os.pwrite(file, b"w" * 5000, where)
    model[where:where + 5000] = b"w" * 5000
    if step % 8 == 7:
        same(os.pread(file, len(model) + 1, 0), bytes(model), f"contents after {step}")
        same(mapping[:100 * block], bytes(model[:100 * block]), f"mapping after {step}")
os.ftruncate(file, 0)  # and no block of the tree is left, which would count
model[:3 * block] = b"d" * (3 * block)
os.pwrite(file, model[:3 * block], 0)
same(allocate(file, INSERT, block, 4 * block), 0, "insert a hole")
same(os.lseek(file, block, os.SEEK_DATA), 5 * block, "data behind it")
same(os.lseek(file, 0, os.SEEK_HOLE), block, "the hole")
same(os.fstat(file).st_blocks, 3 * block // 512, "its blocks")
same(allocate(file, COLLAPSE, block, 4 * block), 0, "collapse of the hole")
same(os.pread(file, 4 * block, 0), bytes(model[:3 * block]), "contents at the end")
os.fsync(file)
print("all as expected")
'''


def test_on_linux(boot: Boot) -> None:
    """The oracle."""
    with tempfile.TemporaryDirectory() as folder:
        kind = subprocess.run(["stat", "-f", "-c", "%T", folder], stdout=subprocess.PIPE, check=True).stdout
        if kind.strip() != b"ext2/ext3":
            return
        ran = subprocess.run(["python3", "-c", PROGRAM, folder], stdout=subprocess.PIPE)
        if ran.stdout != b"all as expected\n":
            raise CheckFailed(f"on Linux: {ran.stdout.decode()}")


def test_on_nos(boot: Boot) -> None:
    for options in ([], ["-b", "1024"]):
        with tempfile.TemporaryDirectory() as folder:
            image, program = Path(folder) / "image", Path(folder) / "program.py"
            with open(image, "wb") as file:
                file.truncate(32 << 20)
            subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", FEATURES, *options, str(image)], check=True)
            program.write_text(PROGRAM)
            words = ["--root", "debian", "--disk", str(image), "--add", f"{program}:/program.py"]
            script = "mkdir -p /mnt; mount -t ext4 /dev/vda /mnt && python3 /program.py /mnt && umount /mnt"
            with guest.prepared(boot.options(words), ["/bin/sh", "-c", script], plain_output=True) as machine:
                boot.boot(machine, None, "plain", (), None, 240).succeeds().prints("all as expected\n")
            checked = subprocess.run(["e2fsck", "-fn", str(image)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if checked.returncode:
                raise CheckFailed(f"e2fsck: {checked.stdout.decode()}")
