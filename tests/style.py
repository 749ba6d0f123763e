#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Style that a machine can check: format, file length, head lines, words that do not belong. Prints TAP."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE_LINES_MAX = 600


def git_files(*patterns):
    out = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in out.split("\n") if name]


def heads():
    for name in git_files("*.c", "*.h"):
        text = (ROOT / name).read_text()
        if not text.startswith("/* SPDX-License-Identifier: GPL-2.0-or-later */\n"):
            yield f"{name}: the first line is not the licence line"
        if name.endswith(".h") and "#pragma once" not in text[:200]:
            yield f"{name}: no #pragma once"


def lengths():
    for name in git_files("*.c", "*.h", "*.py"):
        lines = (ROOT / name).read_text().count("\n")
        if lines > FILE_LINES_MAX:
            yield f"{name}: {lines} lines, more than {FILE_LINES_MAX}: split it by subject"


def left_overs():
    for name in git_files("*.c", "*.h", "*.py", "*.rst", "*.md"):
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line) and name != "tests/style.py":
                yield f"{name}:{number}: {line.strip()}"


def own_enum_defaults():
    """-Werror=switch makes a forgotten case an error only where there is no default."""
    flags = (ROOT / "meson.build").read_text()
    if "-Werror=switch" not in flags:
        yield "meson.build: -Werror=switch is gone"


def private_reasons():
    """What was refused has its name from relay/reason.h; a literal would go on when the list changes."""
    names = re.findall(r'X\(\w+, "([a-z]+-[a-z-]+)"', (ROOT / "librelay/include/relay/reason.h").read_text())
    allowed = {"librelay/include/relay/reason.h", "relayd/audit/audit.h", "relayd/policy/update.c"}  # tables of words
    literal = re.compile('"(' + "|".join(names) + ')"')
    for name in git_files("librelay/*.[ch]", "relayd/*.[ch]", "firmware/*.[ch]", "tools/*.[ch]"):
        code = re.sub(r"/\*.*?\*/", "", (ROOT / name).read_text(), flags=re.DOTALL)
        for match in literal.finditer(code):
            if name not in allowed:
                yield f"{name}: {match[0]} is a reason: reason_name() knows it"


def left_out():
    """A source that no meson.build names is not built, and a test that is not built finds nothing."""
    for name in git_files("*.c"):
        path = ROOT / name
        words = {path.name, path.stem, re.sub(r"^(test|fuzz)_", "", path.stem)}
        named = set()
        for folder in list(path.relative_to(ROOT).parents):
            build = ROOT / folder / "meson.build"
            text = re.sub(r"#.*", "", build.read_text()) if build.exists() else ""
            named |= set(re.findall(r"'(?:[^'\n]*/)?([^'/\n]+)'", text))
        if not words & named:
            yield f"{name}: no meson.build names it"


def formatted():
    version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True, check=True).stdout
    if "version 14." not in version:
        print(f"# formatting is checked with clang-format 14 only; here is {version.strip()}")
        return
    names = git_files("*.c", "*.h")
    run = subprocess.run(["clang-format", "--dry-run", "-Werror", *names], cwd=ROOT, capture_output=True, text=True)
    seen = sorted({line.split(":")[0] for line in run.stderr.splitlines() if "error:" in line})
    for name in seen:
        yield f"{name}: not formatted; make style does it"


def main():
    cases = [heads, lengths, left_overs, own_enum_defaults, private_reasons, left_out, formatted]
    failed = 0
    print(f"1..{len(cases)}")
    for number, case in enumerate(cases, 1):
        problems = list(case())
        failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {number} - style: {case.__name__.replace('_', ' ')}")
        for line in problems[:20]:
            print("# " + line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
