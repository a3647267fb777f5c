"""Virtio devices from the outside: the console as console=, channels to the host, and what programs see of the bus."""
import tempfile
from pathlib import Path

from nos.boot_machine import Boot, Typing
from nos.terminal import SHELL_PROMPT

# Interrupt controllers by the names that Linux has for them in /proc/interrupts.
LINES = {"x86_64": "IO-APIC", "aarch64": "GIC", "riscv64": "SiFive PLIC"}
MESSAGES = {"x86_64": "PCI-MSI", "aarch64": "GIC", "riscv64": "SiFive PLIC"}  # or what takes their place
HOST_BRIDGES = {"x86_64": ("8086", "29c0"), "aarch64": ("1b36", "0008"), "riscv64": ("1b36", "0008")}

SERIAL = ["-device", "virtio-serial-pci,id=serial0"]


def hvc(path: Path) -> list:
    return [*SERIAL, "-chardev", f"socket,id=hvc,path={path},server=on,wait=off", "-device", "virtconsole,chardev=hvc"]


def test_console_hvc0(boot: Boot) -> None:
    """The kernel's log and the shell are on hvc0; typing is edited, echoed and interrupted as on any terminal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hvc"
        talk = Typing(
            path,
            [
                (SHELL_PROMPT, "exec setsid -c sh\n"),  # a controlling terminal, without which Ctrl-C interrupts nobody
                (r"\n[^\n]*" + SHELL_PROMPT, "echo one-$((1+1))-three\n"),
                (r"\none-2-three\n[^\n]*" + SHELL_PROMPT, "echo wrnog\x7f\x7f\x7fong | cat\n"),
                (r"\nwrong\n[^\n]*" + SHELL_PROMPT, "tty; stty size\n"),
                (r"/dev/(?:hvc0|console)\n", "(echo asleep; exec sleep 1000)\n"),
                (r"\nasleep\n", "\x03"),  # said by the job itself, which has the terminal by then
                (r"\^C", "seq 1 2000 | tail -n 1; poweroff -f\n"),
                (r"\n2000\n", ""),
            ],
            limit=80,
        )
        outcome = boot.start("console=hvc0 panic=-1 rdinit=/bin/sh", extra=hvc(path), type_at=talk)
        outcome.prints("Command line: console=hvc0").prints_no("never saw").ends("off")


def test_much_output_through_hvc0(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hvc"
        talk = Typing(path, [(SHELL_PROMPT, "seq 1 20000; echo last; poweroff -f\n"), (r"\n20000\nlast\n", "")], limit=80)
        outcome = boot.start("console=hvc0 quiet panic=-1 rdinit=/bin/sh", extra=hvc(path), type_at=talk)
        outcome.prints("\n9999\n10000\n10001\n").prints_no("never saw").ends("off")


def test_channel(boot: Boot) -> None:
    """/dev/vport0p1: bytes both ways, the name in sysfs, one program at a time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "channel"
        extra = [*SERIAL, "-chardev", f"socket,id=ch,path={path},server=on,wait=off", "-device", "virtserialport,chardev=ch,name=org.nos.test"]
        talk = Typing(path, [(r"hello from the guest\n", "answer of the host\n"), (r"heard answer of the host\n", "")])
        script = (
            "cat /sys/class/virtio-ports/vport*/name; exec 3<>$(ls /dev/vport*p1); "
            "cat /dev/vport*p1 2>&1 | head -n 1; "
            "echo hello from the guest >&3; read line <&3; echo heard $line >&3; echo channel $line"
        )
        outcome = boot.command(script, extra=extra, type_at=talk).succeeds()
        outcome.prints("org.nos.test\n").prints("Device or resource busy").prints("channel answer of the host").prints_no("never saw")


def test_entropy(boot: Boot) -> None:
    script = "for i in 1 2 3; do head -c 100 /dev/hwrng | wc -c; done; cat /sys/class/misc/hw_random/rng_current; grep virtio /proc/interrupts"
    boot.command(script).succeeds().prints("100\n").prints("virtio_rng.0").prints(MESSAGES[boot.architecture])


def test_line_interrupts(boot: Boot) -> None:
    """Without MSI-X the device shares a line."""
    extra = ["-device", "virtio-rng-pci,vectors=0,id=lines"]
    boot.command("for i in 1 2 3; do head -c 100 /dev/hwrng | wc -c; done; cat /proc/interrupts", extra=["-global", "virtio-rng-pci.vectors=0", *extra]).succeeds().prints("100\n").prints(LINES[boot.architecture])


def test_behind_a_bridge(boot: Boot) -> None:
    extra = ["-device", "pcie-root-port,id=port1,chassis=1", "-device", "virtio-serial-pci,bus=port1"]
    outcome = boot.command("ls -l /sys/bus/pci/devices; ls /sys/bus/virtio/devices", extra=extra).succeeds()
    outcome.matches(r"pci0000:00/0000:00:0\d\.0/0000:01:00\.0").group(0)
    outcome.prints("virtio1")


def test_bus_in_sysfs_and_proc(boot: Boot) -> None:
    script = (
        "cd /sys/bus/pci/devices/0000:00:00.0 && cat vendor device class && wc -c < config && od -An -tx2 -N2 config && "
        "cat uevent && wc -l < resource && grep -c . /proc/bus/pci/devices"
    )
    outcome = boot.command(script).succeeds()
    vendor, device = HOST_BRIDGES[boot.architecture]
    outcome.prints(f"0x{vendor}\n0x{device}\n0x060000\n").prints(f" {vendor}\n").prints(f"PCI_ID={vendor}:{device}\n".upper()).prints("PCI_SLOT_NAME=0000:00:00.0\n")
