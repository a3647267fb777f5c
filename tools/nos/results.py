"""One run of tests: what was asked for, and what came out."""
import fnmatch
import sys
import threading
from dataclasses import dataclass, field
from typing import List, Optional


@dataclass
class Result:
    name: str
    outcome: str  # PASS, FAIL or SKIP
    reason: str = ""
    seconds: Optional[float] = None


@dataclass
class TestRun:
    architecture: str
    flavour: str
    kernel: Optional[str]  # another kernel instead of NOS, as with ./nos run
    patterns: List[str]
    jobs: int
    long: bool
    listing: bool = False
    results: List[Result] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

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
        with self.lock:
            self.results.append(Result(name, outcome, reason, seconds))
            timing = f" ({seconds:.1f} s)" if seconds is not None and seconds >= 1 else ""
            colon = ": " if reason else ""
            print(f"[ {outcome} ] {name}{timing}{colon}{reason}", flush=True)

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
        print(f"\n{self.count('PASS')} passed, {self.count('FAIL')} failed")
        sys.stdout.flush()
        return 1 if failures or not self.count("PASS") else 0
