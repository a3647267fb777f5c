#!/usr/bin/env python3
"""Makes the table of function names that a kernel prints in back traces.

    make_table.py [--nm llvm-nm-19] [--filter llvm-cxxfilt-19] [KERNEL] OUTPUT.S
    make_table.py --check TABLE.S KERNEL      is TABLE.S what would be made from KERNEL?

Without KERNEL the table is empty: that is what the first link pass uses. Layout (little endian), read by
core/init/src/symbols.cpp:

    u64 magic "NOSSYM01"   u64 anchor (link address of kernel_symbol_anchor)   u64 first (link address of symbol 0)
    u32 symbols, components, symbol stream size, component stream size
    u32 symbol block address[blocks], u32 symbol block position[blocks], u32 component block position[blocks]
    symbol stream: per symbol  varint distance from the symbol before (0 for the first of a block), byte number of
                   components, their numbers as varints
    component stream: per component  byte length, text
A block is 16 entries. Components are numbered by falling frequency, so that most numbers take one byte.
"""
import argparse
import collections
import re
import struct
import subprocess
import sys

BLOCK = 16
MAGIC = b"NOSSYM01"


def readable(name):
    """A demangled name without parameters, template arguments and spaces."""
    name = re.sub(r"\s*\[clone[^]]*\]|\s*\(\.llvm\.\d+\)", "", name)
    name = name.replace("(anonymous namespace)::", "").replace("decltype(auto) ", "")
    name = re.sub(r"'lambda\d*'|\{lambda", "{lambda", name)
    out, depth, i = [], 0, 0
    operator = re.compile(r"operator(\(\)|<=>|<<=|>>=|<<|>>|<=|>=|->\*|->|<|>)")
    while i < len(name):
        match = operator.match(name, i) if depth == 0 else None
        if match:
            out.append(match.group(0))
            i = match.end()
            continue
        c = name[i]
        if c in "(<[":
            depth += 1
        elif c in ")>]":
            depth -= 1
        elif depth == 0:
            out.append(c)
        i += 1
    text = "".join(out)
    text = re.sub(r"\s+(const|volatile|&|&&)+$", "", text.strip())
    if not re.search(r"(^|::| )operator\b", text):
        text = text.split(" ")[-1] if " " in text and not text.endswith(" ") else text
    return text.replace(" ", "_") or name


def functions(arguments, kernel):
    lines = subprocess.run([arguments.nm, "--numeric-sort", "--defined-only", kernel], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    found, anchor = {}, 0
    for line in lines:
        parts = line.split(" ", 2)
        if len(parts) != 3 or parts[1] not in "tTwW":
            continue
        address, name = int(parts[0], 16), parts[2]
        if name == "kernel_symbol_anchor":
            anchor = address
        if name.startswith((".L", "$", "__llvm_")):
            continue
        found.setdefault(address, name)
    addresses = sorted(found)
    text = "\n".join(found[a] for a in addresses)
    names = subprocess.run([arguments.filter], input=text, check=True, capture_output=True,
                           text=True).stdout.split("\n")
    return anchor, [(a, readable(n)) for a, n in zip(addresses, names)]


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def build(anchor, symbols):
    split = [name.split("::")[:255] for _, name in symbols]
    frequency = collections.Counter(part for parts in split for part in parts)
    components = sorted(frequency, key=lambda part: (-frequency[part], part))
    number = {part: i for i, part in enumerate(components)}
    first = symbols[0][0] if symbols else 0

    symbol_stream, addresses, positions, before = bytearray(), [], [], 0
    for index, ((address, _), parts) in enumerate(zip(symbols, split)):
        if index % BLOCK == 0:
            addresses.append(address - first)
            positions.append(len(symbol_stream))
            before = address
        symbol_stream += varint(address - before) + bytes([len(parts)])
        for part in parts:
            symbol_stream += varint(number[part])
        before = address

    component_stream, component_positions = bytearray(), []
    for index, part in enumerate(components):
        if index % BLOCK == 0:
            component_positions.append(len(component_stream))
        text = part.encode()[:255]
        component_stream += bytes([len(text)]) + text

    header = MAGIC + struct.pack("<QQ4I", anchor, first, len(symbols), len(components), len(symbol_stream),
                                 len(component_stream))
    words = addresses + positions + component_positions
    return header + struct.pack(f"<{len(words)}I", *words) + symbol_stream + component_stream


def assembly(table):
    lines = ['  .section .kernel_symbols,"a"', "  .balign 8", "  .globl kernel_symbol_table",
             "  .hidden kernel_symbol_table", "kernel_symbol_table:"]
    for at in range(0, len(table), 32):
        lines.append("  .byte " + ",".join(str(b) for b in table[at:at + 32]))
    return "\n".join(lines) + "\n"


def make(arguments, kernel):
    if not kernel:
        return assembly(build(0, []))
    anchor, symbols = functions(arguments, kernel)
    if not anchor:
        sys.exit("make_table.py: the kernel has no kernel_symbol_anchor")
    return assembly(build(anchor, symbols))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nm", default="llvm-nm-19")
    parser.add_argument("--filter", default="llvm-cxxfilt-19")
    parser.add_argument("--check", metavar="TABLE.S")
    parser.add_argument("files", nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.check:
        if make(arguments, arguments.files[0]) != open(arguments.check, encoding="ascii").read():
            sys.exit(f"{arguments.files[0]}: the table of names moved the code; .kernel_symbols must follow .text")
        return
    text = make(arguments, arguments.files[0] if len(arguments.files) > 1 else None)
    with open(arguments.files[-1], "w", encoding="ascii") as out:
        out.write(text)


if __name__ == "__main__":
    main()
