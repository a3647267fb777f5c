"""Ring 3a: the conformance suite, one static Linux program, on this machine's Linux and in the guest, compared case by case.

Linux is the oracle: a case that fails there is a mistake in the case, and counts as a failure too. When the guest dies in the
middle, the case it died in fails, and the rest goes on in a new guest.
"""
import os
import platform
import re
import select
import subprocess
import time
from pathlib import Path
from typing import Callable, Dict, FrozenSet, List, Optional, Tuple

from .. import build, ui
from ..results import TestRun
from ..tree import ROOT
from .complaints import first_complaint

NAME = "conformance"
HOST_LIMIT_SECONDS = 900
GUEST_LIMIT_SECONDS = 900
ALL_GUESTS_LIMIT_SECONDS = 1200
SILENCE_LIMIT_SECONDS = 100  # more than a case may take: the guest hangs
CASE_LIMIT_SECONDS = 20
GUEST_PATH = "/conformance"
MOST_REPEATS = 40
MOST_GUESTS = 12  # that many deaths are enough to know

Verdict = Tuple[str, str]  # outcome and reason


def names(run: TestRun) -> Optional[List[str]]:
    return [f"{NAME}.{case}" for case in selected(run, build.conformance())]


def selected(run: TestRun, program: Path) -> List[str]:
    from .host import cases_of

    cases = cases_of(program)
    if run.architecture != platform.machine():
        # The list is that of this machine's program; the guest's has the cases of another CPU.
        without = own_cases(platform.machine())
        cases = [case for case in cases if case not in without] + sorted(own_cases(run.architecture))
    return [case for case in cases if run.selects(f"{NAME}.{case}")]


def own_cases(architecture: str) -> FrozenSet[str]:
    """What only that architecture's program has."""
    folder = ROOT / "tests" / "conformance" / "arch" / architecture
    found = (re.findall(r"^TEST(?:_F)?\((\w+), (\w+)\)", path.read_text(), re.MULTILINE) for path in folder.glob("*.cpp"))
    return frozenset(f"{suite}.{case}" for cases in found for suite, case in cases)


def parse(output: str) -> Dict[str, Verdict]:
    """{case: (PASS | FAIL | SKIP, reason)} from the program's one line per case."""
    found: Dict[str, Verdict] = {}
    for match in re.finditer(r"\[ (PASS|FAIL|SKIP) \] (\S+?)(?:: ([^\r\n]*))?\r*$", output, re.MULTILINE):
        found[match.group(2)] = (match.group(1), match.group(3) or "")
    return found


def run_and_capture(command: List[str], limit_seconds: float) -> Tuple[str, str]:
    """Output, and how it ended. What says nothing for long is taken for hung."""
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    output = b""
    ending = ""
    deadline = time.monotonic() + limit_seconds
    while not ending:
        left = deadline - time.monotonic()
        if not select.select([process.stdout], [], [], max(0.0, min(left, SILENCE_LIMIT_SECONDS)))[0]:
            process.terminate()
            ending = f"no end within {limit_seconds:g} s" if left < SILENCE_LIMIT_SECONDS else f"nothing for {SILENCE_LIMIT_SECONDS} s"
            break
        data = os.read(process.stdout.fileno(), 1 << 16)
        output += data
        if not data:
            break
    process.wait()
    return output.decode(errors="replace"), ending or f"status {process.returncode}"


def on_host(program: Path, cases: List[str]) -> Dict[str, Verdict]:
    with ui.step(f"Running {len(cases)} conformance cases on this machine's Linux"):
        command = [str(program), f"--isolate={CASE_LIMIT_SECONDS}", "--gtest_filter=" + ":".join(cases)]
        output, _ = run_and_capture(command, HOST_LIMIT_SECONDS)
    ui.log_text("conformance-host", output)
    return parse(output)


def guest_command(run: TestRun, program: Path, cases: List[str]) -> List[str]:
    nos = [str(ROOT / "nos"), "run", f"--{run.flavour}", "--root", "tiny", "--arch", run.architecture, *run.machine_options()]
    if run.kernel:
        nos += ["--kernel", run.kernel]
    words = [GUEST_PATH, f"--isolate={CASE_LIMIT_SECONDS * 2}", "--gtest_filter=" + ":".join(cases)]
    return [*nos, "--timeout", str(GUEST_LIMIT_SECONDS), "--add", f"{program}:{GUEST_PATH}", "--", *words]


def in_guest(run: TestRun, program: Path, cases: List[str]) -> Dict[str, Verdict]:
    verdicts: Dict[str, Verdict] = {}
    left = list(cases)
    deadline = time.monotonic() + ALL_GUESTS_LIMIT_SECONDS
    with ui.step(f"Running {len(cases)} conformance cases in the guest"):
        for attempt in range(MOST_GUESTS):
            output, ending = run_and_capture(guest_command(run, program, left), GUEST_LIMIT_SECONDS + 60)
            log = ui.log_text(f"conformance-guest-{attempt}", output)
            verdicts.update(parse(output))
            if complaint := first_complaint(output):
                run.report(f"{NAME}.complaints", "FAIL", f"{complaint} (all of it: {log})")
            remaining = [case for case in left if case not in verdicts]
            if not remaining:
                break
            last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "nothing")
            verdicts[remaining[0]] = ("FAIL", f"the guest died in it ({ending}); it ended with: {last[:200]} (all of it: {log})")
            left = remaining[1:]
            if not left or time.monotonic() > deadline:
                break
    for case in left:
        verdicts.setdefault(case, ("FAIL", "not run: guests died too often before"))
    return verdicts


def repeated(first: Dict[str, Verdict], cases: List[str], run_again: Callable[[List[str]], Dict[str, Verdict]]) -> Dict[str, Verdict]:
    """Second verdicts for the cases that failed, each with the first reason. Many failures are not bad luck: then none."""
    again = [case for case in cases if first.get(case, ("FAIL", ""))[0] == "FAIL"]
    if not again or len(again) > MOST_REPEATS:
        return {}
    return {case: (outcome, f"on the second run; the first: {first.get(case, ('', 'no result'))[1]}" if outcome == "PASS" else reason)
            for case, (outcome, reason) in run_again(again).items()}


def execute(run: TestRun) -> None:
    program = build.conformance()
    cases = selected(run, program)
    if not cases:
        return
    # Of what only the guest's CPU has, this machine knows nothing: `--kernel linux` proves those cases.
    foreign = own_cases(run.architecture) if run.architecture != platform.machine() else frozenset()
    on_both = [case for case in cases if case not in foreign]
    host = on_host(program, on_both) if on_both else {}
    host.update(repeated(host, on_both, lambda again: on_host(program, again)))
    guest_program = build.conformance(run.architecture)
    guest = in_guest(run, guest_program, cases)
    # An emulated machine is not punctual: what fails unexpectedly gets one more chance with the guest to itself, and says so.
    unexpected = [case for case in cases if run.known_reason(f"{NAME}.{case}") is None]
    guest.update(repeated(guest, unexpected, lambda again: in_guest(run, guest_program, again)))
    for case in cases:
        outcome, reason = guest.get(case, ("FAIL", "no result from the guest"))
        host_outcome, host_reason = ("SKIP", "") if case in foreign else host.get(case, ("FAIL", "no result"))
        if host_outcome == "FAIL":
            outcome, reason = "FAIL", f"on this machine's Linux: {host_reason}"
        elif outcome == "SKIP" and host_outcome == "PASS":
            outcome, reason = "FAIL", f"skipped in the guest, but it passes on Linux: {reason}"
        run.report(f"{NAME}.{case}", outcome, reason)


