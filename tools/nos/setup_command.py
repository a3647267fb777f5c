"""./nos setup: installs everything that any ./nos command needs. The others do their own part of it by themselves."""
import argparse

from . import debian, packages, roots, ui
from .tree import check_architecture


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("setup", help="install what NOS needs and make the root file systems", usage="./nos setup [options]")
    parser.add_argument("--arch", default="x86_64", metavar="NAME", help="architecture to prepare for (x86_64)")
    parser.add_argument("--packages-only", action="store_true", help="install packages; leave the root file systems for later")
    parser.set_defaults(function=setup)


def setup(options: argparse.Namespace) -> int:
    architecture = check_architecture(options.arch)
    packages.ensure_for("setup", architecture)
    if not options.packages_only:
        for kind in roots.KINDS:
            roots.get(kind, architecture)
        debian.linux_kernel(architecture)
    ui.say("Everything is in place")
    return 0
