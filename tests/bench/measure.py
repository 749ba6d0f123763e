# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmark reads off the kernel, and how it reports."""

import datetime
import json
import os
import pathlib
import time

import chart

TICKS = os.sysconf("SC_CLK_TCK")


def threads_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def cpu_seconds(processes):
    """User and system time of these processes so far."""
    return sum(threads_ticks(process.pid) for process in processes) / TICKS


def pss_kib(process, private=False):
    """Proportional set size; private = only what is the process's own (stack, heap, written pages)."""
    wanted = ("Private_Dirty:",) if private else ("Pss:",)
    lines = pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.split()[0] in wanted)


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def seconds(stamp):
    """Unix time of a mosquitto_sub time stamp, with its microseconds."""
    return datetime.datetime.strptime(stamp.replace("Z", ""), "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


class Report:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.results = []
        self.started = time.monotonic()

    def add(self, name, what, unit, ours, peer=None, peer_name="", better="more", goal=None, absolute=False, note=""):
        """ratio > 1 always means that we are better. goal: of the ratio, or (absolute) the most that ours may be."""
        ratio = None
        if peer and ours:
            ratio = ours / peer if better == "more" else peer / ours
        met = None
        if goal is not None:
            met = ours <= goal if absolute else ratio >= goal if ratio is not None else None
        row = {"id": name, "what": what, "unit": unit, "ours": ours, "peer": peer, "peer_name": peer_name, "ratio": ratio,
               "goal": f"<= {goal:g} {unit}" if absolute else goal, "met": met}
        if note:
            row["note"] = note
        self.results.append(row)
        self.show(row)

    @staticmethod
    def show(row):
        def number(value):
            return value if isinstance(value, str) else "-" if value is None else f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
        met = {None: "", True: "yes", False: "no"}
        print(f"{row['id']:<16} {number(row['ours']):>12} {number(row['peer']):>12} {number(row['ratio']):>7} "
              f"{number(row['goal']):>11} {met[row['met']]:>4}  {row['what']} [{row['unit']}]"
              + (f", peer: {row['peer_name']}" if row["peer_name"] else "") + (f"; {row['note']}" if "note" in row else ""),
              flush=True)

    def write(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps({"results": self.results}, indent=1) + "\n")
        drawing = self.path.with_name("report.svg")
        drawing.write_text(chart.svg(self.results))
        print(f"\n{self.path}, {drawing.name}, {time.monotonic() - self.started:.0f} s")
