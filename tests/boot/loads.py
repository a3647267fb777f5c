"""Debian's own loads on an ext4 of a virtio disk: they verify what they read, and e2fsck finds nothing afterwards. Only with --long."""
import subprocess
import tempfile
from pathlib import Path

from nos import guest
from nos.boot_machine import Boot

FEATURES = "metadata_csum,metadata_csum_seed,64bit,orphan_file"


def run(boot: Boot, packages: str, script: str, limit: float, mib: int = 512) -> None:
    if not boot.run.long:
        return
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "disk"
        with open(image, "wb") as file:
            file.truncate(mib << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", FEATURES, str(image)], check=True)
        options = boot.options(["--root", "debian", "--with", packages, "--memory", "1G", "--disk", str(image)])
        whole = f"mkdir -p /mnt/d; mount -t ext4 /dev/vda /mnt/d || exit 90; cd /mnt/d; {script}\nstatus=$?; cd /; umount /mnt/d || exit 91; exit $status"
        with guest.prepared(options, ["/bin/bash", "-c", whole], plain_output=True) as machine:
            outcome = boot.boot(machine, None, "plain", (), None, limit)
        print(outcome.console[-3000:])
        outcome.succeeds().prints_no("ext4 (vda): damaged")
        checked = subprocess.run(["e2fsck", "-fn", str(image)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if checked.returncode:
            outcome.fail(f"e2fsck: {checked.stdout.decode()}")


def fio(*words: str) -> str:
    fixed = "fio --name=job --directory=/mnt/d --group_reporting --verify=crc32c --verify_fatal=1 --do_verify=1 --verify_backlog=256 --minimal"
    return f"{fixed} {' '.join(words)} >/tmp/fio || {{ cat /tmp/fio; exit 1; }}; rm -f /mnt/d/job*; "


def test_fio(boot: Boot) -> None:
    script = (
        fio("--rw=randwrite --bs=4k --size=16m --numjobs=4 --fsync=64")
        + fio("--rw=write --bs=1m --size=64m --numjobs=2 --end_fsync=1")
        + fio("--rw=randwrite --bs=4k --size=8m --ioengine=libaio --iodepth=16 --direct=1")
        + fio("--rw=randrw --bs=16k --size=16m --ioengine=io_uring --iodepth=8")
        + fio("--rw=randwrite --bs=4k --size=16m --ioengine=mmap --fsync=256")
        + fio("--rw=randwrite --bsrange=512-32k --size=16m --numjobs=4 --fallocate=none")
        + fio("--rw=randwrite --bs=4k --size=8m --ioengine=psync --sync=1")
        + "true"
    )
    run(boot, "fio", script, 600)


def test_dbench(boot: Boot) -> None:
    run(boot, "dbench", "dbench -D /mnt/d -t 20 -s 4 && dbench -D /mnt/d -t 20 8", 300)


def test_stress_ng(boot: Boot) -> None:
    run(boot, "stress-ng", "stress-ng --class filesystem --seq 2 -t 2 --verify --temp-path /mnt/d --timestamp --oomable", 900)
