"""The virtual machine: one description of a guest, and how QEMU is started for it.

  console   the guest's first serial port is this terminal: raw, so that Ctrl-C and the like reach the guest;
            Ctrl-A X ends QEMU, Ctrl-A C talks to its monitor, Ctrl-A Ctrl-A types a Ctrl-A
  status    the second serial port goes to a file; /init reports there how the session ended
  exit      a write to port 0xf4 (isa-debug-exit) ends QEMU with a status: the in-kernel tests use it

The machine is q35 rather than the older pc: it has PCI Express (so that MSI-X and the memory-mapped configuration
space exist, as on hardware of today), and it starts kernels through PVH and through the Linux boot protocol alike.
microvm starts faster but has no ACPI tables for a kernel to find a real machine with.
"""
import fcntl
import os
import re
import signal
import subprocess
import sys
import termios
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, List, Optional

from .ui import Argument, NosError

BINARY = {"x86_64": "qemu-system-x86_64"}

# Under emulation each AVX instruction is split into calls per lane, and glibc picks its AVX routines whenever the CPU
# has them: without, user programs run two to five times faster. Everything a kernel looks for (SMEP, SMAP, UMIP, x2APIC, XSAVE,
# FSGSBASE, RDRAND, PCID ...) stays. CMPXCHG16B is left out for another reason: QEMU 7.2 (Debian 12) computes the flags it leaves
# from stale state, so that an interrupt right after it saves garbage as RFLAGS. Linux uses the instruction in its allocator and
# fails to boot one time in six; without it, never.
FAST_EMULATED_CPU = "max,-avx,-avx2,-f16c,-fma,-vaes,-vpclmulqdq,-cx16"
# What is counted by --icount has to be an instruction, not a step of one: `rep movsb` counts once per byte.
COUNTED_CPU = "max,-erms,-fsrm"

TEST_EXIT_PORT = 0xF4
TIMED_OUT = 124  # the exit status timeout(1) uses


@dataclass
class Machine:
    kernel: Path
    initrd: Optional[Path] = None
    architecture: str = "x86_64"
    memory_mib: int = 1024
    cpus: int = 2
    kernel_arguments: str = ""
    cpu_model: Optional[str] = None
    icount: bool = False
    gdb_port: Optional[int] = None
    status_file: Optional[Path] = None
    extra: List[str] = field(default_factory=list)


def has_kvm() -> bool:
    """True where hardware virtualisation really is there: /dev/kvm alone can be an empty promise."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    if not re.search(r"^flags\s*:.*\b(vmx|svm)\b", flags, re.MULTILINE):
        return False
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError:
        return False
    return True


def command(machine: Machine) -> List[Argument]:
    if machine.icount and machine.cpus != 1:
        raise NosError("--icount counts the instructions of one CPU: it goes with --cpus 1.")
    kvm = has_kvm() and not machine.icount
    if kvm:
        accelerator, model = "kvm", "host"
    elif machine.icount:
        accelerator, model = "tcg,thread=single", COUNTED_CPU
    else:
        accelerator, model = "tcg,thread=multi", FAST_EMULATED_CPU
    words: List[Argument] = [
        BINARY[machine.architecture],
        "-machine", "q35,usb=off,vmport=off",
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-accel", accelerator,
        "-cpu", machine.cpu_model or model,
        "-smp", str(machine.cpus),
        "-m", f"{machine.memory_mib}M",
        "-kernel", machine.kernel,
        "-append", machine.kernel_arguments,
        "-chardev", "stdio,id=console,mux=on,signal=off",
        "-serial", "chardev:console",
        "-mon", "chardev=console,mode=readline",
        "-serial", f"file:{escaped(machine.status_file)}" if machine.status_file else "null",
        "-device", f"isa-debug-exit,iobase={TEST_EXIT_PORT:#x},iosize=0x04",
        "-device", "virtio-rng-pci",
    ]  # fmt: skip
    if machine.initrd:
        words += ["-initrd", machine.initrd]
    if machine.icount:
        words += ["-icount", "shift=0,sleep=off"]
    if machine.gdb_port is not None:
        words += ["-gdb", f"tcp:127.0.0.1:{machine.gdb_port}", "-S"]
    return words + list(machine.extra)


def escaped(path: Path) -> str:
    """A path inside a QEMU option list, where a comma ends the value unless it is doubled."""
    return str(path).replace(",", ",,")


@contextmanager
def terminal_restored() -> Iterator[None]:
    """Gives the terminal back as it was, even when QEMU is killed and cannot do it itself."""
    saved = []
    for stream in (0, 1, 2):
        try:
            flags = fcntl.fcntl(stream, fcntl.F_GETFL)
            settings = termios.tcgetattr(stream) if os.isatty(stream) else None
            saved.append((stream, flags, settings))
        except OSError:
            pass
    try:
        yield
    finally:
        for stream, flags, settings in saved:
            fcntl.fcntl(stream, fcntl.F_SETFL, flags)
            if settings is not None:
                # Setting a terminal from a background group would stop this process.
                previous = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
                termios.tcsetattr(stream, termios.TCSADRAIN, settings)
                signal.signal(signal.SIGTTOU, previous)


def start(machine: Machine, **options: object) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen([str(word) for word in command(machine)], **options)  # type: ignore[call-overload]
    except FileNotFoundError:
        raise NosError(f"{BINARY[machine.architecture]} is not installed; ./nos setup installs it.") from None


def run_on_terminal(machine: Machine, timeout_seconds: Optional[float]) -> int:
    """Runs the guest on this process's own input and output; returns QEMU's status, or TIMED_OUT."""
    with terminal_restored():
        interactive = sys.stdin is not None and sys.stdin.isatty()
        process = start(machine, stdin=None if interactive else subprocess.DEVNULL)

        def forward(number: int, _frame: object) -> None:
            process.send_signal(number)

        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, forward)
        # Ctrl-C reaches the guest as a character; the signal, should one come, is QEMU's business.
        signal.signal(signal.SIGINT, signal.SIG_IGN if interactive else forward)
        try:
            return process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            stop(process)
            return TIMED_OUT
        finally:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def read_status(path: Path) -> Optional[int]:
    """What /init reported on the status port, or None when the guest ended without a word."""
    try:
        match = re.search(r"^status (\d+)\s*$", path.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return None
    return int(match.group(1)) if match else None
