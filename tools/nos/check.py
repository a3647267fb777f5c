"""./nos check: the form of the sources, as CI wants it."""
import argparse
import time

from . import build, packages, ui
from .tree import ROOT, check_architecture
from .ui import NosError

MOST_SHOWN = 25


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("check", help="check the form of the sources, as CI does", usage="./nos check [options] [NAME …]")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these checks (see --list)")
    parser.add_argument("--quick", action="store_true", help="only what reads the sources as text, and clang-format: no compiler")
    parser.add_argument("--arch", default="x86_64", metavar="NAME", help="architecture whose build the compiler checks use (x86_64)")
    parser.add_argument("--base", metavar="COMMIT", help="look at the change since this commit (default: since the work left main)")
    parser.add_argument("--all", action="store_true", help="run clang-tidy on everything, not on the change alone")
    parser.add_argument("--fix", action="store_true", help="let clang-format rewrite what is not formatted, first")
    parser.add_argument("--verbose", action="store_true", help="print every finding")
    parser.add_argument("--list", action="store_true", help="print the checks instead of running them")
    parser.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    architecture = check_architecture(options.arch)
    packages.ensure_for("check", architecture)
    from check import compiler, orders, text
    from check.common import Sources

    if not (ROOT / ".git").exists():
        raise NosError("./nos check looks at what git knows, and this folder is not a git work tree.")
    sources = Sources(options.base, options.all)
    folder = ROOT / "build" / build.preset(architecture, "debug")
    checks = [*text.checks(sources), *orders.checks(sources), *compiler.checks(sources, folder)]
    if options.list:
        for check in checks:
            print(f"{check.name:12} {check.what}")
        return 0
    unknown = set(options.names) - {check.name for check in checks}
    if unknown:
        raise NosError(f"There is no check called {', '.join(sorted(unknown))}; ./nos check --list shows them.")
    chosen = [check for check in checks if not options.names or check.name in options.names]
    if options.quick:
        chosen = [check for check in chosen if check.name not in ("commits", "headers", "tidy")]
    if any(check.name in ("headers", "tidy") for check in chosen):
        build.configure(build.preset(architecture, "debug"), again=True)
    if options.fix:
        compiler.reformat(sources)
    broken = 0
    for check in chosen:
        start = time.monotonic()
        findings = check.function()
        print(f"[ {'FAIL' if findings else ' OK '} ] {check.name}: {check.what} ({time.monotonic() - start:.1f} s)", flush=True)
        shown = len(findings) if options.verbose else MOST_SHOWN
        for finding in findings[:shown]:
            print(f"    {finding}")
        if len(findings) > shown:
            print(f"    … and {len(findings) - shown} more (--verbose shows all)")
        broken += bool(findings)
    if broken:
        ui.say(f"{broken} of {len(chosen)} checks do not hold")
        return 1
    ui.say(f"All {len(chosen)} checks hold")
    return 0
