"""What the rings that only ask whether the kernel lives have in common: one guest, one command, and a look at its console."""
import re
from pathlib import Path
from typing import List, Optional, Tuple

from .. import ui
from ..results import TestRun
from ..tree import ROOT
from .conformance import run_and_capture

# What the kernel says when something is wrong with itself.
COMPLAINT = re.compile(r"panic|lockdep:|KASAN|UBSAN|verify failed|check failed|\bBUG\b|still referenced", re.IGNORECASE)
CONSOLE_LINE = re.compile(r"^\[ *\d+\.\d+\] ")


def run_in_guest(run: TestRun, name: str, program: Path, guest_path: str, words: List[str], limit_seconds: float) -> Tuple[str, Optional[str]]:
    """The output, and what is wrong with the kernel (None: nothing)."""
    nos = [str(ROOT / "nos"), "run", f"--{run.flavour}", "--root", "tiny", "--arch", run.architecture, *run.machine_options()]
    if run.kernel:
        nos += ["--kernel", run.kernel]
    command = [*nos, "--timeout", str(limit_seconds), "--add", f"{program}:{guest_path}", "--", *words]
    output, ending = run_and_capture(command, limit_seconds + 60)
    log = ui.log_text(name, output)
    for line in output.splitlines():
        if CONSOLE_LINE.match(line) and COMPLAINT.search(line):
            return output, f"the kernel complains: {line.strip()[:200]} (all of it: {log})"
    if ending not in ("status 0", "status 1"):
        last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "nothing")
        return output, f"the guest ended with {ending}; last line: {last[:200]} (all of it: {log})"
    return output, None
