# SPDX-License-Identifier: GPL-2.0-or-later
"""relay-mqttd as a program: its options, its sockets, its end. There is no hub here: it waits for one."""

import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

from lab.process import Process, free_port, wait_until

BUILD = pathlib.Path(os.environ.get("RELAYD_BUILD", pathlib.Path(__file__).resolve().parent.parent.parent / "build"))
PROGRAM = BUILD / "relayd" / "front" / "relay-mqttd"


@pytest.fixture
def certificate(tmp_path):
    path = tmp_path / "relay.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=relay.s1",
                    "-out", path], check=True, capture_output=True)
    return path


def arguments(folder, certificate, *more):
    return [PROGRAM, "--channel", folder / "channel", "--sign", folder / "sign", "--certificate", certificate, *more]


@pytest.mark.parametrize("options, code, words", [
    ([], 2, "--channel, --sign and --certificate are needed"),
    (["--channel", "a", "--sign", "b", "--certificate", "c", "stray"], 2, "stray: unexpected argument"),
    (["--no-such-option"], 2, "usage:"),
    (["--channel", "a", "--sign", "b", "--certificate", "c", "--connections-max", "0"], 2, "from 1 to"),
    (["--channel", "a", "--sign", "b", "--certificate", "c"], 1, "nothing to listen on"),
    (["--channel", "a", "--sign", "b", "--certificate", "c", "--listen", "localhost"], 1, "expected ADDRESS:PORT"),
    (["--channel", "a", "--sign", "b", "--certificate", "c", "--listen", "127.0.0.1:0"], 1, "c: No such file"),
    (["--channel", "a", "--sign", "b", "--certificate", "/etc/passwd", "--listen", "127.0.0.1:0"], 1, "expected a PEM"),
    (["--help"], 0, "--reuse-port"),
    (["--version"], 0, "relay-mqttd"),
])
def test_options(options, code, words):
    done = subprocess.run([PROGRAM, *options], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    assert done.returncode == code
    assert words in done.stdout + done.stderr
    assert len(re.findall("^<3>", done.stderr, re.M)) <= 1, "one line says it"


def test_taken_port_is_named(tmp_path, certificate):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        done = subprocess.run(arguments(tmp_path, certificate, "--listen", address), capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert f"--listen {address}: Address already in use" in done.stderr


def is_turned_away(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            return client.recv(1) == b""
    except ConnectionResetError:
        return True
    except ConnectionRefusedError:
        return False


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_without_a_hub_clients_are_turned_away(tmp_path, certificate, end):
    port = free_port()
    process = Process("front", arguments(tmp_path, certificate, "--listen", f"127.0.0.1:{port}"), tmp_path / "log")
    wait_until("its complaint", lambda: "cannot reach the hub" in process.output())
    assert is_turned_away(port)
    assert "listening on" not in process.output()
    process.popen.send_signal(end)
    assert process.popen.wait(20) == 0


def test_socket_activation(tmp_path, certificate):
    port = free_port()
    process = Process("front", ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", *arguments(tmp_path, certificate)],
                      tmp_path / "log")
    wait_until("the socket", lambda: is_turned_away(port))
    process.popen.send_signal(signal.SIGTERM)
    assert process.popen.wait(20) == 0
