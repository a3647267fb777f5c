"""Torture: random load that checks itself (tests/torture), for as long as one likes, on four CPUs.

Only with --long or when asked for by name. The kernel's own complaints (KASAN, lockdep, the watchdog, failed checks) count as
failures even when every worker was content; `--kasan` has most of them.
"""
import re
from typing import List, Optional

from .. import build, ui
from ..results import TestRun
from ..tree import ROOT
from .conformance import run_and_capture

NAME = "torture"
TESTS = {"processes_memory_transfers": 8}  # name -> workers
CPUS = 4
MEMORY = "1G"
START_LIMIT_SECONDS = 300
GUEST_PATH = "/torture"
COMPLAINTS = r"(?:KASAN|UBSAN|lockdep|watchdog|WARNING|Kernel panic|BUG)\b.*"


def names(run: TestRun) -> Optional[List[str]]:
    return [name for name in (f"{NAME}.{test}" for test in TESTS) if is_wanted(run, name)]


def is_wanted(run: TestRun, name: str) -> bool:
    return run.selects(name) and (run.long or bool(run.patterns))


def execute(run: TestRun) -> None:
    for test, workers in TESTS.items():
        name = f"{NAME}.{test}"
        if not is_wanted(run, name):
            continue
        program = build.torture(run.architecture)
        nos = [str(ROOT / "nos"), "run", f"--{run.flavour}", "--root", "tiny", "--arch", run.architecture]
        if run.kernel:
            nos += ["--kernel", run.kernel]
        limit = run.seconds * 2 + START_LIMIT_SECONDS
        command = [*nos, "--cpus", str(CPUS), "--memory", MEMORY, "--timeout", str(limit), "--add", f"{program}:{GUEST_PATH}"]
        command += ["--", GUEST_PATH, "--seconds", str(run.seconds), "--workers", str(workers)]
        with ui.step(f"Torturing the guest for {run.seconds} s"):
            output, ending = run_and_capture(command, limit + 60)
        log = ui.log_text(f"torture-{test}", output)
        complaint = re.search(COMPLAINTS, output)
        if complaint:
            run.report(name, "FAIL", f"{complaint.group(0).strip()[:200]} (all of it: {log})")
        elif "torture: ok" in output:
            rounds = re.search(r"torture: (\d+) rounds with", output)
            run.report(name, "PASS", f"{rounds.group(1)} rounds in {run.seconds} s" if rounds else "")
        else:
            last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "nothing")
            run.report(name, "FAIL", f"{ending}; it ended with: {last[:200]} (all of it: {log})")
