"""Where things are in the source tree, and the cache that lives in it.

    .cache/roots/       root file systems, named by what went into them
    .cache/programs/    our own user programs (init, benchmark), named by the hash of their source
    .cache/linux/       Debian's Linux kernel, for comparison
    .cache/apt/         apt's lists of Debian 13, apart from the machine's own
    .cache/log/         output of the long steps
    .cache/tmp/         files of a running command
    build/<preset>/     what CMake builds
"""
import fcntl
import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from .ui import NosError, say

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
LOGS = CACHE / "log"

ARCHITECTURES = ("x86_64", "aarch64", "riscv64")
FLAVOURS = ("debug", "release", "kasan", "coverage")


def check_architecture(name: str) -> str:
    if name not in ARCHITECTURES:
        raise NosError(f"NOS does not run on {name} yet; --arch takes {', '.join(ARCHITECTURES)}.")
    return name


def log_file(name: str) -> Path:
    """An empty log file for one step."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{name}.log"
    path.write_text("")
    return path


def digest(*parts: object) -> str:
    """A short key for the cache; equal inputs give equal keys on every machine."""
    hasher = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.hexdigest()[:16]


@contextmanager
def lock(file: Path, what: str) -> Iterator[None]:
    """Keeps two `nos` commands from making the same thing at the same time; says so when it has to wait."""
    with open(file, "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f"Another nos is busy with {what}; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def cache_lock(name: str) -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with lock(CACHE / f"{name}.lock", f"the {name} cache"):
        yield


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Yields a temporary name; the file gets its real name only when the body succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    (CACHE / "tmp").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE / "tmp") as folder:
        yield Path(folder)
