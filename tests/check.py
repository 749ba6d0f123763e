#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs every layer of tests, shows what failed, and ends with one line: "N passed, M failed"."""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
CASE = re.compile(r"^\s*(not ok|ok)\b(.*)$", re.MULTILINE)


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def add(self, layer, name, good, output=""):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            self.failures.append((layer, name, output))

    def add_tap(self, layer, output, exit_code):
        cases = CASE.findall(output)
        for verdict, name in cases:
            if "# SKIP" in name.upper():
                self.skipped += 1
            else:
                self.add(layer, name.strip(" -"), verdict == "ok", output)
        if not cases or (exit_code != 0 and all(verdict == "ok" for verdict, _ in cases)):
            self.add(layer, f"exit code {exit_code}", False, output)


def report(tally, layer, started, before):
    ran = tally.passed + tally.failed - before
    print(f"  {layer}: {ran} cases in {time.monotonic() - started:.0f} s"
          + (f", {tally.failed} failed so far" if tally.failed else ""), flush=True)


def run_meson(tally, layer, build):
    started, before = time.monotonic(), tally.passed + tally.failed
    log = pathlib.Path(build) / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    run = subprocess.run(["meson", "test", "-C", build, "--no-rebuild", "-t", "4"], capture_output=True, text=True,
                         env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
                              "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})
    if not log.exists():
        tally.add(layer, "meson test", False, run.stdout + run.stderr)
        return
    for line in log.read_text().splitlines():
        test = json.loads(line)
        output = (test.get("stdout") or "") + (test.get("stderr") or "")
        name = test["name"].split(" / ")[-1].split(":")[-1].strip()
        if CASE.search(test.get("stdout") or ""):
            tally.add_tap(f"{layer} {name}", test.get("stdout"), 0 if test["result"] in ("OK", "SKIP") else 1)
        else:
            tally.add(layer, name, test["result"] == "OK", output)
    report(tally, layer, started, before)


def run_script(tally, layer, command):
    started, before = time.monotonic(), tally.passed + tally.failed
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    tally.add_tap(layer, run.stdout, run.returncode)
    if run.returncode and run.stderr:
        tally.failures.append((layer, "error output", run.stderr))
    report(tally, layer, started, before)


def run_pytest(tally, layer, build, folder):
    started, before = time.monotonic(), tally.passed + tally.failed
    result = pathlib.Path(build).resolve() / "pytest.xml"
    result.unlink(missing_ok=True)
    run = subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider",
                          f"--junitxml={result}", folder], cwd=ROOT, capture_output=True, text=True,
                         env={**os.environ, "RELAYD_BUILD": str(pathlib.Path(build).resolve()),
                              "PYTHONDONTWRITEBYTECODE": "1"})
    if not result.exists():
        tally.add(layer, "pytest", False, run.stdout + run.stderr)
        return
    for case in ElementTree.parse(result).iter("testcase"):
        bad = [child for child in case if child.tag in ("failure", "error")]
        name = f"{case.get('classname')}::{case.get('name')}"
        if any(child.tag == "skipped" for child in case):
            tally.skipped += 1
            print(f"    skipped: {name}")
        else:
            tally.add(layer, name, not bad, "\n".join(child.text or "" for child in bad))
    report(tally, layer, started, before)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--build", default="build")
    options.add_argument("--asan", help="build folder with sanitizers")
    options.add_argument("--quick", action="store_true", help="unit, pair and fuzz tests only")
    options = options.parse_args()

    tally = Tally()
    run_meson(tally, "unit, pair, fuzz", options.build)
    if not options.quick:
        if options.asan:
            run_meson(tally, "the same under sanitizers", options.asan)
        run_script(tally, "includes", ["tests/includes.py"])
        run_script(tally, "style", ["tests/style.py"])
        run_script(tally, "symbols", ["tests/symbols.py", options.build])
        run_script(tally, "Cortex-M", ["tests/arm-build.sh"])
        run_script(tally, "clang-tidy", ["tests/tidy.py", options.build])
        run_pytest(tally, "system", options.build, "tests/system")

    for layer, name, output in tally.failures:
        print(f"\n--- failed: {layer}: {name}\n{output[-4000:]}")
    print(f"{tally.passed} passed, {tally.failed} failed" + (f", {tally.skipped} skipped" if tally.skipped else ""))
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
