"""./nos run: a shell in NOS, or one command."""
import argparse
import os
from typing import List

from . import guest, packages, qemu, ui
from .ui import NosError

EPILOG = """\
Without a COMMAND you get a shell on the guest's console; leave it with exit, or with Ctrl-A X, which ends the
virtual machine at once. With one, its output is passed through and its exit status becomes that of ./nos.

  ./nos run -- uname -a
  ./nos run --add ./program:/root/program -- /root/program --fast
  ./nos run --with gcc,make
  ./nos run --disk data.img -- mount /dev/vda /mnt
  ./nos run --share . -- ls /mnt/share
  ./nos run --root disk -- findmnt /
  ./nos run --kernel linux -- cat /proc/version
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "run",
        help="start NOS: a shell in this terminal, or one command",
        usage="./nos run [options] [-- COMMAND …]",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    guest.add_build_options(parser, default="release")
    guest.add_machine_options(parser)
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND …", help="a command to run in the guest")
    parser.set_defaults(function=run)


def command_words(words: List[str]) -> List[str]:
    if words and words[0] != "--":
        raise NosError(f"A command for the guest comes after `--`: ./nos run -- {' '.join(words)}")
    return words[1:]


def run(options: argparse.Namespace) -> int:
    words = command_words(options.words)
    guest.check_architecture(options.arch)
    packages.ensure_for("run", options.arch)
    on_terminal = os.isatty(0) and os.isatty(1)
    if not words and not on_terminal:
        raise NosError("A shell needs a terminal on standard input and output; to run one command use ./nos run -- COMMAND.")
    with guest.prepared(options, words, plain_output=not on_terminal) as machine:
        if options.gdb is not None:
            ui.say(f"Waiting for gdb: target remote localhost:{options.gdb}")
        elif not words:
            ui.say("Starting; Ctrl-A X ends the virtual machine")
        assert machine.status_file is not None
        qemu_status = qemu.run_on_terminal(machine, options.timeout, interactive=on_terminal)
        status = qemu.read_status(machine.status_file)
    if status is not None:
        return status  # of the command, or of the shell
    if qemu_status == qemu.TIMED_OUT:
        raise NosError(f"Stopped after {options.timeout:g} seconds (--timeout).", qemu.TIMED_OUT)
    if qemu_status == qemu.WAS_RESET:
        raise NosError("The guest reset itself: it rebooted or panicked, or its CPU met a triple fault.", 125)
    if not words and qemu_status == 0:
        return 0  # Ctrl-A X, or `poweroff` typed at the shell
    raise NosError("The guest stopped without reporting how the command ended.", 125)
