"""The programs of ours that run in the guest before there is a Debian: init and the benchmark.

They are static and linked with musl where Debian has it for this machine, so that they are a few tens of KiB and start at
once. For another architecture they are linked with glibc from Debian's cross compilers.
"""
import platform
from pathlib import Path
from typing import List, Sequence

from . import ui
from .tree import CACHE, ROOT, appearing, digest, log_file

COMPILER = "clang++-19"
FLAGS = [
    "-std=c++23", "-O2", "-static", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-fno-asynchronous-unwind-tables",
    "-Wall", "-Wextra", "-Werror", "-ffunction-sections", "-fdata-sections", "-fno-stack-protector", "-fno-pic", "-Qunused-arguments",
]  # fmt: skip
LINK_FLAGS = ["-nostdlib", "-fuse-ld=lld-19", "-Wl,--gc-sections", "-Wl,-s", "-Wl,--build-id=none"]


def musl_flags(architecture: str) -> List[str]:
    triple = f"{architecture}-linux-musl"
    resources = (ui.capture([COMPILER, "-print-resource-dir"]) or "").strip()
    return [f"--target={triple}", "-nostdinc", "-isystem", f"/usr/include/{triple}", "-isystem", f"{resources}/include"]


def link_words(architecture: str, output: Path, sources: Sequence[Path]) -> List[ui.Argument]:
    """What comes after the compiler's flags: where libraries are, and the sources between the start files."""
    if architecture != platform.machine():
        return ["-fuse-ld=lld-19", "-Wl,--gc-sections", "-Wl,-s", "-Wl,--build-id=none", *sources, "-o", output]
    libraries = Path(f"/usr/lib/{architecture}-linux-musl")
    return [*LINK_FLAGS, libraries / "crt1.o", libraries / "crti.o", *sources, libraries / "libc.a", libraries / "crtn.o", "-o", output]


def target_flags(architecture: str) -> List[str]:
    return musl_flags(architecture) if architecture == platform.machine() else [f"--target={architecture}-linux-gnu"]


def build(name: str, sources: Sequence[Path], architecture: str) -> Path:
    """The program called `name`, compiled unless the cache has it."""
    folder = sources[0].parent
    inputs = sorted(path for path in folder.rglob("*") if path.suffix in (".cpp", ".h"))
    # What only one CPU has lives in arch/<cpu>/ beside the sources.
    command: List[ui.Argument] = [COMPILER, *FLAGS, *target_flags(architecture)]
    key = digest(*command, *LINK_FLAGS, *(path.read_bytes() for path in inputs))
    program = CACHE / "programs" / f"{name}-{architecture}-{key}"
    if program.exists():
        return program
    with appearing(program) as output:
        ui.run_logged(
            [*command, f"-I{folder}/arch/{architecture}", *link_words(architecture, output, sources)],
            log_file(name),
            f"Compiling {name}",
        )
    return program


def init(architecture: str) -> Path:
    return build("init", sorted((ROOT / "user" / "init").glob("*.cpp")), architecture)


def benchmark(architecture: str) -> Path:
    return build("benchmark", sorted((ROOT / "tests" / "benchmark").glob("*.cpp")), architecture)
