"""What NOS needs of the machine, and how it gets there.

On Debian 12 and 13 missing packages are installed with apt, as root or through sudo, after saying which
and why. On anything else the same list is printed, for the user to install its equivalents.
"""
import os
import shutil
import sys
from pathlib import Path
from typing import Dict, Iterable, List, Sequence

from . import ui
from .tree import CACHE, digest, log_file
from .ui import NosError

# Purpose -> why it is needed, and {Debian package: a file of it}. The file is what is looked for, so that a machine
# where the program came another way is not asked to install it again.
PURPOSES: Dict[str, Dict[str, object]] = {
    "build": {
        "why": "to compile the kernel and our own programs",
        "packages": {
            "clang-19": "/usr/bin/clang-19",
            "lld-19": "/usr/bin/ld.lld-19",
            "llvm-19": "/usr/bin/llvm-symbolizer-19",
            "libc++-19-dev": "/usr/lib/llvm-19/include/c++/v1/version",
            "cmake": "/usr/bin/cmake",
            "ninja-build": "/usr/bin/ninja",
            "linux-libc-dev": "/usr/include/linux/errno.h",
            "musl-dev": "/usr/include/x86_64-linux-musl/stdio.h",
            "ccache": "/usr/bin/ccache",
        },
    },
    "run": {
        "why": "to make the root file system and to start the virtual machine",
        "packages": {
            "qemu-system-x86": "/usr/bin/qemu-system-x86_64",
            "mmdebstrap": "/usr/bin/mmdebstrap",
            "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
            "zstd": "/usr/bin/zstd",
        },
    },
    "test": {
        "why": "to build the tests that run on this machine",
        "packages": {
            "libgtest-dev": "/usr/include/gtest/gtest.h",
            "libc6-dev": "/usr/lib/x86_64-linux-gnu/libc.a",
            "g++": "/usr/bin/g++",
            "libclang-rt-19-dev": "/usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.asan-x86_64.a",
            "libzstd-dev": "/usr/include/zstd.h",
            "zlib1g-dev": "/usr/include/zlib.h",
            "dosfstools": "/usr/sbin/mkfs.vfat",
            "mtools": "/usr/bin/mcopy",
            "squashfs-tools": "/usr/bin/mksquashfs",
            "xorriso": "/usr/bin/xorriso",
            "genisoimage": "/usr/bin/genisoimage",
        },
    },
    "check": {
        "why": "to check the form of the sources",
        "packages": {
            "clang-format-19": "/usr/bin/clang-format-19",
            "clang-tidy-19": "/usr/bin/clang-tidy-19",
            "git": "/usr/bin/git",
            "pyflakes3": "/usr/bin/pyflakes3",
        },
    },
    "debug": {"why": "to debug the kernel", "packages": {"gdb": "/usr/bin/gdb"}},
    "disk": {
        "why": "to make a disk with a root file system",
        "packages": {"e2fsprogs": "/usr/sbin/mke2fs", "cpio": "/usr/bin/cpio", "fakeroot": "/usr/bin/fakeroot"},
    },
    "image": {
        "why": "to make a disc that a PC starts from",
        "packages": {
            "grub-common": "/usr/bin/grub-mkrescue",
            "grub-pc-bin": "/usr/lib/grub/i386-pc/modinfo.sh",
            "xorriso": "/usr/bin/xorriso",
            "mtools": "/usr/bin/mformat",
        },
    },
}

# Programs of another architecture configure its packages (roots.py).
FOREIGN_ROOTS = {"binfmt-support": "/usr/sbin/update-binfmts", "arch-test": "/usr/bin/arch-test"}

# What each further architecture adds to these purposes.
FOR_ARCHITECTURE: Dict[str, Dict[str, Dict[str, str]]] = {
    "aarch64": {
        "build": {"g++-aarch64-linux-gnu": "/usr/bin/aarch64-linux-gnu-g++", "libc6-dev-arm64-cross": "/usr/aarch64-linux-gnu/lib/libc.a"},
        "run": {"qemu-system-arm": "/usr/bin/qemu-system-aarch64", **FOREIGN_ROOTS, "qemu-user-static": "/usr/bin/qemu-aarch64-static"},
        "debug": {"gdb-multiarch": "/usr/bin/gdb-multiarch"},
    },
    "riscv64": {
        "build": {"g++-riscv64-linux-gnu": "/usr/bin/riscv64-linux-gnu-g++", "libc6-dev-riscv64-cross": "/usr/riscv64-linux-gnu/lib/libc.a"},
        "run": {"qemu-system-misc": "/usr/bin/qemu-system-riscv64", "opensbi": "/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin", **FOREIGN_ROOTS, "qemu-user-static": "/usr/bin/qemu-riscv64-static"},
        "debug": {"gdb-multiarch": "/usr/bin/gdb-multiarch"},
    },
}

# Which purposes each command has.
NEEDS = {
    "build": ("build",),
    "run": ("build", "run"),
    "run from a disk": ("build", "run", "disk"),
    "test": ("build", "run", "disk", "test"),
    "check": ("build", "run", "disk", "test", "check"),
    "bench": ("build", "run", "disk"),
    "debug": ("build", "run", "debug"),
    "image": ("build", "run", "disk", "image"),
    "setup": tuple(PURPOSES),
}

SUPPORTED_DEBIANS = ("12", "13")


def packages_for(purpose: str, architecture: str) -> Dict[str, str]:
    packages = PURPOSES[purpose]["packages"]
    assert isinstance(packages, dict)
    return {**packages, **FOR_ARCHITECTURE.get(architecture, {}).get(purpose, {})}


def missing(purposes: Iterable[str], architecture: str) -> Dict[str, List[str]]:
    """The missing packages by purpose."""
    found: Dict[str, List[str]] = {}
    for purpose in purposes:
        packages = packages_for(purpose, architecture)
        absent = [name for name, file in packages.items() if not Path(file).exists()]
        if absent:
            found[purpose] = absent
    return found


def ensure(purposes: Sequence[str], architecture: str) -> None:
    """Installs what is missing for these purposes; says nothing when nothing is."""
    absent = missing(purposes, architecture)
    if not absent:
        return
    for purpose, names in absent.items():
        ui.say(f"Missing {PURPOSES[purpose]['why']}: {' '.join(names)}")
    names = sorted({name for group in absent.values() for name in group})
    install(names)
    still = sorted({name for group in missing(purposes, architecture).values() for name in group})
    if still:
        raise NosError(f"These packages are installed, but their files are not where NOS looks for them: {' '.join(still)}.")


def install(names: Sequence[str]) -> None:
    if not is_supported_debian():
        raise NosError(
            f"This is not Debian 12 or 13, so nothing is installed by itself: please install what Debian calls {' '.join(names)}."
        )
    prefix = as_root()
    log = log_file("apt")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300"]
    with ui.step("Reading the package lists (apt-get update)"):
        ui.run_logged([*apt, "update"], log, "apt-get update", environment=quiet)
    with ui.step(f"Installing {len(names)} package{'s' if len(names) > 1 else ''} with apt-get"):
        ui.run_logged([*apt, "install", "--yes", "--no-install-recommends", *names], log, "apt-get install", environment=quiet)


def as_root() -> List[str]:
    """What to put before a command that has to run as root."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        raise NosError("Installing packages needs root: run this once as root, or install sudo.")
    if not sys.stdin.isatty() and ui.capture(["sudo", "-n", "true"]) is None:
        raise NosError("Installing packages needs root, and sudo wants a password but there is no terminal to ask for it.")
    return ["sudo"]


def os_release() -> Dict[str, str]:
    values: Dict[str, str] = {}
    try:
        for line in Path("/etc/os-release").read_text().splitlines():
            name, separator, value = line.partition("=")
            if separator:
                values[name] = value.strip().strip('"')
    except OSError:
        pass
    return values


def is_supported_debian() -> bool:
    release = os_release()
    return release.get("ID") == "debian" and release.get("VERSION_ID") in SUPPORTED_DEBIANS


def ensure_for(command: str, architecture: str) -> None:
    """`ensure` for a command, remembered: the usual case costs one small file."""
    purposes = NEEDS[command]
    files = [file for purpose in purposes for file in packages_for(purpose, architecture).values()]
    status = Path("/var/lib/dpkg/status")
    key = digest(*files, status.stat().st_mtime_ns if status.exists() else 0)
    stamp = CACHE / f"setup-{command}-{architecture}"
    if stamp.exists() and stamp.read_text() == key:
        return
    ensure(purposes, architecture)
    CACHE.mkdir(parents=True, exist_ok=True)
    stamp.write_text(digest(*files, status.stat().st_mtime_ns if status.exists() else 0))
