"""./nos bench --scaling: how the rate of operations grows with CPUs, by the clock.

The two kernels run in turn, several times, on the same machine with four virtual CPUs; what is shown are medians. The row
of the program alone tells what the host itself gives to one, two and four busy CPUs: the others are divided by it, so that a
host with fewer CPUs than the guest does not look like a kernel that does not scale.

With --icount the virtual CPUs take turns and the clock counts what they execute: what four keep of one CPU's rate then shows
waiting for each other and nothing of the host, and repeats.
"""
import argparse
import json
import re
from pathlib import Path
from statistics import median
from typing import Dict, List, Tuple

from . import guest, programs, qemu, roots, ui
from .tree import scratch_folder
from .ui import NosError

CPUS = 4
MEMORY_MIB = 512
LIMIT_SECONDS = 1800.0
BASE_ROW = "compute"
RATE_LINE = re.compile(r"^rate (\S+) (\d+) (\d+) (.*?)\r*$", re.MULTILINE)

Rates = Dict[Tuple[str, int], List[int]]  # by row and number of workers, one for each turn


def one_turn(kernel: Path, architecture: str, initrd: Path, icount: bool, arguments: str, rates: Rates, titles: Dict[str, str]) -> None:
    description = qemu.Machine(
        kernel=kernel, initrd=initrd, architecture=architecture, memory_mib=MEMORY_MIB, cpus=CPUS, icount=icount, takes_turns=icount,
        kernel_arguments=f"{guest.default_kernel_arguments(architecture)} {arguments} -- scaling{'-counted' if icount else ''}",
    )  # fmt: skip
    text = qemu.console_output(description, LIMIT_SECONDS)
    if not re.search(r"^done\r*$", text, re.MULTILINE):
        raise NosError(f"{kernel.name} did not finish the benchmark; what it printed is in {ui.log_text(f'bench-{kernel.name}', text)}")
    for name, workers, rate, title in RATE_LINE.findall(text):
        rates.setdefault((name, int(workers)), []).append(int(rate))
        titles[name] = title


def per_cpu(rates: Rates, name: str, workers: int) -> float:
    """What is left of the single worker's rate for each of several, the host's own share taken out."""
    growth = median(rates[name, workers]) / median(rates[name, 1])
    return growth / (median(rates[BASE_ROW, workers]) / median(rates[BASE_ROW, 1]))


def print_table(columns: List[Tuple[str, Rates]], titles: Dict[str, str]) -> None:
    print(f"{'operations per second':36}" + "".join(f"{title + f', {workers} CPU':>16}" for title, _ in columns for workers in (1, 4)), end="")
    print(f"{'ratio 1':>10}{'ratio 4':>10}" + "".join(f"{title + ' kept':>14}" for title, _ in columns))
    for name, title in titles.items():
        print(f"{title:36}" + "".join(f"{median(rates[name, workers]):>16,.0f}" for _, rates in columns for workers in (1, 4)), end="")
        first, second = columns[0][1], columns[1][1]
        print("".join(f"{median(first[name, workers]) / median(second[name, workers]):>10.2f}" for workers in (1, 4)), end="")
        print("".join(f"{per_cpu(rates, name, 4):>14.0%}" for _, rates in columns))
    print("kept: of one CPU's rate, for each of four, divided by what the row without a kernel kept")


def run(options: argparse.Namespace, architecture: str) -> int:
    names = options.kernel or [None, "linux"]
    if len(names) != 2:
        raise NosError("--scaling compares two kernels.")
    kernels = [guest.kernel_file(name, architecture, options.flavour) for name in names]
    columns: List[Tuple[str, Rates]] = [(guest.kernel_title(name), {}) for name in names]
    titles: Dict[str, str] = {}
    root = roots.get("tiny", architecture)
    with scratch_folder() as folder:
        initrd = guest.initrd(folder, root, programs.benchmark(architecture))
        for turn in range(options.turns):
            for name, kernel, (title, rates) in zip(names, kernels, columns):
                with ui.step(f"Turn {turn + 1} of {options.turns}: {title}"):
                    one_turn(kernel, architecture, initrd, options.icount, options.linux_arguments if name == "linux" else "", rates, titles)
    print_table(columns, titles)
    if options.json:
        content = {title: {f"{name}-{workers}": values for (name, workers), values in rates.items()} for title, rates in columns}
        Path(options.json).write_text(json.dumps(content, indent=1) + "\n")
    return 0
