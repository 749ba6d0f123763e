# SPDX-License-Identifier: GPL-2.0-or-later
"""relay-guardd: what the hub's user may connect to, air-gapped, lockdown, and what the guard refuses to the hub."""

import os
import socket
import subprocess
import sys

import pytest

from lab import guard as g
from lab import netns
from lab.process import wait_until
from test_guard_kernel import BUILD, assert_reach, both, guard, listeners, make, net  # noqa: F401

pytestmark = pytest.mark.skipif(not netns.possible(), reason="network namespaces need root: run under unshare -Urn")

needs_users = pytest.mark.skipif(not netns.has_users(), reason="needs root: the hub's user is another one")

CONNECT = """
import os, socket, sys
os.setuid(int(sys.argv[1]))
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET)
if len(sys.argv) > 4: s.bind(("", int(sys.argv[4])))
s.settimeout(10)
s.connect((sys.argv[2], int(sys.argv[3])))
"""
CLOUD_PORT = 18883


def connects(net, place, version, *from_port, user=g.HUB_USER, port=CLOUD_PORT):
    """From the gateway outwards. True, or False if it is told at once that it may not."""
    done = subprocess.run(net.gateway.command(sys.executable, "-c", CONNECT, user, net.address(place, version, 10), port, *from_port),
                          capture_output=True, text=True, timeout=20)
    assert "timed out" not in done.stderr, "a refusal is told at once"
    return done.returncode == 0


@pytest.fixture
def cloud(net):  # noqa: F811
    servers = [net.listen(version, CLOUD_PORT, net.outside) for version in (4, 6)]
    yield servers
    for server in servers:
        server.close()


@needs_users
@pytest.mark.parametrize("version", [4, 6])
def test_uplink_by_policy(net, guard, cloud, version):  # noqa: F811
    guard.hub.apply(g.policy(uplink=g.rule(g.ALLOW, ["FI"])))
    assert connects(net, "FI", version) and connects(net, "LAN", version)
    assert not connects(net, "RU", version) and not connects(net, None, version)
    assert connects(net, "RU", version, user=0), "other users of the host are not judged"
    assert not connects(net, "RU", version, 8883), "not from a port of devices either"
    direction, address, port, country, _ = guard.hub.wait(g.REFUSED)
    assert (direction, port) == (g.UPLINK_DIRECTION, CLOUD_PORT)
    assert socket.inet_ntop(socket.AF_INET if version == 4 else socket.AF_INET6, address) == net.address("RU", version, 10)
    assert country == "RU"
    assert net.counter("uplink-accepted") >= 2 and net.counter("uplink-refused") >= 2


@needs_users
def test_air_gapped_sends_nothing(net, guard, cloud):  # noqa: F811
    """Counted outside by a capture: not one packet of the hub's user to a public address."""
    guard.hub.apply(g.policy(uplink=g.rule(g.ALLOW, ["FI"])))
    assert connects(net, "FI", 4)
    guard.hub.send(g.UPLINK, True)
    guard.hub.apply(g.policy(uplink=g.rule(g.ALLOW, ["FI"])))
    with net.outside.entered():
        capture = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    capture.bind(("wan0", 0))
    capture.setblocking(False)
    for version in (4, 6):
        assert not connects(net, "FI", version) and not connects(net, "RU", version)
        assert not connects(net, "FI", version, port=53), "names are not asked for either"
        assert connects(net, "LAN", version)
    seen = []
    while True:
        try:
            packet, (_, protocol, *_) = capture.recvfrom(2048)
        except BlockingIOError:
            break
        if protocol == 0x0800 and packet[9] == 6:
            seen.append(socket.inet_ntop(socket.AF_INET, packet[16:20]))
        if protocol == 0x86DD and packet[6] == 6:
            seen.append(socket.inet_ntop(socket.AF_INET6, packet[24:40]))
    capture.close()
    lan = {net.address("LAN", version, host) for version in (4, 6) for host in (1, 10)}
    assert seen and set(seen) <= lan
    guard.hub.send(g.UPLINK, False)
    wait_until("the uplink", lambda: connects(net, "FI", 4))


@needs_users
def test_names_may_be_asked_for(net, guard):  # noqa: F811
    guard.hub.apply(g.policy(uplink=g.rule(g.ALLOW, ["FI"])))
    with net.listen(4, 53, net.outside):
        assert connects(net, "RU", 4, port=53)


# ---- lockdown

@needs_users
def test_lockdown_closes_all_but_relay_and_admin_ports(net, make):  # noqa: F811
    guard = make("--lockdown", "allowed", "--admin-ports", "22,2222")  # noqa: F811
    servers = [net.listen(version, port) for version in (4, 6) for port in (8883, 22, 2222, 9999)]
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"]), admin=g.rule(g.ALLOW), lockdown=True, lockdown_ports=[22]))
    assert_reach(net, both("FI", "LAN"))
    assert_reach(net, both("LAN"), 22)
    assert_reach(net, set(), 2222)
    assert_reach(net, set(), 9999)
    with net.listen(4, 7777, net.outside):
        assert connects(net, "RU", 4, user=0, port=7777), "what the host asks for is answered"
    assert net.counter("closed") > 0
    guard.hub.wait(g.REFUSED, lambda m: m[1] == g.ADMIN and m[3] in (22, 2222, 9999))
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"]), admin=g.rule(g.ALLOW, ["SE"]), lockdown=True, lockdown_ports=[22]))
    assert_reach(net, both("LAN", "SE"), 22)
    guard.hub.apply(g.policy())
    assert_reach(net, both("FI", "RU", "SE", None, "LAN"), 9999)
    for server in servers:
        server.close()


@pytest.mark.parametrize("options, record, words", [
    ([], g.policy(lockdown=True), "without --lockdown"),
    (["--lockdown", "allowed"], g.policy(lockdown=True, lockdown_ports=[23]), "port 23 is not among"),
    (["--lockdown", "required"], g.policy(), "may not open this host"),
])
def test_hub_cannot_get_more_than_the_guard_was_started_with(net, make, options, record, words):  # noqa: F811
    guard = make(*options)  # noqa: F811
    answer = guard.hub.apply(record, expect=13)
    assert words in answer["sentence"]
    assert "relayd" not in net.nft("list", "tables")


@pytest.mark.parametrize("record", [b"", b"\xa0", b"\xff" * 50, g.policy() + b"\0"])
def test_malformed_policies_change_nothing(net, guard, listeners, record):  # noqa: F811
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    before = net.nft("-s", "list", "ruleset")
    assert "not well-formed" in guard.hub.apply(record, expect=22)["sentence"]
    assert net.nft("-s", "list", "ruleset") == before


# ---- policies on trial

def test_unconfirmed_policy_is_given_up(net, guard, listeners):  # noqa: F811
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["SE"])), confirm=2)
    assert_reach(net, both("SE", "LAN"))
    assert guard.hub.wait(g.ROLLED_BACK) == [2, 1]
    assert_reach(net, both("FI", "LAN"))


def test_first_policy_unconfirmed_leaves_the_host_open(net, guard, listeners):  # noqa: F811
    guard.hub.apply(g.policy(g.rule(g.ALLOW)), confirm=1)
    assert guard.hub.wait(g.ROLLED_BACK) == [1, 0]
    assert_reach(net, both("FI", "RU", "SE", None, "LAN"))


def test_confirmed_policy_stays(net, guard, listeners):  # noqa: F811
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["SE"])), confirm=2)
    guard.hub.send(g.CONFIRM, 2)
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["RU"])), confirm=1)
    assert guard.hub.wait(g.ROLLED_BACK) == [3, 2], "back to the confirmed one, not to the first"
    assert_reach(net, both("SE", "LAN"))


def test_trial_ends_though_the_hub_is_dead(net, guard, listeners):  # noqa: F811
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["SE"])), confirm=2)
    guard.hub.drop()
    wait_until("the end of the trial", lambda: not net.reaches("SE", 4, 8883))
    assert_reach(net, both("FI", "LAN"))
    ready = guard.hub.accept()
    assert ready[3:] == [1, 0, 0]


def test_guard_killed_on_trial(net, guard, listeners):  # noqa: F811
    """The table outlives the guard; the next guard asks the hub, which says what is committed."""
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["SE"])), confirm=600)
    guard.kill()
    assert_reach(net, both("SE", "LAN"))
    ready = guard.start()
    assert ready[3:] == [0, 0, 0]
    assert_reach(net, both("SE", "LAN"))  # never open in between
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    assert_reach(net, both("FI", "LAN"))


def test_hub_reconnects_and_sees_what_is_pending(guard):  # noqa: F811
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["SE"])), confirm=600)
    guard.hub.drop()
    ready = guard.hub.accept()
    assert ready[3:5] == [2, 2] and 0 < ready[5] <= 600


# ---- the program

def test_database_is_read_again(net, guard, listeners, tmp_path):  # noqa: F811
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    g.make_database(guard.build, tmp_path, {"FI": netns.PLACES["SE"], "SE": netns.PLACES["FI"]})
    guard.hub.send(g.RELOAD)
    assert guard.hub.wait(g.APPLIED)[1] == 0
    assert_reach(net, both("SE", "LAN"))
    guard.database.write_bytes(b"broken")
    guard.hub.send(g.RELOAD)
    answer = guard.hub.wait(g.APPLIED)
    assert answer[1] != 0 and "the last good one stays in use" in answer[2]
    assert_reach(net, both("SE", "LAN"))


def test_links_are_told(net, guard):  # noqa: F811
    net.gateway.run("ip", "route", "add", "default", "via", net.address("FI", 4, 10))
    assert guard.hub.wait(g.LINK, lambda m: m[1] == 2) == [2, "", True, True, False]
    net.gateway.run("ip", "link", "set", "wan0", "down")
    assert guard.hub.wait(g.LINK, lambda m: m[1] == 0)[:3] == [0, "wan0", False]
    guard.hub.wait(g.LINK, lambda m: m[1:] == [2, "", False, False, False])
    net.gateway.run("ip", "link", "set", "wan0", "up")
    assert guard.hub.wait(g.LINK, lambda m: m[1] == 0)[:3] == [0, "wan0", True]
    net.gateway.run("ip", "address", "add", "10.9.9.9/32", "dev", "wan0")
    assert guard.hub.wait(g.LINK, lambda m: m[1] == 1 and m[3])[:3] == [1, "wan0", True]


@needs_users
def test_without_rights(net, tmp_path):  # noqa: F811
    """As a kernel that says no: the guard lives, says why, and the hub enforces alone."""
    hub = g.Hub(tmp_path / "guard.channel")
    os.chmod(hub.path, 0o777)
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents[:3]:
        os.chmod(parent, 0o755)
    database = g.make_database(BUILD, tmp_path)
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
               BUILD / "relayd/guard/relay-guardd", "--channel", hub.path, "--database", database, "--hub-user", "0"]
    process = subprocess.Popen(net.gateway.command(*command), stderr=subprocess.PIPE, text=True)
    ready = hub.accept()
    assert ready[0] == 1 and "CAP_NET_ADMIN" in ready[1]
    assert "CAP_NET_ADMIN" in hub.apply(g.policy(g.rule(g.ALLOW)), expect=1)["sentence"]
    process.kill()
    process.wait()
    process.stderr.close()
    hub.close()


def test_remove_leaves_nothing(net, guard):  # noqa: F811
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    guard.kill()
    net.gateway.run(guard.build / "relayd/guard/relay-guardd", "--remove")
    assert net.nft("list", "tables") == ""
    net.gateway.run(guard.build / "relayd/guard/relay-guardd", "--remove")


@pytest.mark.parametrize("options, words", [
    ([], "--channel and --hub-user are needed"),
    (["--channel", "a"], "--channel and --hub-user are needed"),
    (["--channel", "a", "--hub-user", "no-such-user"], "there is no such user"),
    (["--channel", "a", "--hub-user", "0", "--ports", "0"], "from 1 to 65535"),
    (["--channel", "a", "--hub-user", "0", "--ports", "1,"], "from 1 to 65535"),
    (["--channel", "a", "--hub-user", "0", "--ports", ",".join(map(str, range(1, 18)))], "at most 16 ports"),
    (["--channel", "a", "--hub-user", "0", "--lockdown", "yes"], "expected no, allowed or required"),
    (["--channel", "a", "--hub-user", "0", "--budget", "x"], "expected a number"),
    (["--channel", "a", "--hub-user", "0", "stray"], "stray: unexpected argument"),
])
def test_options(options, words):
    done = subprocess.run([BUILD / "relayd/guard/relay-guardd", *options], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and words in done.stderr
