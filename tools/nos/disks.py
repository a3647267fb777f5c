"""Disks with a root file system on them: made by `./nos image --disk`, started by `./nos run --root disk` or `--root FILE`.

A disk is a file with a GUID partition table and one ext4, as mke2fs of Debian 13 makes it; with `partitioned` False the
ext4 begins at its first byte. What is on it is the root that an initramfs would hold, and our init as /usr/lib/nos/init
(/sbin/init, where the root has none), which the guest's kernel starts by itself.
"""
import os
import shlex
import struct
import uuid
import zlib
from pathlib import Path
from typing import List, Sequence
from urllib.parse import quote_from_bytes

from . import programs, roots, ui
from .tree import CACHE, appearing, cache_lock, digest, log_file, scratch_folder
from .ui import NosError

SECTOR = 512
FIRST_SECTOR = 2048  # of the partition: one MiB, as every tool does it
TABLE_SECTORS = 34  # protective MBR, header, 128 entries
LINUX_DATA = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
INIT = "usr/lib/nos/init"
COMMAND_LIMIT = 1500  # of a kernel command line's 2048 bytes

# What Debian 13 turns on beside the defaults of older releases.
FEATURES = "metadata_csum,metadata_csum_seed,64bit,orphan_file"

# The archives of the root and what is put over them become a folder, and that an ext4; one script, so that owners hold under
# fakeroot.
MAKE = """\
set -e
mkdir root; cd root
for archive in {archives}; do cpio --quiet -idum --no-absolute-filenames <"$archive"; done
mkdir -p sbin
test -e sbin/init -o -L sbin/init || ln -s /{init} sbin/init
rm -f dev/console; cd ..
mke2fs -q -t ext4 -O {features} -E {extended} -L nos -d root {image} {blocks}k
"""


def write_partition_table(image: Path, sectors: int) -> None:
    """A GUID partition table with one partition from FIRST_SECTOR on."""
    last_usable = sectors - TABLE_SECTORS
    # Derived from the size: equal inputs give equal disks.
    disk, partition = (uuid.uuid5(uuid.NAMESPACE_OID, f"nos {name} {sectors}") for name in ("disk", "partition"))
    entry = struct.pack("<16s16sQQQ72s", LINUX_DATA.bytes_le, partition.bytes_le, FIRST_SECTOR, last_usable, 0, "nos".encode("utf-16-le"))
    entries = entry.ljust(128 * 128, b"\0")

    def header(own: int, other: int, table: int) -> bytes:
        def pack(checksum: int) -> bytes:
            return struct.pack(
                "<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, checksum, 0, own, other, TABLE_SECTORS, last_usable,
                disk.bytes_le, table, 128, 128, zlib.crc32(entries),
            )  # fmt: skip

        return pack(zlib.crc32(pack(0))).ljust(SECTOR, b"\0")

    protective = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(sectors - 1, 0xFFFFFFFF))
    with open(image, "r+b") as file:
        file.write(bytes(446) + protective + bytes(48) + b"\x55\xaa")
        file.write(header(1, sectors - 1, 2) + entries)
        file.seek((sectors - TABLE_SECTORS + 1) * SECTOR)
        file.write(entries + header(sectors - 1, 1, sectors - TABLE_SECTORS + 1))


def make(archives: Sequence[Path], output: Path, size_mib: int, partitioned: bool) -> None:
    sectors = size_mib * 2048
    with scratch_folder() as folder, appearing(output) as image:
        with open(image, "wb") as file:
            file.truncate(sectors * SECTOR)
        extended, blocks = "root_owner=0:0", sectors // 2
        if partitioned:
            write_partition_table(image, sectors)
            blocks = (sectors - TABLE_SECTORS - FIRST_SECTOR + 1) // 8 * 4
            extended += f",offset={FIRST_SECTOR * SECTOR}"
        script = MAKE.format(
            archives=" ".join(shlex.quote(str(path.resolve())) for path in archives),
            init=INIT, features=FEATURES, extended=extended, image=shlex.quote(str(image.resolve())), blocks=blocks,
        )  # fmt: skip
        command: List[ui.Argument] = ["sh", "-c", script]
        if os.geteuid() != 0:
            command = ["fakeroot", *command]
        ui.run_logged(command, log_file("disk"), "Making the disk", cwd=folder)


def default_size_mib(archives: Sequence[Path]) -> int:
    content = sum(path.stat().st_size for path in archives) >> 20
    return -(-(content * 5 // 4 + 512) // 64) * 64


def cached(kind: str, architecture: str, packages: Sequence[str]) -> Path:
    """The disk that `./nos run --root disk` starts from; what a guest writes does not reach it."""
    root = roots.get(kind, architecture, packages)
    init = programs.init(architecture)
    key = digest(root.archive.name, init.name, MAKE, FEATURES)
    disk = CACHE / "disks" / f"{kind}-{architecture}-{key}.img"
    if not disk.exists():
        with cache_lock("disks"), scratch_folder() as folder:
            if not disk.exists():
                overlay = folder / "overlay.cpio"
                roots.write_overlay(overlay, root.folders, None, [(init, INIT)], [])
                with ui.step("Making a disk with the root file system"):
                    make([root.archive, overlay], disk, default_size_mib([root.archive]), partitioned=True)
    return disk


def root_device(disk: Path) -> str:
    """Where the root is on the first disk of the guest: the whole disk holds an ext4, or its first partition does."""
    with open(disk, "rb") as file:
        head = file.read(2048)
    if len(head) < 2048:
        raise NosError(f"{disk} is too small for a disk with a root file system.")
    return "/dev/vda" if head[1024 + 56 : 1024 + 58] == b"\x53\xef" else "/dev/vda1"


def command_argument(words: Sequence[str], plain_output: bool) -> str:
    """The command for our init, which finds no /.nos on a disk: on the kernel's command line."""
    text = ",".join(quote_from_bytes(os.fsencode(word), safe="/:=@+") for word in words)
    if len(text) > COMMAND_LIMIT:
        raise NosError("With a root on a disk the command travels on the kernel's command line, and this one is too long.")
    return f"init=/{INIT} nos.command={text}" + (" nos.output=plain" if plain_output else "")
