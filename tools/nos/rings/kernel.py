"""Ring 2: the suites inside the kernel. The kernel runs them at boot when its command line says nos.test=1.

It prints "[ PASS ] suite.name" or "[ FAIL ] suite.name: reason" for each, then "N passed, N failed", and ends QEMU through
the test port: status 1 for all passed, 3 for failures. Boards without such a port power off: status 0. They run on the CPU models that `./nos run` uses and on one
with every feature.
"""
import re
import threading
import time
from typing import Dict, List, Optional, Tuple

from .. import build, qemu, ui
from ..results import TestRun
from .complaints import first_complaint

NAME = "kernel"
LIMIT_SECONDS = {"kasan": 900.0}
LIMIT_SECONDS_ELSE = 300.0
MEMORY_MIB = 512
PASSED_STATUS = 1  # QEMU turns a value v written to the port into (v << 1) | 1
# Suffix of the test's name -> CPU model and number of CPUs.
MACHINES: Dict[str, Tuple[Optional[str], int]] = {"": (None, 4), "@max": ("max", 2)}


def names(run: TestRun) -> Optional[List[str]]:
    return None


def execute(run: TestRun) -> None:
    if run.kernel is not None:
        return  # the suites are part of NOS; another kernel has none
    kernel = build.kernel(run.architecture, run.flavour)
    for suffix, (model, cpus) in MACHINES.items():
        if run.elsewhere(f"{NAME}.suites{suffix}") is not None:
            continue
        execute_on(run, kernel, suffix, model, cpus)


def kernel_filter(run: TestRun) -> str:
    """What nos.test= says: one suite where the command line names just one, else all."""
    suites = {pattern[len(NAME) + 1 :] if pattern.startswith(NAME + ".") else pattern for pattern in run.patterns}
    if len(suites) == 1:
        (pattern,) = suites
        suite = pattern.partition(".")[0]
        if re.fullmatch(r"[a-z0-9_]+", suite):
            return suite
    return "1"


def execute_on(run: TestRun, kernel: object, suffix: str, model: Optional[str], cpus: int) -> None:
    arguments = f"console={qemu.BOARDS[run.architecture].console} panic=-1 nos.test={kernel_filter(run)}"
    machine = qemu.Machine(
        kernel=kernel, architecture=run.architecture, memory_mib=MEMORY_MIB, cpus=cpus, cpu_model=model, kernel_arguments=arguments  # type: ignore[arg-type]
    )
    start = time.monotonic()
    guest = qemu.Guest(machine)
    watchdog = threading.Timer(LIMIT_SECONDS.get(run.flavour, LIMIT_SECONDS_ELSE), guest.process.kill)
    watchdog.start()
    lines: List[str] = []
    seen = 0
    finished = False
    for raw in guest.console.makefile("rb"):
        line = raw.decode(errors="replace").rstrip("\r\n")
        lines.append(line)
        match = re.search(r"\[ (PASS|FAIL|SKIP) \] (\S+?)(?: \([\d.]+ ms\))?(?:: (.*))?$", line)
        if match:
            name = f"{NAME}.{match.group(2)}{suffix}"
            if run.selects(name) or run.selects(f"{NAME}.{match.group(2)}"):
                run.report(name, match.group(1), match.group(3) or "")
                seen += 1
        finished = finished or re.search(r"\b\d+ passed, \d+ failed", line) is not None
    status = guest.wait()
    passed = PASSED_STATUS if qemu.BOARDS[run.architecture].pc else 0
    watchdog.cancel()
    if complaint := first_complaint("\n".join(lines)):
        log = ui.log_text(f"kernel-complaints{suffix}", "\n".join(lines) + "\n")
        run.report(f"{NAME}.complaints{suffix}", "FAIL", f"{complaint} (all of it: {log})")
    if not finished or (status != passed and not any(r.outcome in ("FAIL", "KNOWN") and r.name.startswith(NAME) for r in run.results)):
        log = ui.log_text(f"kernel{suffix}", "\n".join(lines) + "\n")
        taken = time.monotonic() - start
        last = next((line for line in reversed(lines) if line.strip()), "nothing")
        if seen or not run.patterns or kernel_filter(run) == "1":
            run.report(f"{NAME}.run{suffix}", "FAIL", f"QEMU ended with status {status} after {taken:.0f} s, before the suites did; last line: {last} (all of it: {log})")
