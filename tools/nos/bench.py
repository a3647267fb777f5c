"""./nos bench: what operations cost in NOS and in Linux, in executed instructions.

Both kernels run the same program (tests/benchmark) as their first one, with the same root, on the same machine: one CPU
under `-icount shift=0`, where the counter that the program reads advances by one per instruction. The figures repeat exactly.
"""
import argparse
import re
from pathlib import Path
from typing import List, Optional, Tuple

from . import debian, disks, figures, guest, packages, profile, programs, qemu, roots, scaling, ui, workloads
from .tree import check_architecture, log_file, scratch_folder
from .ui import NosError

LIMIT_SECONDS = 300.0
MEMORY_MIB = 256
BOOT_LIMIT_SECONDS = 60.0
LARGEST_TRIED_MIB = 512
EXT4_MIB = 32

# Of the benchmark: name, cost of one operation, operations between its marks, title.
ROW_LINE = re.compile(r"^row (\S+) (\d+) (\d+) (.*?)\r*$", re.MULTILINE)
# Name, bytes, title.
SIZE_LINE = re.compile(r"^size (\S+) (-?\d+) (.*?)\r*$", re.MULTILINE)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("bench", help="compare the cost of operations with Linux", usage="./nos bench [options]")
    guest.add_build_options(parser, default="release")
    parser.add_argument("--kernel", action="append", metavar="FILE", help="kernels to compare (repeatable; default: NOS and `linux`, Debian 13's)")
    parser.add_argument("--compare", nargs=2, metavar=("OLD", "NEW"), help="two kernels of your own: only the counted rows, and NEW / OLD")
    parser.add_argument("--check", action="store_true", help="compare NOS with the figures kept in the tree; more than 5 %% worse is a failure")
    parser.add_argument("--keep", action="store_true", help="make the figures of this run those that the tree keeps; with `--kernel linux` Linux's")
    parser.add_argument("--table", metavar="FILE", help="instead: put the kept figures of all architectures into the table of a document")
    parser.add_argument("--linux-arguments", metavar="WORDS", default="", help="words for Linux's command line, such as mitigations=off")
    parser.add_argument("--no-memory", action="store_true", help="leave out the rows about memory, which take a dozen starts")
    parser.add_argument("--json", metavar="FILE", help="write the results as JSON, too")
    parser.add_argument("--plot", metavar="FILE", help="draw the results as SVG, too; with --profile, a flame graph (x86-64)")
    parser.add_argument("--scaling", action="store_true", help="instead: rates by the clock with 1, 2 and 4 CPUs, the kernels in turn")
    parser.add_argument("--programs", action="store_true", help="instead: hackbench, make, sysbench and stress-ng, the kernels in turn")
    parser.add_argument("--icount", action="store_true", help="of --scaling: count instructions; the CPUs take turns")
    parser.add_argument("--turns", type=int, default=3, metavar="N", help="of --scaling and --programs, for each kernel (default 3)")
    parser.add_argument("--profile", metavar="ROW", help="where the instructions of one row go; the rows are those of --json: getppid, stat-8, ...")
    parser.set_defaults(function=run)


def machine(
    kernel: Path, architecture: str, initrd: Path, memory_mib: int, icount: bool, status: Optional[Path] = None, arguments: str = ""
) -> qemu.Machine:
    return qemu.Machine(
        kernel=kernel, initrd=initrd, architecture=architecture, memory_mib=memory_mib, cpus=1, icount=icount,
        kernel_arguments=f"{guest.default_kernel_arguments(architecture)} {arguments}".strip(), status_file=status,
    )  # fmt: skip


def operation_costs(kernel: Path, architecture: str, initrd: Path, column: figures.Column, arguments: str) -> None:
    """The rows that the benchmark in `initrd` prints, and whether it came to its end."""
    description = machine(kernel, architecture, initrd, MEMORY_MIB, icount=True, arguments=arguments)
    text = qemu.console_output(description, LIMIT_SECONDS)
    for name, value, _, title in ROW_LINE.findall(text):
        if name not in column.values:  # how the program was started is told by each run of it: the first counts
            column.add(name, title, int(value))
    if re.search(r"^done\r*$", text, re.MULTILINE) is None:
        column.complete = False
        log = ui.log_text(f"bench-{kernel.name}", text)
        ui.note(f"{kernel.name} did not finish the benchmark; what it printed is in {log}")


def ext4_archive(folder: Path, root: roots.Root, architecture: str, name: Optional[str]) -> Path:
    """The initramfs whose rows are those of files on ext4: with an image of it, and what Linux needs for a loop device."""
    image = folder / "ext4.image"
    with open(image, "wb") as file:
        file.truncate(EXT4_MIB << 20)
    make = ["mke2fs", "-q", "-t", "ext4", "-O", disks.FEATURES, "-b", "4096", image]
    ui.run_logged(make, log_file("mke2fs"), "Making a file system")
    additions = [(image, "ext4.image"), (programs.benchmark(architecture), "files-benchmark")]
    if name == "linux":
        additions.append((debian.linux_module(architecture, "drivers/block/loop"), ".nos/modules/loop.ko.xz"))
    return guest.initrd(folder, root, programs.init(architecture), ["/files-benchmark", "ext4"], additions)


def show_profile(options: argparse.Namespace, architecture: str) -> int:
    kernel = guest.kernel_file(None, architecture, options.flavour)
    root = roots.get("tiny", architecture)
    with scratch_folder() as folder:
        on_ext4 = options.profile.startswith("ext4-")
        initrd = ext4_archive(folder, root, architecture, None) if on_ext4 else guest.initrd(folder, root, programs.benchmark(architecture))
        counts = folder / "counts"

        def run_with(plugin: str, words: str) -> List[Tuple[str, str, str, str]]:
            description = machine(kernel, architecture, initrd, MEMORY_MIB, icount=True)
            words = f"out={qemu.escaped(counts)}{words}"
            return ROW_LINE.findall(qemu.console_output(profile.counting(description, plugin, words), LIMIT_SECONDS))

        with ui.step("Counting executions of each instruction"):
            rows = run_with("count", "")
        # Two intervals to a row, the second of them measured.
        for number, (name, _, operations, title) in enumerate(rows):
            if name != options.profile:
                continue
            profile.print_profile(kernel, profile.interval(counts, 2 * number), int(operations))
            if options.plot:
                with ui.step("Following the calls"):
                    run_with("stacks", f",interval={2 * number}")
                profile.draw_flames(kernel, counts, title, int(operations), Path(options.plot))
            return 0
    names = ", ".join(name for name, *_ in rows)
    raise NosError(f"There is no figure for {options.profile}. The benchmark measured {names or 'nothing'}.")


def boots(kernel: Path, architecture: str, initrd: Path, memory_mib: int, folder: Path, arguments: str) -> Optional[str]:
    """The output of the command in `initrd` when the guest gets as far as to end it well, else None."""
    status = folder / "status"
    status.unlink(missing_ok=True)
    text = qemu.console_output(machine(kernel, architecture, initrd, memory_mib, icount=False, status=status, arguments=arguments), BOOT_LIMIT_SECONDS)
    return text if qemu.read_status(status) == 0 else None


def size_figures(kernel: Path, architecture: str, initrd: Path, column: figures.Column, arguments: str) -> None:
    description = machine(kernel, architecture, initrd, MEMORY_MIB, icount=True, arguments=f"{arguments} -- sizes")
    found = SIZE_LINE.findall(qemu.console_output(description, LIMIT_SECONDS))
    column.complete &= bool(found)
    for name, value, title in found:
        column.add_memory(f"size-{name}", f"{title} (bytes)", int(value))


def loadable(kernel: Path) -> Path:
    """Without the symbols that a build's ELF file has."""
    return next((file for file in (kernel.parent / "bzImage", kernel.parent / "Image") if kernel.suffix == ".elf" and file.exists()), kernel)


def memory_figures(kernel: Path, architecture: str, root: roots.Root, folder: Path, column: figures.Column, arguments: str) -> None:
    column.add_memory("image-size", "the kernel as a loader wants it (KiB)", loadable(kernel).stat().st_size // 1024)
    initrd = guest.initrd(folder, root, programs.init(architecture), ["sh", "-c", "cat /proc/meminfo"])
    text = boots(kernel, architecture, initrd, MEMORY_MIB, folder, arguments)
    if text is None:
        return
    too_small, enough = 0, LARGEST_TRIED_MIB
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        if boots(kernel, architecture, initrd, middle, folder, arguments) is None:
            too_small = middle
        else:
            enough = middle
    column.add_memory("smallest-memory", "smallest --memory (MiB)", enough)
    total = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    if total:
        column.add_memory("memory-reserved", "image, page descriptors, never free (KiB)", MEMORY_MIB * 1024 - int(total.group(1)))
    free = re.search(r"^MemFree:\s+(\d+) kB", text, re.MULTILINE)
    if free:
        column.add_memory("memory-used", "memory in use at the prompt (KiB)", MEMORY_MIB * 1024 - int(free.group(1)))


def measure(name: Optional[str], architecture: str, options: argparse.Namespace, memory: bool) -> figures.Column:
    kernel = guest.kernel_file(name, architecture, options.flavour)
    column = figures.Column(guest.kernel_title(name))
    arguments = options.linux_arguments if name == "linux" else ""
    root = roots.get("tiny", architecture)
    with scratch_folder() as folder:
        with ui.step(f"Counting the instructions of {column.title}"):
            initrd = guest.initrd(folder, root, programs.benchmark(architecture))
            operation_costs(kernel, architecture, initrd, column, arguments)
            # Disks of the machine answer by the clock of the host: the image is a file in memory.
            initrd = ext4_archive(folder, root, architecture, name)
            operation_costs(kernel, architecture, initrd, column, arguments)
        if memory:
            initrd = guest.initrd(folder, root, programs.benchmark(architecture))
            size_figures(kernel, architecture, initrd, column, arguments)
            with ui.step(f"Looking for the smallest memory of {column.title}"):
                memory_figures(kernel, architecture, root, folder, column, arguments)
    return column


def run(options: argparse.Namespace) -> int:
    architecture = check_architecture(options.arch)
    if options.table:
        figures.write_table(Path(options.table))
        return 0
    packages.ensure_for("bench", architecture)
    if qemu.has_kvm():
        ui.note("Counting instructions needs emulation; KVM is left aside.")
    if options.scaling:
        return scaling.run(options, architecture)
    if options.programs:
        return workloads.run(options, architecture)
    if options.profile:
        return show_profile(options, architecture)
    if options.check or options.keep:
        return kept(options, architecture)
    names: List[Optional[str]] = options.compare or options.kernel or [None, "linux"]
    memory = not (options.no_memory or options.compare)
    columns = [measure(name, architecture, options, memory) for name in names]
    if options.compare:
        columns.reverse()  # what is new stands before what it is divided by
    figures.print_table(columns)
    if options.json:
        figures.write_json(Path(options.json), architecture, columns)
    if options.plot:
        figures.draw(Path(options.plot), architecture, columns)
    if not all(column.complete for column in columns):
        raise NosError("A kernel did not finish the benchmark.")
    return 0


def kept(options: argparse.Namespace, architecture: str) -> int:
    """NOS (or Linux) against the figures in the tree, or the figures in the tree from this run."""
    linux = options.kernel == ["linux"]
    column = measure("linux" if linux else None, architecture, options, memory=False)
    if not column.complete:
        raise NosError("The kernel did not finish the benchmark.")
    if options.keep:
        figures.keep(architecture, column, linux)
        return 0
    before = figures.kept(architecture, linux)
    figures.print_table([column, before])
    worse = figures.worse(column, before)
    for line in worse:
        ui.say(line)
    return 1 if worse else 0
