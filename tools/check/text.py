"""Checks that read the sources as text: sizes, words, the danger perimeter, macros, commit messages, Python and shell."""
import re
import subprocess
import sys
from typing import Iterator, List

from .common import CASTS_ALLOWED, PERIMETER, ROOT, Check, Finding, Sources, git, matches, output_of, read, without_comments

LONGEST_FILE_LINES = 600
LONGEST_SUBJECT = 72

# What may be a macro: annotations, TRY, and registrations that need a section or a name of their own.
MACRO_FILES = (
    "base/include/base/thread_annotations.h",
    "base/include/base/result.h",
    "base/include/base/check.h",
    "core/test/include/core/test/test.h",
    "core/sanitizer/src/kasan.cpp",  # the compiler's entry points, one per size
    "core/init/include/core/init/init_step.h",
    "core/sync/include/core/sync/per_cpu.h",
    "core/sync/include/core/sync/lock_class.h",
)

CPU_CONDITION = re.compile(r"^[ \t]*#[ \t]*(?:if|ifdef|ifndef|elif)\b.*(?:__x86_64__|__i386__|__amd64__|__aarch64__|__arm__|__riscv).*$", re.MULTILINE)
CPU_NAME = re.compile(r"\b(?:x86(?:_64)?|amd64|aarch64|arm64|riscv(?:64)?)\b")
ASSEMBLY = re.compile(r"\b(?:asm|__asm__|__asm)\b(?:\s+(?:volatile|goto))*\s*\(")
# Looking at an object's bytes, or at a pointer's number, is harmless; making a pointer out of something else is not.
RAW_CAST = re.compile(r"reinterpret_cast<(?!\s*(?:const\s+)?(?:char|unsigned char|std::byte|std::uint8_t|uint8_t)\s*\*\s*>)[^;()]*?[*&]\s*>")
SAFETY = re.compile(r"\bSAFETY\b")
SAFETY_REACH_LINES = 12
# A file of nothing but such accesses may say it once, at its head; one whose later part is such, where that begins.
SAFETY_OF_FILE = re.compile(r"SAFETY \((?:whole|this) file\)")
SAFETY_BELOW = re.compile(r"SAFETY \(below\)")

# This machine and its tools have no place in the tree. (The words are put together here so that this file does not hold them.)
FORBIDDEN = re.compile(r"(?<![\w./-])/(?:" + "|".join(["wo" "rk", "fa" "rm"]) + r")/|\b[Ss]ub-?ag" r"ents?\b|\bdeb\.deb" r"ian\.org\b|\bClau" r"de\b")
SUBJECT = re.compile(r"^[\w./,{}*+ -]+: [A-Z].*[^.]$")
BINARY = (".png", ".gz", ".zst", ".xz", ".elf", ".bin", ".img", ".cpio")


def checks(sources: Sources) -> Iterator[Check]:
    yield Check("file-size", f"no source has more than {LONGEST_FILE_LINES} lines", lambda: file_size(sources))
    yield Check("arch-names", "CPUs are named below arch/ only", lambda: arch_names(sources))
    yield Check("perimeter", "assembly and raw casts stay inside the perimeter and say why they are right", lambda: perimeter(sources))
    yield Check("macros", "macros are annotations, TRY and registrations", lambda: macros(sources))
    yield Check("words", "nothing of the machine the tree was written on", lambda: words(sources))
    yield Check("commits", "commit messages say `folder: What changes`, and why", lambda: commits(sources))
    yield Check("calls", "docs/system-calls.md says what the table of system calls says", call_table)
    yield Check("scripts", "Python without unused names, shell that parses", lambda: scripts(sources))


def file_size(sources: Sources) -> List[Finding]:
    findings = []
    for name in sources.files:
        if name.endswith((".h", ".cpp", ".S", ".py", ".sh", ".cmake")):
            lines = read(name).count("\n")
            if lines > LONGEST_FILE_LINES:
                findings.append(Finding(name, 0, f"{lines} lines; a file past {LONGEST_FILE_LINES} is usually two"))
    return findings


def is_arch_file(name: str) -> bool:
    return "arch" in name.split("/")[:-1]


def arch_names(sources: Sources) -> List[Finding]:
    findings: List[Finding] = []
    for name in sources.cpp():
        if is_arch_file(name) or name.startswith("tests/scenario/"):
            continue
        text = without_comments(read(name))
        findings += matches(name, text, CPU_CONDITION, "condition on the architecture outside arch/: {}")
        findings += matches(name, text, CPU_NAME, "the CPU {} is named outside arch/")
    return findings


def perimeter(sources: Sources) -> List[Finding]:
    findings: List[Finding] = []
    for name in sources.kernel_cpp():
        text = read(name)
        code = without_comments(text)
        lines = text.split("\n")
        below = SAFETY_BELOW.search(text)
        told_from = text.count("\n", 0, below.start()) + 1 if below else len(lines) + 1
        for kind, pattern in (("inline assembly", ASSEMBLY), ("a raw cast", RAW_CAST)):
            for match in pattern.finditer(code):
                line = code.count("\n", 0, match.start()) + 1
                if not (name.startswith(PERIMETER) or name in CASTS_ALLOWED):
                    findings.append(Finding(name, line, f"{kind} outside the perimeter ({', '.join(PERIMETER)})"))
                elif line < told_from and not SAFETY_OF_FILE.search(text) and not any(SAFETY.search(near) for near in lines[max(0, line - SAFETY_REACH_LINES) : line]):
                    findings.append(Finding(name, line, f"{kind} without a // SAFETY: line"))
    return findings


def macros(sources: Sources) -> List[Finding]:
    findings: List[Finding] = []
    pattern = re.compile(r"^[ \t]*#[ \t]*define[ \t]+\w+\(.*$", re.MULTILINE)
    for name in sources.kernel_cpp():
        if name not in MACRO_FILES and not is_arch_file(name):
            findings += matches(name, without_comments(read(name)), pattern, "a function-like macro: {}")
    return findings


def words(sources: Sources) -> List[Finding]:
    findings: List[Finding] = []
    for name in sources.files:
        if not name.endswith(BINARY):
            findings += matches(name, read(name), FORBIDDEN, "{} does not belong in the tree")
    return findings


def commits(sources: Sources) -> List[Finding]:
    findings = []
    for commit in sources.commits:
        message = git("show", "-s", "--format=%B", commit)
        subject, _, rest = message.partition("\n")
        place = f"commit {commit[:12]}"
        if not SUBJECT.match(subject):
            findings.append(Finding(place, 0, f"the subject is not of the form `folder: Say what changes`: {subject}"))
        if len(subject) > LONGEST_SUBJECT:
            findings.append(Finding(place, 0, f"the subject has {len(subject)} characters, {LONGEST_SUBJECT} at most: {subject}"))
        if not rest.startswith("\n") or not rest.strip():
            findings.append(Finding(place, 0, f"no body that says why: {subject}"))
        if FORBIDDEN.search(message):
            findings.append(Finding(place, 0, "the message names the machine or its tools"))
    return findings


def call_table() -> List[Finding]:
    """The page is made from the rows; whoever changes a row makes it again."""
    result = subprocess.run([sys.executable, str(ROOT / "tools" / "system-calls"), "--check"], capture_output=True, text=True)
    return [Finding("docs/system-calls.md", 0, result.stderr.strip())] if result.returncode else []


def scripts(sources: Sources) -> List[Finding]:
    findings = []
    python = [name for name in sources.files if name.endswith(".py")]
    for line in output_of(["pyflakes3", *python]).stdout.splitlines():
        name, _, rest = line.partition(":")
        number, _, told = rest.partition(":")
        findings.append(Finding(name, int(number) if number.isdigit() else 0, told.strip()))
    for name in sources.files:
        if name.endswith(".sh") or name in ("nos", ".ci/run"):
            result = output_of(["bash", "-n", str(ROOT / name)])
            if result.returncode != 0:
                findings.append(Finding(name, 0, result.stdout.strip()))
    return findings
