"""Malicious and broken programs: tests/hostile, random but repeatable, from children without privileges.

The machine must live and work afterwards; what happens to the children does not matter.
"""
import re
from typing import List, Optional, Tuple

from .. import build, ui
from ..results import TestRun
from .hardship import run_in_guest

NAME = "hostile"
SECONDS, LONG_SECONDS = 60, 900
SEED = 1
LONG_SEEDS = (1, 2, 3)
GUEST_PATH = "/hostile"


def tests(run: TestRun) -> List[Tuple[str, List[str], int]]:
    """Name, words for the program, seconds that it takes."""
    seeds = LONG_SEEDS if run.long else (SEED,)
    seconds = LONG_SECONDS // len(seeds) if run.long else SECONDS
    found = [(f"{NAME}.seed_{seed}", ["--seconds", str(seconds), "--seed", str(seed)], seconds) for seed in seeds]
    found.append((f"{NAME}.memory_hog", ["--rounds", "1", "--exhaust-memory"], 120))
    return [test for test in found if run.selects(test[0])]


def names(run: TestRun) -> Optional[List[str]]:
    return [name for name, _, _ in tests(run)]


def execute(run: TestRun) -> None:
    if run.kernel is not None and not run.patterns:
        return
    chosen = tests(run)
    if not chosen:
        return
    program = build.hostile(run.architecture)
    for name, words, seconds in chosen:
        with ui.step(f"Running {name} for {seconds} s"):
            output, problem = run_in_guest(run, name, program, GUEST_PATH, [GUEST_PATH, *words], seconds * 2 + 120)
        said = re.search(r"hostile: FAILED: ([^\r\n]*)", output)
        if said:
            problem = said.group(1)
        elif not problem and "hostile: ok" not in output:
            problem = "the program did not come to its end"
        run.report(name, "FAIL" if problem else "PASS", problem or "")
