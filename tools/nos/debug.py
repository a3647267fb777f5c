"""./nos debug: the kernel stopped at its first instruction, with gdb attached and the symbols loaded."""
import argparse
import os
import signal
import socket
import subprocess
import threading

from . import build, guest, packages, qemu, ui
from .tree import ROOT, check_architecture, log_file

EPILOG = """\
The guest's console goes to a log file (its name is shown); use ./nos run --gdb in one terminal and gdb in another to have both.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "debug", help="start NOS under gdb", usage="./nos debug [options] [-- COMMAND …]", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    guest.add_build_options(parser, default="debug")
    guest.add_machine_options(parser)
    parser.add_argument("--execute", "-x", default=[], action="append", metavar="GDB-COMMAND", help="a command for gdb to start with (repeatable)")
    parser.add_argument("--kaslr", action="store_true", help="let the kernel move itself; `nos-slide` in gdb finds it once it runs")
    parser.add_argument("--batch", action="store_true", help="let gdb end after these commands")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND …", help="a command to run in the guest")
    parser.set_defaults(function=run)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(options: argparse.Namespace) -> int:
    from .run import command_words

    words = command_words(options.words)
    architecture = check_architecture(options.arch)
    packages.ensure_for("debug", architecture)
    if options.gdb is None:
        options.gdb = free_port()
    if not options.kaslr:
        # One address for every symbol: gdb knows the kernel where it was linked.
        options.kernel_args = f"{options.kernel_args} nokaslr".strip()
    symbols = build.kernel(architecture, options.flavour).with_name("nos.elf")
    console_log = log_file("debug-console")
    with guest.prepared(options, words, plain_output=True) as machine:
        running = qemu.Guest(machine)
        reader = threading.Thread(target=copy_console, args=(running.console, console_log), daemon=True)
        reader.start()
        ui.say(f"The guest's console is in {console_log}")
        gdb = ["gdb" if architecture == "x86_64" else "gdb-multiarch", "-q", *(["-batch"] if options.batch else []), "-iex", f"add-auto-load-safe-path {ROOT}", "-ex", f"target remote localhost:{options.gdb}"]
        gdb += ["-ex", f"source {ROOT}/tools/gdb/nos.py"]
        for text in options.execute:
            gdb += ["-ex", text]
        # Ctrl-C stops the guest in gdb; it must not end this program.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            status = subprocess.run([*gdb, str(symbols)], preexec_fn=restore_interrupt).returncode
        finally:
            signal.signal(signal.SIGINT, previous)
            running.stop()
        return status


def restore_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def copy_console(console: socket.socket, log: "os.PathLike[str]") -> None:
    with open(log, "wb", buffering=0) as output:
        try:
            while data := console.recv(65536):
                output.write(data)
        except OSError:
            pass
