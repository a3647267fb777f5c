#!/usr/bin/env python3
"""Puts a bzImage together.

    make_bzimage.py SETUP LOADER KERNEL.elf IMAGE OUTPUT

SETUP and LOADER are the flat binaries of setup.S and loader.S, IMAGE is the kernel as it lies in memory (objcopy -O binary).
"""
import struct
import subprocess
import sys

SECTOR = 512
ALIGNMENT = 0x200000


def memory_size(kernel):
    """Bytes from the first to the last loaded address, zeroed data included."""
    out = subprocess.run(["llvm-readelf-19", "-lW", kernel], check=True, capture_output=True, text=True).stdout
    loads = [line.split() for line in out.splitlines() if line.strip().startswith("LOAD")]
    ends = [int(fields[3], 16) + int(fields[5], 16) for fields in loads]
    return max(ends) - min(int(fields[3], 16) for fields in loads)


def main(setup_path, loader_path, kernel_path, image_path, output_path):
    setup = bytearray(open(setup_path, "rb").read())
    loader = bytearray(open(loader_path, "rb").read())
    image = open(image_path, "rb").read()
    image += bytes(-len(image) % 16)
    setup += bytes(-len(setup) % SECTOR)
    if len(setup) > 0x2000 or len(loader) != 0x1000:
        sys.exit("make_bzimage: setup or loader has the wrong size")
    struct.pack_into("<I", loader, 0xff8, len(image))
    protected = bytes(loader) + image
    struct.pack_into("<B", setup, 0x1f1, len(setup) // SECTOR - 1)
    struct.pack_into("<I", setup, 0x1f4, (len(protected) + 15) // 16)
    struct.pack_into("<I", setup, 0x260, len(loader) + ALIGNMENT + max(memory_size(kernel_path), len(image)))
    with open(output_path, "wb") as output:
        output.write(setup)
        output.write(protected)


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
