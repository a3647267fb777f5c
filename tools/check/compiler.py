"""Checks that need LLVM's tools: the format, headers that compile alone, clang-tidy on what changed.

Headers and clang-tidy runs are remembered in the cache by the content of everything they read, so that a second run
only looks at what is new.
"""
import hashlib
import json
import re
import shlex
import threading
from functools import cached_property
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from .common import CASTS_ALLOWED, KERNEL_FOLDERS, PERIMETER, ROOT, Check, Finding, Sources, in_parallel, output_of

FORMATTER = "clang-format-19"
TIDY = "clang-tidy-19"
BATCH = 40
# A compile command less what makes output or names one module of the layering.
DROPPED_FLAGS = re.compile(r"^(?:-c|-fmodule-name=.*|-fmodule-map-file=.*|-M[DTF]?|-Werror)$")


def checks(sources: Sources, build_folder: Path) -> Iterator[Check]:
    yield Check("format", "clang-format has nothing to change", lambda: formatting(sources))
    yield Check("headers", "every header compiles alone, and twice", lambda: headers(sources, build_folder))
    yield Check("tidy", "clang-tidy has nothing to say about what changed", lambda: tidy(sources, build_folder))


def reformat(sources: Sources) -> None:
    output_of([FORMATTER, "-i", *sources.cpp()])


def formatting(sources: Sources) -> List[Finding]:
    names = sources.cpp()

    def check(batch: List[str]) -> List[Finding]:
        result = output_of([FORMATTER, "--dry-run", "--ferror-limit=1", *batch])
        found = re.findall(r"^(\S+?):(\d+):\d+: (?:warning|error): code should be clang-formatted", result.stdout, re.MULTILINE)
        return [Finding(name, int(line), "not formatted; ./nos check --fix does it") for name, line in dict(found).items()]

    return in_parallel(check, [names[i : i + BATCH] for i in range(0, len(names), BATCH)])


class Memory:
    """What passed before: a key made of a command and the content of every file that it read."""

    def __init__(self, name: str):
        self.path = ROOT / ".cache" / "check" / f"{name}.json"
        self.lock = threading.Lock()
        self.digests: Dict[str, str] = {}
        try:
            self.known: Dict[str, List[str]] = json.loads(self.path.read_text())
        except (OSError, ValueError):
            self.known = {}

    def digest(self, file: str) -> str:
        if file not in self.digests:
            try:
                self.digests[file] = hashlib.sha256((ROOT / file).read_bytes()).hexdigest()[:16]
            except OSError:
                self.digests[file] = "absent"
        return self.digests[file]

    def state(self, key: str, files: List[str]) -> str:
        return hashlib.sha256("\n".join([key, *(f"{file} {self.digest(file)}" for file in files)]).encode()).hexdigest()

    def passed(self, subject: str, key: str) -> bool:
        entry = self.known.get(subject)
        return entry is not None and entry[0] == self.state(key, entry[1:])

    def remember(self, subject: str, key: str, files: List[str]) -> None:
        with self.lock:
            self.known[subject] = [self.state(key, files), *files]

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.known))


class Commands:
    """The compile commands of the kernel's build."""

    def __init__(self, build_folder: Path):
        entries = json.loads((build_folder / "compile_commands.json").read_text())
        self.folder = build_folder
        self.by_source: Dict[str, List[str]] = {}
        for entry in entries:
            source = str(Path(entry["file"]).resolve())
            if source.startswith(str(ROOT)) and source.endswith(".cpp"):
                self.by_source[source[len(str(ROOT)) + 1 :]] = flags_of(shlex.split(entry["command"]), entry["file"])

    def for_header(self, header: str) -> Optional[List[str]]:
        """The flags of a source of the header's own module; of one that includes from there, where it has no source."""
        module = module_of(header)
        for source, flags in self.by_source.items():
            if module_of(source) == module:
                return flags
        # A module of headers alone: any source's flags will do, seeing every module's headers, outside the layering.
        for flags in self.by_source.values():
            kept = [flag for flag in flags if not DROPPED_FLAGS.match(flag) and "decluse" not in flag]
            return [*kept, *self.all_includes]
        return None

    @cached_property
    def all_includes(self) -> List[str]:
        found = {flag for flags in self.by_source.values() for flag in flags if flag.startswith("-I")}
        for folder in KERNEL_FOLDERS:
            found.update(f"-I{path}" for path in (ROOT / folder).rglob("include") if path.is_dir() and self.fits(str(path.relative_to(ROOT))))
        return sorted(found)

    def fits(self, name: str) -> bool:
        """False for what belongs to another architecture than this build's."""
        parts = name.split("/")
        return parts[0] != "arch" or parts[1] in ("api", self.folder.name.split("-")[0])


def flags_of(command: List[str], source: str) -> List[str]:
    """The compiler and its flags, without launcher, source and output."""
    while command and "clang" not in Path(command[0]).name:
        command = command[1:]
    flags: List[str] = []
    skip = False
    for word in command:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MT"):
            skip = True
        elif word not in ("-c", "-MD", source):
            flags.append(word)
    return flags


def module_of(name: str) -> str:
    """The folder with the CMakeLists.txt that declares the module of a file."""
    folder = Path(name).parent
    while folder != Path(".") and folder.name in ("src", "include", "tests", "kernel_only") or "include" in folder.parts or "src" in folder.parts:
        folder = folder.parent
    return str(folder)


def headers(sources: Sources, build_folder: Path) -> List[Finding]:
    if not (build_folder / "compile_commands.json").exists():
        return [Finding(str(build_folder), 0, "the kernel has not been configured; ./nos build --debug does it")]
    commands = Commands(build_folder)
    memory = Memory("headers")
    work = ROOT / ".cache" / "check" / "headers"
    work.mkdir(parents=True, exist_ok=True)

    def check(header: str) -> List[Finding]:
        flags = commands.for_header(header)
        if flags is None:
            return []
        key = " ".join(flags)
        if memory.passed(header, key):
            return []
        stem = work / hashlib.sha256(header.encode()).hexdigest()[:16]
        unit, dependencies = stem.with_suffix(".cpp"), stem.with_suffix(".d")
        unit.write_text(f'#include "{ROOT / header}"\n#include "{ROOT / header}"\n')
        command = [*flags, "-fsyntax-only", "-Wno-unused-function", "-Wno-unused-const-variable", "-MD", "-MF", str(dependencies), str(unit)]
        result = output_of(command, cwd=build_folder)
        if result.returncode == 0:
            memory.remember(header, key, read_dependencies(dependencies))
            return []
        error = re.search(r"^(\S+?):(\d+):\d+: (?:fatal )?error: (.*)$", result.stdout, re.MULTILINE)
        if error:
            return [Finding(header, 0, f"does not compile alone: {error.group(1).replace(str(ROOT) + '/', '')}:{error.group(2)}: {error.group(3)}")]
        return [Finding(header, 0, f"does not compile alone: {result.stdout.strip()[-300:]}")]

    names = [name for name in sources.kernel_cpp() if name.endswith(".h") and commands.fits(name)]
    findings = in_parallel(check, names)
    memory.save()
    return findings


def read_dependencies(path: Path) -> List[str]:
    """The files of this tree that a compilation read."""
    text = path.read_text().replace("\\\n", " ").partition(":")[2]
    root = str(ROOT) + "/"
    return [name[len(root) :] for name in text.split() if name.startswith(root) and "/.cache/" not in name]


def tidy(sources: Sources, build_folder: Path) -> List[Finding]:
    if not (build_folder / "compile_commands.json").exists():
        return [Finding(str(build_folder), 0, "the kernel has not been configured; ./nos build --debug does it")]
    commands = Commands(build_folder)
    memory = Memory("tidy")
    configuration = (ROOT / ".clang-tidy").read_text()
    changed = set(sources.changed)
    # A header is looked at through the sources of its module that include it by name.
    units = {name for name in changed if name in commands.by_source}
    for header in (name for name in changed if name.endswith(".h")):
        units.update(source_including(header, commands))

    def check(source: str) -> List[Finding]:
        # Changing any file of the module may change the verdict; the headers below it are stable enough to leave out.
        module = module_of(source)
        read_files = sorted(name for name in sources.cpp() if module_of(name) == module)
        key = configuration + " ".join(commands.by_source[source])
        if memory.passed(source, key):
            return []
        words = [TIDY, "--quiet", "-p", str(build_folder), f"--header-filter={re.escape(str(ROOT))}/({'|'.join(KERNEL_FOLDERS)})/"]
        if source.startswith(PERIMETER):
            words.append("--checks=-performance-no-int-to-ptr")
        result = output_of([*words, str(ROOT / source)])
        found: Dict[Tuple[str, int, str], Finding] = {}
        for name, line, told in re.findall(r"^(\S+?):(\d+):\d+: (?:warning|error): (.*)$", result.stdout, re.MULTILINE):
            relative = name.replace(str(ROOT) + "/", "")
            if relative in changed and not (relative in CASTS_ALLOWED and "int-to-ptr" in told):
                found[(relative, int(line), told)] = Finding(relative, int(line), told)
        if not found:
            memory.remember(source, key, read_files)
        return list(found.values())

    findings = in_parallel(check, sorted(units))
    memory.save()
    return list({str(finding): finding for finding in findings}.values())


def source_including(header: str, commands: Commands) -> List[str]:
    """One source that includes `header`, of its own module if there is one."""
    inside = header.partition("/include/")[2] or Path(header).name
    pattern = re.compile(rf'#include [<"]{re.escape(inside)}[>"]')
    candidates = sorted(commands.by_source, key=lambda source: module_of(source) != module_of(header))
    for source in candidates:
        if pattern.search((ROOT / source).read_text(errors="replace")):
            return [source]
    return []
