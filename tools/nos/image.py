"""./nos image: the files to start NOS with elsewhere, in one folder.

  bzImage, initrd.cpio   for any loader of Linux kernels
  nos.iso                the same two behind GRUB: for a PC's drive, and written as it is for a USB stick or a disk
  start                  starts them in QEMU

./nos image --disk FILE writes a disk with the root on an ext4 partition instead: `./nos run --root FILE` starts from it.
"""
import argparse
import shutil
from pathlib import Path

from . import build, disks, guest, packages, programs, qemu, roots, ui
from .tree import ROOT, appearing, check_architecture, log_file, scratch_folder
from .ui import NosError

START_SCRIPT = """\
#!/bin/sh
# Starts this NOS in QEMU, on this terminal; Ctrl-A X ends it. The same two files go with any loader of Linux kernels.
cd "$(dirname "$0")" || exit 1
# /dev/kvm alone can be an empty promise: the processor must have the extension.
if grep -qwE 'vmx|svm' /proc/cpuinfo && [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
  accelerator=kvm model=host
else
  accelerator=tcg,thread=multi model={model}
fi
exec qemu-system-x86_64 -machine q35 -accel "$accelerator" -cpu "$model" -smp {cpus} -m {memory}M \\
  -nodefaults -display none -no-reboot -serial mon:stdio \\
  -kernel bzImage -initrd initrd.cpio -append "{arguments}" "$@"
"""


GRUB_CONFIGURATION = """\
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=1
menuentry "NOS" {{
  linux /boot/bzImage {arguments}
  initrd /boot/initrd.cpio
}}
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("image", help="write a bootable kernel and root for use elsewhere", usage="./nos image [options] [FOLDER]")
    guest.add_build_options(parser, default="release")
    parser.add_argument("--root", default="debian", metavar="KIND", help="root file system: debian (the default) or tiny")
    parser.add_argument("--with", dest="packages", default=[], action="append", metavar="PACKAGE,…", help="more Debian packages for the root")
    parser.add_argument("--add", default=[], action="append", metavar="HOST:GUEST", help="put a file or folder into the root (repeatable)")
    parser.add_argument("--kernel-args", default="", metavar="WORDS", help="more words for the kernel's command line")
    parser.add_argument("--no-iso", action="store_true", help="leave out nos.iso")
    parser.add_argument("--disk", type=Path, metavar="FILE", help="write a disk with the root on an ext4 instead, for ./nos run --root FILE")
    parser.add_argument("--size", metavar="SIZE", help="of the disk, such as 2G (default: fits the root, with 512M left)")
    parser.add_argument("--no-partitions", action="store_true", help="the disk holds its ext4 from the first byte on")
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="where to (default: build/image)")
    parser.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    architecture = check_architecture(options.arch)
    if options.disk:
        return make_disk(options, architecture)
    if options.size or options.no_partitions:
        raise NosError("--size and --no-partitions go with --disk FILE.")
    if architecture != "x86_64":
        raise NosError("An image for use elsewhere is made for x86_64 alone so far.")
    packages.ensure_for("image", architecture)
    folder = options.folder or ROOT / "build" / "image"
    arguments = f"{guest.default_kernel_arguments(architecture)} {options.kernel_args}".strip()
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
        script.write_text(START_SCRIPT.format(model=qemu.BOARDS["x86_64"].emulated_cpu, cpus=2, memory=memory, arguments=arguments))
        script.chmod(0o755)
    written = [folder / "bzImage", initrd, script]
    if not options.no_iso:
        written.append(folder / "nos.iso")
        with ui.step("Writing nos.iso"):
            write_iso(written[-1], folder / "bzImage", initrd, arguments)
    for path in written:
        ui.note(f"{path} ({path.stat().st_size >> 10} KiB)")
    return 0


def make_disk(options: argparse.Namespace, architecture: str) -> int:
    if options.folder:
        raise NosError("With --disk FILE nothing is written to a folder.")
    packages.ensure_for("image", architecture)
    additions = [roots.parse_addition(text) for text in options.add]
    root = roots.get(options.root, architecture, guest.packages_of(options.packages))
    with ui.step(f"Writing the disk {options.disk}"), scratch_folder() as scratch:
        overlay = scratch / "overlay.cpio"
        roots.write_overlay(overlay, root.folders, None, [(programs.init(architecture), disks.INIT), *additions], [])
        archives = [root.archive, overlay]
        size_mib = guest.parse_memory(options.size) if options.size else disks.default_size_mib(archives)
        disks.make(archives, options.disk, size_mib, partitioned=not options.no_partitions)
    ui.note(f"{options.disk} ({size_mib} MiB); ./nos run --root {options.disk} starts from it")
    return 0


def write_iso(output: Path, kernel: Path, initrd: Path, arguments: str) -> None:
    with scratch_folder() as folder:
        boot = folder / "boot"
        (boot / "grub").mkdir(parents=True)
        shutil.copyfile(kernel, boot / "bzImage")
        shutil.copyfile(initrd, boot / "initrd.cpio")
        (boot / "grub" / "grub.cfg").write_text(GRUB_CONFIGURATION.format(arguments=arguments))
        with appearing(output) as temporary:
            command = ["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", temporary, folder]
            ui.run_logged(command, log_file("image"), "grub-mkrescue")
