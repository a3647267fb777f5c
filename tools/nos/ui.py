"""What the user sees: progress, one-sentence errors, and the log of what ran behind it.

Everything here writes to standard error, so that the output of `./nos run -- COMMAND` stays pure.
"""
import os
import shlex
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Mapping, Optional, Sequence, Union

Argument = Union[str, Path]


class NosError(Exception):
    """Something the user can act on, told in one sentence; `status` becomes the exit status."""

    def __init__(self, sentence: str, status: int = 1):
        super().__init__(sentence)
        self.status = status


def say(text: str) -> None:
    print(f"==> {text}", file=sys.stderr, flush=True)


def note(text: str) -> None:
    print(f"    {text}", file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Shows `text` and, while the body runs, the seconds that have passed.

    A terminal sees one line that counts; a log file sees a line at the start and one a minute.
    """
    start = time.monotonic()
    if not sys.stderr.isatty():
        say(text)
    finished = threading.Event()

    def tick() -> None:
        last_minute = 0
        while not finished.wait(0.5):
            seconds = int(time.monotonic() - start)
            if sys.stderr.isatty():
                print(f"\r==> {text} … {seconds} s", end="", file=sys.stderr, flush=True)
            elif seconds // 60 > last_minute:
                last_minute = seconds // 60
                note(f"still at it after {last_minute} min")

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        finished.set()
        ticker.join()
        if sys.stderr.isatty():
            print(f"\r==> {text} … {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


def command_line(command: Sequence[Argument]) -> str:
    return " ".join(shlex.quote(str(word)) for word in command)


def run_logged(
    command: Sequence[Argument],
    log: Path,
    what: str,
    cwd: Optional[Path] = None,
    environment: Optional[Mapping[str, str]] = None,
) -> None:
    """Runs `command` with its output in `log`; when it fails, shows the end of the log and says `what` failed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as output:
        output.write(f"$ {command_line(command)}\n".encode())
        output.flush()
        try:
            status = subprocess.run(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=dict(os.environ, **environment) if environment else None,
            ).returncode
        except FileNotFoundError:
            raise NosError(f"{what} failed: the program {command[0]} is not installed; ./nos setup installs it.") from None
    if status != 0:
        for line in log.read_text(errors="replace").splitlines()[-15:]:
            note(line)
        raise NosError(f"{what} failed (status {status}); the whole log is in {log}.")


def capture(command: Sequence[Argument]) -> Optional[str]:
    """The standard output of a quick query, or None when it fails or the program is missing."""
    try:
        result = subprocess.run(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None
    return result.stdout.decode(errors="replace") if result.returncode == 0 else None


def log_text(name: str, text: str) -> Path:
    """Keeps `text` in the cache's log folder, for the user to look at."""
    from .tree import log_file

    path = log_file(name)
    path.write_text(text)
    return path
