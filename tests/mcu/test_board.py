# SPDX-License-Identifier: GPL-2.0-or-later
"""The real image on a Cortex-M33 in QEMU against the real relay and a real broker."""

import os
import time

import pytest
from lab.cloud import event_keys
from lab.process import wait_until

# pauses that a product would take longer
QUICK = {"keep_alive_s": 4, "report_ms": 500, "dwell_ms": 2000, "backoff_ms": 2000, "retry_ms": 1000}
PATIENCE = 180  # QEMU shares the machine with everything else


@pytest.fixture
def board(site, request):
    """board("device-1") starts it; its console is shown if the test fails."""
    started = []

    def start(name, **options):
        started.append(site.start_board(name, **{**QUICK, **options}))
        return started[-1]
    yield start
    for process in started:
        print(process.output()[-8000:])
        process.kill()


def online(site, name):
    return site.wait_device(name, "online", lambda shown: shown["Online"], patience=PATIENCE)


def keys_of(watcher, name):
    return {(boot, seq) for device, boot, seq in event_keys(watcher.messages()) if device == name}


def whole(watcher, name, count):
    """The first so many events are there, of one start of the board. They may come twice, by two ways, and overtake each other."""
    keys = keys_of(watcher, name)
    if not keys:
        return False
    boot, first = min(keys)
    return {(boot, first + number) for number in range(count)} <= keys


def test_events_by_the_relay(site, board):
    watcher = site.cloud.watch("sites/s1/devices/device-1/events/#", name="board-events")
    console = board("device-1")
    console.wait_for("session with the relay", PATIENCE)
    online(site, "device-1")
    wait_until("20 events at the cloud", lambda: whole(watcher, "device-1", 20), PATIENCE)
    assert len({boot for boot, _ in keys_of(watcher, "device-1")}) == 1


def test_update_end_to_end(site, desk, board):
    """Offer, approvals, 200 KB in blocks, trial, confirmation: the boot stage goes on with the new image."""
    console = board("device-2")
    console.wait_for("session with the relay", PATIENCE)
    update = desk.make(version="1.1.0")
    began = time.monotonic()
    desk.serve(update)
    desk.offer(update.envelope, "device-2")
    for person in ("anna", "bertil"):
        desk.approve(person, update)
    desk.wait_status("device-2", 0, "confirmed", update=update, patience=2 * PATIENCE)
    print(f"{len(update.image):,} bytes: {time.monotonic() - began:.1f} s from offer to confirmation")
    desk.wait_running(update, "device-2", patience=PATIENCE)
    # it was kept: the next start runs it, too
    console.kill()
    before = site.processes["device-2"].output()
    again = board("device-2")
    again.wait_for("session with the relay", PATIENCE)
    assert "on trial" in before
    assert "on trial" not in again.output()
    desk.wait_running(update, "device-2", patience=PATIENCE)


def test_wrong_blocks_are_not_written(site, desk, board):
    """Blocks of another image, cut short and too long, under the right names: nothing of them is kept, and good ones are."""
    console = board("device-3")
    console.wait_for("session with the relay", PATIENCE)
    update = desk.make(version="1.1.1")
    wrong = {"o0": b"x" * 4096, "o3": b"short", "o5": b"y" * 9000}
    site.hold("device-3", "relay").touch()  # by the cloud, which nobody checks before the device does
    console.wait_for("session with the cloud", PATIENCE)
    desk.serve(update, **wrong)
    desk.offer(update.envelope, "device-3")
    for person in ("anna", "bertil"):
        desk.approve(person, update)
    desk.wait_status("device-3", 0, "fetching", update=update, patience=PATIENCE)
    wait_until("a wrong block to be refused", lambda: "block" in console.output(), PATIENCE)
    assert "on trial" not in console.output()
    desk.serve(update)
    desk.wait_status("device-3", 0, "confirmed", update=update, patience=2 * PATIENCE)
    site.hold("device-3", "relay").unlink()


def test_silent_noise_source(site, board, tmp_path):
    """Without random numbers nothing is said to anybody, and the console says why; what the plant needs goes on."""
    silent = tmp_path / "silent"
    os.mkfifo(silent)
    console = board("device-4", entropy=silent)
    console.wait_for("random numbers", PATIENCE)
    assert "session with" not in console.output()
    assert console.alive()
    console.kill()
    # a source that is stuck is not better
    stuck = board("device-4", entropy="/dev/zero")
    stuck.wait_for("random numbers", PATIENCE)
    assert "session with" not in stuck.output()
    stuck.kill()
    board("device-4").wait_for("session with the relay", PATIENCE)


def test_fail_over_and_back(site, board):
    """The relay's programs die: the device publishes at the cloud, and comes back; nothing is lost."""
    watcher = site.cloud.watch("sites/s1/devices/device-5/events/#", name="board-failover")
    console = board("device-5")
    console.wait_for("session with the relay", PATIENCE)
    wait_until("events by the relay", lambda: len(keys_of(watcher, "device-5")) >= 5, PATIENCE)
    for name in ("front", "hub"):
        site.processes[name].kill()
    lost, seen = time.monotonic(), len(keys_of(watcher, "device-5"))
    console.wait_for("session with the cloud", PATIENCE)
    wait_until("events by the cloud", lambda: len(keys_of(watcher, "device-5")) > seen, PATIENCE)
    print(f"{time.monotonic() - lost:.2f} s from the relay's end to an event at the cloud")
    shown = console.output().count("session with the relay")
    site.start_relay()
    wait_until("the way back", lambda: console.output().count("session with the relay") > shown, PATIENCE)
    online(site, "device-5")
    count = len(keys_of(watcher, "device-5")) + 10
    wait_until("events by the relay again, and all before", lambda: whole(watcher, "device-5", count), PATIENCE)
