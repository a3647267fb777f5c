"""Which lines of the kernel ran: the counters of a `--coverage` kernel, read from the memory its guest left behind.

The compiler puts a counter at each place that the others follow from; the kernel only counts. The guest's memory is a file
(`memory_words`), so the counters are there however the guest ended. They become LLVM's raw profile, as the compiler's own
run-time library would have written it (compiler-rt, profile/InstrProfData.inc), one file for each guest.

    ./nos test --coverage --ring kernel      ends with where the report is
"""
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from . import ui
from .ui import Argument, NosError

MAGIC = 0xFF6C70726F667281  # of profiles of 64-bit programs
VERSION = 10
VALUE_KINDS_LAST = 2
DATA_RECORD_SIZE = 64
PROFDATA, COV = "llvm-profdata-19", "llvm-cov-19"


class Section(NamedTuple):
    address: int
    size: int
    content: bytes
    physical: int


def is_counting(kernel: Path) -> bool:
    return kernel.parent.name.endswith("-coverage")


def described(kernel: Path) -> Path:
    """The ELF file that says where the counters of a kernel are, in whatever form it was started."""
    return kernel.parent / "nos.elf"


def sections(kernel: Path) -> Dict[str, Section]:
    """Of an ELF file of 64 bits, little endian."""
    image = kernel.read_bytes()
    programs_at, headers_at = struct.unpack_from("<QQ", image, 32)
    program_size, programs, header_size, headers, names_index = struct.unpack_from("<HHHHH", image, 54)
    loads = []
    for number in range(programs):
        kind, _, _, virtual, physical, _, memory_size, _ = struct.unpack_from("<IIQQQQQQ", image, programs_at + number * program_size)
        if kind == 1:
            loads.append((virtual, physical, memory_size))
    raw = [struct.unpack_from("<IIQQQQIIQQ", image, headers_at + number * header_size) for number in range(headers)]
    names = image[raw[names_index][4] :]
    found = {}
    for name, _, _, address, offset, size, *_ in raw:
        physical = next((at + address - virtual for virtual, at, length in loads if virtual <= address < virtual + length), 0)
        found[names[name : names.index(b"\0", name)].decode()] = Section(address, size, image[offset : offset + size], physical)
    return found


def memory_file(kernel: Path) -> Path:
    """Where a guest's memory is to be; nothing is left of it after harvest()."""
    folder = kernel.parent / "profiles"
    folder.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="guest-", suffix=".memory", delete=False) as file:
        return Path(file.name)


def memory_words(file: Path, memory_mib: int) -> List[Argument]:
    return ["-object", f"memory-backend-file,id=memory,size={memory_mib}M,share=on,mem-path={file}", "-machine", "memory-backend=memory"]


def harvest(kernel: Path, memory: Path) -> Optional[Path]:
    """Makes the profile of a guest that has ended; None if it never got as far as to have counters."""
    parts = sections(described(kernel))
    counters, data, names = (parts[f"__llvm_prf_{name}"] for name in ("cnts", "data", "names"))
    with memory.open("rb") as file:
        file.seek(counters.physical)
        counted = file.read(counters.size)
    memory.unlink()
    if not any(counted):
        return None
    padding = -names.size % 8
    header = struct.pack(
        "<16Q", MAGIC, VERSION, 0, data.size // DATA_RECORD_SIZE, 0, counters.size // 8, 0, 0, 0, names.size,
        (counters.address - data.address) % 2**64, 0, names.address, 0, 0, VALUE_KINDS_LAST,
    )  # fmt: skip
    profile = memory.with_suffix(".profraw")
    profile.write_bytes(header + data.content + counted + names.content + bytes(padding))
    return profile


def begin(kernel: Path) -> None:
    """What earlier runs counted is not part of the next report."""
    for old in (kernel.parent / "profiles").glob("guest-*"):
        old.unlink()


def report(kernel: Path) -> None:
    folder = kernel.parent / "profiles"
    profiles = sorted(folder.glob("*.profraw"))
    if not profiles:
        raise NosError("No guest counted anything.")
    merged, table = folder / "merged.profdata", kernel.parent / "coverage.txt"
    tool([PROFDATA, "merge", "--sparse", "-o", merged, *profiles])
    summary = tool([COV, "report", f"-instr-profile={merged}", kernel])
    table.write_text(summary)
    tool([COV, "show", "-format=html", f"-output-dir={kernel.parent / 'coverage'}", f"-instr-profile={merged}", kernel])
    ui.say(f"Lines that ran: {table}, and in colour {kernel.parent / 'coverage' / 'index.html'}")
    print(summary.splitlines()[-1])


def tool(words: List[Argument]) -> str:
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise NosError(f"{words[0]} failed: {result.stderr.strip()[-500:]}")
    return result.stdout
