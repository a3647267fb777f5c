"""./nos bench: what operations cost in NOS and in Linux, in executed instructions.

Both kernels run the same program (tests/benchmark) as their first one, with the same root, on the same machine: one CPU
under `-icount shift=0`, where the counter that the program reads advances by one per instruction. The figures repeat exactly.
"""
import argparse
import re
import threading
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from . import guest, packages, profile, programs, qemu, roots, ui
from .tree import check_architecture, scratch_folder
from .ui import NosError

LIMIT_SECONDS = 300.0
MEMORY_MIB = 256
BOOT_LIMIT_SECONDS = 60.0
LARGEST_TRIED_MIB = 512

ROWS = {
    "first-user-instruction": "first user instruction after",
    "getppid": "getppid",
    "read-zero": "read one byte of /dev/zero",
    "fstat": "fstat",
    "open-close": "open + close",
    "pipe-round-trip": "pipe round trip",
    "fork-exit-wait": "fork + exit + wait",
    "anonymous-fault": "anonymous page fault",
    "signal-to-self": "signal to self",
    "futex-round-trip": "futex round trip",
    "smallest-memory": "smallest --memory (MiB)",
    "memory-used": "memory in use at the prompt (KiB)",
}
# Of the benchmark: name, cost of one operation, operations between its marks.
ROW_LINE = re.compile(r"^row (\S+) (\d+) (\d+)\r*$", re.MULTILINE)
COUNTED_ROWS = [row for row in ROWS if "memory" not in row]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("bench", help="compare the cost of operations with Linux", usage="./nos bench [options]")
    guest.add_build_options(parser, default="release")
    parser.add_argument("--kernel", action="append", metavar="FILE", help="kernels to compare (repeatable; default: NOS and `linux`, Debian 13's)")
    parser.add_argument("--no-memory", action="store_true", help="leave out the rows about memory, which take a dozen starts")
    parser.add_argument("--profile", metavar="ROW", choices=COUNTED_ROWS, help=f"where the instructions of one row go: {', '.join(COUNTED_ROWS)}")
    parser.set_defaults(function=run)


def machine(kernel: Path, architecture: str, initrd: Path, memory_mib: int, icount: bool, status: Optional[Path] = None) -> qemu.Machine:
    return qemu.Machine(
        kernel=kernel, initrd=initrd, architecture=architecture, memory_mib=memory_mib, cpus=1, icount=icount,
        kernel_arguments=guest.default_kernel_arguments(architecture), status_file=status,
    )  # fmt: skip


def console_output(description: qemu.Machine, limit_seconds: float) -> str:
    running = qemu.Guest(description)
    watchdog = threading.Timer(limit_seconds, running.process.kill)
    watchdog.start()
    with running.console.makefile("rb") as console:
        text = console.read().decode(errors="replace")
    running.wait()
    watchdog.cancel()
    return text


def operation_costs(kernel: Path, architecture: str, root: roots.Root, folder: Path) -> Dict[str, int]:
    overlay, initrd = folder / "overlay.cpio", folder / "initrd"
    roots.write_overlay(overlay, root.folders, programs.benchmark(architecture), [], [])
    guest.concatenate([root.archive, overlay], initrd)
    text = console_output(machine(kernel, architecture, initrd, MEMORY_MIB, icount=True), LIMIT_SECONDS)
    costs = {name: int(value) for name, value, _ in ROW_LINE.findall(text)}
    if not re.search(r"^done\r*$", text, re.MULTILINE):
        log = ui.log_text(f"bench-{kernel.name}", text)
        ui.note(f"{kernel.name} did not finish the benchmark; what it printed is in {log}")
    return costs


def show_profile(options: argparse.Namespace, architecture: str) -> int:
    kernel = guest.kernel_file(None, architecture, options.flavour)
    root = roots.get("tiny", architecture)
    with scratch_folder() as folder:
        overlay, initrd, counts = folder / "overlay.cpio", folder / "initrd", folder / "counts"
        roots.write_overlay(overlay, root.folders, programs.benchmark(architecture), [], [])
        guest.concatenate([root.archive, overlay], initrd)
        description = machine(kernel, architecture, initrd, MEMORY_MIB, icount=True)
        with ui.step("Counting executions of each instruction"):
            rows = ROW_LINE.findall(console_output(profile.counting(description, counts), LIMIT_SECONDS))
        # Two intervals to a row, the second of them measured.
        for number, (name, _, operations) in enumerate(rows):
            if name == options.profile:
                profile.print_profile(kernel, profile.interval(counts, 2 * number), int(operations))
                return 0
    raise NosError(f"The benchmark did not get as far as {options.profile}.")


def boots(kernel: Path, architecture: str, initrd: Path, memory_mib: int, folder: Path) -> Optional[str]:
    """The output of the command in `initrd` when the guest gets as far as to end it well, else None."""
    status = folder / "status"
    status.unlink(missing_ok=True)
    text = console_output(machine(kernel, architecture, initrd, memory_mib, icount=False, status=status), BOOT_LIMIT_SECONDS)
    return text if qemu.read_status(status) == 0 else None


def memory_figures(kernel: Path, architecture: str, root: roots.Root, folder: Path) -> Dict[str, int]:
    overlay, initrd = folder / "overlay.cpio", folder / "initrd"
    command = b"\0".join([b"sh", b"-c", b"cat /proc/meminfo", b""])
    roots.write_overlay(overlay, root.folders, programs.init(architecture), [], [(".nos/command", command), (".nos/plain-output", b"")])
    guest.concatenate([root.archive, overlay], initrd)
    text = boots(kernel, architecture, initrd, MEMORY_MIB, folder)
    figures: Dict[str, int] = {}
    free = re.search(r"^MemFree:\s+(\d+) kB", text or "", re.MULTILINE)
    if free:
        figures["memory-used"] = MEMORY_MIB * 1024 - int(free.group(1))
    too_small, enough = 0, LARGEST_TRIED_MIB
    if text is None:
        return figures
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        if boots(kernel, architecture, initrd, middle, folder) is None:
            too_small = middle
        else:
            enough = middle
    figures["smallest-memory"] = enough
    return figures


def run(options: argparse.Namespace) -> int:
    architecture = check_architecture(options.arch)
    packages.ensure_for("bench", architecture)
    if qemu.has_kvm():
        ui.note("Counting instructions needs emulation; KVM is left aside.")
    if options.profile:
        return show_profile(options, architecture)
    names: List[Optional[str]] = options.kernel or [None, "linux"]
    root = roots.get("tiny", architecture)
    columns: List[Tuple[str, Dict[str, int]]] = []
    for name in names:
        kernel = guest.kernel_file(name, architecture, options.flavour)
        title = "NOS" if name is None else "Linux" if name == "linux" else Path(name).name
        with scratch_folder() as folder:
            with ui.step(f"Counting the instructions of {title}"):
                costs = operation_costs(kernel, architecture, root, folder)
            if not options.no_memory:
                with ui.step(f"Looking for the smallest memory of {title}"):
                    costs.update(memory_figures(kernel, architecture, root, folder))
        columns.append((title, costs))
    print_table(columns)
    if not all(costs for _, costs in columns):
        raise NosError("A kernel gave no figures at all.")
    return 0


def print_table(columns: List[Tuple[str, Dict[str, int]]]) -> None:
    """One row per figure; with two columns also the first divided by the second."""
    header = f"{'instructions':36}" + "".join(f"{title:>16}" for title, _ in columns)
    ratio = len(columns) == 2
    print(header + (f"{columns[0][0] + '/' + columns[1][0]:>14}" if ratio else ""))
    for row, title in ROWS.items():
        values = [costs.get(row) for _, costs in columns]
        if not any(value is not None for value in values):
            continue
        line = f"{title:36}" + "".join(f"{value:>16,}" if value is not None else f"{'–':>16}" for value in values)
        if ratio and values[0] is not None and values[1]:
            line += f"{values[0] / values[1]:>14.2f}"
        print(line)
