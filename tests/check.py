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
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:print_legend=0",
              "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
CASE = re.compile(r"^\s*(not ok|ok)\b(.*)$", re.MULTILINE)


class Tally:
    def __init__(self):
        self.passed = self.failed = 0
        self.skipped = []
        self.failures = []

    def add(self, layer, name, good, output=""):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            self.failures.append((layer, name, output))

    def add_tap(self, layer, tap, exit_code, output):
        """tap: what was printed; output: what to show if a case failed."""
        cases = CASE.findall(tap)
        for verdict, name in cases:
            if "# SKIP" in name.upper():
                self.skipped.append(f"{layer}:{name}")
            else:
                self.add(layer, name.strip(" -"), verdict == "ok", output)
        if not cases or (exit_code != 0 and all(verdict == "ok" for verdict, _ in cases)):
            self.add(layer, f"exit code {exit_code}", False, output)


class Layer:
    """Says what runs now, and afterwards how it went."""

    def __init__(self, tally, name):
        self.tally, self.name = tally, name

    def __enter__(self):
        self.started, self.passed, self.failed = time.monotonic(), self.tally.passed, self.tally.failed
        print(f"  {self.name} ...", flush=True)
        return self

    def __exit__(self, *_):
        passed, failed = self.tally.passed - self.passed, self.tally.failed - self.failed
        print(f"  {self.name}: {passed} passed" + (f", {failed} FAILED" if failed else "")
              + f", {time.monotonic() - self.started:.0f} s", flush=True)


def run_meson(tally, layer, build):
    log = pathlib.Path(build) / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    run = subprocess.run(["meson", "test", "-C", build, "--no-rebuild", "-t", "4"], capture_output=True, text=True,
                         env={**os.environ, **SANITIZERS})
    if not log.exists():
        tally.add(layer, "meson test", False, run.stdout + run.stderr)
        return
    for line in log.read_text().splitlines():
        test = json.loads(line)
        tap = test.get("stdout") or ""
        output = f"{tap}{test.get('stderr') or ''}\n{test['result']}, exit code {test['returncode']}"
        name = test["name"].split(" / ")[-1].split(":")[-1].strip()
        if CASE.search(tap):
            tally.add_tap(f"{layer} {name}", tap, 0 if test["result"] in ("OK", "SKIP") else test["returncode"] or 1,
                          output)
        else:
            tally.add(layer, name, test["result"] == "OK", output)


def run_script(tally, layer, command):
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    tally.add_tap(layer, run.stdout, run.returncode, run.stdout + run.stderr)


def run_images(tally, layer, build):
    """The firmware for boards, with libraries from Debian's source packages. Without it the boards' tests fail, and no others."""
    run = subprocess.run(["ninja", "-C", build, "mcu-images"], capture_output=True, text=True)
    tally.add(layer, "images", run.returncode == 0, run.stdout + run.stderr)


def run_demo(tally, layer, build, asan):
    """The relay's programs with sanitizers; what these report is a failure even if the demo went well."""
    with tempfile.TemporaryDirectory() as folder:
        reports = {name: f"{value}:log_path={folder}/report" for name, value in SANITIZERS.items()}
        run = subprocess.run([sys.executable, "demo/demo.py", "--build", build, "--relay-build", asan],
                             capture_output=True, text=True, cwd=ROOT, env={**os.environ, **reports})
        found = [path.read_text(errors="replace") for path in sorted(pathlib.Path(folder).iterdir())]
    tally.add(layer, "demo", run.returncode == 0 and not found, "\n".join([run.stdout, run.stderr, *found]))


# Most system tests wait more than they compute: lanes side by side, about equally long; boards in QEMU are the shortest.
LANES = (["tests/breach", "airgap", "country", "guard", "hostile"], None, ["tests/mcu"])


def lane_paths(lane):
    """What a lane runs: folders, and the files of tests/system whose subject it names; None: all that are left."""
    files = {path: path.stem.split("_")[1] for path in sorted(ROOT.glob("tests/system/test_*.py"))}
    named = [subject for other in LANES if other for subject in other]
    if lane is None:
        return [str(path.relative_to(ROOT)) for path, subject in files.items() if subject not in named]
    return ([part for part in lane if "/" in part]
            + [str(path.relative_to(ROOT)) for path, subject in files.items() if subject in lane])


def run_pytest(tally, layer, build, *lanes):
    """lanes: lists of files and folders; each list is a process of its own, all at one time."""
    build, answers = pathlib.Path(build).resolve(), [None] * len(lanes)

    def run(number):
        answers[number] = run_lane(build, number, lanes[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(lanes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result, exit_code, output in answers:
        if not result.exists():
            tally.add(layer, "pytest", False, output)
            continue
        add_junit(tally, layer, result)
        if exit_code not in (0, 1):
            tally.add(layer, f"pytest's exit code {exit_code}", False, output)


def run_lane(build, number, paths):
    result = build / f"pytest-{number}.xml"
    result.unlink(missing_ok=True)
    run = subprocess.Popen([sys.executable, "-m", "pytest", "--tb=short", "-p", "no:cacheprovider",
                            "-o", "junit_logging=all", f"--junitxml={result}", *paths],
                           cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           env={**os.environ, "RELAYD_BUILD": str(build), "RELAYD_LANE": str(number),
                                "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "100"})
    output = []
    for line in run.stdout:
        output.append(line)
        if line.startswith("tests/"):  # a file is done
            print("    " + line.rstrip(), flush=True)
    run.wait()
    return result, run.returncode, "".join(output)


def add_junit(tally, layer, path):
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        if any(child.tag == "skipped" for child in case):
            tally.skipped.append(name)
            continue
        bad = any(child.tag in ("failure", "error") for child in case)
        tally.add(layer, name, not bad, "\n".join(child.text or child.get("message", "") for child in case))


def layers(options):
    """(name, function, arguments) in the order they run: the fast ones first."""
    if options.breach:
        yield "breach", run_pytest, options.build, ["tests/breach"]
        return
    if options.mcu:
        yield "Cortex-M33 images", run_images, options.build
        yield "boards", run_pytest, options.build, ["tests/mcu"]
        return
    yield "unit, pair, fuzz", run_meson, options.build
    if options.quick:
        return
    yield "includes", run_script, ["tests/includes.py"]
    yield "style", run_script, ["tests/style.py"]
    yield "symbols", run_script, ["tests/symbols.py", options.build]
    yield "Cortex-M", run_script, ["tests/arm-build.sh"]
    yield "Cortex-M33 images", run_images, options.build
    yield "clang-tidy", run_script, ["tests/tidy.py", options.build]
    if options.asan:
        yield "unit, pair, fuzz under sanitizers", run_meson, options.asan
        yield "demo under sanitizers", run_demo, options.build, options.asan
    yield "breach, system, boards", run_pytest, options.build, *(lane_paths(lane) for lane in LANES)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--build", default="build")
    options.add_argument("--asan", help="build folder with sanitizers")
    options.add_argument("--quick", action="store_true", help="unit, pair and fuzz tests only")
    options.add_argument("--breach", action="store_true", help="the table of docs/threat-model.md only")
    options.add_argument("--mcu", action="store_true", help="the firmware on boards in QEMU only")
    options = options.parse_args()

    started, tally = time.monotonic(), Tally()
    for name, run, *arguments in layers(options):
        with Layer(tally, name):
            run(tally, name, *arguments)
    for layer, name, output in tally.failures:
        print(f"\n--- failed: {layer}: {name}\n{output[-4000:]}")
    for name in tally.skipped:
        print(f"  skipped: {name}")
    print(f"  total: {time.monotonic() - started:.0f} s")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
