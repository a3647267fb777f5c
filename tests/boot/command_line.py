"""Words of the kernel command line, as Linux spells them."""
import time

from nos.boot_machine import Boot
from nos.scenario import assert_equal

KEEP = "console=@CONSOLE@ panic=-1"


def test_proc_cmdline_is_what_was_given(boot: Boot) -> None:
    boot.command("cat /proc/cmdline", 'some.thing="two words" last').succeeds().prints('some.thing="two words" last\n')


def test_rdinit(boot: Boot) -> None:
    # The words after -- are its arguments. When it ends, the kernel panics, and restarts by panic=-1.
    boot.start(f"{KEEP} quiet rdinit=/bin/busybox -- echo started as rdinit").prints("started as rdinit").ends("reset")


def test_init(boot: Boot) -> None:
    boot.start(f"{KEEP} quiet init=/bin/busybox -- echo started as init").prints("started as init").ends("reset")


def test_environment_of_init(boot: Boot) -> None:
    outcome = boot.start(f"{KEEP} quiet COLOUR=red rdinit=/bin/busybox -- env")
    outcome.prints("COLOUR=red\n").prints("HOME=/\n").prints("TERM=linux\n")


def test_no_init_at_all(boot: Boot) -> None:
    boot.start(f"{KEEP} rdinit=/nothing", initrd=None).prints("Kernel panic - not syncing").ends("reset")


def test_panic_while_others_log(boot: Boot) -> None:
    # The other CPUs are stopped in the middle of storing and printing; the reason has to come out all the same.
    log = "while :; do echo one more line that takes a while to print > /dev/kmsg; done"
    script = f"mount -t devtmpfs dev /dev; ({log})& ({log})& ({log})& sleep 1; exit 3"
    outcome = boot.start(f'{KEEP} rdinit=/bin/busybox -- sh -c "{script}"', "--cpus", "4")
    outcome.matches(r"Kernel panic - not syncing: Attempted to kill init.*\n(.*\n)*.*Call Trace:")
    outcome.prints("one more line").ends("reset")


def test_quiet(boot: Boot) -> None:
    boot.start(f"{KEEP} quiet rdinit=/bin/busybox -- echo over").prints_no("Command line:").prints("over")


def test_loud_without_quiet(boot: Boot) -> None:
    boot.start(f"{KEEP} rdinit=/bin/busybox -- echo over").prints("Command line:").prints("over")


def test_loglevel(boot: Boot) -> None:
    boot.start(f"{KEEP} loglevel=3 rdinit=/bin/busybox -- echo over").prints_no("Command line:").prints("over")
    boot.start(f"{KEEP} quiet loglevel=8 rdinit=/bin/busybox -- echo over").prints("Command line:")


def test_ignore_loglevel(boot: Boot) -> None:
    boot.start(f"{KEEP} quiet ignore_loglevel rdinit=/bin/busybox -- echo over").prints("Command line:")


def test_maxcpus(boot: Boot) -> None:
    boot.command("echo cpus $(nproc)", "maxcpus=2", "--cpus", "4").prints("cpus 2\n")


def test_nosmp(boot: Boot) -> None:
    boot.command("echo cpus $(nproc)", "nosmp", "--cpus", "4").prints("cpus 1\n")


def test_mem(boot: Boot) -> None:
    match = boot.command("grep MemTotal /proc/meminfo", "mem=256M", "--memory", "1G").matches(r"MemTotal:\s+(\d+) kB")
    if not 200 << 10 < int(match.group(1)) <= 256 << 10:
        raise AssertionError(match.group(0))


def kernel_start(boot: Boot, arguments: str = "") -> str:
    return boot.command("head -n 1 /proc/kallsyms", arguments).matches(r"^([0-9a-f]{16}) ").group(1)


def test_kaslr_moves_the_kernel(boot: Boot) -> None:
    places = {kernel_start(boot) for _ in range(3)}
    if len(places) < 2:
        raise AssertionError(f"three starts, one place: {places}")


def test_nokaslr(boot: Boot) -> None:
    places = {kernel_start(boot, "nokaslr") for _ in range(2)}
    assert_equal(len(places), 1, "places of the kernel in two starts")
    assert_equal(places.pop()[:9], "ffffffff8", "place of the kernel")


def test_panic_seconds(boot: Boot) -> None:
    start = time.monotonic()
    boot.start("console=@CONSOLE@ panic=3 quiet rdinit=/bin/true").ends("reset")
    if time.monotonic() - start < 3:
        raise AssertionError("restarted before the three seconds were over")


def test_panic_zero_stays(boot: Boot) -> None:
    boot.start("console=@CONSOLE@ panic=0 rdinit=/bin/true", limit=25).prints("Kernel panic - not syncing").ends("timeout")


def test_reboot_methods(boot: Boot) -> None:
    for method in ("", "reboot=k", "reboot=t", "reboot=a", "reboot=p", "reboot=w,a"):
        boot.start(f"{KEEP} quiet {method} rdinit=/bin/busybox -- reboot -f").prints_no("panic").ends("reset")


def test_power_off(boot: Boot) -> None:
    boot.start(f"{KEEP} quiet rdinit=/bin/busybox -- poweroff -f").prints_no("panic").ends("off")


def test_every_feature_of_the_cpu(boot: Boot) -> None:
    script = "grep -m1 flags /proc/cpuinfo; for i in 1 2 3 4; do (head -c 300000 /dev/zero | md5sum) & done; wait; echo done"
    outcome = boot.command(script, "", "--cpu-model", "max", "--cpus", "2").succeeds()
    for flag in ("avx2", "xsave", "smep", "smap", "umip", "fsgsbase"):
        outcome.matches(rf"\b{flag}\b")
