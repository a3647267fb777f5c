"""./nos bench --programs: programs of Debian that others measure kernels with, on both kernels in turn, by the clock.

Four virtual CPUs; the same root, unmodified. A turn starts each kernel once and runs everything; shown are medians and how far
the turns lie apart. The figures depend on the host and its other work, the ratio much less.
"""
import argparse
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Dict, List

from . import guest, programs, qemu, roots, ui
from .tree import scratch_folder
from .ui import NosError

PACKAGES = ("gcc", "libc6-dev", "make", "rt-tests", "stress-ng", "sysbench")
CPUS = 4
MEMORY_MIB = 2048
LIMIT_SECONDS = 1800.0


@dataclass(frozen=True)
class Workload:
    name: str
    command: str
    figure: str  # a pattern whose group is the figure
    more_is_better: bool = True


SYSBENCH = r"events per second:\s+([\d.]+)"
SYSBENCH_TIME = r"total number of events:\s+(\d+)"
SECONDS = r"^real\s+([\d.]+)"

MAKE_TREE = """mkdir -p /tmp/build && cd /tmp/build && rm -f * && for i in $(seq 24); do
  { echo '#include <stdio.h>'; echo '#include <stdlib.h>'; echo '#include <string.h>'
    for j in $(seq 20); do echo "int f${i}_$j(int x) { char b[64]; snprintf(b, sizeof b, \\"%d\\", x * $j); return atoi(b) + (int)strlen(b); }"; done
  } > m$i.c; done
echo 'int main(void) { return 0; }' > main.c
printf 'all: $(patsubst %%.c,%%.o,$(wildcard *.c))\\n\\tcc -o all $^\\n%%.o: %%.c\\n\\tcc -O1 -c -o $@ $<\\n' > Makefile"""

# Stressors that exercise the kernel rather than the emulator's arithmetic.
STRESSORS = (
    "clock", "clone", "context", "dentry", "dir", "dup", "epoll", "eventfd", "fault", "fcntl", "fork", "fstat", "futex", "get",
    "getdent", "hdd", "kill", "link", "malloc", "mmap", "mprotect", "mq", "msg", "mutex", "null", "open", "pipe", "poll", "pthread",
    "rename", "sem", "sem-sysv", "seek", "shm", "sigq", "switch", "timerfd", "vm", "wait", "yield", "zero",
)  # fmt: skip

WORKLOADS = [
    Workload("hackbench, sockets, processes", "hackbench -g 2 -f 10 -l 100", r"^Time: ([\d.]+)", more_is_better=False),
    Workload("hackbench, pipes, processes", "hackbench -p -g 2 -f 10 -l 100", r"^Time: ([\d.]+)", more_is_better=False),
    Workload("hackbench, pipes, threads", "hackbench -T -p -g 2 -f 10 -l 100", r"^Time: ([\d.]+)", more_is_better=False),
    Workload("make -j4, 25 C files", f"{MAKE_TREE}\ntime -p make -s -j4", SECONDS, more_is_better=False),
    Workload("sysbench cpu", "sysbench cpu --threads=4 --time=4 run", SYSBENCH),
    Workload("sysbench threads", "sysbench threads --threads=8 --time=4 run", SYSBENCH_TIME),
    Workload("sysbench mutex", "sysbench mutex --threads=8 --mutex-loops=1000 --mutex-locks=2000 run", r"total time:\s+([\d.]+)s", more_is_better=False),
    Workload("sysbench memory", "sysbench memory --threads=4 --time=4 --memory-total-size=100G run", r"\(([\d.]+) per second\)"),
    Workload(
        "sysbench fileio, random read and write",
        "cd /tmp && sysbench fileio --file-total-size=64M --file-num=8 prepare >/dev/null && "
        "sysbench fileio --file-total-size=64M --file-num=8 --file-test-mode=rndrw --threads=4 --time=4 run; "
        "sysbench fileio --file-total-size=64M --file-num=8 cleanup >/dev/null",
        r"reads/s:\s+([\d.]+)",
    ),
    *(
        Workload(
            f"stress-ng {stressor}",
            f"cd /tmp && stress-ng --{stressor} 4 --timeout 3 --metrics-brief --temp-path /tmp 2>&1",
            rf"\] {stressor}\s+\d+\s+[\d.]+\s+[\d.]+\s+[\d.]+\s+([\d.]+)",
        )
        for stressor in STRESSORS
    ),
]


def script() -> str:
    lines = ["export LC_ALL=C; ulimit -n 4096; mount -t tmpfs -o mode=1777 tmp /tmp"]
    for number, workload in enumerate(WORKLOADS):
        lines.append(f"echo 'begin {number}'; timeout 120 bash -c {shlex.quote(workload.command)} 2>&1; echo \"end {number} $?\"")
    return "\n".join([*lines, "echo all-done"])


def one_turn(kernel: Path, architecture: str, root: roots.Root, folder: Path, arguments: str) -> Dict[str, float]:
    initrd = guest.initrd(folder, root, programs.init(architecture), ["bash", "-c", script()])
    description = qemu.Machine(
        kernel=kernel, initrd=initrd, architecture=architecture, memory_mib=MEMORY_MIB, cpus=CPUS,
        kernel_arguments=f"{guest.default_kernel_arguments(architecture)} {arguments}".strip(), status_file=folder / "status",
    )  # fmt: skip
    text = qemu.console_output(description, LIMIT_SECONDS).replace("\r", "")
    log = ui.log_text(f"programs-{kernel.name}", text)
    if not re.search(r"^all-done$", text, re.MULTILINE):
        ui.note(f"{kernel.name} did not get to the end; what it printed is in {log}")
    figures: Dict[str, float] = {}
    for number, workload in enumerate(WORKLOADS):
        part = re.search(rf"^begin {number}$(.*?)^end {number} (\d+)$", text, re.MULTILINE | re.DOTALL)
        value = part and re.search(workload.figure, part.group(1), re.MULTILINE)
        if part and value and part.group(2) == "0":
            figures[workload.name] = float(value.group(1))
        else:
            ui.note(f"no figure of {kernel.name} for {workload.name}: see {log}")
    return figures


def print_table(titles: List[str], turns: List[List[Dict[str, float]]]) -> None:
    """A line each; the ratio says how much better the first is."""
    print(f"{'':42}" + "".join(f"{title:>14}{'spread':>8}" for title in titles) + f"{'better by':>12}")
    for workload in WORKLOADS:
        line, medians = f"{workload.name + ('' if workload.more_is_better else ' (s)'):42}", []
        for column in turns:
            values = [turn[workload.name] for turn in column if workload.name in turn]
            if not values:
                line += f"{'–':>14}{'':8}"
                continue
            medians.append(median(values))
            line += f"{medians[-1]:>14,.2f}{(max(values) - min(values)) / medians[-1] if medians[-1] else 0:>8.0%}"
        if len(medians) == 2 and all(medians):
            ratio = medians[0] / medians[1] if workload.more_is_better else medians[1] / medians[0]
            line += f"{ratio:>12.2f}"
        print(line)


def run(options: argparse.Namespace, architecture: str) -> int:
    names = options.kernel or [None, "linux"]
    if len(names) != 2:
        raise NosError("--programs compares two kernels.")
    kernels = [guest.kernel_file(name, architecture, options.flavour) for name in names]
    titles = [guest.kernel_title(name) for name in names]
    turns: List[List[Dict[str, float]]] = [[] for _ in names]
    root = roots.get("debian", architecture, PACKAGES)
    with scratch_folder() as folder:
        for turn in range(options.turns):
            for column, (name, kernel) in enumerate(zip(names, kernels)):
                with ui.step(f"Turn {turn + 1} of {options.turns}: {titles[column]}"):
                    arguments = options.linux_arguments if name == "linux" else ""
                    turns[column].append(one_turn(kernel, architecture, root, folder, arguments))
    print_table(titles, turns)
    if options.json:
        Path(options.json).write_text(json.dumps(dict(zip(titles, turns)), indent=1) + "\n")
    return 0
