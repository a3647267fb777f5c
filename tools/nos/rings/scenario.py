"""Ring 3b: real software at the prompt of a booted Debian (tests/scenario). nos.scenario describes what a file holds."""
import importlib.util
import queue
import sys
import threading
import time
import traceback
from pathlib import Path
from types import ModuleType
from typing import Callable, Dict, List, Optional, Tuple

from .. import guest as guest_module
from .. import roots
from ..results import TestRun
from ..scenario import DEFAULT_LIMIT_SECONDS, CheckFailed, Guest
from ..terminal import TerminalClosed, TerminalTimeout
from ..tree import LOGS, ROOT

NAME = "scenario"
FOLDER = ROOT / "tests" / "scenario"

Test = Tuple[str, Callable[[Guest], None]]


def load(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"scenario_{path.stem}", path)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def tests_of(path: Path, module: ModuleType) -> List[Test]:
    return [
        (f"{NAME}.{path.stem}.{name[len('test_'):]}", function)
        for name, function in vars(module).items()
        if name.startswith("test_") and callable(function)
    ]


def selected(run: TestRun) -> Dict[Path, Tuple[ModuleType, List[Test]]]:
    chosen: Dict[Path, Tuple[ModuleType, List[Test]]] = {}
    for path in sorted(FOLDER.glob("*.py")):
        module = load(path)
        if getattr(module, "LONG", False) and not run.long:
            continue
        tests = [test for test in tests_of(path, module) if run.selects(test[0])]
        if tests:
            chosen[path] = (module, tests)
    return chosen


def names(run: TestRun) -> Optional[List[str]]:
    return [name for _, tests in selected(run).values() for name, _ in tests if run.elsewhere(name) is None]


def run_options(run: TestRun, module: ModuleType) -> List[str]:
    options = ["--arch", run.architecture, f"--{run.flavour}", *run.machine_options()]
    if run.kernel:
        options += ["--kernel", run.kernel]
    packages = getattr(module, "PACKAGES", [])
    if packages:
        options += ["--with", ",".join(packages)]
    for host, inside in getattr(module, "FILES", {}).items():
        options += ["--add", f"{FOLDER / host}:{inside}"]
    return options + list(getattr(module, "OPTIONS", []))


def execute(run: TestRun) -> None:
    chosen = {}
    for path, (module, tests) in selected(run).items():
        here = [test for test in tests if not run.skips(test[0])]
        if here:
            chosen[path] = (module, here)
    if not chosen:
        return
    # What every guest needs is made once, before the guests start side by side.
    guest_module.kernel_file(run.kernel, run.architecture, run.flavour)
    for module, _ in chosen.values():
        roots.get("debian", run.architecture, getattr(module, "PACKAGES", []))
        prepare = getattr(module, "prepare", None)
        if prepare:
            prepare(run)
    work: "queue.SimpleQueue[Tuple[Path, ModuleType, List[Test]]]" = queue.SimpleQueue()
    # The long ones first, so that they do not run alone at the end.
    for path, (module, tests) in sorted(chosen.items(), key=lambda item: -expected_seconds(item[1][1])):
        work.put((path, module, tests))

    def worker() -> None:
        while True:
            try:
                path, module, tests = work.get_nowait()
            except queue.Empty:
                return
            run_file(run, path, module, tests)

    threads = [threading.Thread(target=worker) for _ in range(max(1, min(run.jobs, len(chosen))))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def expected_seconds(tests: List[Test]) -> float:
    return sum(getattr(function, "limit_seconds", DEFAULT_LIMIT_SECONDS) for _, function in tests)


def run_file(run: TestRun, path: Path, module: ModuleType, tests: List[Test]) -> None:
    guest: Optional[Guest] = None
    guests = 0
    for name, function in tests:
        start = time.monotonic()
        try:
            if guest is None:
                guests += 1
                guest = Guest(ROOT / "nos", run_options(run, module), LOGS / f"scenario-{path.stem}-{guests}.log", run.architecture)
            guest.limit_seconds = getattr(function, "limit_seconds", DEFAULT_LIMIT_SECONDS)
            guest.run("cd")
            function(guest)
            run.report(name, "PASS", seconds=time.monotonic() - start)
            continue
        except CheckFailed as failure:
            reason = str(failure)
        except (TerminalTimeout, TerminalClosed) as failure:
            reason = str(failure)
        except Exception as failure:  # a mistake in the scenario itself
            reason = f"{type(failure).__name__}: {failure}"
            traceback.print_exc(file=sys.stderr)
        run.report(name, "FAIL", reason, time.monotonic() - start)
        if guest is not None and not guest.is_at_prompt():
            guest.close()
            guest = None
    if guest is not None:
        guest.close()


