# SPDX-License-Identifier: GPL-2.0-or-later
"""A gateway reached by "ssh": a stand-in for the client, so that no sshd is needed. relayctl runs it as it runs ssh, and
systemd-stdio-bridge runs at the other end, as it does behind the real one."""

import contextlib
import os
import pathlib
import pwd
import shutil
import subprocess

from lab.process import LabError, Process, free_port

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


SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
SERVER = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
ForceCommand systemd-stdio-bridge --bus-path={bus}
"""
CLIENT = """
Host gateway
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {folder}/user
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known
    StrictHostKeyChecking yes
"""


class RealGateway:
    """The same with a real sshd on a port of its own, keys and settings that only this test knows."""

    def __init__(self, folder, bus):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        words = {"port": free_port(), "folder": self.folder, "bus": bus, "user": pwd.getpwuid(os.geteuid()).pw_name}
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name], check=True)
        shutil.copy(self.folder / "user.pub", self.folder / "authorized")
        (self.folder / "known").write_text(f"[127.0.0.1]:{words['port']} {(self.folder / 'host.pub').read_text()}")
        (self.folder / "server").write_text(SERVER.format(**words))
        (self.folder / "client").write_text(CLIENT.format(**words))
        (self.folder / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.folder}/client "$@"\n')
        (self.folder / "ssh").chmod(0o755)
        self.env = {"PATH": f"{self.folder}:{os.environ['PATH']}"}
        with contextlib.suppress(OSError):  # where root's sshd locks its unprivileged half up
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self.server = Process("sshd", [SSHD, "-D", "-e", "-f", self.folder / "server"], self.folder / "log")

    def lets_us_in(self):
        """Does this machine's sshd run here, and take our key? A locked account or a container may be reasons why not."""
        try:
            self.server.wait_for("Server listening")
        except LabError:
            return False
        subprocess.run([self.folder / "ssh", "-o", "BatchMode=yes", "gateway"], stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=60)
        return self.sessions() == 1

    def sessions(self):
        return self.server.output().count("Accepted publickey")

    def close(self):
        self.server.stop()
