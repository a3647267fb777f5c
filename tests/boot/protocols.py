"""The ways into the kernel: PVH and the Linux boot protocol, and every form of the initramfs."""
from nos.boot_machine import Boot

SAY = "dmesg | grep 'started by way of'; echo it-runs"


def test_pvh(boot: Boot) -> None:
    boot.command(SAY).succeeds().prints("started by way of PVH")


def test_bzimage(boot: Boot) -> None:
    boot.command(SAY, kernel=boot.bzimage).succeeds().prints("started by way of Linux")


def test_bzimage_on_the_old_machine(boot: Boot) -> None:
    """i440fx: no PCI Express, no configuration space in memory."""
    outcome = boot.command(SAY + "; cat /proc/bus/pci/devices", kernel=boot.bzimage, extra=["-machine", "pc,usb=off,vmport=off"])
    outcome.succeeds().prints("started by way of Linux").prints("80861237")


def test_initramfs_gzip(boot: Boot) -> None:
    boot.command("echo unpacked", initrd="gzip").succeeds().prints("unpacked")


def test_initramfs_zstd(boot: Boot) -> None:
    boot.command("echo unpacked", initrd="zstd").succeeds().prints("unpacked")


def test_initramfs_xz(boot: Boot) -> None:
    boot.command("echo unpacked", initrd="xz").succeeds().prints("unpacked")


def test_bzimage_with_zstd(boot: Boot) -> None:
    boot.command("echo unpacked", kernel=boot.bzimage, initrd="zstd").succeeds().prints("unpacked")


def test_much_memory_on_both_sides_of_4_gib(boot: Boot) -> None:
    boot.command("awk '/MemTotal/ {exit !($2 > 5500000)}' /proc/meminfo && echo enough", "", "--memory", "6G").succeeds().prints("enough")
