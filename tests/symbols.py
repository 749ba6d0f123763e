#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs on a microcontroller asks nothing of its surroundings but what a contract declares: no allocation, files,
clock, globals. Reads its objects with nm and objdump; prints TAP.

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
# library -> the libraries it may call, and the headers whose functions somebody else brings (crypto backend, board)
LIBRARIES = {
    "librelay/librelay.a": ([], ["librelay/include/relay/crypto.h"]),
    "firmware/libport.a": (["librelay/librelay.a"], ["firmware/port/*.h"]),
    "firmware/libboot.a": (["librelay/librelay.a", "firmware/libport.a"],
                           ["librelay/include/relay/crypto.h", "firmware/port/*.h"]),
    "firmware/libapp.a": (["librelay/librelay.a", "firmware/libport.a"],
                          ["librelay/include/relay/crypto.h", "firmware/port/*.h"]),
}


def declared(patterns):
    """names of the functions these headers declare"""
    text = "".join(header.read_text() for pattern in patterns for header in TOP.glob(pattern))
    return set(re.findall(r"\b(\w+)\(", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)))


def symbols(archive):
    """(object, kind, name) of each symbol"""
    text = subprocess.run(["nm", "-A", archive], capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        match = re.match(r"[^:]*:([^:]*\.o):\s*[0-9a-f]*\s+(\S)\s+(\S+)$", line)
        if match:
            yield match.groups()


def defined(found):
    return {name for _, kind, name in found if kind in "TRtrWV"}


def foreign(build, name):
    libraries, headers = LIBRARIES[name]
    found = list(symbols(build / name))
    known = ALLOWED | declared(headers) | defined(found)
    for library in libraries:
        known |= defined(symbols(build / library))
    for file, kind, symbol in found:
        if kind == "U" and symbol not in known and not COMPILER.fullmatch(symbol):
            yield f"{file} needs {symbol}"


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
    checks = []
    for name in LIBRARIES:
        if not (build / name).exists():
            checks.append((f"{name} is built", [f"{build / name} is missing: build first"]))
            continue
        checks.append((f"{name} calls nothing but its contracts and " + ", ".join(sorted(ALLOWED)),
                       list(foreign(build, name))))
        checks.append((f"{name} has no writable globals", list(variables(build / name))))
    print(f"1..{len(checks)}")
    for number, (text, problems) in enumerate(checks, 1):
        print(f"{'not ok' if problems else 'ok'} {number} - {text}")
        for problem in problems:
            print(f"# {problem}")
    return any(problems for _, problems in checks)


if __name__ == "__main__":
    sys.exit(main())
