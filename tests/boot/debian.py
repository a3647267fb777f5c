"""Debian 13 with its own sysvinit on its own disk: to the login prompt and down again, and e2fsck finds nothing. Only with --long."""
import subprocess
import tempfile
from pathlib import Path

from nos import disks, guest, programs, roots
from nos.boot_machine import Boot

PACKAGES = ["sysvinit-core", "sysv-rc", "initscripts", "login", "e2fsprogs", "mount"]
# Debian's own, with a terminal where ours is, and an end.
INITTAB = """\
id:2:initdefault:
si::sysinit:/etc/init.d/rcS
l0:0:wait:/etc/init.d/rc 0
l2:2:wait:/etc/init.d/rc 2
l6:6:wait:/etc/init.d/rc 6
T0:23:respawn:/sbin/agetty -L ttyS0 115200 vt100
E0:2:once:/bin/sh -c "sleep 10; exec /sbin/shutdown -hP now"
"""


def test_sysvinit_from_a_disk(boot: Boot) -> None:
    if not boot.run.long:
        return
    with tempfile.TemporaryDirectory() as folder:
        root = roots.get("debian", boot.architecture, PACKAGES)
        overlay, inittab, disk = (Path(folder) / name for name in ("overlay.cpio", "inittab", "disk"))
        inittab.write_text(INITTAB)
        additions = [(programs.init(boot.architecture), disks.INIT), (inittab, "etc/inittab")]
        roots.write_overlay(overlay, root.folders, None, additions, [])
        disks.make([root.archive, overlay], disk, 1024, True)
        with guest.prepared(boot.options(["--root", str(disk), "--memory", "1G"])) as machine:
            machine.kernel_arguments = "root=/dev/vda1 rw console=ttyS0"
            outcome = boot.boot(machine, None, "plain", (), None, 300)
        outcome.prints("nos login:").prints("INIT: Switching to runlevel: 0").ends("off")
        checked = subprocess.run(["e2fsck", "-fn", f"{disk}?offset={disks.FIRST_SECTOR * disks.SECTOR}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if checked.returncode:
            outcome.fail(f"e2fsck: {checked.stdout.decode()}")
