# SPDX-License-Identifier: GPL-2.0-or-later
"""What the application's side of a Cortex-M33 in QEMU must not do: probe/probe.c tries it, one attempt each start."""

import pathlib
import re

import pytest
from lab.board import Boards

from conftest import BUILD

PATIENCE = 180
SECURE, BUS, HARD = (f"{kind} fault by the application" for kind in ("secure", "bus", "hard"))
REFUSED = "refused"

# attempt of probe.c -> how it ends: a fault that restarts the device, or an answer that says no
ATTEMPTS = {
    "have the secure side read the journal": REFUSED,
    "have the secure side read the device secret": REFUSED,
    "read secure RAM": SECURE,
    "write secure RAM": SECURE,
    "read secure RAM by the other alias": SECURE,
    "read secure code": SECURE,
    "read secure code by the other alias": SECURE,
    "read secure code by the third alias": SECURE,
    "read RAM behind its own": SECURE,
    "write code memory behind its own": SECURE,
    "read the device secret": SECURE,
    "read the journal": SECURE,
    "write the journal": SECURE,
    "write the identity": SECURE,
    "write the site policy": SECURE,
    "write the recovery image": SECURE,
    "read the last secure word of the flash": SECURE,
    "read across the border in the flash": SECURE,
    "read flash behind the last sector": SECURE,
    "call the middle of secure code": SECURE,
    "call behind the veneer's gate": SECURE,
    "call the page of the veneers where there is none": SECURE,
    "turn the SAU off": SECURE,
    "set a memory protection controller": SECURE,
    "set the peripheral protection": SECURE,
    "stop the watchdog": SECURE,
    "use DMA": REFUSED,
    "use the secure timer": BUS,
    "put its stack into secure RAM": SECURE,
    "write flash without the driver": HARD,
    "hand over a secure buffer": REFUSED,
    "hand over secure code": REFUSED,
    "hand over nothing": REFUSED,
    "hand over the end of the address space": REFUSED,
    "hand over the device secret": REFUSED,
    "hand over its own flash": REFUSED,
    "hand over its own code": REFUSED,
    "hand over a device's registers": REFUSED,
    "hand over a buffer that begins in secure RAM": REFUSED,
    "hand over a buffer that ends behind its RAM": REFUSED,
    "ask with a huge size": REFUSED,
    "ask with a size above the largest": REFUSED,
    "ask for an endless answer": REFUSED,
    "ask for an answer without room": REFUSED,
    "sign what is no handshake": REFUSED,
    "sign a server's handshake": REFUSED,
    "have secure memory verified": REFUSED,
    "have the device secret verified": REFUSED,
    "have a huge message verified": REFUSED,
    "ask what is not known": REFUSED,
    "ask nothing": REFUSED,
    "change a request while it is judged": REFUSED,
    "stand still": "watchdog: the application stands still",
}


class Probes(Boards):
    """Devices whose application is the one that tries."""

    def image(self, version):
        return self.build / "mcu" / "probe"


@pytest.fixture(scope="module")
def console():
    """What one device printed that tried everything and then ran on."""
    world = Probes(BUILD, devices=1)
    try:
        world.make()
        board = world.start_board("device-1", icount=True, watchdog_ms=2000)  # time by instructions: no load of this machine counts
        board.wait_for("probe: runs on", PATIENCE)
        yield board.output()
    finally:
        world.close()


def test_the_table_has_every_attempt():
    source = (pathlib.Path(__file__).parent / "probe" / "probe.c").read_text()
    table = source[source.index("} attempts[] = {"):source.index("#define ATTEMPTS")]
    assert re.findall(r'\{ "([^"]+)"', table) == list(ATTEMPTS)


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_attempt(console, attempt):
    """It ends as it must, and the device starts again and does what it may."""
    after = console.split(f"probe: {attempt}: ", 1)[1]
    first, then, may = after.splitlines()[:3]
    assert ATTEMPTS[attempt] in first
    assert "GOT" not in first
    assert then == "<6>boot: starting slot A"
    assert may == "probe: it may: flash sign verify wait"


def test_fault_says_where(console):
    """The console names the address of the instruction, for people who search for an error."""
    assert re.search(r"read the journal: <2>boot: secure fault by the application, status [0-9a-f]{8}, at 0020[0-9a-f]{4}", console)


def test_secret_is_out_of_reach_of_the_secure_side():
    """With a hole in the secure side: it reads the journal, and faults at the device secret."""
    world = Probes(BUILD, devices=1)
    world.kernel = lambda: world.build / "mcu" / "secure-peek.elf"
    try:
        world.make()
        board = world.start_board("device-1")
        board.wait_for("probe: have the secure side read the journal: GOT 746f6f62", PATIENCE)  # its magic number
        board.wait_for("read the device secret: <2>boot: hard fault of the secure side, status 00000082: restart", PATIENCE)
        board.wait_for("probe: read secure RAM", PATIENCE)
    finally:
        world.close()
