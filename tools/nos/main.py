"""The command line of ./nos: which commands there are, and how failures are told."""
import argparse
import importlib
import os
import sys
from typing import List

from .ui import NosError

DESCRIPTION = "NOS, an operating system kernel that runs unmodified Linux programs: one command for everything."
COMMANDS = ("setup", "build", "run", "test", "bench", "check", "debug", "image")


def main(arguments: List[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="./nos", description=DESCRIPTION, epilog="Each command has its own --help.", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    for name in COMMANDS:
        # A command loads its module only when it is called for: the usual run stays quick to start.
        if not arguments or arguments[0] == name or arguments[0] not in COMMANDS:
            importlib.import_module(f"nos.{MODULES.get(name, name)}").add_parser(commands)
    options = parser.parse_args(arguments)
    if not hasattr(options, "function"):
        parser.print_help()
        return 2
    try:
        return options.function(options)
    except NosError as error:
        print(f"nos: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("\nnos: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except OSError as error:
        if os.environ.get("NOS_TRACE"):
            raise
        where = f" ({error.filename})" if error.filename else ""
        print(f"nos: {error.strerror or error}{where}.", file=sys.stderr)
        return 1


MODULES = {"setup": "setup_command", "build": "build_command", "test": "test_command"}
