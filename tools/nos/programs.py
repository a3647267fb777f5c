"""The programs of ours that run in the guest before there is a Debian: init and the benchmark.

They are static and linked with musl, so that they are a few tens of KiB and start at once; clang is pointed at
musl's files directly, which works the same for every architecture.
"""
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


def build(name: str, sources: Sequence[Path], architecture: str) -> Path:
    """The program called `name`, compiled unless the cache has it."""
    folder = sources[0].parent
    inputs = sorted(path for path in folder.rglob("*") if path.suffix in (".cpp", ".h"))
    libraries = Path(f"/usr/lib/{architecture}-linux-musl")
    # What only one CPU has lives in arch/<cpu>/ beside the sources.
    command: List[ui.Argument] = [COMPILER, *FLAGS, *musl_flags(architecture)]
    key = digest(*command, *LINK_FLAGS, *(path.read_bytes() for path in inputs))
    program = CACHE / "programs" / f"{name}-{architecture}-{key}"
    if program.exists():
        return program
    with appearing(program) as output:
        start_files = [libraries / "crt1.o", libraries / "crti.o"]
        ui.run_logged(
            [*command, f"-I{folder}/arch/{architecture}", *LINK_FLAGS, *start_files, *sources, libraries / "libc.a", libraries / "crtn.o", "-o", output],
            log_file(name),
            f"Compiling {name}",
        )
    return program


def init(architecture: str) -> Path:
    return build("init", sorted((ROOT / "user" / "init").glob("*.cpp")), architecture)


def benchmark(architecture: str) -> Path:
    return build("benchmark", sorted((ROOT / "tests" / "benchmark").glob("*.cpp")), architecture)
