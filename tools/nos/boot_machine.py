"""What a boot test (tests/boot/*.py) works with: machines of any kind, started once, and what they said.

    def test_zstd(boot):
        boot.command("echo unpacked", initrd="zstd").prints("unpacked")

    def test_power_off(boot):
        boot.start("console=ttyS0 rdinit=/bin/busybox -- poweroff -f", own_init=False).ends()

Every test starts its own machines, with the tiny root.
"""
import argparse
import gzip
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import List, Optional, Sequence, Union

from . import build, guest, qemu, roots
from .results import TestRun
from .scenario import CheckFailed, shortened
from .tree import scratch_folder

LIMIT_SECONDS = 90.0
COMPRESSORS = {"zstd": ["zstd", "-q", "-3", "-c"], "xz": ["xz", "-1", "--check=crc32", "-c"], "lz4": ["lz4", "-l", "-q", "-c"]}

# For tests in which Debian's Linux is the other side. With one CPU: while one changes code (static keys at boot), QEMU 7.2's
# thread of another may run a half of it and Linux ends with an int3 oops. Without the look at the timer, which fails on a busy
# host.
LINUX = ["--kernel", "linux", "--cpus", "1", "--kernel-args", "no_timer_check"]

# The start of Python programs that run in the guest and end with the first thing that is not as expected.
CHECKS = r"""
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)

def code(call, *arguments):
    try:
        call(*arguments)
    except OSError as problem:
        return errno.errorcode[problem.errno]
    return 0

def same(found, expected, what):
    if found != expected:
        print(f"{what}: {found!r}, not {expected!r}")
        os._exit(1)
"""


class Outcome:
    """How a machine ended. `console` is all of its first serial port (or what took its place)."""

    def __init__(self, console: str, status: Optional[int], ending: str, seconds: float):
        self.console = console
        self.status = status  # of the command; None: it never said
        self.ending = ending  # "off", "reset" or "timeout"
        self.seconds = seconds

    def fail(self, what: str) -> None:
        raise CheckFailed(f"{what}; the machine ended with {self.ending}, status {self.status}, console {shortened(self.console, 900)!r}")

    def prints(self, text: str) -> "Outcome":
        if text not in self.console:
            self.fail(f"{text!r} is not on the console")
        return self

    def prints_no(self, text: str) -> "Outcome":
        if text in self.console:
            self.fail(f"{text!r} is on the console")
        return self

    def matches(self, pattern: str) -> "re.Match[str]":
        match = re.search(pattern, self.console, re.MULTILINE)
        if not match:
            self.fail(f"nothing on the console matches {pattern!r}")
        assert match
        return match

    def succeeds(self) -> "Outcome":
        if self.status != 0:
            self.fail("the command did not end with status 0")
        return self

    def ends(self, ending: str = "off") -> "Outcome":
        if self.ending != ending:
            self.fail(f"the machine did not end with {ending}")
        return self


class Boot:
    def __init__(self, run: TestRun):
        self.run = run
        self.architecture = run.architecture
        self.kernel = build.kernel(run.architecture, run.flavour)
        self.bzimage = self.kernel.parent / "bzImage"

    def kernels(self) -> List[str]:
        """For --kernel: NOS, and Linux as its oracle where there is one."""
        return [""] if self.run.elsewhere("boot.oracle@linux") else ["", "linux"]

    def options(self, words: Sequence[str]) -> argparse.Namespace:
        parser = argparse.ArgumentParser()
        guest.add_build_options(parser, default=self.run.flavour)
        guest.add_machine_options(parser)
        return parser.parse_args(["--root", "tiny", "--arch", self.architecture, *self.run.machine_options(), *words])

    def command(
        self,
        script: str,
        arguments: str = "",
        *options: str,
        kernel: Optional[Path] = None,
        initrd: str = "plain",
        extra: Sequence[str] = (),
        type_at: Optional["Typing"] = None,
        limit: float = LIMIT_SECONDS,
    ) -> Outcome:
        """Runs a shell script as the command of our init, and waits for the end."""
        words = [*options, "--kernel-args", arguments] if arguments else list(options)
        with guest.prepared(self.options(words), ["/bin/sh", "-c", script], plain_output=True) as machine:
            return self.boot(machine, kernel, initrd, extra, type_at, limit)

    def start(
        self,
        arguments: str,
        *options: str,
        kernel: Optional[Path] = None,
        initrd: Union[str, None] = "plain",
        extra: Sequence[str] = (),
        type_at: Optional["Typing"] = None,
        limit: float = LIMIT_SECONDS,
    ) -> Outcome:
        """A machine with this kernel command line and nothing else, the root without our init.

        @CONSOLE@ in the line stands for the first serial port.
        """
        with guest.prepared(self.options(options)) as machine:
            machine.initrd = roots.get("tiny", self.architecture).archive if initrd else None
            machine.kernel_arguments = arguments.replace("@CONSOLE@", qemu.BOARDS[self.architecture].console)
            return self.boot(machine, kernel, initrd or "plain", extra, type_at, limit)

    def boot(self, machine: qemu.Machine, kernel: Optional[Path], initrd: str, extra: Sequence[str], type_at: Optional["Typing"], limit: float) -> Outcome:
        machine.kernel = kernel or self.kernel
        machine.extra = list(extra)
        with scratch_folder() as folder:
            if machine.initrd and initrd != "plain":
                machine.initrd = compressed(machine.initrd, initrd, folder)
            started = time.monotonic()
            running = qemu.Guest(machine)
            timed_out = threading.Event()

            def give_up() -> None:
                timed_out.set()
                running.process.kill()

            watchdog = threading.Timer(limit, give_up)
            watchdog.start()
            reports = qemu.StatusFilter(None if qemu.BOARDS[machine.architecture].pc else machine.status_file)
            pieces: List[bytes] = []
            try:
                if type_at:
                    type_at.begin(running)
                while data := receive(running):
                    pieces.append(reports.pass_on(data))
                running.wait()
            finally:
                watchdog.cancel()
                running.stop()
            ending = "timeout" if timed_out.is_set() else "reset" if running.was_reset() else "off"
            if type_at:
                pieces.append(type_at.end().encode())
            text = b"".join(pieces).decode(errors="replace").replace("\r", "")
            status = qemu.read_status(machine.status_file) if machine.status_file else None
            return Outcome(text, status, ending, time.monotonic() - started)


def receive(running: qemu.Guest) -> bytes:
    try:
        return running.console.recv(65536)
    except OSError:
        return b""


class Typing:
    """A conversation with a terminal of the guest other than the first serial port: a Unix socket of QEMU's.

    Each step is (pattern to wait for, text to type).
    """

    def __init__(self, path: Path, steps: Sequence["tuple[str, str]"], limit: float = 60):
        self.path = path
        self.steps = steps
        self.limit = limit
        self.heard = ""
        self.problem = ""
        self.thread = threading.Thread(target=self.talk, daemon=True)

    def begin(self, _running: qemu.Guest) -> None:
        self.thread.start()

    def end(self) -> str:
        self.thread.join(10)
        return self.heard + (f"\n[{self.problem}]" if self.problem else "")

    def talk(self) -> None:
        import socket

        connection = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + self.limit
        while True:
            try:
                connection.connect(str(self.path))
                break
            except OSError:
                if time.monotonic() > deadline:
                    self.problem = "nobody opened the socket"
                    return
                time.sleep(0.1)
        connection.settimeout(0.5)
        position = 0
        remaining = list(self.steps)
        while time.monotonic() < deadline:
            if remaining:
                match = re.compile(remaining[0][0]).search(self.heard, position)
                if match:
                    position = match.end()
                    connection.sendall(remaining.pop(0)[1].encode())
                    continue
            try:
                data = connection.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                break
            if not data:
                break
            self.heard += data.decode(errors="replace").replace("\r", "")
        connection.close()
        if remaining:
            self.problem = f"never saw {remaining[0][0]!r}"


def compressed(archive: Path, how: str, folder: Path) -> Path:
    output = folder / f"initrd.{how}"
    if how == "gzip":
        with open(archive, "rb") as source, gzip.open(output, "wb", compresslevel=1) as target:
            shutil.copyfileobj(source, target, 1 << 20)
    else:
        with open(archive, "rb") as source, open(output, "wb") as target:
            subprocess.run(COMPRESSORS[how], stdin=source, stdout=target, check=True)
    return output
