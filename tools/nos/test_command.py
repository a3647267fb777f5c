"""./nos test: every ring, or one test by name."""
import argparse
import os
import time
from pathlib import Path
from typing import List

from . import build, coverage, guest, packages, ui
from .results import TestRun
from .rings import boot, conformance, host, hostile, injection, kernel, scenario, torture
from .tree import ARCHITECTURES, check_architecture
from .ui import NosError

RINGS = {ring.NAME: ring for ring in (host, kernel, conformance, scenario, boot, hostile, torture, injection)}

EPILOG = """\
rings:
  host         the pure parts of the kernel on this machine, under ASan and UBSan
  kernel       the suites inside the booted kernel
  conformance  one static Linux program, here and in NOS, compared case by case
  scenario     Debian's software at the prompt of NOS
  boot         ways to start the machine and to end it, and devices seen from outside
  torture      random load that checks itself; only with --long, or asked for by name
  hostile      malicious and broken programs: the machine must live
  injection    the conformance suite while allocations fail: the same (only with --long or when asked for)

  ./nos test scenario.bash.pipelines      one test
  ./nos test 'scenario.bash.*'            some
  ./nos test --ring scenario --kernel linux   the scenarios on Linux, to prove the scenarios themselves
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "test", help="run the tests", usage="./nos test [options] [NAME …]", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    guest.add_build_options(parser, default="debug")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these tests; * and ? stand for any text")
    parser.add_argument("--ring", action="append", choices=sorted(RINGS), help="only this ring (repeatable)")
    parser.add_argument("--list", action="store_true", help="print the names instead of running")
    parser.add_argument("--long", action="store_true", help="also the tests that take very long (torture)")
    parser.add_argument("--seconds", type=int, default=600, metavar="N", help="how long to torture (default: 600)")
    parser.add_argument("--strict", action="store_true", help="fail when a test passes that is listed as a known failure")
    parser.add_argument("--all-archs", action="store_true", help="on every architecture that NOS runs on; the last lines say how each went")
    parser.add_argument("--cpus", type=int, metavar="N", help="virtual CPUs of guests whose test does not choose (default: those of ./nos run)")
    parser.add_argument("--jobs", type=int, metavar="N", help="guests side by side (default: the number of CPUs of this machine)")
    parser.add_argument("--kernel", metavar="FILE", help="another kernel in the guest; `linux` is Debian 13's")
    parser.set_defaults(function=run)


def rings_for(options: argparse.Namespace) -> List[str]:
    """The rings asked for, by --ring or by the first word of every name."""
    if options.ring:
        # To ask for the ring of long tests is to ask for long tests.
        options.long = options.long or torture.NAME in options.ring
        return [name for name in RINGS if name in options.ring]
    prefixes = {name.partition(".")[0] for name in options.names}
    if prefixes and prefixes <= set(RINGS):
        return [name for name in RINGS if name in prefixes]
    return [name for name, ring in RINGS.items() if options.long or not getattr(ring, "LONG_ONLY", False)]


def run(options: argparse.Namespace) -> int:
    check_architecture(options.arch)
    rings = rings_for(options)
    architectures = ARCHITECTURES if options.all_archs else (options.arch,)
    for architecture in architectures:
        packages.ensure_for("test", architecture)
    jobs = options.jobs or os.cpu_count() or 1
    runs: List[TestRun] = []
    counted: List[Path] = []
    for architecture in architectures:
        if len(architectures) > 1:
            ui.say(f"Architecture {architecture}")
        test_run = TestRun(
            architecture, options.flavour, options.kernel, options.names, jobs, options.long, options.list, options.strict, options.seconds, options.cpus
        )
        if options.list:
            list_names(test_run, rings)
        else:
            counting = build.kernel(architecture, options.flavour) if options.flavour == "coverage" and not options.kernel else None
            if counting:
                coverage.begin(counting)
                counted.append(counting)
            run_rings(test_run, rings)
        runs.append(test_run)
        # This machine's own part does not depend on the guest.
        rings = [name for name in rings if name != host.NAME]
        if not rings:
            break
    status = 0 if options.list else conclude(runs)
    for kernel_file in counted:
        coverage.report(kernel_file)
    return status


def conclude(runs: List[TestRun]) -> int:
    """The summary of each architecture that has such tests, and the exit status."""
    found = [test_run for test_run in runs if test_run.results]
    if not found:
        raise NosError("No test has such a name; ./nos test --list shows them all.")
    if len(runs) == 1:
        return found[0].finish()
    status = 0
    for test_run in runs:
        ui.say(f"Architecture {test_run.architecture}" + ("" if test_run.results else ": none of these tests"))
        if test_run.results:
            status = max(status, test_run.finish())
    return status


def list_names(test_run: TestRun, rings: List[str]) -> None:
    for ring in rings:
        found = RINGS[ring].names(test_run)
        if found is None:
            print(f"{ring}.* (known when they run)")
        for name in found or ():
            print(name)


def run_rings(test_run: TestRun, rings: List[str]) -> None:
    for ring in rings:
        start = time.monotonic()
        before = len(test_run.results)
        try:
            RINGS[ring].execute(test_run)
        except NosError as error:
            # The other rings still have something to say.
            test_run.report(ring, "FAIL", str(error))
        if len(test_run.results) > before:
            ui.say(f"Ring {ring}: {len(test_run.results) - before} tests in {time.monotonic() - start:.0f} s")
