"""One run of tests: what was asked for, and what came out.

tests/architectures.txt lists what does not run everywhere, and why. tests/*/known_failures.txt list what passes on Linux but not on NOS yet: lines of `NAME: reason`, where * and ? stand for any
text. A listed test that fails is counted as skipped, and shown. One that passes is said to; --strict makes that a failure.
"""
import fnmatch
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional

from .tree import ROOT


@dataclass
class Result:
    name: str
    outcome: str  # PASS, FAIL, SKIP or KNOWN (a failure that is listed)
    reason: str = ""
    seconds: Optional[float] = None


def known_failures(folder: Path = ROOT / "tests") -> Dict[str, str]:
    """{pattern of a name: reason} from every list."""
    found: Dict[str, str] = {}
    for path in sorted(folder.glob("*/known_failures.txt")):
        for line in path.read_text().splitlines():
            name, separator, reason = line.partition(":")
            if separator and not line.startswith("#"):
                found[name.strip()] = reason.strip()
    return found


@dataclass
class Restriction:
    """A line of tests/architectures.txt."""

    pattern: str
    architectures: List[str]
    reason: str


def restrictions(path: Path = ROOT / "tests" / "architectures.txt") -> List[Restriction]:
    found: List[Restriction] = []
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            pattern, architectures, reason = (word.strip() for word in line.split(":", 2))
            found.append(Restriction(pattern, architectures.split(), reason))
    return found


@dataclass
class TestRun:
    architecture: str
    flavour: str
    kernel: Optional[str]  # another kernel instead of NOS, as with ./nos run
    patterns: List[str]
    jobs: int
    long: bool
    listing: bool = False
    strict: bool = False
    seconds: int = 600  # of torture
    cpus: Optional[int] = None  # of each guest whose test does not say; None: what ./nos run takes
    known: Dict[str, str] = field(default_factory=known_failures)
    restricted: List[Restriction] = field(default_factory=restrictions)
    results: List[Result] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def machine_options(self) -> List[str]:
        """For ./nos run; what a test itself says comes behind and counts."""
        return ["--cpus", str(self.cpus)] if self.cpus else []

    def elsewhere(self, name: str) -> Optional[str]:
        """Why a test does not run on this architecture; None when it does."""
        for line in self.restricted:
            if fnmatch.fnmatchcase(name, line.pattern) and self.architecture not in line.architectures:
                return f"only on {', '.join(line.architectures)}: {line.reason}"
        return None

    def skips(self, name: str) -> bool:
        """True, and said, when a test does not run on this architecture."""
        reason = self.elsewhere(name)
        if reason is not None:
            self.report(name, "SKIP", reason)
        return reason is not None

    def selects(self, name: str) -> bool:
        """True when the command line asks for the test `ring.rest`; the ring, and what follows the test, may be left out."""
        if not self.patterns:
            return True
        without_ring = name.partition(".")[2]
        for pattern in self.patterns:
            for candidate in (name, without_ring):
                if fnmatch.fnmatchcase(candidate, pattern) or candidate.startswith(pattern + "."):
                    return True
        return False

    def report(self, name: str, outcome: str, reason: str = "", seconds: Optional[float] = None) -> None:
        listed = self.known_reason(name)
        if listed is not None and outcome == "FAIL":
            outcome, reason = "KNOWN", f"{listed} ({reason})" if reason else listed
        elif listed is not None and outcome == "PASS" and name in self.known:
            reason = "passes although it is listed as a known failure"
            outcome = "FAIL" if self.strict else "PASS"
        with self.lock:
            self.results.append(Result(name, outcome, reason, seconds))
            timing = f" ({seconds:.1f} s)" if seconds is not None and seconds >= 1 else ""
            colon = ": " if reason else ""
            print(f"[ {outcome} ] {name}{timing}{colon}{reason}", flush=True)

    def known_reason(self, name: str) -> Optional[str]:
        """Why a test is known to fail on NOS; None when it is expected to pass."""
        if self.kernel is not None:
            return None
        for pattern, reason in self.known.items():
            if fnmatch.fnmatchcase(name, pattern):
                return reason
        return None

    def count(self, outcome: str) -> int:
        return sum(result.outcome == outcome for result in self.results)

    def finish(self) -> int:
        """The summary; the last line is the one that tools read."""
        failures = [result for result in self.results if result.outcome == "FAIL"]
        if failures:
            print("\nFailed:")
            for result in failures:
                print(f"  {result.name}: {result.reason}")
        if self.count("SKIP"):
            print(f"\nSkipped: {self.count('SKIP')} (they need what the kernel under test, or this machine, does not have)")
        if self.count("KNOWN"):
            print(f"\nKnown failures: {self.count('KNOWN')} (tests/*/known_failures.txt says why; counted as skipped below)")
        skipped = self.count("SKIP") + self.count("KNOWN")
        print(f"\n{self.count('PASS')} passed, {self.count('FAIL')} failed, {skipped} skipped")
        sys.stdout.flush()
        return 1 if failures or not self.count("PASS") else 0
