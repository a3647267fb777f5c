"""The guest's root file systems: initramfs archives made once and kept in the cache.

  debian   Debian 13 with the packages below, nothing in them changed; `--with` adds more
  tiny     Debian 13's static busybox and nothing else

Neither holds our /init (user/init): it comes with the small archive that `write_overlay` makes for each start, together with
`--add` and the command, so that a change to it does not make the roots anew. The archives are stored plain: under emulation unpacking zstd costs the guest
seconds, while QEMU maps a plain archive at no cost; the cache on the host holds some 150 MB for it.
"""
import platform
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import FrozenSet, List, Optional, Sequence, Tuple

from . import cpio, debian, packages, ui
from .tree import CACHE, appearing, cache_lock, digest, log_file, scratch_folder
from .ui import NosError

KINDS = ("debian", "tiny")

BASE_PACKAGES = (
    "bash", "coreutils", "util-linux", "procps", "python3", "busybox",
    "findutils", "diffutils", "grep", "sed", "gawk", "tar", "gzip", "bzip2", "xz-utils", "perl-base", "less", "file",
)  # fmt: skip

# Documentation and translations are three tenths of such a root; Debian's own container images leave them out as well.
LEFT_OUT = (
    "/usr/share/man/*", "/usr/share/info/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/lintian/*",
)  # fmt: skip

RECIPE = 4  # raised when the way a root is made changes


@dataclass(frozen=True)
class Root:
    archive: Path
    folders: FrozenSet[str]  # names in the archive that are folders or symbolic links


def get(kind: str, architecture: str, extra_packages: Sequence[str] = ()) -> Root:
    if kind not in KINDS:
        raise NosError(f"There is no root called {kind}; --root takes {' or '.join(KINDS)}.")
    if kind == "tiny" and extra_packages:
        raise NosError("--root tiny is busybox alone; --with works with the Debian root.")
    names = tuple(sorted(set(extra_packages) - set(BASE_PACKAGES)))
    key = digest(RECIPE, kind, architecture, BASE_PACKAGES, LEFT_OUT, names)
    label = "-".join([kind, *names])[:80]
    archive = CACHE / "roots" / f"{label}-{architecture}-{key}.cpio"
    index = archive.with_suffix(".folders")
    if not (archive.exists() and index.exists()):
        with cache_lock("roots"):
            if not (archive.exists() and index.exists()):
                folders = make_tiny(archive, architecture) if kind == "tiny" else make_debian(archive, architecture, names)
                index.write_text("\n".join(folders))
    return Root(archive, frozenset(index.read_text().split("\n")))


def make_tiny(archive: Path, architecture: str) -> List[str]:
    with scratch_folder() as folder, ui.step("Making the tiny root file system (static busybox)"):
        deb = debian.private_apt(architecture).download("busybox-static", folder)
        busybox = folder / "busybox"
        busybox.write_bytes(debian.deb_content(deb, "usr/bin/busybox"))
        busybox.chmod(0o755)
        lister = busybox
        if architecture != platform.machine():
            # It is built with the same applets everywhere, and this machine's can be asked for them.
            own = debian.private_apt(platform.machine()).download("busybox-static", folder / "own")
            lister = folder / "own" / "busybox"  # it goes by its name
            lister.write_bytes(debian.deb_content(own, "usr/bin/busybox"))
            lister.chmod(0o755)
        applets = subprocess.run([str(lister), "--list-full"], stdout=subprocess.PIPE, check=True).stdout.decode().split()
        folders = ["bin", "sbin", "usr", "usr/bin", "usr/sbin", "dev", "proc", "sys", "run", "tmp", "root", "etc"]
        with appearing(archive) as temporary, open(temporary, "wb") as output:
            writer = cpio.Writer(output)
            for name in folders:
                writer.add_directory(name, 0o1777 if name == "tmp" else 0o755)
            writer.add_host_path(busybox, "bin/busybox")
            for applet in applets:
                if applet != "bin/busybox" and applet.rpartition("/")[0] in folders:
                    writer.add_symlink(applet, "/bin/busybox")
            writer.add_bytes("etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\n")
            writer.add_bytes("etc/group", 0o644, b"root:x:0:\n")
            writer.finish()
    return folders


def ensure_programs_run(architecture: str) -> None:
    """The packages of a root are configured by programs of that root: the kernel of this machine has to run them, through QEMU."""
    registrations = Path("/proc/sys/fs/binfmt_misc")
    entry = registrations / f"qemu-{architecture}"
    if architecture == platform.machine() or entry.exists():
        return
    with ui.step(f"Letting this machine run programs for {architecture}"):
        log = log_file("binfmt")
        if not (registrations / "register").exists():
            ui.run_logged([*packages.as_root(), "mount", "-t", "binfmt_misc", "binfmt_misc", registrations], log, "mount")
        ui.run_logged([*packages.as_root(), "update-binfmts", "--enable", f"qemu-{architecture}"], log, "update-binfmts")
    if not entry.exists():
        raise NosError(f"This machine does not run programs for {architecture}, which its Debian root needs: --root tiny does not.")


def make_debian(archive: Path, architecture: str, extra_packages: Tuple[str, ...]) -> List[str]:
    included = sorted({*BASE_PACKAGES, *extra_packages})
    ensure_programs_run(architecture)
    log = log_file("mmdebstrap")
    title = "Making the Debian 13 root file system" + (f" with {', '.join(extra_packages)}" if extra_packages else "")
    with scratch_folder() as folder, ui.step(title):
        sources = folder / "debian.sources"
        sources.write_text(debian.source())
        tar_file = folder / "root.tar"
        command: List[ui.Argument] = [
            "mmdebstrap",
            "--variant=minbase",
            f"--architectures={debian.DEBIAN_ARCHITECTURE[architecture]}",
            f"--include={','.join(included)}",
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
            *(f"--aptopt={line}" for line in debian.inherited_settings()),
            '--aptopt=APT::Install-Recommends "false"',
            # Settings of this machine have no business in the root.
            '--customize-hook=rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap',
            '--customize-hook=echo nos >"$1"/etc/hostname; rm -f "$1"/etc/resolv.conf',
            debian.SUITE,
            tar_file,
            sources,
        ]
        ui.run_logged(command, log, "mmdebstrap")
        with appearing(archive) as temporary, open(temporary, "wb") as output, tarfile.open(tar_file) as tar:
            writer = cpio.Writer(output)
            folders = cpio.from_tar(tar, writer, skip={"dev", "proc", "sys"})
            for name in ("dev", "proc", "sys"):
                writer.add_directory(name)
                folders.append(name)
            writer.finish()
    return folders


def write_overlay(
    output: Path, root_folders: FrozenSet[str], init: Optional[Path], additions: Sequence[Tuple[Path, str]], files: Sequence[Tuple[str, bytes]]
) -> None:
    """An archive to put after a root: `init` as /init, `additions` from this machine, and small `files` made here."""
    made = set(root_folders)
    with open(output, "wb") as stream:
        writer = cpio.Writer(stream)
        if init:
            writer.add_host_path(init, "init")
            # A console for the time before devtmpfs is mounted, where the kernel's own root has none.
            writer.add("dev/console", 0o020600, device=(5, 1))

        def make_parents(name: str) -> None:
            parts = name.split("/")[:-1]
            for count in range(1, len(parts) + 1):
                parent = "/".join(parts[:count])
                if parent not in made:  # what the root has keeps its mode, and its links stay links
                    made.add(parent)
                    writer.add_directory(parent)

        for path, name in additions:
            make_parents(name)
            writer.add_host_path(path, name)
        for name, content in files:
            make_parents(name)
            writer.add_bytes(name, 0o644, content)
        writer.finish()


def parse_addition(text: str) -> Tuple[Path, str]:
    """HOSTPATH:GUESTPATH of `--add`."""
    host, separator, guest = text.rpartition(":")
    if not separator or not host or not guest.startswith("/"):
        raise NosError(f"--add takes HOSTPATH:GUESTPATH with an absolute path in the guest, not {text!r}.")
    path = Path(host)
    if not path.exists():
        raise NosError(f"--add: there is no file or folder {host} on this machine.")
    name = guest.strip("/")
    if guest.endswith("/") or not name:
        name = f"{name}/{path.resolve().name}".strip("/")
    if not path.is_absolute():
        path = Path.cwd() / path
    return path.resolve(), name


