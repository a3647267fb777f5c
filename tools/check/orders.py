"""Memory orders: an access weaker than seq_cst says why that is enough, beside it or in docs/memory-orders.md."""
import re
from dataclasses import dataclass
from typing import Dict, Iterator, List, Tuple

from .common import KERNEL_FOLDERS, Check, Finding, Sources, read

PAGE = "docs/memory-orders.md"
WEAK = re.compile(r"memory_order(?:::|_)(?:relaxed|acquire|release|acq_rel|consume)\b|__ATOMIC_(?:RELAXED|ACQUIRE|RELEASE|ACQ_REL|CONSUME)\b")
# How many lines above an access its comment may begin, and its statement.
COMMENT_REACH_LINES = 4
STATEMENT_REACH_LINES = 3
METHOD = re.compile(r"([A-Za-z_]\w*)(?:\[[^\]]*\])?(?:\([^()]*\))?\)?(?:\.|->)(?:load|store|exchange|fetch_\w+|compare_exchange_\w+)\(")
BUILTIN = re.compile(r"__atomic_\w+\(")
OPERAND = re.compile(r"&?\(?([A-Za-z_][\w.\->\[\]]*)")
ROW = re.compile(r"^\| ([\w/.]+) \| (`[^|]+`) \| ([^|]+) \|$")


@dataclass
class Reason:
    line: int
    where: str
    variable: str
    used: bool = False


def checks(sources: Sources) -> Iterator[Check]:
    yield Check("orders", "memory orders weaker than seq_cst say why they are enough", lambda: orders(sources))


def reasons() -> List[Reason]:
    found = []
    for number, line in enumerate(read(PAGE).split("\n"), 1):
        row = ROW.match(line)
        if row:
            found += [Reason(number, row.group(1), variable) for variable in re.findall(r"`([^`]+)`", row.group(2))]
    return found


def variable_of(lines: List[str], index: int) -> str:
    """The variable whose access has its (last) order on that line; the call may begin a few lines above."""
    for back in range(min(STATEMENT_REACH_LINES, index) + 1):
        text = " ".join(line.split("//")[0].strip() for line in lines[index - back : index + 1])
        end = [match.start() for match in WEAK.finditer(text)][-1]
        methods = [match for match in METHOD.finditer(text) if match.start() < end]
        if methods:
            return methods[-1].group(1)
        builtins = [match for match in BUILTIN.finditer(text) if match.start() < end]
        if builtins:
            operand = OPERAND.search(text[builtins[-1].end() :])
            return operand.group(1) if operand else "a fence"
    return "an argument"


def accesses(name: str) -> Iterator[Tuple[int, str]]:
    lines = read(name).split("\n")
    for index, line in enumerate(lines):
        if WEAK.search(line.split("//")[0]) and not any("//" in near for near in lines[max(0, index - COMMENT_REACH_LINES) : index + 1]):
            yield index + 1, variable_of(lines, index)


def orders(sources: Sources) -> List[Finding]:
    findings = []
    by_variable: Dict[str, List[Reason]] = {}
    for reason in reasons():
        by_variable.setdefault(reason.variable, []).append(reason)
    for name in sources.files:
        if not name.endswith((".h", ".cpp")) or not name.startswith(tuple(f"{folder}/" for folder in KERNEL_FOLDERS)) or "/tests/" in name:
            continue
        for line, variable in accesses(name):
            fitting = [reason for reason in by_variable.get(variable, []) if name.startswith(reason.where)]
            for reason in fitting:
                reason.used = True
            if not fitting:
                findings.append(Finding(name, line, f"why is this order of `{variable}` enough? Say so in a comment beside it or in {PAGE}"))
    for reason in (reason for group in by_variable.values() for reason in group):
        if not reason.used:
            findings.append(Finding(PAGE, reason.line, f"no access of `{reason.variable}` in {reason.where} needs this"))
    return findings
