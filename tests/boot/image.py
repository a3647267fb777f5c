"""What ./nos image writes, started as its user would: by the start script, and from the ISO."""
import subprocess
import tempfile
from pathlib import Path

from nos import qemu
from nos.boot_machine import Boot
from nos.scenario import CheckFailed
from nos.terminal import SHELL_PROMPT, Terminal, TerminalClosed, TerminalTimeout
from nos.tree import ROOT

LIMIT_SECONDS = 120


def shell_answers(command: "list[str]") -> None:
    terminal = Terminal(command)
    try:
        terminal.expect(SHELL_PROMPT, LIMIT_SECONDS)
        terminal.type("uname -sr; poweroff -f\n")
        terminal.expect(r"\nLinux \S+-nos\r*\n", LIMIT_SECONDS)
        terminal.expect("Power down", LIMIT_SECONDS)
    except (TerminalClosed, TerminalTimeout) as error:
        raise CheckFailed(str(error)) from error
    finally:
        terminal.close()


def test_starts_by_script_and_from_iso(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "image"
        written = subprocess.run([str(ROOT / "nos"), "image", f"--{boot.run.flavour}", "--root", "tiny", str(folder)], capture_output=True, text=True, check=False)
        if written.returncode != 0:
            raise CheckFailed(f"./nos image: {written.stdout[-500:]}{written.stderr[-500:]}")
        shell_answers([str(folder / "start")])
        board = qemu.BOARDS["x86_64"]
        shell_answers(
            [board.binary, "-machine", "q35", "-cpu", board.emulated_cpu, "-smp", "2", "-m", "1G", "-nodefaults", "-display", "none"]
            + ["-no-reboot", "-serial", "mon:stdio", "-cdrom", str(folder / "nos.iso")]
        )
