"""The virtual machine: one description of a guest, and how QEMU is started for it.

  console   the guest's first serial port is this terminal: raw, so that Ctrl-C and the like reach the guest;
            Ctrl-A X ends QEMU, Ctrl-A C talks to its monitor, Ctrl-A Ctrl-A types a Ctrl-A
  status    the second serial port goes to a file; /init reports there how the session ended
  exit      a write to port 0xf4 (isa-debug-exit) ends QEMU with a status: the in-kernel tests use it

Other architectures have the board "virt" with one serial port: there /init reports in the output itself, in an escape sequence
that terminals ignore, and the in-kernel tests end with power off.

The machine is q35 rather than the older pc: it has PCI Express (so that MSI-X and the memory-mapped configuration
space exist, as on hardware of today), and it starts kernels through PVH and through the Linux boot protocol alike.
microvm starts faster but has no ACPI tables for a kernel to find a real machine with.
"""
import os
import platform
import re
import select
import signal
import socket
import subprocess
import termios
import threading
import time
import tty
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, List, Optional

from . import coverage
from .ui import Argument, NosError


@dataclass(frozen=True)
class Board:
    """What differs from one architecture to the next."""

    binary: str
    machine: str
    console: str  # the name that Linux gives to the first serial port
    kernel: str  # the file of a build that QEMU starts
    emulated_cpu: str
    counted_cpu: str  # with --icount
    pc: bool = False  # a second serial port, and isa-debug-exit


# Under emulation each AVX instruction is split into calls per lane, and glibc picks its AVX routines whenever the CPU
# has them: without, user programs run two to five times faster. Everything a kernel looks for (SMEP, SMAP, UMIP, x2APIC, XSAVE,
# FSGSBASE, RDRAND, PCID ...) stays. CMPXCHG16B is left out for another reason: QEMU 7.2 (Debian 12) computes the flags it leaves
# from stale state, so that an interrupt right after it saves garbage as RFLAGS. Linux uses the instruction in its allocator and
# fails to boot one time in six; without it, never.
FAST_EMULATED_CPU = "max,-avx,-avx2,-f16c,-fma,-vaes,-vpclmulqdq,-cx16"
# What is counted by --icount has to be an instruction, not a step of one: `rep movsb` counts once per byte.
COUNTED_CPU = "max,-erms,-fsrm"
# Vector registers are not part of QEMU's plain 64-bit hart.
RISCV_CPU = "rv64,v=true,vext_spec=v1.0"

BOARDS = {
    "x86_64": Board("qemu-system-x86_64", "q35,usb=off,vmport=off", "ttyS0", "nos.elf", FAST_EMULATED_CPU, COUNTED_CPU, pc=True),
    # Pointer authentication by the architected algorithm costs an emulator dearly.
    "aarch64": Board("qemu-system-aarch64", "virt,gic-version=3", "ttyAMA0", "Image", "max,pauth-impdef=on", "max,pauth-impdef=on"),
    "riscv64": Board("qemu-system-riscv64", "virt", "ttyS0", "Image", RISCV_CPU, RISCV_CPU),
}

TEST_EXIT_PORT = 0xF4
UNREAD_SECONDS = 10.0
TIMED_OUT = 124  # the exit status timeout(1) uses
WAS_RESET = 1000  # no exit status: the guest asked for a reset


@dataclass(frozen=True)
class Disk:
    """A file of this machine that the guest has as /dev/vda, /dev/vdb …"""

    file: Path
    read_only: bool = False
    temporary: bool = False  # what the guest writes is thrown away at the end


@dataclass(frozen=True)
class Share:
    """A folder of this machine that the guest can mount by its tag."""

    folder: Path
    tag: str
    read_only: bool = False


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
    takes_turns: bool = False  # icount with several CPUs: one runs at a time, and the clock counts what all execute
    gdb_port: Optional[int] = None
    status_file: Optional[Path] = None
    disks: List[Disk] = field(default_factory=list)
    shares: List[Share] = field(default_factory=list)
    extra: List[str] = field(default_factory=list)
    memory_file: Optional[Path] = None  # the guest's memory, left behind for whoever started it (Guest: coverage)


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


def command(machine: Machine, console: int, control: int) -> List[Argument]:
    """The words that start QEMU; the numbers are those of the sockets for the guest's first serial port and for QMP."""
    if machine.icount and machine.cpus != 1 and not machine.takes_turns:
        raise NosError("--icount counts the instructions of one CPU: it goes with --cpus 1.")
    board = BOARDS[machine.architecture]
    kvm = has_kvm() and not machine.icount and machine.architecture == platform.machine()
    if kvm:
        accelerator, model = "kvm", "host"
    elif machine.icount:
        accelerator, model = "tcg,thread=single", board.counted_cpu
    else:
        accelerator, model = "tcg,thread=multi", board.emulated_cpu
    words: List[Argument] = [
        board.binary,
        "-machine", board.machine,
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-accel", accelerator,
        "-cpu", machine.cpu_model or model,
        "-smp", str(machine.cpus),
        "-m", f"{machine.memory_mib}M",
        "-kernel", machine.kernel,
        "-append", machine.kernel_arguments + (" nokaslr" if machine.memory_file else ""),
        "-chardev", f"socket,id=console,fd={console},mux=on",
        "-serial", "chardev:console",
        "-mon", "chardev=console,mode=readline",
        "-chardev", f"socket,id=control,fd={control}",
        "-mon", "chardev=control,mode=control",
        "-device", "virtio-rng-pci",
    ]  # fmt: skip
    if board.pc:
        words += ["-serial", f"file:{escaped(machine.status_file)}" if machine.status_file else "null"]
        words += ["-device", f"isa-debug-exit,iobase={TEST_EXIT_PORT:#x},iosize=0x04"]
    for number, disk in enumerate(machine.disks):
        words += disk_words(disk, f"disk{number}")
    for number, share in enumerate(machine.shares):
        words += share_words(share, f"share{number}")
    if machine.initrd:
        words += ["-initrd", machine.initrd]
    if machine.icount:
        words += ["-icount", "shift=0,sleep=off"]
    if machine.gdb_port is not None:
        words += ["-gdb", f"tcp:127.0.0.1:{machine.gdb_port}", "-S"]
    if machine.memory_file:
        words += coverage.memory_words(machine.memory_file, machine.memory_mib)
    return words + list(machine.extra)


def disk_words(disk: Disk, name: str) -> List[Argument]:
    """A virtio disk over PCI, with a queue for each CPU, discard and write zeroes: QEMU's defaults for the device."""
    with open(disk.file, "rb") as file:
        kind = "qcow2" if file.read(4) == b"QFI\xfb" else "raw"
    # A flush of the guest's is an fsync here; discarded blocks leave the file.
    drive = f"if=none,id={name},format={kind},discard=unmap,file={escaped(disk.file)}"
    if disk.read_only:
        drive += ",readonly=on"
    if disk.temporary:
        drive += ",snapshot=on"
    return ["-drive", drive, "-device", f"virtio-blk-pci,drive={name}"]


def share_words(share: Share, name: str) -> List[Argument]:
    """Served by QEMU itself, as the user who runs it: files that the guest makes are his, whoever they belong to in the guest."""
    backend = f"local,id={name},path={escaped(share.folder)},security_model=none,multidevs=remap"
    if share.read_only:
        backend += ",readonly=on"
    return ["-fsdev", backend, "-device", f"virtio-9p-pci,fsdev={name},mount_tag={share.tag}"]


def escaped(path: Path) -> str:
    """A path inside a QEMU option list, where a comma ends the value unless it is doubled."""
    return str(path).replace(",", ",,")


@contextmanager
def raw_terminal(stream: int) -> Iterator[None]:
    """Passes every key on as it is, and every byte of output: full-screen programs of the guest rely on both."""
    saved = termios.tcgetattr(stream)
    tty.setraw(stream)
    try:
        yield
    finally:
        # Setting a terminal from a background group would stop this process.
        previous = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        termios.tcsetattr(stream, termios.TCSADRAIN, saved)
        signal.signal(signal.SIGTTOU, previous)


class Guest:
    """A running QEMU with the guest's console at one socket and QEMU's own events at another."""

    def __init__(self, machine: Machine):
        self.console, console = socket.socketpair()
        self._control, control = socket.socketpair()
        if coverage.is_counting(machine.kernel):
            machine.memory_file = coverage.memory_file(machine.kernel)
        self._machine = machine
        words = [str(word) for word in command(machine, console.fileno(), control.fileno())]
        try:
            self.process = subprocess.Popen(
                words, pass_fds=(console.fileno(), control.fileno()), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
        except FileNotFoundError:
            raise NosError(f"{words[0]} is not installed; ./nos setup installs it.") from None
        console.close()
        control.close()
        self._control.sendall(b'{"execute": "qmp_capabilities"}\n')

    def wait(self) -> int:
        status = self.process.wait()
        self._keep_counters()
        return status

    def _keep_counters(self) -> None:
        file, self._machine.memory_file = self._machine.memory_file, None
        if file:
            coverage.harvest(self._machine.kernel, file)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._keep_counters()

    def was_reset(self) -> bool:
        """True when the guest, now ended, asked for a reset (which a triple fault is, too) rather than for power off."""
        events = b""
        try:
            while data := self._control.recv(65536):
                events += data
        except ConnectionError:
            pass
        return b'"guest-reset"' in events


def write_all(stream: int, data: bytes) -> None:
    while data:
        data = data[os.write(stream, data) :]


STATUS_START = b"\x1b]nos;status "
STATUS_SEQUENCE = re.compile(rb"\x1b\]nos;(status \d+)\x07(?:\r?\n)?")


class StatusFilter:
    """Takes the report of /init out of the console's output, for boards with one serial port."""

    def __init__(self, status_file: Optional[Path]):
        self.status_file = status_file
        self.kept = b""

    def pass_on(self, data: bytes) -> bytes:
        if self.status_file is None:
            return data
        data = self.kept + data
        self.kept = b""
        if match := STATUS_SEQUENCE.search(data):
            self.status_file.write_bytes(match.group(1) + b"\n")
            return data[: match.start()] + data[match.end() :]
        start = data.rfind(STATUS_START[:1])
        # A beginning of the sequence at the end waits for the rest; other sequences, such as a prompt's colours, do not.
        rest = data[start:] if start >= 0 else b""
        if rest and (STATUS_START.startswith(rest) or (rest.startswith(STATUS_START) and len(rest) < 40)):
            data, self.kept = data[:start], rest
        return data


def pump(console: socket.socket, keyboard: Optional[int], deadline: Optional[float], reports: StatusFilter) -> bool:
    """Copies between the console and this process's terminal until QEMU ends; False when `deadline` came first.

    When nobody reads our output any more (`./nos run … | grep -q`), the guest gets UNREAD_SECONDS to end by itself, so that a
    command that is about to finish is not torn off; then BrokenPipeError.
    """
    readers: List[object] = [console] if keyboard is None else [console, keyboard]
    unread_until: Optional[float] = None
    while True:
        now = time.monotonic()
        if deadline is not None and now >= deadline:
            return False
        if unread_until is not None and now >= unread_until:
            raise BrokenPipeError
        ends = [end for end in (deadline, unread_until) if end is not None]
        ready, _, _ = select.select(readers, [], [], min(ends) - now if ends else None)
        if console in ready:
            try:
                data = console.recv(1 << 16)
            except ConnectionError:
                data = b""
            if not data:
                return True
            data = reports.pass_on(data)
            try:
                if unread_until is None:
                    write_all(1, data)
            except BrokenPipeError:
                unread_until = time.monotonic() + UNREAD_SECONDS
        if keyboard in ready:
            keys = os.read(keyboard, 4096)  # type: ignore[arg-type]
            if not keys:
                readers.remove(keyboard)
                continue
            try:
                console.sendall(keys)
            except ConnectionError:
                return True


def run_on_terminal(machine: Machine, timeout_seconds: Optional[float], interactive: bool) -> int:
    """Runs the guest with its console on this process's output, and its input too if `interactive`.

    Returns QEMU's status, TIMED_OUT or WAS_RESET.
    """
    guest = Guest(machine)
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds

    def end(_number: int, _frame: object) -> None:
        guest.process.terminate()

    reports = StatusFilter(None if BOARDS[machine.architecture].pc else machine.status_file)
    previous = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with raw_terminal(0) if interactive else nullcontext():
            in_time = pump(guest.console, 0 if interactive else None, deadline, reports)
        if not in_time:
            return TIMED_OUT
        status = guest.wait()
        return WAS_RESET if status == 0 and guest.was_reset() else status
    finally:
        if guest.process.poll() is None:
            guest.stop()
        guest.console.close()
        for number, handler in previous.items():
            signal.signal(number, handler)


def read_status(path: Path) -> Optional[int]:
    """What /init reported on the status port, or None when the guest ended without a word."""
    try:
        match = re.search(r"^status (\d+)\s*$", path.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return None
    return int(match.group(1)) if match else None


def console_output(description: Machine, limit_seconds: float) -> str:
    """What a guest prints until it ends, or is ended when the time is over."""
    running = Guest(description)
    watchdog = threading.Timer(limit_seconds, running.process.kill)
    watchdog.start()
    with running.console.makefile("rb") as console:
        text = console.read().decode(errors="replace")
    running.wait()
    watchdog.cancel()
    return text
