"""./nos bench --profile ROW: where the instructions of one row go, by function of the kernel.

QEMU counts how often each instruction is executed (tools/profile/count.c), between the marks that the benchmark sets
around its rows. The figures of a function leave out what it calls, and contain what was inlined into it.
"""
import re
from bisect import bisect_right
from collections import Counter
from pathlib import Path
from typing import Dict, List, Tuple

from . import qemu, ui
from .tree import CACHE, ROOT, appearing, digest, log_file
from .ui import NosError

KERNEL_HALF = 1 << 63


def plugin() -> Path:
    source = ROOT / "tools" / "profile" / "count.c"
    library = CACHE / "programs" / f"count-{digest(source.read_bytes())}.so"
    if not library.exists():
        with appearing(library) as output:
            command = ["clang-19", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-fvisibility=hidden", source, "-o", output]
            ui.run_logged(command, log_file("profile"), "Compiling the counting plugin")
    return library


def counting(machine: qemu.Machine, counts: Path) -> qemu.Machine:
    """The same machine with the plugin, and the kernel where its symbols say."""
    machine.extra = [*machine.extra, "-plugin", f"file={qemu.escaped(plugin())},out={qemu.escaped(counts)}"]
    machine.kernel_arguments += " nokaslr"
    return machine


def interval(counts: Path, number: int) -> Dict[int, int]:
    """Executions per address in the interval that ended with mark `number`."""
    result: Dict[int, int] = {}
    wanted = False
    with open(counts) as lines:
        for line in lines:
            first, second = line.split()
            if first == "interval":
                wanted = int(second) == number
            elif wanted:
                result[int(first, 16)] = int(second)
    return result


def functions(kernel: Path) -> List[Tuple[int, str]]:
    """Where each function begins, in order."""
    text = ui.capture(["llvm-nm-19", "--demangle", "--numeric-sort", kernel])
    found = re.findall(r"^([0-9a-f]+) [tTwW] (.*)$", text or "", re.MULTILINE)
    if not found:
        raise NosError(f"{kernel} has no symbols.")
    return [(int(address, 16), name) for address, name in found]


def print_profile(kernel: Path, executions: Dict[int, int], operations: int) -> None:
    symbols = functions(kernel)
    starts = [address for address, _ in symbols]
    totals: Counter = Counter()
    calls: Dict[str, int] = {}
    for address, count in executions.items():
        index = bisect_right(starts, address) - 1
        name = symbols[index][1] if address >= KERNEL_HALF and index >= 0 else "(programs, and code before the kernel's mappings)"
        totals[name] += count
        if index >= 0 and address == starts[index]:
            calls[name] = count
    whole = sum(totals.values())
    print(f"{'per operation':>14}{'share':>8}{'calls':>9}  function")
    for name, count in totals.most_common(60):
        entered = f"{calls[name] / operations:.2f}" if name in calls else ""
        print(f"{count / operations:>14,.1f}{count / whole:>8.1%}{entered:>9}  {name[:110]}")
    print(f"{whole / operations:>14,.1f}          all, {operations} operations")
