#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays the main job end to end against a real broker on loopback. Exits non-zero if any step fails."""

import argparse
import pathlib
import shutil
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))

import steps  # noqa: E402
from lab.process import LabError  # noqa: E402
from lab.site import World  # noqa: E402


NEEDED = ("mosquitto", "mosquitto_pub", "mosquitto_sub", "dbus-daemon", "openssl", "sha256sum", "stdbuf")


class Narrator:
    """Says what happens, keeps what came out for the table at the end."""

    def __init__(self, colour):
        self.colour = colour
        self.rows = []
        self.started = time.monotonic()

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def step(self, number, title):
        print(f"\n{self.paint('1', f'{number}. {title}')}", flush=True)

    def say(self, text):
        print(f"   {text}", flush=True)

    def show(self, output, lines=12):
        for line in output.rstrip().splitlines()[:lines]:
            print(self.paint("2", f"   | {line}"), flush=True)

    def row(self, number, title, result, good):
        self.rows.append((number, title, result, good))
        print(f"   {self.paint('32', 'ok') if good else self.paint('31', 'FAILED')}: {result}", flush=True)

    def table(self):
        width = max(len(title) for _, title, _, _ in self.rows)
        print(f"\n{self.paint('1', 'What was shown')}  ({time.monotonic() - self.started:.0f} s)")
        for number, title, result, good in self.rows:
            mark = self.paint("32", "ok    ") if good else self.paint("31", "FAILED")
            print(f"  {mark} {number}  {title:<{width}}  {result}")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--build", default="build")
    options.add_argument("--relay-build", help="another build folder for all programs but the devices' firmware")
    options.add_argument("--keep", action="store_true", help="leave the world's folder and say where it is")
    options = options.parse_args()

    missing = [name for name in NEEDED if not shutil.which(name)]
    for name in missing:
        print(f"demo: {name} is not installed; make demo installs it", file=sys.stderr)
    if missing:
        return 1
    narrator = Narrator(sys.stdout.isatty())
    print("relayd: an update reaches a device only if the site's own people approved that exact image.")
    print("Everything below runs on loopback with real programs: a cloud (mosquitto), a relay, five devices.")
    failed = False
    with World(options.build, devices=5, direct_only=("device-5",), proves=True, keep=options.keep,
               relay_build=options.relay_build, ticket=True, commands=True) as world:
        for number, (title, step) in enumerate(steps.STEPS, 1):
            narrator.step(number, title)
            try:
                narrator.row(number, title, step(world, narrator), True)
            except (LabError, AssertionError) as error:
                narrator.row(number, title, str(error).splitlines()[0] if str(error) else repr(error), False)
                narrator.show(str(error) or traceback.format_exc(), lines=40)
                narrator.say(f"The logs are in {world.folder}; --keep leaves them there.")
                failed = True
                break
        if options.keep:
            narrator.say(f"everything lies in {world.folder}")
    narrator.table()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
