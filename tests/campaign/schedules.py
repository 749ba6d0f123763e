# SPDX-License-Identifier: GPL-2.0-or-later
"""Random schedules of faults in simulated time: the pure state machine, then the device engine against brokers in memory."""

import os
import pathlib
import re
import subprocess
import time

BATCH = 100000
MUTANTS = pathlib.Path(__file__).resolve().parent.parent / "sim" / "mutants.py"


def run_batches(campaign, what, program, count, batch):
    """Runs the program over the seeds in batches; gives (cases that failed, seconds)."""
    began, bad, first = time.monotonic(), [], campaign.options.seed
    for done in range(0, count, batch):
        size = min(batch, count - done)
        run = subprocess.run([program, "--from", str(first + done), "--count", str(size)], capture_output=True, text=True,
                             env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP"})
        if run.returncode:
            bad.append(run.stdout[-1000:] + run.stderr[-1000:])
        campaign.progress(f"  {what}: {done + size:,} of {count:,}, {len(bad)} failures")
    return bad, time.monotonic() - began


def run(campaign):
    count = campaign.options.schedules
    bad, seconds = run_batches(campaign, "schedules", campaign.build / "tests" / "sim" / "schedules", count, BATCH)
    campaign.say(f"state machine: {count:,} schedules from seed {campaign.options.seed} in {seconds:.0f} s, {len(bad)} failures")
    for line in bad:
        campaign.fail(line)
    mutants = subprocess.run([MUTANTS], capture_output=True, text=True)
    caught, lived = (len(re.findall(pattern, mutants.stdout, re.MULTILINE)) for pattern in (r"^ok", r"^not ok"))
    campaign.say(f"broken on purpose: {caught - 1} of {caught + lived - 1} broken state machines found by the property that guards the rule")
    if lived or not caught:
        campaign.fail(mutants.stdout)
    engine = campaign.build / "tests" / "pair" / "test_device_schedules_pair"
    count = campaign.options.engines
    bad, seconds = run_batches(campaign, "device engine", engine, count, 50)
    campaign.say(f"device engine, three brokers in memory: {count:,} schedules in {seconds:.0f} s, {len(bad)} failures")
    for line in bad:
        campaign.fail(line)
