# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's world whose devices are boards: QEMU's mps2-an505 with the real image, and relay and cloud as its only ways out."""

import os
import pathlib
import sys

from .process import Process
from .site import World

TUNNEL = pathlib.Path(__file__).with_name("tunnel.py")
FLASH_SIZE = 16 << 20
STRAPS = 0x28200000  # firmware/ports/mps2-an505/map.h
STRAP = {"cut_after": 0x00, "confirm_ms": 0x04, "watchdog_ms": 0x08, "keep_alive_s": 0x10, "report_ms": 0x14, "dwell_ms": 0x18,
         "backoff_ms": 0x1c, "gate_ms": 0x20, "retry_ms": 0x24, "settle_ms": 0x28}


class Boards(World):
    """Devices reach the relay at 10.0.2.100:8883 and the cloud at 10.0.2.101:8883."""

    relay_endpoint, cloud_endpoint = "10.0.2.100:8883", "10.0.2.101:8883"
    isolated = True

    def __init__(self, build, proves=True, **options):
        super().__init__(build, proves=proves, **options)

    def image(self, version):
        return self.build / "mcu" / f"plant-care-{version}"

    def recovery_image(self):
        return self.build / "mcu" / "recovery-image"

    def make_relay(self):
        super().make_relay()
        config = self.config()
        text = config.read_text().replace("host = 10.0.2.101\nport = 8883", f"host = 127.0.0.1\nport = {self.cloud.port}")
        config.write_text(text)

    def hold(self, name, where):
        """The file whose existence cuts the wire of board name to "relay" or "cloud"."""
        return self.folder / "devices" / name / f"hold-{where}"

    def forward(self, name, endpoint, port, where):
        return (f"guestfwd=tcp:{endpoint}-cmd:{sys.executable} -S -E {TUNNEL} {port} {self.hold(name, where)}")

    def board_command(self, name, entropy="/dev/urandom", icount=False, **straps):
        flash = self.folder / "devices" / name / "flash"
        with flash.open("ab") as file:
            file.truncate(FLASH_SIZE)
        number = self.devices.index(name)
        command = ["qemu-system-arm", "-M", "mps2-an505,memory-backend=psram",
                   "-object", f"memory-backend-file,id=psram,size=16M,mem-path={flash},share=on",
                   "-display", "none", "-monitor", "none", "-serial", "stdio", "-serial", "null",
                   "-chardev", f"pipe,id=noise,path={entropy}", "-serial", "chardev:noise",
                   "-nic", ",".join([f"user,model=lan9118,mac=52:54:00:12:34:{number:02x},restrict=on",
                                     self.forward(name, self.relay_endpoint, self.port, "relay"),
                                     self.forward(name, self.cloud_endpoint, self.cloud.port, "cloud")]),
                   "-kernel", self.kernel()]
        for strap, value in straps.items():
            command += ["-device", f"loader,addr={STRAPS + STRAP[strap]:#x},data={value},data-len=4"]
        if icount:
            command += ["-icount", "shift=6"]
        return command

    def kernel(self):
        """The secure side: boot stage and veneers."""
        return self.build / "mcu" / "secure.elf"

    def start_board(self, name, **options):
        return self.start(name, self.board_command(name, **options))
