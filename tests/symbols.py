#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""librelay asks nothing of its surroundings: no allocation, files, clock, globals. Reads its objects with nm and objdump; prints
TAP.

usage: symbols.py [BUILD-FOLDER]
"""
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
ALLOWED = {"memcpy", "memmove", "memset", "memcmp", "strlen"}
# what the compiler itself adds for position-independent code, hardening, sanitizers and coverage
COMPILER = re.compile(r"_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|__(asan|ubsan|gcov|llvm)_.*|__mem(cpy|set|move)_chk")


def declared_crypto():
    """the backend's functions, as the contract declares them"""
    text = (TOP / "librelay/include/relay/crypto.h").read_text()
    return set(re.findall(r"\b(crypto_\w+)\(", text))


def symbols(archive):
    """(object, kind, name) of each symbol"""
    text = subprocess.run(["nm", "-A", archive], capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        match = re.match(r"[^:]*:([^:]*\.o):\s*[0-9a-f]*\s+(\S)\s+(\S+)$", line)
        if match:
            yield match.groups()


def foreign(found):
    known = ALLOWED | declared_crypto() | {name for _, kind, name in found if kind in "TRtrWV"}
    for file, kind, name in found:
        if kind == "U" and name not in known and not COMPILER.fullmatch(name):
            yield f"{file} needs {name}"


def variables(archive):
    """objects in a section that stays writable (.data.rel.ro is constant: it only holds addresses the linker fills)"""
    text = subprocess.run(["objdump", "-t", archive], capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        match = re.match(r"[0-9a-f]+ .{5}.[O ] (\.t?(?:data|bss)\S*|\*COM\*)\s+[0-9a-f]+ (?:\.hidden )?(\S+)$", line)
        if match and not match[1].startswith(".data.rel.ro") and match[2][0] != "." \
                and not COMPILER.match(match[2]):
            yield f"variable {match[2]} in {match[1]}"


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("RELAYD_BUILD", TOP / "build"))
    archive = build / "librelay/librelay.a"
    found = list(symbols(archive)) if archive.exists() else []
    checks = [
        ("librelay is built", [] if found else [f"{archive} has no symbols: build first"]),
        ("librelay calls nothing but itself, the crypto contract and " + ", ".join(sorted(ALLOWED)),
         list(foreign(found))),
        ("librelay has no writable globals", list(variables(archive)) if found else []),
    ]
    print(f"1..{len(checks)}")
    for number, (text, problems) in enumerate(checks, 1):
        print(f"{'not ok' if problems else 'ok'} {number} - {text}")
        for problem in problems:
            print(f"# {problem}")
    return any(problems for _, problems in checks)


if __name__ == "__main__":
    sys.exit(main())
