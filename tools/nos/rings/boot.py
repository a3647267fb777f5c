"""Ring 4: ways to start and to end the machine (tests/boot). nos.boot_machine describes what a file holds."""
import importlib.util
import time
from pathlib import Path
from types import ModuleType
from typing import Callable, List, Optional, Tuple

from ..boot_machine import Boot
from ..results import TestRun
from ..scenario import CheckFailed
from ..tree import ROOT
from ..ui import NosError

NAME = "boot"
FOLDER = ROOT / "tests" / "boot"

Test = Tuple[str, Callable[[Boot], None]]


def load(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"boot_{path.stem}", path)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def selected(run: TestRun) -> List[Test]:
    chosen: List[Test] = []
    for path in sorted(FOLDER.glob("*.py")):
        module = load(path)
        for name, function in vars(module).items():
            full = f"{NAME}.{path.stem}.{name[len('test_'):]}"
            if name.startswith("test_") and callable(function) and run.selects(full):
                chosen.append((full, function))
    return chosen


def names(run: TestRun) -> Optional[List[str]]:
    return [name for name, _ in selected(run) if run.elsewhere(name) is None]


def execute(run: TestRun) -> None:
    chosen = selected(run)
    if not chosen or run.kernel is not None:
        return  # these are about the ways into NOS
    boot = Boot(run)
    for name, function in chosen:
        if run.skips(name):
            continue
        start = time.monotonic()
        try:
            function(boot)
            run.report(name, "PASS", seconds=time.monotonic() - start)
        except (CheckFailed, NosError) as failure:
            run.report(name, "FAIL", str(failure), time.monotonic() - start)
