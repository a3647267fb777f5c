"""What RISC-V machines differ in: translation modes, timers, interrupt controllers, firmware."""
from nos.boot_machine import Boot

USUAL_CPU = "rv64,v=true,vext_spec=v1.0"


def test_translation_modes(boot: Boot) -> None:
    for words, mode in (("", "sv57"), ("no5lvl", "sv48"), ("no4lvl", "sv39")):
        for cpus in ("1", "4"):
            outcome = boot.command("grep -c . /proc/self/maps; uniq /proc/cpuinfo | grep mmu", words, "--cpus", cpus)
            outcome.succeeds().prints(f"mmu\t\t: {mode}\n")


def test_timer_of_the_firmware(boot: Boot) -> None:
    outcome = boot.command("sleep 0.3; echo slept", "loglevel=8", "--cpu-model", f"{USUAL_CPU},sstc=false")
    outcome.succeeds().prints("timer by the firmware").prints("slept\n")


def test_hart_without_vectors(boot: Boot) -> None:
    boot.command("grep -m1 '^isa' /proc/cpuinfo; echo done", "", "--cpu-model", "rv64").succeeds().prints("rv64imafdch_").prints("done\n")


def test_messages(boot: Boot) -> None:
    """Each hart has a file of interrupts; devices, the controller of the lines and other harts write to it."""
    script = "for i in 1 2 3; do head -c 100 /dev/hwrng | wc -c; done; cat /proc/interrupts"
    outcome = boot.command(script, "loglevel=8", "--cpus", "4", extra=["-machine", "aia=aplic-imsic"]).succeeds()
    outcome.prints("100\n100\n100\n").matches(r"RISC-V IMSIC +\d+-edge +virtio")
    outcome.matches(r"RISC-V APLIC +10-fasteoi +ttyS0")
    outcome.prints("smp: 4 of 4 CPUs run")


def test_lines_as_messages(boot: Boot) -> None:
    script = "for i in 1 2 3 4; do head -c 100 /dev/hwrng | wc -c; done; cat /proc/interrupts"
    extra = ["-machine", "aia=aplic-imsic", "-global", "virtio-rng-pci.vectors=0", "-device", "virtio-rng-pci"]
    boot.command(script, extra=extra).succeeds().prints("100\n100\n100\n100\n").matches(r"RISC-V APLIC +\d+-fasteoi +virtio")


def test_lines_without_messages(boot: Boot) -> None:
    script = "for i in 1 2 3; do head -c 100 /dev/hwrng | wc -c; done; cat /proc/interrupts"
    outcome = boot.command(script, "", "--cpus", "4", extra=["-machine", "aia=aplic"]).succeeds()
    outcome.prints("100\n100\n100\n").matches(r"RISC-V APLIC +\d+-fasteoi +virtio")


def test_twenty_starts_with_four_harts(boot: Boot) -> None:
    for _ in range(20):
        boot.command("echo harts $(nproc)", "", "--cpus", "4").succeeds().prints("harts 4\n").ends("off")
