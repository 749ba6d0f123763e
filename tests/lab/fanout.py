# SPDX-License-Identifier: GPL-2.0-or-later
"""A site with many devices that take an update together: whole devices, but all in a few processes."""

import json

from .process import LabError, wait_until
from .site import World


class FanoutWorld(World):
    def start_fleet(self, devices=None, processes=1, name="fleet"):
        """These devices (all) in so many processes; gives a Fleet."""
        devices = devices or self.devices
        running = []
        for number in range(processes):
            share = devices[number::processes]
            flashes = [self.folder / "devices" / device / "flash" for device in share]
            process = self.start(f"{name}-{number}", [self.program("update-fleet"), *flashes])
            process.devices = share
            running.append(process)
        return Fleet(running, len(devices))


class Fleet:
    def __init__(self, processes, count):
        self.processes, self.count = processes, count

    def steps(self, step, image=""):
        """device -> (time of CLOCK_MONOTONIC, digest of the image) of its first step of this name, with this image"""
        found = {}
        for process in self.processes:
            for line in process.output().split("\n")[:-1]:
                if f'"step":"{step}"' in line and image in line:
                    row = json.loads(line)
                    found.setdefault(row["device"], (row["time"], row["image"]))
        return found

    def wait(self, step, image="", patience=180):
        def all_there():
            for process in self.processes:
                if not process.alive() and process.popen.returncode:
                    raise LabError(f"{process.name}: {process.output()[-500:]}")
            found = self.steps(step, image)
            return found if len(found) == self.count else None
        try:
            return wait_until(f"{self.count} devices to be {step}", all_there, patience, 0.1)
        except LabError as error:
            missing = set().union(*(process.devices for process in self.processes)) - set(self.steps(step, image))
            said = "".join(process.output()[-500:] for process in self.processes)
            raise LabError(f"{error}; not yet: {sorted(missing)}; {said}") from None

    def kill(self):
        for process in self.processes:
            process.kill()
