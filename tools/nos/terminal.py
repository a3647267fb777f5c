"""A program on a pseudo-terminal, watched and typed to: what a person at the keyboard would see and do.

    terminal = Terminal(["./nos", "run"])
    terminal.expect(r"\\$ ", 60)
    terminal.type("ls\\n")
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import Mapping, Optional, Sequence


# The end of what a waiting shell has printed. BusyBox's asks the terminal for the cursor's place after its prompt, in a write of
# its own: both may have been read at once, or the second not yet.
SHELL_PROMPT = r"[#$] (?:\x1b\[6n)?$"


class TerminalTimeout(Exception):
    """The awaited text did not come in time."""


class TerminalClosed(Exception):
    """The program ended while text was awaited."""


class Terminal:
    """The text received and not yet matched is in `pending`; everything ever received is in `transcript`."""

    def __init__(self, command: Sequence[str], rows: int = 40, columns: int = 200, cwd: Optional[Path] = None, environment: Optional[Mapping[str, str]] = None):
        self.pending = ""
        self.transcript = ""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

        def own_the_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            list(command), stdin=slave, stdout=slave, stderr=slave, cwd=cwd, start_new_session=True, preexec_fn=own_the_terminal,
            env=dict(os.environ, TERM="linux", **(environment or {})),
        )  # fmt: skip
        os.close(slave)
        os.set_blocking(self.master, False)

    def type(self, text: str) -> None:
        """Types `text`, reading meanwhile, so that an echo of any length cannot block both sides."""
        data = text.encode()
        while data:
            _, writable, _ = select.select([self.master], [self.master], [], 10)
            self._receive(0)
            if writable:
                try:
                    data = data[os.write(self.master, data[:256]) :]
                except OSError:
                    raise TerminalClosed("the program has ended") from None

    def control(self, letter: str) -> None:
        self.type(chr(ord(letter.upper()) & 0x1F))

    def expect(self, pattern: str, timeout_seconds: float) -> "re.Match[str]":
        """Waits for `pattern` and takes everything up to its end out of `pending`."""
        expression = re.compile(pattern, re.DOTALL | re.MULTILINE)
        deadline = time.monotonic() + timeout_seconds
        while True:
            match = expression.search(self.pending)
            if match:
                self.pending = self.pending[match.end() :]
                return match
            left = deadline - time.monotonic()
            if left <= 0:
                raise TerminalTimeout(f"no {pattern!r} within {timeout_seconds:g} s; the terminal ends with {self.tail()!r}")
            if not self._receive(min(left, 1.0)):
                raise TerminalClosed(f"the program ended instead of showing {pattern!r}; the terminal ends with {self.tail()!r}")

    def tail(self, length: int = 300) -> str:
        return self.transcript[-length:]

    def close(self) -> int:
        """Ends the program if it still runs, and returns its status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 10
            while self.process.poll() is None and time.monotonic() < deadline:
                self._receive(0.1)
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
        status = self.process.wait()
        os.close(self.master)
        return status

    def wait(self, timeout_seconds: float) -> int:
        """Waits for the program to end by itself and returns its status."""
        deadline = time.monotonic() + timeout_seconds
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise TerminalTimeout(f"the program did not end within {timeout_seconds:g} s; the terminal ends with {self.tail()!r}")
            self._receive(0.1)
        return self.process.returncode

    def _receive(self, wait_seconds: float) -> bool:
        """Takes in what there is; False when the terminal is closed."""
        readable, _, _ = select.select([self.master], [], [], wait_seconds)
        if not readable:
            return True
        try:
            data = os.read(self.master, 65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        text = data.decode(errors="replace")
        self.pending += text
        self.transcript = (self.transcript + text)[-200_000:]
        return True
