#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The application in docs/firmware.md as a file, so that it is compiled and lives through tests.

usage: tutorial.py DOCUMENT OUTPUT
"""
import pathlib
import re
import sys

TABLE = "const struct application application"


def main(document, output):
    blocks = re.findall(r"^```c\n(.*?)^```", pathlib.Path(document).read_text(), re.DOTALL | re.MULTILINE)
    found = [block for block in blocks if TABLE in block]
    if len(found) != 1:
        sys.exit(f"{document}: {len(found)} applications instead of one")
    lines = [line for line in found[0].splitlines() if line.strip()]
    if len(lines) > 36:
        sys.exit(f"{document}: the application has {len(lines)} lines; it is said to have about 30")
    pathlib.Path(output).write_text(found[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
