"""Compiling: CMake presets and Ninja, with Ninja's own progress on the terminal."""
import subprocess
import sys
from pathlib import Path
from typing import Sequence

from . import ui
from .tree import ROOT, log_file
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
    ninja(folder, f"Building {name}", targets)
    return folder


def ninja(folder: Path, what: str, targets: Sequence[str] = ()) -> None:
    """Runs Ninja; it is silent when there is nothing to do, and its errors are shown whole."""
    if is_current(folder, targets):
        return
    ui.say(what)
    # What can be built is, so that one module's error does not hide the state of the others.
    quiet = [] if sys.stderr.isatty() else ["--quiet"]  # a log file gets the errors without the progress
    result = subprocess.run(["ninja", *quiet, "-k", "0", "-C", str(folder), *targets], stdin=subprocess.DEVNULL, stdout=sys.stderr)
    if result.returncode != 0:
        raise NosError(f"{what} failed; the compiler's messages are above.")


def is_current(folder: Path, targets: Sequence[str]) -> bool:
    """Asks Ninja whether there is work, without its chatter."""
    answer = ui.capture(["ninja", "-C", folder, "-n", *targets])
    return answer is not None and "no work to do" in answer


def kernel(architecture: str, flavour: str) -> Path:
    """The kernel file for QEMU, built if need be."""
    folder = build_preset(preset(architecture, flavour))
    path = folder / "nos.elf"
    if not path.exists():
        raise NosError(f"The build made no {path.relative_to(ROOT)}.")
    return path


def conformance() -> Path:
    """The conformance suite: one static Linux program, the same for this machine and for the guest."""
    folder = ROOT / "build" / "conformance"
    source = ROOT / "tests" / "conformance"
    if not (source / "CMakeLists.txt").exists():
        raise NosError("This tree has no tests/conformance.")
    if not (folder / "build.ninja").exists():
        with ui.step("Configuring build/conformance"):
            command = ["cmake", "-S", source, "-B", folder, "-G", "Ninja"]
            ui.run_logged(command, log_file("configure-conformance"), "Configuring the conformance suite", cwd=ROOT)
    ninja(folder, "Building the conformance suite")
    return folder / "conformance.stripped"


def torture() -> Path:
    """The torture program, static as well."""
    folder = ROOT / "build" / "torture"
    if not (folder / "build.ninja").exists():
        with ui.step("Configuring build/torture"):
            command = ["cmake", "-S", ROOT / "tests" / "torture", "-B", folder, "-G", "Ninja"]
            ui.run_logged(command, log_file("configure-torture"), "Configuring the torture program", cwd=ROOT)
    ninja(folder, "Building the torture program")
    return folder / "torture"
