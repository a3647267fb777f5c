"""Ring 1: the pure parts of the kernel as GoogleTest programs on this machine, under ASan and UBSan."""
import re
import subprocess
import time
from pathlib import Path
from typing import Dict, List, Optional

from .. import build, ui
from ..results import TestRun

NAME = "host"
LIMIT_SECONDS = 600


def programs(run: TestRun) -> List[Path]:
    folder = build.configure("host")
    try:
        build.build_preset("host")
    except ui.NosError as error:
        run.report(f"{NAME}.build", "FAIL", str(error))  # the programs that could be built still run
    return sorted(path for path in folder.rglob("*_tests") if path.is_file() and "CMakeFiles" not in path.parts)


def cases_of(program: Path) -> List[str]:
    """The Suite.Case names of a GoogleTest program."""
    cases: List[str] = []
    suite = ""
    for line in (ui.capture([program, "--gtest_list_tests"]) or "").splitlines():
        name = line.partition("#")[0].rstrip()
        if name.startswith("  "):
            cases.append(suite + name.strip())
        elif name.endswith("."):
            suite = name.strip()
    return cases


def selected(run: TestRun) -> Dict[Path, Dict[str, str]]:
    """For each program its selected cases: {Suite.Case: full name}."""
    chosen: Dict[Path, Dict[str, str]] = {}
    for program in programs(run):
        module = program.name[: -len("_tests")]
        cases = {case: f"{NAME}.{module}.{case}" for case in cases_of(program)}
        wanted = {case: name for case, name in cases.items() if run.selects(name) or run.selects(f"{NAME}.{case}")}
        if wanted:
            chosen[program] = wanted
        elif not cases:
            run.report(f"{NAME}.{module}", "FAIL", "the program lists no tests")
    return chosen


def names(run: TestRun) -> Optional[List[str]]:
    return [name for cases in selected(run).values() for name in cases.values()]


def execute(run: TestRun) -> None:
    for program, cases in selected(run).items():
        run_program(run, program, cases)


def run_program(run: TestRun, program: Path, cases: Dict[str, str]) -> None:
    start = time.monotonic()
    try:
        command = [str(program), "--gtest_color=no", "--gtest_filter=" + ":".join(cases)]
        result = subprocess.run(
            command, cwd=program.parent, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_SECONDS
        )
        output, ending = result.stdout.decode(errors="replace"), f"ended with status {result.returncode}"
    except subprocess.TimeoutExpired as expired:
        output, ending = (expired.stdout or b"").decode(errors="replace"), f"did not end within {LIMIT_SECONDS} s"
    outcomes = dict(
        (match.group(2), match.group(1))
        for match in re.finditer(r"^\[ +(OK|FAILED|SKIPPED) +\] (\S+?)(?:,.*)?(?: \(\d+ ms\))?$", output, re.MULTILINE)
    )
    for case, name in cases.items():
        if outcomes.get(case) == "OK":
            run.report(name, "PASS")
        elif outcomes.get(case) == "SKIPPED":
            run.report(name, "SKIP")
        else:
            run.report(name, "FAIL", reason_of(case, output) or f"the program {ending}")
    if any(outcomes.get(case) not in ("OK", "SKIPPED") for case in cases):
        log = ui.log_text(f"host-{program.name}", output)
        ui.note(f"{program.name} took {time.monotonic() - start:.1f} s; its whole output is in {log}")


def reason_of(case: str, output: str) -> str:
    """The first lines that GoogleTest, or a sanitizer, printed about a case."""
    body = re.search(rf"^\[ RUN +\] {re.escape(case)}$(.*?)(?:^\[ +(?:OK|FAILED)|\Z)", output, re.MULTILINE | re.DOTALL)
    text = body.group(1).strip() if body else ""
    error = re.search(r"(?:ERROR: \w+Sanitizer|runtime error).*", text)
    return error.group(0) if error else "; ".join(line.strip() for line in text.splitlines()[:4])
