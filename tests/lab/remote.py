# SPDX-License-Identifier: GPL-2.0-or-later
"""A gateway reached by "ssh": a stand-in for the client, so that no sshd is needed. relayctl runs it as it runs ssh, and
systemd-stdio-bridge runs at the other end, as it does behind the real one."""

import os
import pathlib

STAND_IN = """#!/bin/sh
echo "$@" >> {log}
while [ "$1" != systemd-stdio-bridge ]; do shift || exit 255; done
exec systemd-stdio-bridge --bus-path={bus}
"""


class Gateway:
    """env: what relayctl -H gateway needs in its environment to reach the relay of this bus."""

    def __init__(self, folder, bus):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True)
        self.log = folder / "log"
        (folder / "ssh").write_text(STAND_IN.format(log=self.log, bus=bus))
        (folder / "ssh").chmod(0o755)
        self.env = {"PATH": f"{folder}:{os.environ['PATH']}"}

    def calls(self):
        """The command lines that ssh was given."""
        return self.log.read_text().splitlines() if self.log.exists() else []
