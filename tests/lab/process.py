# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes of a lab: each writes a log file, is waited for by what it prints, and is ended by its own pid."""

import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import time

# Debian leaves /usr/sbin, where mosquitto lies, out of an ordinary user's PATH.
if "/usr/bin" in os.environ["PATH"].split(":"):
    os.environ["PATH"] += ":/usr/sbin"

PATIENCE = 60.0  # seconds to wait for something that must come; generous, never asserted


class LabError(Exception):
    pass


def _ports():
    """Below those that the kernel gives to connections, and others for each lane of tests/check.py."""
    first, count = 12000 + 6800 * (int(os.environ.get("RELAYD_LANE", "0")) % 3), 6500
    start = random.randrange(count)
    while True:
        for number in range(count):
            yield first + (start + number) % count


_next_port = _ports()


def free_port():
    """A port of 127.0.0.1 that nobody listens on, and that is not given out again soon."""
    for port in _next_port:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_until(what, condition, patience=PATIENCE, interval=0.02):
    """Polls condition() until it is true; gives its value, or raises LabError naming what was waited for."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"waited {patience:.0f} s in vain for {what}")
        time.sleep(interval)


class Process:
    """One program in the background. Its output (both streams) goes to log."""

    def __init__(self, name, command, log, env=None, cwd=None):
        self.name = name
        self.command = [str(part) for part in command]
        self.log = pathlib.Path(log)
        with self.log.open("ab") as out:
            self.start_at = out.tell()
            self.popen = subprocess.Popen(self.command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                          env={**os.environ, **(env or {})}, cwd=cwd)

    @property
    def pid(self):
        return self.popen.pid

    def output(self):
        """What it has printed since it was started."""
        with self.log.open("rb") as log:
            log.seek(self.start_at)
            return log.read().decode(errors="replace")

    def alive(self):
        return self.popen.poll() is None

    def wait_for(self, pattern, patience=PATIENCE):
        """Waits for a line that matches; gives the match. A process that ends first is an error with its log."""
        regex = re.compile(pattern)

        def seen():
            match = regex.search(self.output())
            if not match and not self.alive():
                raise LabError(f"{self.name} ended with {self.popen.returncode} before it printed {pattern!r}:\n"
                               + self.output()[-2000:])
            return match
        try:
            return wait_until(f"{self.name} to print {pattern!r}", seen, patience)
        except LabError as error:
            raise LabError(f"{error}\n{self.output()[-2000:]}") from None

    def kill(self):
        """As a power cut or a crash does it."""
        if self.alive():
            self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self, patience=PATIENCE):
        """SIGTERM, and SIGKILL if it does not listen. Gives the exit code."""
        if self.alive():
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                self.kill()
                raise LabError(f"{self.name} did not end on SIGTERM:\n" + self.output()[-2000:]) from None
        return self.popen.wait()
