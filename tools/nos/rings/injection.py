"""Allocations that fail on purpose: the conformance suite while every n-th allocation of the kernel for a case fails.

Cases may fail; the kernel must live, complain of nothing, and hold no more at the end of the second round than of the first.
"""
import re
from typing import Dict, List, Optional

from .. import build, ui
from ..results import TestRun
from .hardship import run_in_guest

NAME = "injection"
LONG_ONLY = True
LIMIT_SECONDS = 1500
CASE_LIMIT_SECONDS = 15
GUEST_PATH = "/conformance"
INTERVALS = (1009, 101, 29, 7)
# One line for each call path that has living objects: how many, their cache, the functions.
TRACES = """awk '/^ *[0-9]+ /{if(key)print count,key; n=split(FILENAME,p,"/"); key=p[n-1]; count=$1; next} \\
{key=key" "$1} END{if(key)print count,key}' /sys/kernel/debug/slab/*/alloc_traces"""
GROWN_TRACES = """awk 'NR==FNR{c=$1; $1=""; before[$0]+=c; next} {c=$1; $1=""; after[$0]+=c} END{for(key in after) \\
if(after[key]-before[key]>=8) print "more by " after[key]-before[key] ":" key}' /traces.1 /traces.2"""
# Growth of a cache between the rounds that is no leak: what per-CPU lists and late frees make of it.
HARMLESS_GROWTH = 256


def names(run: TestRun) -> Optional[List[str]]:
    return [name for name in (f"{NAME}.every_{interval}" for interval in INTERVALS) if run.selects(name)]


def slab_tables(output: str) -> List[Dict[str, int]]:
    """Active objects by cache, for each time /proc/slabinfo was printed."""
    tables: List[Dict[str, int]] = []
    for line in output.splitlines():
        if line.startswith("slabinfo - version"):
            tables.append({})
        match = re.match(r"(\S+)\s+(\d+)\s+\d+\s+\d+\s+\d+\s+\d+ : tunables", line)
        if match and tables:
            tables[-1][match.group(1)] = tables[-1].get(match.group(1), 0) + int(match.group(2))
    return tables


def leak(output: str) -> Optional[str]:
    tables = slab_tables(output)
    if len(tables) != 2:
        return "the rounds did not come to their ends"
    grown = {name: count - tables[0].get(name, 0) for name, count in tables[1].items()}
    worst = sorted((name for name in grown if grown[name] > HARMLESS_GROWTH), key=lambda name: -grown[name])
    if worst:
        return "objects are lost: " + ", ".join(f"{grown[name]} more in {name}" for name in worst[:4])
    return None


def verdict(output: str) -> Optional[str]:
    """Why it is no success, if so."""
    injected = [int(number) for number in re.findall(r"^injected failures: (\d+)", output, re.MULTILINE)]
    if not injected or not injected[-1]:
        return "no allocation failed"
    cases = len(re.findall(r"^\[ (?:PASS|FAIL|SKIP) \]", output, re.MULTILINE))
    killed = len(re.findall(r"^\[ FAIL \].*: killed by Killed", output, re.MULTILINE))
    if killed * 4 > cases:
        return f"{killed} of {cases} cases were killed: one refused allocation ends a program, and little was tried"
    return leak(output)


def execute(run: TestRun) -> None:
    if run.kernel is not None:
        return
    program = build.conformance(run.architecture)
    for interval in INTERVALS:
        name = f"{NAME}.every_{interval}"
        if not run.selects(name):
            continue
        once = f"{GUEST_PATH} --isolate={CASE_LIMIT_SECONDS} --fail-every={interval} '--gtest_filter=-EachAllocation*'"
        # A case that had to be killed leaves its files, and files are objects.
        settle = "sleep 3; rm -rf /tmp/conformance.* /var/tmp/conformance.* /conformance.*; echo 2 >/proc/sys/vm/drop_caches; sleep 1; cat /proc/slabinfo"
        with ui.step(f"Running the conformance suite twice while every {interval}th allocation fails"):
            script = f"{once}; {settle}; {TRACES} >/traces.1; {once}; {settle}; {TRACES} >/traces.2; {GROWN_TRACES}"
            words = ["/bin/busybox", "sh", "-c", script]
            output, problem = run_in_guest(run, name, program, GUEST_PATH, words, LIMIT_SECONDS)
        problem = problem or verdict(output)
        run.report(name, "FAIL" if problem else "PASS", problem or "")
