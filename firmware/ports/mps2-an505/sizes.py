#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What each module of a linked image takes, after the linker's map.

    sizes.py MAP...

Flash is code, constants and initial values; RAM is variables, stack and heap.
"""

import collections
import pathlib
import re
import sys

SECTION = re.compile(r"^ (\.[\w.$*-]+|COMMON)\s+0x[0-9a-f]+\s+(0x[0-9a-f]+) (\S+)$", re.M)
RESERVED = re.compile(r"^\.(stack|heap)\s+0x[0-9a-f]+\s+(0x[0-9a-f]+)", re.M)
FLASH = re.compile(r"\.(text|rodata|vectors|ARM|data|gnu|init|fini)")
RAM = re.compile(r"\.(data|bss)|COMMON")


def module(origin):
    """An object's folder says whose it is, but for the compiler's own libraries."""
    if ".a(" in origin or "crt" in pathlib.Path(origin).name:
        return "C library"
    parts = pathlib.Path(origin).parts
    return re.sub(r"^(example|recovery)-.*", "application", parts[-2])


def sizes(path):
    """module -> [bytes of flash, bytes of RAM], the largest first"""
    text = pathlib.Path(path).read_text().split("Linker script and memory map")[1]
    text = re.sub(r"(?m)^( \.\S+)\n +0x", r"\1 0x", text)  # long names have a line of their own
    found = collections.defaultdict(lambda: [0, 0])
    for section, size, origin in SECTION.findall(text):
        if FLASH.match(section):
            found[module(origin)][0] += int(size, 16)
        if RAM.match(section):
            found[module(origin)][1] += int(size, 16)
    for name, size in RESERVED.findall(text):
        found[name][1] += int(size, 16)
    return dict(sorted(found.items(), key=lambda item: -sum(item[1])))


def total(found):
    return [sum(column) for column in zip(*found.values())]


def table(found):
    rows = [("module", "flash", "RAM"), ("---", "---", "---")]
    rows += [(name, f"{flash:,}", f"{ram:,}") for name, (flash, ram) in [*found.items(), ("together", total(found))]]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{pathlib.Path(name).name.split('.elf')[0]}\n\n{table(sizes(name))}")
