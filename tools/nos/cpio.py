"""Writes initramfs archives (cpio "newc", the format of Linux's initramfs documentation).

Archives may be concatenated: a later one adds to and replaces what an earlier one made. That is how
`--add` and the command of `./nos run -- COMMAND` reach the guest without a new root file system.

The data of files of a page or more starts on a page boundary of the archive (the name is padded with
NULs, which readers ignore). A kernel can then take such pages over instead of copying them; one that
does not know this reads the archive as ever.
"""
import io
import os
import stat
import tarfile
from pathlib import Path
from typing import BinaryIO, Dict, IO, List, Optional, Set, Tuple

from .ui import NosError

PAGE = 4096
HEADER_SIZE = 110
LONGEST_NAME = 4096  # Linux skips entries with a longer name field


class Writer:
    def __init__(self, output: BinaryIO):
        self.output = output
        self.offset = 0
        self.next_inode = 1
        self.links: Dict[Tuple[int, int], int] = {}

    def add(
        self,
        name: str,
        mode: int,
        size: int = 0,
        data: Optional[IO[bytes]] = None,
        user: int = 0,
        group: int = 0,
        time_seconds: int = 0,
        inode: Optional[int] = None,
        link_count: int = 1,
        device: Tuple[int, int] = (0, 0),
    ) -> int:
        """Adds one entry and returns its inode number; `data` must hold `size` bytes."""
        if inode is None:
            inode = self.next_inode
            self.next_inode += 1
        field = name.encode("utf-8", "surrogateescape") + b"\0"
        if size >= PAGE:
            padding = -(self.offset + HEADER_SIZE + len(field)) % PAGE
            if len(field) + padding <= LONGEST_NAME:
                field += b"\0" * padding
        numbers = (inode, mode, user, group, link_count, max(time_seconds, 0), size, 0, 0, *device, len(field), 0)
        if size >= 1 << 32:
            raise NosError(f"{name} is too large for an initramfs archive (4 GiB at most).")
        self._write(b"070701" + b"".join(b"%08X" % (number & 0xFFFFFFFF) for number in numbers) + field)
        self._align()
        if data is not None:
            left = size
            while left:
                block = data.read(min(left, 1 << 20))
                if not block:
                    raise NosError(f"{name} became shorter while it was being read.")
                self._write(block)
                left -= len(block)
            self._align()
        return inode

    def add_bytes(self, name: str, mode: int, content: bytes) -> None:
        self.add(name, stat.S_IFREG | mode, len(content), io.BytesIO(content))

    def add_directory(self, name: str, mode: int = 0o755) -> None:
        self.add(name, stat.S_IFDIR | mode, link_count=2)

    def add_symlink(self, name: str, target: str) -> None:
        content = target.encode("utf-8", "surrogateescape")
        self.add(name, stat.S_IFLNK | 0o777, len(content), io.BytesIO(content))

    def add_host_path(self, path: Path, name: str) -> None:
        """Adds a file or a whole folder of this machine, owned by root in the guest."""
        info = path.lstat()
        if stat.S_ISDIR(info.st_mode):
            self.add_directory(name, stat.S_IMODE(info.st_mode))
            for child in sorted(path.iterdir()):
                self.add_host_path(child, f"{name}/{child.name}")
        elif stat.S_ISLNK(info.st_mode):
            self.add_symlink(name, os.readlink(path))
        elif stat.S_ISREG(info.st_mode):
            key = (info.st_dev, info.st_ino)
            if key in self.links:
                self.add(name, info.st_mode, inode=self.links[key], link_count=info.st_nlink)
                return
            with open(path, "rb") as data:
                inode = self.add(
                    name, info.st_mode, info.st_size, data, time_seconds=int(info.st_mtime), link_count=info.st_nlink
                )
            if info.st_nlink > 1:
                self.links[key] = inode
        # Sockets, pipes and devices of the host mean nothing in the guest.

    def finish(self) -> None:
        self.add("TRAILER!!!", 0)
        self._write(b"\0" * (-self.offset % PAGE))
        self.output.flush()

    def _write(self, data: bytes) -> None:
        self.output.write(data)
        self.offset += len(data)

    def _align(self) -> None:
        self._write(b"\0" * (-self.offset % 4))


def from_tar(tar: tarfile.TarFile, writer: Writer, skip: Set[str]) -> List[str]:
    """Copies a root file system from `tar`; returns the names that are folders or links to some.

    Device nodes are left out: the kernel's devtmpfs has them.
    """
    inodes: Dict[str, int] = {}
    counts: Dict[str, int] = {}
    members = tar.getmembers()
    for member in members:
        if member.islnk():
            counts[clean(member.linkname)] = counts.get(clean(member.linkname), 1) + 1
    folders: List[str] = []
    for member in members:
        name = clean(member.name)
        if not name or name in skip or any(name.startswith(prefix + "/") for prefix in skip):
            continue
        kind = {"user": member.uid, "group": member.gid, "time_seconds": int(member.mtime)}
        if member.isdir():
            writer.add(name, stat.S_IFDIR | member.mode, link_count=2, **kind)
            folders.append(name)
        elif member.issym():
            target = member.linkname.encode("utf-8", "surrogateescape")
            writer.add(name, stat.S_IFLNK | 0o777, len(target), io.BytesIO(target), **kind)
            folders.append(name)
        elif member.islnk():
            first = clean(member.linkname)
            writer.add(name, stat.S_IFREG | member.mode, inode=inodes[first], link_count=counts[first], **kind)
        elif member.isfile():
            inodes[name] = writer.add(
                name, stat.S_IFREG | member.mode, member.size, tar.extractfile(member), link_count=counts.get(name, 1), **kind
            )
    return folders


def clean(name: str) -> str:
    """The name as an archive has it: "./usr/bin/" becomes "usr/bin", "." becomes ""."""
    return os.path.normpath(name).lstrip("/") if name not in (".", "./") else ""
