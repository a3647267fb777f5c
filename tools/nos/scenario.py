"""What a scenario file (tests/scenario/*.py) works with: a booted guest, and a prompt to type at.

    PACKAGES = ["gcc"]          # more Debian packages in the guest's root        (all of these are optional)
    OPTIONS = ["--memory", "2G"]  # more options of ./nos run
    FILES = {"programs": "/root/programs"}   # files beside the scenario, put into the guest
    LONG = True                 # runs only with ./nos test --long

    def test_pipeline(guest):
        guest.check("printf '3\\\\n1\\\\n' | sort | head -n 1", "1")

    @limit(600)                 # seconds; 120 otherwise
    def test_build(guest): ...

What a command prints differs between architectures in their names: @MACHINE@ stands for that of uname -m, @MACHINE_32@ for
the one under linux32, @ELF@ for binutils', @HOST_BRIDGE@ for that of the PCI bridge of QEMU's board and @CONSOLE@ for its
first serial port.

The tests of one file run in order at the same prompt of the same guest. A test that leaves the guest without a prompt
fails, and the next one gets a new guest.
"""
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Optional, Sequence, TypeVar

from .qemu import BOARDS
from .terminal import SHELL_PROMPT, Terminal, TerminalTimeout

PROMPT = "nos-prompt> "
DEFAULT_LIMIT_SECONDS = 120.0
BOOT_LIMIT_SECONDS = 180.0
ELF_FORMATS = {"x86_64": "elf64-x86-64", "aarch64": "elf64-littleaarch64", "riscv64": "elf64-littleriscv"}
MACHINES_32 = {"x86_64": "i686", "aarch64": "armv8l", "riscv64": "riscv32"}
HOST_BRIDGES = {"x86_64": "8086:29c0", "aarch64": "1b36:0008", "riscv64": "1b36:0008"}

Function = TypeVar("Function", bound=Callable[..., object])


def limit(seconds: float) -> Callable[[Function], Function]:
    """Gives one test its own time limit."""

    def mark(function: Function) -> Function:
        function.limit_seconds = seconds  # type: ignore[attr-defined]
        return function

    return mark


class CheckFailed(AssertionError):
    """A check of a scenario did not hold; the text says which."""


@dataclass
class Outcome:
    output: str
    status: int


def shortened(text: str, length: int = 600) -> str:
    return text if len(text) <= length else text[: length // 2] + " … " + text[-length // 2 :]


class Guest:
    def __init__(self, nos: Path, options: Sequence[str], log: Path, architecture: str):
        self.log = log
        self.architecture = architecture
        self.names = {"@MACHINE@": architecture, "@MACHINE_32@": MACHINES_32[architecture], "@ELF@": ELF_FORMATS[architecture], "@HOST_BRIDGE@": HOST_BRIDGES[architecture], "@CONSOLE@": BOARDS[architecture].console}
        self.limit_seconds = DEFAULT_LIMIT_SECONDS
        self.terminal = Terminal([str(nos), "run", *options], cwd=nos.parent)
        self.terminal.expect(r"^[^\n]*" + SHELL_PROMPT, BOOT_LIMIT_SECONDS)
        # A prompt that no output looks like, and a line editor that does not redraw or colour.
        self.terminal.type("bind 'set enable-bracketed-paste off' 2>/dev/null; unset PROMPT_COMMAND; PS2=; PS1='nos-''prompt> '\n")
        self.terminal.expect(re.escape(PROMPT), 30)

    def run(self, command: str, timeout: Optional[float] = None) -> Outcome:
        """Types `command` (one line or many) and returns what it printed, with its exit status."""
        self.terminal.type('echo "@@BE""GIN@@"; {\n' + command.rstrip("\n") + '\n}; echo "@@E""ND $?@@"\n')
        match = self.terminal.expect(r"@@BEGIN@@\r*\n(.*?)@@END (\d+)@@\r*\n.*?" + re.escape(PROMPT), timeout or self.limit_seconds)
        return Outcome(match.group(1).replace("\r", "").rstrip("\n"), int(match.group(2)))

    def named(self, text: str) -> str:
        """`text` with the names of this guest's architecture in their places."""
        for word, name in self.names.items():
            text = text.replace(word, name)
        return text

    def check(self, command: str, expected: Optional[str] = None, pattern: Optional[str] = None, status: int = 0, timeout: Optional[float] = None) -> str:
        """Runs `command`; its status must be `status`, its output equal `expected` or contain the regular expression `pattern`."""
        command = self.named(command)
        expected = self.named(expected) if expected else expected
        pattern = self.named(pattern) if pattern else pattern
        outcome = self.run(command, timeout)
        told = f"{shortened(command, 200)!r} printed {shortened(outcome.output)!r}"
        if outcome.status != status:
            raise CheckFailed(f"{told} and ended with status {outcome.status}, not {status}")
        if expected is not None and outcome.output != expected:
            raise CheckFailed(f"{told}, not {shortened(expected)!r}")
        if pattern is not None and not re.search(pattern, outcome.output, re.MULTILINE):
            raise CheckFailed(f"{told}, which does not match {pattern!r}")
        return outcome.output

    def type(self, text: str) -> None:
        self.terminal.type(text)

    def control(self, letter: str) -> None:
        self.terminal.control(letter)

    def expect(self, pattern: str, timeout: float = 30) -> "re.Match[str]":
        return self.terminal.expect(pattern, timeout)

    def expect_prompt(self, timeout: float = 30) -> str:
        """Everything up to the next prompt."""
        return self.terminal.expect(r"(.*?)" + re.escape(PROMPT), timeout).group(1).replace("\r", "")

    def write_file(self, path: str, content: str) -> None:
        """Makes a text file in the guest by typing it as a here-document."""
        self.check(f"cat > {path} <<'@@FILE@@'\n{content.rstrip()}\n@@FILE@@")

    def is_at_prompt(self) -> bool:
        try:
            self.terminal.type("\n")
            self.terminal.expect(re.escape(PROMPT), 10)
            return self.run("true", 20).status == 0
        except (TerminalTimeout, OSError, Exception):
            return False

    def close(self) -> None:
        self.terminal.close()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_text(self.terminal.transcript)


def assert_equal(actual: object, expected: object, what: str) -> None:
    if actual != expected:
        raise CheckFailed(f"{what}: {actual!r}, not {expected!r}")


__all__: List[str] = ["CheckFailed", "Guest", "Outcome", "assert_equal", "limit"]
