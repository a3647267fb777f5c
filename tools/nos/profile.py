"""./nos bench --profile ROW: where the instructions of one row go, by function of the kernel.

QEMU counts how often each instruction is executed (tools/profile/count.c), between the marks that the benchmark sets
around its rows. The figures of a function leave out what it calls, and contain what was inlined into it.
"""
import re
from bisect import bisect_right
from collections import Counter
from pathlib import Path
from typing import Dict, List, Tuple

from . import flame, qemu, ui
from .tree import CACHE, ROOT, appearing, digest, log_file
from .ui import NosError

KERNEL_HALF = 1 << 63


PROGRAMS = "(programs, and code before the kernel's mappings)"


def plugin(name: str) -> Path:
    folder = ROOT / "tools" / "profile"
    source = folder / f"{name}.c"
    library = CACHE / "programs" / f"{name}-{digest(source.read_bytes() + (folder / 'plugin.h').read_bytes())}.so"
    if not library.exists():
        with appearing(library) as output:
            command = ["clang-19", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-fvisibility=hidden", source, "-o", output]
            ui.run_logged(command, log_file("profile"), f"Compiling the plugin {name}")
    return library


def counting(machine: qemu.Machine, name: str, words: str) -> qemu.Machine:
    """The same machine with a plugin, and the kernel where its symbols say."""
    machine.extra = [*machine.extra, "-plugin", f"file={qemu.escaped(plugin(name))},{words}"]
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


class Symbols:
    def __init__(self, kernel: Path) -> None:
        self.functions = functions(kernel)
        self.starts = [address for address, _ in self.functions]

    def of(self, address: int) -> Tuple[int, str]:
        """Where the function begins that the address is in, and its name."""
        index = bisect_right(self.starts, address) - 1
        return self.functions[index] if address >= KERNEL_HALF and index >= 0 else (0, PROGRAMS)


def print_profile(kernel: Path, executions: Dict[int, int], operations: int) -> None:
    symbols = Symbols(kernel)
    totals: Counter = Counter()
    calls: Dict[str, int] = {}
    for address, count in executions.items():
        start, name = symbols.of(address)
        totals[name] += count
        if address == start:
            calls[name] = count
    whole = sum(totals.values())
    print(f"{'per operation':>14}{'share':>8}{'calls':>9}  function")
    for name, count in totals.most_common(60):
        entered = f"{calls[name] / operations:.2f}" if name in calls else ""
        print(f"{count / operations:>14,.1f}{count / whole:>8.1%}{entered:>9}  {name[:110]}")
    print(f"{whole / operations:>14,.1f}          all, {operations} operations")


def draw_flames(kernel: Path, stacks: Path, title: str, operations: int, picture: Path) -> None:
    """What tools/profile/stacks.c wrote, as a flame graph."""
    symbols = Symbols(kernel)
    counts: Counter = Counter()
    for line in stacks.read_text().splitlines():
        if line == "full":
            raise NosError(f"{title} has more different calls than tools/profile/stacks.c has room for.")
        count, addresses = line.split()
        chain = [symbols.of(int(address, 16))[1] for address in addresses.split(";")]
        # The block at the end mostly belongs to the function before it; else that has jumped there.
        if len(chain) > 1 and chain[-1] == chain[-2]:
            chain.pop()
        counts[tuple(chain)] += int(count)
    flame.draw(picture, title, counts, operations)
