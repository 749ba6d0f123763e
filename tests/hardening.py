#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Are the programs built so that a parser's mistake stays one? Reads their ELF headers; TAP on standard output.

usage: hardening.py [--sanitized] PROGRAM...
"""
import subprocess
import sys


def readelf(*arguments):
    return subprocess.run(["readelf", "--wide", *arguments], check=True, capture_output=True, text=True).stdout


def lacks(program, sanitized):
    """Names of what is missing."""
    headers = readelf("--file-header", "--program-headers", program)
    dynamic = readelf("--dynamic", program)
    symbols = readelf("--dyn-syms", program)
    stack = [line for line in headers.splitlines() if "GNU_STACK" in line]
    checks = {
        "position independent": "DYN (" in headers,
        "read-only relocations": "GNU_RELRO" in headers,
        "bound at start": "BIND_NOW" in dynamic or " NOW" in dynamic,
        "no executable stack": bool(stack) and "RWE" not in stack[0],
        "stack protector": "__stack_chk_fail" in symbols,
        # the sanitizers bring their own checks of these functions
        "fortified functions": sanitized or "_chk@" in symbols.replace("__stack_chk_fail@", ""),
    }
    return [name for name, holds in checks.items() if not holds]


def main(arguments):
    sanitized = arguments[:1] == ["--sanitized"]
    programs = arguments[1:] if sanitized else arguments
    print(f"1..{len(programs)}")
    for number, program in enumerate(programs, 1):
        missing = lacks(program, sanitized)
        print(f"{'not ok' if missing else 'ok'} {number} - {program.rsplit('/', 1)[-1]}")
        for name in missing:
            print(f"# missing: {name}")


main(sys.argv[1:])
