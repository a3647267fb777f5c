#!/usr/bin/env python3
"""Writes seed files for the fuzzers into FOLDER/<target>/: make_corpus.py FOLDER"""
import gzip
import pathlib
import random
import struct
import subprocess
import sys
import zlib


def cpio_entry(name, mode, data=b"", inode=1, links=1, magic=b"070701"):
    fields = [inode, mode, 0, 0, links, 0, len(data), 8, 1, 5, 1, len(name) + 1, sum(data) if magic == b"070702" else 0]
    out = magic + b"".join(b"%08x" % field for field in fields) + name + b"\0"
    out += b"\0" * (-len(out) % 4) + data
    return out + b"\0" * (-len(out) % 4)


def archives():
    trailer = cpio_entry(b"TRAILER!!!", 0)
    files = cpio_entry(b"d", 0o40755) + cpio_entry(b"d/f", 0o100644, b"contents\n") + cpio_entry(b"l", 0o120777, b"d/f")
    links = cpio_entry(b"a", 0o100644, b"", 7, 2) + cpio_entry(b"b", 0o100644, b"x", 7, 2) + cpio_entry(b"c", 0o20600)
    summed = cpio_entry(b"s", 0o100644, b"sum", magic=b"070702")
    return [files + trailer, links + trailer + b"\0" * 8 + summed + trailer]


def packers():
    yield "gzip", lambda data: gzip.compress(data, 6)
    yield "gzip1", lambda data: gzip.compress(data, 1)
    yield "zlib", zlib.compress
    for name, command in {"zstd": "zstd -q -c", "zstd19": "zstd -q -c -19 --check", "lz4": "lz4 -q -c", "lz4l": "lz4 -q -c -l",
                          "lz4linked": "lz4 -q -c -9 -BD -BX", "xz": "xz -c --check=crc32", "xz64": "xz -c"}.items():
        yield name, lambda data, command=command: subprocess.run(command.split(), input=data, capture_output=True,
                                                                 check=True).stdout


def texts():
    generator = random.Random(1)
    words = [bytes(generator.choices(b"abcdefgh", k=generator.randint(1, 9))) for _ in range(60)]
    yield b""
    yield b"short"
    yield bytes(2000)
    yield b" ".join(generator.choices(words, k=600))
    yield bytes(generator.randrange(256) for _ in range(300)) + b" ".join(generator.choices(words, k=200))


def program(kind, headers):
    header = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", kind, 62, 1, 0x1000, 64, 0, 0, 64, 56,
                                                       len(headers), 64, 0, 0)
    return header + b"".join(struct.pack("<IIQQQQQQ", *one) for one in headers) + b"/lib64/ld-linux-x86-64.so.2\0"


def mbr(*entries):
    table = b"".join(struct.pack("<B3xB3xII", 0, *entry) for entry in entries)
    return bytes(446) + table.ljust(64, b"\0") + b"\x55\xaa"


def gpt():
    entry = struct.pack("<16s16sQQQ72s", b"\1" * 16, b"\2" * 16, 40, 99, 0, "name".encode("utf-16le"))
    entries = (entry * 2).ljust(1024, b"\0")
    fields = [b"EFI PART", 0x10000, 92, 0, 0, 1, 255, 4, 250, b"\3" * 16, 2, 8, 128, zlib.crc32(entries)]
    header = struct.pack("<8sIIIIQQQQ16sQIII", *fields)
    fields[3] = zlib.crc32(header)
    return mbr((0xEE, 1, 255)) + struct.pack("<8sIIIIQQQQ16sQIII", *fields).ljust(512, b"\0") + entries


def main():
    folder = pathlib.Path(sys.argv[1])

    def write(target, name, data):
        (folder / target).mkdir(parents=True, exist_ok=True)
        (folder / target / name).write_bytes(data)

    for name, pack in packers():
        for number, text in enumerate(texts()):
            write("decompress", f"{name}.{number}", pack(text))
        for number, archive in enumerate(archives()):
            write("initramfs", f"{name}.{number}", pack(archive) + bytes(4) + archive)
    for number, archive in enumerate(archives()):
        write("initramfs", f"plain.{number}", archive)
    load, interpreter, stack, note = 1, 3, 0x6474E551, 0x6474E553
    write("elf", "static", program(2, [(load, 5, 0, 0x400000, 0, 0x1000, 0x1000, 4096)]))
    write("elf", "pie", program(3, [(interpreter, 4, 400, 400, 400, 28, 28, 1), (load, 5, 0, 0, 0, 500, 500, 4096),
                                    (load, 6, 0x200, 0x3200, 0, 0x100, 0x2000, 4096), (stack, 6, 0, 0, 0, 0, 0, 16),
                                    (note, 4, 64, 64, 64, 32, 32, 8)]))
    write("elf", "note", struct.pack("<IIIIIIII", 4, 16, 5, 0x554E47, 0xC0000000, 4, 3, 0))
    write("command_line", "usual", b"root=/dev/vda console=ttyS0,115200 quiet mem=512M panic=-1 init=/bin/sh -- -x \"a b\"")
    write("command_line", "quotes", b"a=\"b c\" \"d=e f\" g=h\" \"i =x \"")
    write("partitions", "mbr", mbr((0x83, 10, 20), (5, 40, 200)))
    # The fuzzer puts the sixth sector of its input into sector 42 of the disk.
    write("partitions", "chain", mbr((5, 42, 200)) + bytes(512 * 5) + mbr((0x83, 1, 5), (5, 56, 20)) + bytes(512) + mbr((0x83, 1, 5)))
    write("partitions", "gpt", gpt())
    generator = random.Random(2)
    for number in range(30):
        write("ext4", str(number), bytes([number]) + generator.randbytes(4 * generator.randint(1, 6)))
        for target in ("nine_p", "vfat", "iso9660", "squashfs"):
            write(target, str(number), bytes([number]) + generator.randbytes(3 * generator.randint(1, 8)))


if __name__ == "__main__":
    main()
