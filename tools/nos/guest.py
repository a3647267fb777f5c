"""From the options of the command line to a machine ready to start; shared by run, test, debug, image and bench."""
import argparse
import os
import re
import shutil
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

from . import build, debian, disks, packages, programs, qemu, roots
from .tree import check_architecture, scratch_folder
from .ui import NosError

LARGEST_DEFAULT_CPUS = 4


def add_build_options(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--arch", default="x86_64", metavar="NAME", help="architecture of the guest (x86_64)")
    group = parser.add_mutually_exclusive_group()
    explanations = {
        "release": "optimised",
        "debug": "with assertions, lock-order checks and poisoning",
        "kasan": "with the address and undefined-behaviour sanitizers",
        "coverage": "counting which lines run",
    }
    for flavour, text in explanations.items():
        suffix = " (the default)" if flavour == default else ""
        group.add_argument(
            f"--{flavour}", dest="flavour", action="store_const", const=flavour, default=default, help=f"the kernel {text}{suffix}"
        )


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", default="debian", metavar="KIND", help="root file system: debian (the default), tiny (busybox alone), disk (debian on a disk) or a FILE with a disk")
    parser.add_argument("--with", dest="packages", default=[], action="append", metavar="PACKAGE,…", help="more Debian packages for the root")
    parser.add_argument(
        "--add", default=[], action="append", metavar="HOST:GUEST", help="put a file or folder of this machine into the guest's root (repeatable)"
    )
    parser.add_argument(
        "--disk", dest="disks", default=[], action="append", metavar="FILE", help="a disk of the guest: /dev/vda and so on, with ,readonly if so (repeatable)"
    )
    parser.add_argument(
        "--share", dest="shares", default=[], action="append", metavar="FOLDER[:TAG]", help="a folder of this machine that the guest has at /mnt/TAG, with ,readonly if so; the tag is `share` (repeatable)"
    )
    parser.add_argument("--memory", metavar="SIZE", help="memory of the guest, such as 512M or 2G (default: fits the root, at least 1G)")
    parser.add_argument("--cpus", type=int, metavar="N", help="virtual CPUs (default: as many as this machine has, at most 4)")
    parser.add_argument("--kernel-args", default="", metavar="WORDS", help="more words for the kernel's command line")
    parser.add_argument("--kernel", metavar="FILE", help="another kernel file with the same root; `linux` is Debian 13's, fetched once")
    parser.add_argument("--initrd", type=Path, metavar="FILE", help="another initramfs instead of our root")
    parser.add_argument("--icount", action="store_true", help="count instructions: the guest's clock advances 1 ns per instruction, on one CPU")
    parser.add_argument("--cpu-model", metavar="MODEL", help="QEMU's -cpu; `max` has every feature (the default leaves out AVX: faster when emulated)")
    parser.add_argument("--gdb", nargs="?", type=int, const=1234, metavar="PORT", help="wait for gdb on a port of this machine (default 1234)")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="stop the guest after so long, with status 124")


def default_kernel_arguments(architecture: str) -> str:
    return f"console={qemu.BOARDS[architecture].console} quiet panic=-1"


def parse_memory(text: str) -> int:
    match = re.fullmatch(r"(\d+)\s*([MmGg]?)(?:i?[Bb])?", text)
    if not match or int(match.group(1)) == 0:
        raise NosError(f"--memory takes a size such as 512M or 2G, not {text!r}.")
    return int(match.group(1)) * (1024 if match.group(2) in ("G", "g") else 1)


def default_memory_mib(initrd: Optional[Path]) -> int:
    """Room for the archive, for its files once unpacked, and for programs to work in."""
    size_mib = initrd.stat().st_size >> 20 if initrd else 0
    return max(1024, -(-(size_mib * 5 // 2 + 640) // 256) * 256)


def kernel_file(name: Optional[str], architecture: str, flavour: str) -> Path:
    if name is None:
        return build.kernel(architecture, flavour)
    if name == "linux":
        return debian.linux_kernel(architecture)
    path = Path(name)
    if not path.is_file():
        raise NosError(f"There is no kernel file {name}.")
    if not is_kernel(path):
        raise NosError(f"{name} is no kernel: neither an ELF file, nor a bzImage, nor an Image.")
    return path


def is_kernel(path: Path) -> bool:
    with open(path, "rb") as file:
        head = file.read(0x210)
    return head[:4] == b"\x7fELF" or head[0x202:0x206] == b"HdrS" or head[56:60] in (b"ARM\x64", b"RSC\x05")


def packages_of(options: Sequence[str]) -> List[str]:
    names = [name for option in options for name in re.split(r"[,\s]+", option) if name]
    for name in names:
        if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", name):
            raise NosError(f"--with takes names of Debian packages; {name!r} cannot be one.")
    return names


def concatenate(parts: Sequence[Path], output: Path) -> None:
    with open(output, "wb") as target:
        for part in parts:
            with open(part, "rb") as source:
                shutil.copyfileobj(source, target, 1 << 22)


def command_files(words: Sequence[str], plain_output: bool) -> List[Tuple[str, bytes]]:
    """What tells our /init to run one command; plain: its output passes as it is."""
    files = [(".nos/command", b"".join(os.fsencode(word) + b"\0" for word in words))]
    return [*files, (".nos/plain-output", b"")] if plain_output else files


def initrd(folder: Path, root: roots.Root, init: Path, words: Sequence[str] = (), additions: Sequence[Tuple[Path, str]] = ()) -> Path:
    """In `folder`: the root with `init`, which, if it is ours, runs the command; and further files."""
    overlay, archive = folder / "overlay.cpio", folder / "initrd"
    roots.write_overlay(overlay, root.folders, init, additions, command_files(words, plain_output=True) if words else [])
    concatenate([root.archive, overlay], archive)
    return archive


def kernel_title(name: Optional[str]) -> str:
    """Of a kernel as options name it: None is NOS."""
    return "NOS" if name is None else "Linux" if name == "linux" else Path(name).name


def check_memory(needed_mib: int) -> None:
    try:
        available = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return
    if available and int(available.group(1)) >> 10 < needed_mib:
        raise NosError(f"The guest wants {needed_mib} MiB of memory and this machine has {int(available.group(1)) >> 10} MiB left; see --memory.")


def check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise NosError(f"Port {port} of this machine is in use; choose another with --gdb PORT.") from None
        except OverflowError:
            raise NosError(f"--gdb: {port} is no port number.") from None


def terminal_arguments() -> str:
    """The size and kind of the user's terminal, for /init."""
    if not os.isatty(1):
        return ""
    columns, rows = os.get_terminal_size(1)
    kind = os.environ.get("TERM", "")
    words = [f"nos.size={rows}x{columns}"] if rows and columns else []
    if re.fullmatch(r"[A-Za-z0-9+._-]{1,40}", kind):
        words.append(f"nos.term={kind}")
    return " ".join(words)


def parse_disk(text: str) -> qemu.Disk:
    """FILE[,readonly] of `--disk`."""
    name, read_only = (text[: -len(",readonly")], True) if text.endswith(",readonly") else (text, False)
    path = Path(name)
    if not path.is_file() and not path.is_block_device():
        raise NosError(f"--disk: there is no file {name}; `truncate -s 1G {name}` makes an empty one.")
    if not os.access(path, os.R_OK if read_only else os.R_OK | os.W_OK):
        raise NosError(f"--disk: {name} cannot be {'read' if read_only else 'written; see ,readonly'}.")
    return qemu.Disk(path.resolve(), read_only)


def parse_share(text: str) -> qemu.Share:
    """FOLDER[:TAG][,readonly] of `--share`."""
    name, read_only = (text[: -len(",readonly")], True) if text.endswith(",readonly") else (text, False)
    tag = "share"
    if match := re.fullmatch(r"(.+):([A-Za-z0-9._-]{1,31})", name):
        name, tag = match.groups()
    path = Path(name)
    if not path.is_dir():
        raise NosError(f"--share: there is no folder {name}; it takes FOLDER or FOLDER:TAG, with letters, digits, dots and dashes in the tag.")
    return qemu.Share(path.resolve(), tag, read_only)


def parse_shares(texts: Sequence[str]) -> List[qemu.Share]:
    shares = [parse_share(text) for text in texts]
    tags = [share.tag for share in shares]
    if double := next((tag for tag in tags if tags.count(tag) > 1), None):
        raise NosError(f"Two folders are shared as {double}; --share FOLDER:TAG gives one another tag.")
    return shares


def root_disk_of(options: argparse.Namespace) -> Optional[qemu.Disk]:
    """The disk that `--root disk` or `--root FILE` names; None for the roots that are an initramfs."""
    if options.root in roots.KINDS or options.initrd:
        return None
    if options.kernel == "linux":
        raise NosError("Debian 13's Linux needs an initramfs for its disk driver: it does not start with --root disk here.")
    if options.add:
        raise NosError("--add goes into an initramfs; for a disk see ./nos image --disk FILE --add HOST:GUEST.")
    if options.root == "disk":
        packages.ensure_for("run from a disk", options.arch)
        return qemu.Disk(disks.cached("debian", options.arch, packages_of(options.packages)), temporary=True)
    if options.packages:
        raise NosError("--with makes a root; the disk that --root names has one.")
    if not Path(options.root).is_file():
        raise NosError(f"There is no root called {options.root}; --root takes {', '.join(roots.KINDS)}, disk or the FILE of a disk.")
    return parse_disk(options.root)


@contextmanager
def prepared(options: argparse.Namespace, words: Sequence[str] = (), plain_output: bool = False) -> Iterator[qemu.Machine]:
    """The machine that `options` describe, with `words` as its command (none: a shell)."""
    architecture = check_architecture(options.arch)
    if options.cpus is not None and not 1 <= options.cpus <= 255:
        raise NosError("--cpus takes a number from 1 to 255.")
    if options.timeout is not None and options.timeout <= 0:
        raise NosError("--timeout takes a number of seconds above 0.")
    if options.gdb is not None:
        check_port(options.gdb)
    memory_mib = parse_memory(options.memory) if options.memory else None
    additions = [roots.parse_addition(text) for text in options.add]
    guest_disks = [parse_disk(text) for text in options.disks]
    shares = parse_shares(options.shares)
    disk_words: List[str] = []
    if root_disk := root_disk_of(options):
        guest_disks.insert(0, root_disk)
        disk_words = [f"root={disks.root_device(root_disk.file)} rw"]
        if words:
            disk_words.append(disks.command_argument(words, plain_output))
    if options.initrd and not options.initrd.is_file():
        raise NosError(f"There is no initramfs file {options.initrd}.")
    if options.kernel == "linux" and shares:
        raise NosError("Debian 13's Linux has its 9P as modules that are not in this root: --share does not go with it.")
    if options.kernel == "linux" and guest_disks:
        additions.append((debian.linux_module(architecture, "drivers/block/virtio_blk"), ".nos/modules/virtio_blk.ko.xz"))
    kernel = kernel_file(options.kernel, architecture, options.flavour)
    folders: frozenset = frozenset()
    archive: Optional[Path]
    if root_disk:
        archive, init, words = None, None, ()
    elif options.initrd:
        archive, init = options.initrd, None
    else:
        root = roots.get(options.root, architecture, packages_of(options.packages))
        archive, folders = root.archive, root.folders
        init = programs.init(architecture)
    cpus = options.cpus or (1 if options.icount else min(os.cpu_count() or 1, LARGEST_DEFAULT_CPUS))
    with scratch_folder() as folder:
        files = command_files(words, plain_output) if words else []
        if archive is None:
            initrd = None
        elif init or files or additions:
            overlay, initrd = folder / "overlay.cpio", folder / "initrd"
            roots.write_overlay(overlay, folders, init, additions, files)
            concatenate([archive, overlay], initrd)
        else:
            initrd = archive
        if memory_mib is None:
            memory_mib = default_memory_mib(initrd)
        check_memory(memory_mib)
        share_words = [f"nos.share={','.join(share.tag + (':ro' if share.read_only else '') for share in shares)}"] if shares else []
        arguments = [default_kernel_arguments(architecture), *disk_words, *share_words, terminal_arguments(), options.kernel_args]
        yield qemu.Machine(
            kernel=kernel,
            initrd=initrd,
            architecture=architecture,
            memory_mib=memory_mib,
            cpus=cpus,
            kernel_arguments=" ".join(word for word in arguments if word),
            cpu_model=options.cpu_model,
            icount=options.icount,
            gdb_port=options.gdb,
            status_file=folder / "status",
            disks=guest_disks,
            shares=shares,
        )
