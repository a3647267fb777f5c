"""./nos build: compiles the kernel."""
import argparse

from . import build, guest, packages, ui
from .tree import ROOT, check_architecture


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("build", help="compile the kernel", usage="./nos build [options]")
    guest.add_build_options(parser, default="release")
    parser.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    architecture = check_architecture(options.arch)
    packages.ensure_for("build", architecture)
    kernel = build.kernel(architecture, options.flavour)
    ui.say(f"The kernel is {kernel.relative_to(ROOT)} ({kernel.stat().st_size >> 10} KiB)")
    return 0
