"""./nos image: the files to start NOS with elsewhere, in one folder."""
import argparse
import shutil
from pathlib import Path

from . import build, guest, packages, programs, roots, ui
from .tree import ROOT, check_architecture, scratch_folder
from .ui import NosError

START_SCRIPT = """\
#!/bin/sh
# Starts this NOS in QEMU, on this terminal; Ctrl-A X ends it. The same two files go with any loader of Linux kernels.
cd "$(dirname "$0")"
exec qemu-system-x86_64 -machine q35 -accel kvm -accel tcg,thread=multi -cpu max -smp {cpus} -m {memory}M \\
  -nodefaults -display none -no-reboot -serial mon:stdio \\
  -kernel bzImage -initrd initrd.cpio -append "{arguments}" "$@"
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("image", help="write a bootable kernel and root for use elsewhere", usage="./nos image [options] [FOLDER]")
    guest.add_build_options(parser, default="release")
    parser.add_argument("--root", default="debian", metavar="KIND", help="root file system: debian (the default) or tiny")
    parser.add_argument("--with", dest="packages", default=[], action="append", metavar="PACKAGE,…", help="more Debian packages for the root")
    parser.add_argument("--add", default=[], action="append", metavar="HOST:GUEST", help="put a file or folder into the root (repeatable)")
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="where to (default: build/image)")
    parser.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    architecture = check_architecture(options.arch)
    packages.ensure_for("image")
    folder = options.folder or ROOT / "build" / "image"
    additions = [roots.parse_addition(text) for text in options.add]
    kernel = build.kernel(architecture, options.flavour).parent / "bzImage"
    if not kernel.exists():
        raise NosError(f"The build made no {kernel.relative_to(ROOT)}.")
    root = roots.get(options.root, architecture, guest.packages_of(options.packages))
    folder.mkdir(parents=True, exist_ok=True)
    initrd = folder / "initrd.cpio"
    with ui.step(f"Writing the image to {folder}"), scratch_folder() as scratch:
        overlay = scratch / "overlay.cpio"
        roots.write_overlay(overlay, root.folders, programs.init(architecture), additions, [])
        guest.concatenate([root.archive, overlay], initrd)
        shutil.copyfile(kernel, folder / "bzImage")
        script = folder / "start"
        memory = guest.default_memory_mib(initrd)
        script.write_text(START_SCRIPT.format(cpus=2, memory=memory, arguments=guest.DEFAULT_KERNEL_ARGUMENTS))
        script.chmod(0o755)
    for path in (folder / "bzImage", initrd, script):
        ui.note(f"{path} ({path.stat().st_size >> 10} KiB)")
    return 0
