"""Compiling: CMake presets and Ninja, with Ninja's own progress on the terminal."""
import fcntl
import os
import platform
import re
import subprocess
import sys
import termios
from pathlib import Path
from typing import Iterator, Sequence

from . import ui
from .qemu import BOARDS
from .tree import ROOT, lock, log_file
from .ui import NosError


def preset(architecture: str, flavour: str) -> str:
    return f"{architecture}-{flavour}"


def configure(name: str, again: bool = False) -> Path:
    """The build folder of a preset, configured; `again` to learn of new files without a build."""
    folder = ROOT / "build" / name
    if again or not (folder / "build.ninja").exists():
        with ui.step(f"Configuring build/{name}"):
            ui.run_logged(["cmake", "--preset", name], log_file(f"configure-{name}"), f"Configuring {name}", cwd=ROOT)
    return folder


def build_preset(name: str, targets: Sequence[str] = ()) -> Path:
    """Builds a preset (all of it, or `targets`); returns its folder."""
    folder = configure(name)
    # Ninja does not keep two of its kind from making the same file at the same time.
    with lock(folder / "nos.lock", str(folder.relative_to(ROOT))):
        ninja(folder, f"Building {name}", targets)
    return folder


# What ninja says when there is nothing to do, and before it knows whether there is.
CHATTER = re.compile(rb"^(?:ninja: (?:Entering directory|no work to do)|\[\d+/\d+\] Re-checking globbed directories)|^(?:\x1b\[K)?\s*$")
PROGRESS = re.compile(rb"^(?:\[\d+/\d+\]|--) ")  # also CMake's, when it has to look at the tree again


def ninja(folder: Path, what: str, targets: Sequence[str] = ()) -> None:
    """Runs Ninja: silent when there is nothing to do; else with its progress on a terminal, and its errors whole.

    (Asking it first with -n does not work: it cannot know without running the check of the globbed folders.)
    """
    # What can be built is, so that one module's error does not hide the state of the others.
    command = ["ninja", "-k", "0", "-C", str(folder), *targets]
    on_terminal = sys.stderr.isatty()
    reader, writer = os.openpty() if on_terminal else os.pipe()
    if on_terminal:
        fcntl.ioctl(writer, termios.TIOCSWINSZ, fcntl.ioctl(2, termios.TIOCGWINSZ, bytes(8)))
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer)
    except FileNotFoundError:
        raise NosError("ninja is not installed; ./nos setup installs it.") from None
    finally:
        os.close(writer)
    said = False
    try:
        for piece in pieces_of(reader):
            if CHATTER.match(piece.strip(b"\r\n")) and not said:
                continue
            if not said:
                ui.say(what)
                said = True
            if on_terminal or not PROGRESS.match(piece):  # a log file gets the errors without the progress
                sys.stderr.buffer.write(piece)
                sys.stderr.flush()
    finally:
        os.close(reader)
        status = process.wait()
    if status != 0:
        raise NosError(f"{what} failed; the compiler's messages are above.")


def pieces_of(stream: int) -> Iterator[bytes]:
    """The output line by line; a carriage return, with which a terminal's line is overwritten, ends a piece as well."""
    rest = b""
    while True:
        try:
            data = os.read(stream, 65536)
        except OSError:  # the terminal's other end is closed
            data = b""
        if not data:
            break
        rest += data
        *whole, rest = re.split(rb"(?<=\n)|(?<=\r)(?!\n)", rest)
        yield from whole
    if rest:
        yield rest


def kernel(architecture: str, flavour: str) -> Path:
    """The kernel file for QEMU, built if need be."""
    folder = build_preset(preset(architecture, flavour))
    path = folder / BOARDS[architecture].kernel
    if not path.exists():
        raise NosError(f"The build made no {path.relative_to(ROOT)}.")
    return path


def conformance(architecture: str = platform.machine()) -> Path:
    """The conformance suite: one static Linux program, for this machine or for the guest."""
    return linux_program("conformance", "the conformance suite", architecture) / "conformance.stripped"


def torture(architecture: str = platform.machine()) -> Path:
    """The torture program, static as well."""
    return linux_program("torture", "the torture program", architecture) / "torture"


def hostile(architecture: str = platform.machine()) -> Path:
    """The hostile program, likewise."""
    return linux_program("hostile", "the hostile program", architecture) / "hostile"


def linux_program(program: str, description: str, architecture: str = platform.machine()) -> Path:
    """The build folder of a program of tests/ with a CMake project of its own, built for a Linux of that architecture."""
    native = architecture == platform.machine()
    name = program if native else f"{program}-{architecture}"
    folder = ROOT / "build" / name
    source = ROOT / "tests" / program
    if not (source / "CMakeLists.txt").exists():
        raise NosError(f"This tree has no tests/{program}.")
    if not (folder / "build.ninja").exists():
        with ui.step(f"Configuring build/{name}"):
            command = ["cmake", "-S", source, "-B", folder, "-G", "Ninja"]
            if not native:
                command += ["-DCMAKE_SYSTEM_NAME=Linux", f"-DCMAKE_SYSTEM_PROCESSOR={architecture}"]
                command += ["-DCMAKE_CXX_COMPILER=clang++-19", f"-DCMAKE_CXX_COMPILER_TARGET={architecture}-linux-gnu"]
                # Debian 12's GNU linker for RISC-V crashes on static programs of this size.
                command += ["-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld-19"]
            ui.run_logged(command, log_file(f"configure-{name}"), f"Configuring {description}", cwd=ROOT)
    ninja(folder, f"Building {description}")
    return folder
