"""What every check works with: the files under version control, and findings with the name of the rule they break."""
import concurrent.futures
import os
import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Callable, Iterable, List, Optional, Sequence, TypeVar

ROOT = Path(__file__).resolve().parents[2]
# The folders of the kernel proper, from the bottom to the top.
KERNEL_FOLDERS = ("base", "arch", "boot", "platform", "core", "services", "drivers", "personality", "kernel")
# Where raw casts and inline assembly may be.
PERIMETER = ("arch/", "boot/", "core/memory/", "platform/", "drivers/")

# Files beyond the perimeter that hold a raw cast by their nature. The list may only get shorter.
CASTS_ALLOWED = {
    "base/include/base/intrusive_list.h": "from a link to the object around it",
    "base/include/base/intrusive_tree.h": "from a link to the object around it; the colour is a bit of the parent pointer",
    "base/include/base/vector.h": "inline storage as an array of elements",
    "base/src/memory_functions.cpp": "memory as words",
    "core/sync/include/core/sync/per_cpu.h": "a variable's copy of another CPU",
    "core/sync/include/core/sync/thread_base.h": "a thread's first part",
    "core/sync/include/core/sync/pi_lock.h": "the owner is a pointer with a bit in it",
    "core/sanitizer/src/kasan.cpp": "the compiler hands over addresses as numbers",
    "core/sched/src/kernel_only/core_threads.cpp": "a CPU's number as a thread's argument",
    "personality/linux/src/file_table.cpp": "arrays behind a header in one allocation",
    "services/decompress/src/lzma2.cpp": "a model of probabilities alone, as one array",
    "services/page_cache/src/folio_tree.cpp": "a pointer with a bit that tells its kind",
}

Item = TypeVar("Item")


@dataclass
class Finding:
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.text}"


@dataclass
class Check:
    name: str
    what: str
    function: Callable[[], List[Finding]]


def in_parallel(function: Callable[[Item], List[Finding]], items: Iterable[Item]) -> List[Finding]:
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return [finding for findings in pool.map(function, items) for finding in findings]


def git(*words: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout.decode(errors="replace")


def output_of(command: Sequence[str], cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        list(command), cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )


class Sources:
    """The tree as git sees it, and what has changed since `base`."""

    def __init__(self, base: Optional[str], everything: bool):
        self.base = base or self.default_base()
        self.everything = everything

    @staticmethod
    def default_base() -> Optional[str]:
        """Where this work began: the last commit shared with the main branch, or on that branch itself the commit before."""
        head = git("rev-parse", "HEAD").strip()
        for branch in ("origin/main", "main"):
            try:
                base = git("merge-base", "HEAD", branch).strip()
            except subprocess.CalledProcessError:
                continue
            if base != head:
                return base
        try:
            return git("rev-parse", "--verify", "HEAD~1").strip()
        except subprocess.CalledProcessError:
            return None

    @cached_property
    def files(self) -> List[str]:
        """Everything under version control and everything new that is not ignored, as far as it exists."""
        listing = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return sorted({name for name in listing.split("\0") if name and (ROOT / name).is_file() and not (ROOT / name).is_symlink()})

    @cached_property
    def changed(self) -> List[str]:
        if self.everything or self.base is None:
            return self.files
        names = set(git("diff", "--name-only", "-z", self.base).split("\0")) | set(git("ls-files", "-z", "--others", "--exclude-standard").split("\0"))
        return [name for name in self.files if name in names]

    @cached_property
    def commits(self) -> List[str]:
        if self.base is None:
            return git("rev-list", "HEAD").split()
        return git("rev-list", "--no-merges", f"{self.base}..HEAD").split()

    def cpp(self, names: Optional[Iterable[str]] = None) -> List[str]:
        return [name for name in (self.files if names is None else names) if name.endswith((".h", ".cpp"))]

    def kernel_cpp(self, names: Optional[Iterable[str]] = None) -> List[str]:
        """C++ that ends up in the kernel: tests of it and the programs of user/ and tests/ are not."""
        return [name for name in self.cpp(names) if name.startswith(tuple(folder + "/" for folder in KERNEL_FOLDERS)) and "/tests/" not in name]


def read(name: str) -> str:
    return (ROOT / name).read_text(errors="replace")


def without_comments(text: str) -> str:
    """`text` with comments and string literals blanked, its lines kept."""

    def blank(match: "re.Match[str]") -> str:
        return re.sub(r"[^\n]", " ", match.group(0))

    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.DOTALL)


def matches(name: str, text: str, pattern: "re.Pattern[str]", told: str) -> List[Finding]:
    return [Finding(name, text.count("\n", 0, match.start()) + 1, told.format(match.group(0).strip())) for match in pattern.finditer(text)]
