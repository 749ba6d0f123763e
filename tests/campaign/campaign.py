#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Campaigns, which take too long for make check: runs each part, prints how it goes, and writes report.json (the form of make bench) and
summary.md, which somebody reads and puts into docs/campaigns.md.

A part is a module here with run(campaign); it adds its rows to campaign.report, says how it goes by campaign.say(), takes its
size from campaign.options, and ends by itself. A new part is a module and a line in PARTS.
"""

import argparse
import datetime
import pathlib
import subprocess
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "bench")]

import boards  # noqa: E402
import failover  # noqa: E402
import measure  # noqa: E402
import power_device  # noqa: E402
import schedules  # noqa: E402
import storm  # noqa: E402

PARTS = {
    "boards": boards.run,        # the firmware on a Cortex-M33: sizes, instructions, memory
    "schedules": schedules.run,  # fail-over under random schedules, the device engine against brokers in memory
    "storm": storm.run,          # 10,000 devices lose their relay
    "failover": failover.run,    # real devices, relay and broker: kills and cuts
    "power-device": power_device.run,  # boards in QEMU: kills, and power cuts inside flash operations
}


class Campaign:
    def __init__(self, options):
        self.options, self.build = options, pathlib.Path(options.build).resolve()
        self.folder = self.build / "campaign"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.report = measure.Report(self.folder / "report.json")
        self.summary, self.failures = [], []

    def say(self, text):
        """A line that belongs to the results."""
        print(text, flush=True)
        self.summary.append(text)

    @staticmethod
    def progress(text):
        print(text, flush=True)

    def fail(self, text):
        self.say(f"FAILED: {text}")
        self.failures.append(text)

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def play(self, names):
        for name in names:
            self.say(f"== {name}, {datetime.datetime.now():%Y-%m-%d %H:%M}")
            began = time.monotonic()
            try:
                PARTS[name](self)
            except Exception:  # the other parts have something to say, too
                self.fail(f"{name}: {traceback.format_exc()}")
            self.say(f"== {name}: {time.monotonic() - began:.0f} s")
        self.report.write()
        version = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=HERE).stdout.strip()
        self.write("summary.md", "\n".join([f"Version {version}", "", "```", *self.summary, "```", ""]))
        missed = [row["id"] for row in self.report.results if row["met"] is False]
        print(f"{len(self.failures)} failures" + (f", goals missed: {', '.join(missed)}" if missed else ""))
        return 1 if self.failures else 0


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--build", default="build")
    options.add_argument("--only", action="append", choices=PARTS, help="this part; may be repeated")
    options.add_argument("--seed", type=int, default=1, help="of everything random")
    options.add_argument("--schedules", type=int, default=1000000, help="of the fail-over machine in simulated time")
    options.add_argument("--engines", type=int, default=1000, help="schedules of the device engine against brokers in memory")
    options.add_argument("--devices", type=int, default=200, help="of the real runs")
    options.add_argument("--faults", type=int, default=1000, help="of the real runs")
    options.add_argument("--kills", type=int, default=1000, help="of boards")
    options.add_argument("--step", type=int, default=1, help="every n-th flash operation is torn, by turns; 0: none")
    options = options.parse_args()
    return Campaign(options).play(options.only or PARTS)


if __name__ == "__main__":
    sys.exit(main())
