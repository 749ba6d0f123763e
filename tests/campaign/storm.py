#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""10,000 devices lose their relay: how they arrive at the cloud. The devices are the real fail-over code, time is simulated
(tests/sim/storm.c); the cloud serves 833 handshakes a second, which is what mosquitto does on one core.

usage: storm.py PROGRAM    prints TAP: the goal, and that the goal is not met without the spread
"""

import json
import subprocess
import sys

GOAL = 3.0  # peak over mean
DEVICES = 10000
ROWS = 30  # of a printed curve
SCENES = {
    "killed": "the relay's processes are killed",
    "cut": "the relay's cable is cut, keep-alive 60 s",
    "restarted": "the relay is back after 3 s",
    "returned": "the relay is back after 600 s",
}


class Curve:
    """Attempts a second, from the first one on."""

    def __init__(self, steps, step_ms, begin_s=0):
        whole = 1000 // step_ms
        seconds = [sum(steps[at:at + whole]) for at in range(begin_s * whole, len(steps), whole)]
        used = [number for number, count in enumerate(seconds) if count]
        self.begin = begin_s + used[0] if used else 0
        self.seconds = seconds[used[0]:used[-1] + 1] if used else []

    @property
    def total(self):
        return sum(self.seconds)

    @property
    def peak(self):
        return max(self.seconds, default=0)

    @property
    def ratio(self):
        """peak over the mean of the spread"""
        return self.peak * len(self.seconds) / self.total if self.total else 0.0

    def text(self):
        """A bar for each second, or for several if there are many; the bar's end is the highest second of them."""
        group = -(-len(self.seconds) // ROWS)
        for at in range(0, len(self.seconds), group):
            high = max(self.seconds[at:at + group])
            yield f"{self.begin + at:>6} s {high:>7,} {'#' * round(50 * high / self.peak)}"

    def svg(self, title):
        width, height, left, top = 760, 260, 60, 40
        bar = (width - left - 20) / max(len(self.seconds), 1)
        parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
                 f'<rect width="{width}" height="{height}" fill="white"/>',
                 f'<text x="{left}" y="22" font-size="13" font-family="sans-serif">{title}: attempts a second at the cloud</text>']
        for number, count in enumerate(self.seconds):
            tall = (height - top - 30) * count / self.peak
            parts.append(f'<rect x="{left + number * bar:.1f}" y="{height - 30 - tall:.1f}" width="{max(bar - 1, 0.5):.1f}" '
                         f'height="{tall:.1f}" fill="#2e7d32"/>')
        for x, y, text in ((left - 6, top + 8, f"{self.peak:,}"), (left - 6, height - 30, "0")):
            parts.append(f'<text x="{x}" y="{y}" font-size="11" font-family="sans-serif" text-anchor="end">{text}</text>')
        for share in (0, 0.5, 1):
            second = self.begin + round(share * len(self.seconds))
            parts.append(f'<text x="{left + share * len(self.seconds) * bar:.1f}" y="{height - 12}" font-size="11" '
                         f'font-family="sans-serif" text-anchor="middle">{second} s</text>')
        return "\n".join([*parts, "</svg>"]) + "\n"


class Storm:
    def __init__(self, program, scene, *options):
        done = subprocess.run([program, "--scene", scene, "--devices", str(DEVICES), *map(str, options)], capture_output=True,
                              text=True, check=True, timeout=300)
        self.result = json.loads(done.stdout)
        self.cloud = Curve(self.result["cloud"], self.result["step_ms"])
        self.relay_again = Curve(self.result["relay"], self.result["step_ms"], 600)

    def words(self):
        result = self.result
        return (f"{self.cloud.total:,} attempts, highest {self.cloud.peak:,} a second, {self.cloud.ratio:.2f} times the mean; half of the "
                f"devices have a session after {result['half_ms'] / 1000:.1f} s, all after {result['last_ms'] / 1000:.1f} s")


def run(campaign):
    program = campaign.build / "tests" / "sim" / "storm"
    told, at_once = ({scene: Storm(program, scene, *options) for scene in SCENES} for options in ((), ("--told", 0)))
    for scene, what in SCENES.items():
        campaign.say(f"{what}: {told[scene].words()}")
        campaign.say(f"  without the spread: {at_once[scene].words()}")
    for line in told["killed"].cloud.text():
        campaign.say("  " + line)
    campaign.write("storm.svg", told["killed"].cloud.svg(f"{DEVICES:,} devices, the relay killed"))
    for scene, name in (("killed", "storm"), ("cut", "storm-cut")):
        ours, peer = told[scene].cloud.ratio, at_once[scene].cloud.ratio
        campaign.report.add(name, f"{DEVICES:,} devices, {SCENES[scene]}: peak of the arrivals at the cloud over their mean", "x", ours,
                            peer, "the same without the spread", better="less", goal=GOAL, absolute=True,
                            note=f"peak {told[scene].cloud.peak:,}/s, all in session after {told[scene].result['last_ms'] / 1000:.1f} s")
    again = told["returned"].relay_again
    campaign.report.add("storm-return", f"{DEVICES:,} devices, {SCENES['returned']}: peak of the arrivals at the relay over their mean",
                        "x", again.ratio, goal=GOAL, better="less", absolute=True, note=f"peak {again.peak:,}/s")


def main():
    program = sys.argv[1]
    cases = []
    for scene in SCENES:
        storm = Storm(program, scene)
        cases.append((f"{SCENES[scene]}: everyone has a session again", storm.result["arrived"] == DEVICES, storm.words()))
        cases.append((f"{SCENES[scene]}: no storm at the cloud", storm.cloud.ratio <= GOAL, storm.words()))
    again = storm.relay_again
    cases.append(("no storm at a relay that is back", again.ratio <= GOAL, f"highest {again.peak}, {again.ratio:.2f} times the mean"))
    storm = Storm(program, "killed", "--told", 0)
    cases.append(("without the spread there is one", storm.cloud.ratio > GOAL, storm.words()))
    print(f"1..{len(cases)}")
    for number, (what, good, words) in enumerate(cases, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {what}\n# {words}")
    return 0 if all(good for _, good, _ in cases) else 1


if __name__ == "__main__":
    sys.exit(main())
