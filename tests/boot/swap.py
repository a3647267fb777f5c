"""Swap: programs that need more memory than there is, on partitions and files that Debian's mkswap made."""
import re
import subprocess
import tempfile
from pathlib import Path
from typing import List

from nos import programs
from nos.boot_machine import Boot, Outcome
from nos.scenario import CheckFailed, assert_equal
from nos.tree import ROOT

MEMORY = ["--memory", "128M"]


def make_swap(path: Path, mib: int, *options: str) -> Path:
    with open(path, "wb") as file:
        file.truncate(mib << 20)
    subprocess.run(["mkswap", *options, str(path)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


def run(boot: Boot, script: str, *disks: Path) -> Outcome:
    load = programs.build("swap-load", [ROOT / "tests/boot/swap_load/load.cpp"], boot.architecture)
    words: List[str] = [*MEMORY, "--add", f"{load}:/load"]
    for disk in disks:
        words += ["--disk", str(disk)]
    return boot.command("set -e\n" + script, "", *words, limit=1200)


def check_swapped(outcome: Outcome, at_least_mib: int) -> None:
    found = re.search(r"pswpout (\d+)", outcome.console)
    if not found or int(found.group(1)) < at_least_mib << 8:
        raise CheckFailed(f"little was written to the swap device:\n{outcome.console}")


def test_more_than_memory(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        swap = make_swap(Path(folder) / "swap", 512)
        script = (
            "swapon /dev/vda; cat /proc/swaps; grep Swap /proc/meminfo\n"
            "/load anonymous 256; grep pswp /proc/vmstat\n"
            "swapoff /dev/vda; wc -l </proc/swaps; grep SwapTotal /proc/meminfo"
        )
        outcome = run(boot, script, swap).succeeds()
        check_swapped(outcome, 128)
        outcome.prints("anonymous: good")
        outcome.matches(r"/dev/vda +partition\t524284\t\t0\t\t-2")
        outcome.matches(r"SwapTotal: +524284 kB\s+SwapFree: +524284 kB")
        outcome.matches(r"SwapTotal: +0 kB")


def test_shared_and_forked(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        swap = make_swap(Path(folder) / "swap", 768)
        script = "swapon /dev/vda; /load shared 192; /load fork 160; grep pswp /proc/vmstat; swapoff /dev/vda"
        outcome = run(boot, script, swap).succeeds()
        check_swapped(outcome, 128)
        outcome.prints("shared: good")
        outcome.prints("fork: good")


def test_advice_and_locks(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        swap = make_swap(Path(folder) / "swap", 256)
        script = "swapon /dev/vda; /load pageout 32; /load locked 24; /load monitored 24; swapoff /dev/vda"
        outcome = run(boot, script, swap).succeeds()
        outcome.prints("pageout: good")
        outcome.prints("locked: good")
        outcome.prints("monitored: good")


def test_tmpfs(boot: Boot) -> None:
    """Files of tmpfs leave memory and come back; the file that holds the area is one of ext4."""
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "disk"
        with open(disk, "wb") as file:
            file.truncate(300 << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", str(disk)], check=True)
        script = (
            "mkdir -p /mnt /t; mount -t ext4 /dev/vda /mnt; fallocate -l 192M /mnt/swap\n"
            "mkswap /mnt/swap >/dev/null; swapon /mnt/swap; cat /proc/swaps\n"
            "if echo x >>/mnt/swap; then exit 3; fi; if rm /mnt/swap; then exit 4; fi; if umount /mnt; then exit 5; fi\n"
            "mount -t tmpfs -o size=200m tmpfs /t; dd if=/dev/urandom of=/mnt/random bs=1M count=8 2>/dev/null\n"
            "i=0; while [ $i -lt 16 ]; do cp /mnt/random /t/$i; i=$((i+1)); done\n"
            "i=0; while [ $i -lt 16 ]; do cmp /mnt/random /t/$i; i=$((i+1)); done\n"
            "grep pswp /proc/vmstat; rm /t/1?; swapoff /mnt/swap; cmp /mnt/random /t/5; cmp /mnt/random /t/9\n"
            "rm /mnt/swap; umount /mnt; echo all well"
        )
        outcome = run(boot, script, disk).succeeds()
        outcome.prints("all well")
        outcome.matches(r"/mnt/swap +file\t\t196604\t\t\d+\t\t-2")
        check_swapped(outcome, 32)


def test_priorities_and_swapoff_under_load(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, second = (make_swap(Path(folder) / name, mib) for name, mib in (("first", 160), ("second", 256)))
        script = (
            "/load swapon /dev/vda 10; /load swapon /dev/vdb 5\n"
            "mkfifo /pipe; /load hold 150 </pipe >/held & exec 3>/pipe\n"
            "while ! grep -q holding /held; do sleep 1; done; cat /proc/swaps\n"
            "echo xx >&3; swapoff /dev/vda; echo off; cat /proc/swaps; echo x >&3; exec 3>&-; wait; cat /held"
        )
        outcome = run(boot, script, first, second).succeeds()
        outcome.prints("hold: good")
        # The higher priority was used, the other one was not.
        outcome.matches(r"/dev/vda +partition\t163836\t\t[1-9]\d{4,}\t\t10\s+/dev/vdb +partition\t262140\t\t0\t\t5")
        outcome.matches(r"off\s+Filename.*\s+/dev/vdb +partition\t262140\t\t[1-9]\d{4,}\t\t5")


def test_errors(boot: Boot) -> None:
    with tempfile.TemporaryDirectory() as folder:
        swap = make_swap(Path(folder) / "swap", 64)
        bad = Path(folder) / "bad"
        bad.write_bytes(bytes(64 << 20))
        script = (
            "set +e; swapon /dev/vdb 2>&1; swapoff /dev/vda 2>&1; swapon /dev/vda; swapon /dev/vda 2>&1\n"
            "mount -t ext4 /dev/vda /mnt 2>&1; swapon /load 2>&1; swapoff /dev/vda && echo done"
        )
        outcome = run(boot, script, swap, bad)
        assert_equal(re.findall(r"(?:swapon|swapoff): /\S+: (.*)", outcome.console.replace("\r", "")),
                     ["Invalid argument", "Invalid argument", "Device or resource busy", "Invalid argument"], "what swapon and swapoff say")  # fmt: skip
        outcome.prints("done")
