# SPDX-License-Identifier: GPL-2.0-or-later
"""relay-guardd and the real kernel: who gets through over IPv4 and IPv6, and what the table holds."""

import os
import pathlib
import signal
import socket
import time

import pytest

from lab import guard as g
from lab import netns
from lab.process import wait_until

BUILD = pathlib.Path(os.environ.get("RELAYD_BUILD", pathlib.Path(__file__).resolve().parent.parent.parent / "build"))
PORT = 8883

pytestmark = pytest.mark.skipif(not netns.possible(), reason="network namespaces need root: run under unshare -Urn")


@pytest.fixture
def net():
    net = netns.Net()
    yield net
    net.close()


@pytest.fixture
def make(net, tmp_path):
    """make(option, ...) starts a guard."""
    guards = []

    def make_guard(*options, **more):
        guard = g.Guard(BUILD, net, tmp_path, *options, **more)
        guards.append(guard)
        guard.ready = guard.start()
        return guard

    yield make_guard
    for guard in guards:
        guard.close()


@pytest.fixture
def guard(make):
    return make()


@pytest.fixture
def listeners(net):
    servers = [net.listen(version, PORT) for version in (4, 6)]
    yield dict(zip((4, 6), servers))
    for server in servers:
        server.close()


def who_reaches(net, expected, port=PORT):
    """Everybody tries at once: waits for those that should come through, and a moment for those that should not."""
    clients, reached = {}, set()
    for place in netns.PLACES:
        for version in (4, 6):
            client = net.outside.socket(socket.AF_INET if version == 4 else socket.AF_INET6)
            client.setblocking(False)
            client.bind((net.address(place, version, 10), 0))
            client.connect_ex((net.address(place, version, 1), port))
            clients[place, version] = client

    def look():
        for who, client in clients.items():
            try:
                client.getpeername()
                reached.add(who)
            except OSError:
                pass
        return reached >= expected
    try:
        wait_until(f"{sorted(map(str, expected))} to come through", look)
        time.sleep(0.2)
        look()
    finally:
        for client in clients.values():
            client.close()
    return reached


def assert_reach(net, expected, port=PORT):
    assert who_reaches(net, expected, port) == expected


def both(*places):
    return {(place, version) for place in places for version in (4, 6)}


@pytest.mark.parametrize("record, expected", [
    (g.policy(), both("FI", "RU", "SE", None, "LAN")),
    (g.policy(g.rule(g.ALLOW, ["FI"])), both("FI", "LAN")),
    (g.policy(g.rule(g.ALLOW, ["FI", "SE"], unknown=True)), both("FI", "SE", None, "LAN")),
    (g.policy(g.rule(g.DENY, ["RU"], unknown=True)), both("FI", "SE", None, "LAN")),
    (g.policy(g.rule(g.DENY, ["RU"], unknown=False)), both("FI", "SE", "LAN")),
    (g.policy(g.rule(g.ALLOW)), both("LAN")),
    (g.policy(g.rule(g.ALLOW), exempt=[(bytes([198, 51, 100, 0]), 24)]), both("LAN") | {("RU", 4)}),
    (g.policy(g.rule(g.ALLOW, ["FI"]), judge_local=True), both("FI")),
    (g.policy(g.rule(g.ALLOW, ["FI"]), ports=[(PORT, g.rule(g.ALLOW, ["SE"]))]), both("SE", "LAN")),
    (g.policy(g.rule(g.ALLOW, ["FI"]), ports=[(PORT, g.rule())]), both("FI", "RU", "SE", None, "LAN")),
    (g.policy(g.rule(), ports=[(1883, g.rule(g.ALLOW, ["SE"]))]), both("FI", "RU", "SE", None, "LAN")),
], ids=["off", "allow", "allow-unknown", "deny", "deny-unknown", "exempt-only", "listed-exempt", "judge-local", "port-allow",
        "port-off", "other-port"])
def test_who_gets_through(net, guard, listeners, record, expected):
    guard.hub.apply(record)
    assert_reach(net, expected)


def test_every_change_between_policies(net, guard, listeners):
    """One guard that is told one policy after the other, with the same and other shapes of the table."""
    steps = [(["FI"], ["FI"]), (["FI", "RU"], ["FI", "RU"]), (["RU"], ["RU"]), ([], []), (["SE"], ["SE"])]
    for countries, expected in steps:
        guard.hub.apply(g.policy(g.rule(g.ALLOW, countries)))
        assert_reach(net, both("LAN", *expected))
        guard.hub.apply(g.policy(g.rule(g.ALLOW, countries), uplink=g.rule(g.ALLOW, ["FI"])))
        assert_reach(net, both("LAN", *expected))
    assert guard.hub.apply(g.policy(), expect=0)["intervals4"] == 0
    assert_reach(net, both("FI", "RU", "SE", None, "LAN"))


def test_other_ports_are_not_touched(net, guard):
    with net.listen(4, 2222):
        guard.hub.apply(g.policy(g.rule(g.ALLOW)))
        assert net.reaches("RU", 4, 2222)


def test_no_database_refuses_all_but_exempt(net, make, listeners, tmp_path):
    guard = make(database=tmp_path / "none.db")
    assert guard.ready[2] == 0
    answer = guard.hub.apply(g.policy(g.rule(g.DENY, ["RU"], unknown=True)))
    assert "no address database at" in answer["sentence"] and "relay-country compile" in answer["sentence"]
    assert_reach(net, both("LAN"))


def test_session_of_a_country_refused_now_ends_at_both_sides(net, guard, listeners):
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI", "RU"])))
    sessions = {}
    for place in ("FI", "RU"):
        for version in (4, 6):
            client = net.connect(place, version, PORT)
            server, _ = listeners[version].accept()
            server.settimeout(20)
            sessions[place, version] = client, server
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    for (place, version), (client, server) in sessions.items():
        client.sendall(b"ping")
        if place == "FI":
            assert server.recv(4) == b"ping", "a session of an allowed country is not disturbed"
            server.sendall(b"pong")
            assert client.recv(4) == b"pong"
            continue
        with pytest.raises(ConnectionResetError):
            client.recv(4)
        with pytest.raises(ConnectionResetError):
            server.sendall(b"x")
            server.recv(4)
    for pair in sessions.values():
        for end in pair:
            end.close()
    assert net.counter("ended") > 0


def test_change_under_traffic_loses_nothing_of_the_allowed(net, guard, listeners):
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    client = net.connect("FI", 4, PORT)
    server, _ = listeners[4].accept()
    server.settimeout(20)
    for turn in range(30):
        guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI", "SE"] if turn % 2 else ["FI", "RU"])))
        client.sendall(b"%04d" % turn)
        assert server.recv(4) == b"%04d" % turn
    client.close()
    server.close()


def test_other_tables_are_not_touched(net, guard, listeners):
    mine = """
    table inet mine {
        set s { type ipv4_addr; flags interval; elements = { 192.0.2.0/24 } }
        chain c { type filter hook input priority 0; policy accept; tcp dport 8883 ip saddr 203.0.113.0/24 counter drop; }
    }
    table ip relayd {
        chain other {
        }
    }
    """
    net.nft("-f", "-", text=mine)
    before = [net.nft("list", "table", "inet", "mine"), net.nft("list", "table", "ip", "relayd")]
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI", "SE"])))
    assert_reach(net, both("FI", "LAN") | {("SE", 6)})  # both tables must agree
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["SE"])))
    guard.hub.apply(g.policy())
    after = [net.nft("list", "table", "inet", "mine"), net.nft("list", "table", "ip", "relayd")]
    assert after[1] == before[1] and after[0].replace("packets", "") != "" and "192.0.2.0/24" in after[0]
    assert not [m for m in guard.hub.messages if m[0] == g.RESTORED], "others' tables are no business of the guard's"


# ---- somebody else at work

def flushed(net):
    net.nft("flush", "ruleset")


def table_deleted(net):
    net.nft("delete", "table", "inet", "relayd")


def rule_added(net):
    net.nft("insert", "rule", "inet", "relayd", "inbound", "accept")


def chain_flushed(net):
    net.nft("flush", "chain", "inet", "relayd", "in")


def set_changed(net):
    net.nft("add", "element", "inet", "relayd", "in4", "{ 198.51.100.0/24 }")


def set_flushed(net):
    net.nft("flush", "set", "inet", "relayd", "in4")


@pytest.mark.parametrize("harm", [flushed, table_deleted, rule_added, chain_flushed, set_changed, set_flushed])
def test_foreign_change_is_undone_and_reported(net, guard, listeners, harm):
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    before = net.nft("-s", "list", "table", "inet", "relayd")
    harm(net)
    assert guard.hub.wait(g.RESTORED) == [1]
    wait_until("the table as before", lambda: "relayd" in net.nft("list", "tables") and
               net.nft("-s", "list", "table", "inet", "relayd") == before)
    assert_reach(net, both("FI", "LAN"))
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["SE"])))
    assert_reach(net, both("SE", "LAN"))  # and the next change works


def test_flushed_again_and_again(net, guard, listeners):
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    for times in range(1, 6):
        net.nft("flush", "ruleset")
        guard.hub.wait(g.RESTORED, lambda m, n=times: m[1] >= n)
        wait_until("the table", lambda: "inet relayd" in net.nft("list", "tables"))
    assert_reach(net, both("FI", "LAN"))


@pytest.mark.parametrize("flushed_too", [False, True])
def test_lost_notifications(net, guard, listeners, flushed_too):
    """More notifications than the guard's socket holds: it makes sure, and cries only if its table is gone."""
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    guard.process.popen.send_signal(signal.SIGSTOP)
    many = ", ".join(f"10.{i >> 8 & 255}.{i & 255}.{j}" for i in range(20_000) for j in (1, 3))
    net.nft("-f", "-", text=f"table inet other {{\n set s {{ type ipv4_addr; elements = {{ {many} }}; }}\n}}\n")
    if flushed_too:
        flushed(net)
    drops = [int(line.split()[8]) for line in net.gateway.run("cat", "/proc/net/netlink").splitlines()[1:]]
    assert sum(drops) > 0, "the socket must have overrun for this test to mean anything"
    guard.process.popen.send_signal(signal.SIGCONT)
    if flushed_too:
        assert guard.hub.wait(g.RESTORED) == [1]
        wait_until("the table", lambda: "inet relayd" in net.nft("list", "tables"))
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["SE"])))
    assert_reach(net, both("SE", "LAN"))
    guard.hub.read(0.3)
    assert not [m for m in guard.hub.messages if m[0] == g.RESTORED]


# ---- counters and reports

def test_refused_packets_are_counted_and_reported_with_country(net, guard, listeners):
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    for version, size in ((4, 4), (6, 16)):
        assert not net.reaches("RU", version, PORT)
        direction, address, port, country, count = guard.hub.wait(g.REFUSED, lambda m, s=size: len(m[2]) == s)
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        assert (direction, socket.inet_ntop(family, address), port, country) == (
            g.INBOUND, net.address("RU", version, 10), PORT, "RU") and count >= 1
    assert not net.reaches(None, 4, PORT)
    assert guard.hub.wait(g.REFUSED, lambda m: m[4] == "??")[0] == g.INBOUND
    assert net.reaches("FI", 4, PORT)
    guard.hub.send(g.COUNT)
    counters, countries = guard.hub.wait(g.COUNTERS)
    packets = {name: packets for name, packets, _ in counters}
    assert packets["inbound-refused"] >= 3 and packets["inbound-accepted"] >= 3 and packets["uplink-refused"] == 0
    assert dict(countries)["RU"] >= 2 and dict(countries)["??"] >= 1


def test_reports_are_bounded(net, guard, listeners):
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI"])))
    for _ in range(100):
        client = net.outside.socket(socket.AF_INET)
        client.setblocking(False)
        client.bind((net.address("RU", 4, 10), 0))
        client.connect_ex((net.address("RU", 4, 1), PORT))
        client.close()
    wait_until("all are counted", lambda: net.counter("inbound-refused") >= 100)
    first = guard.hub.wait(g.REFUSED)
    then = guard.hub.wait(g.REFUSED)
    assert first[4] == 1 and then[4] > 1, "one at once, then a sum"
    guard.hub.read(0.3)
    assert len([m for m in guard.hub.messages if m[0] == g.REFUSED]) <= 2


# ---- flood

def test_flood_of_one_source_does_not_disturb_sessions(net, make, listeners):
    guard = make("--source-rate", "5", "--source-burst", "10", "--budget", "0")
    guard.hub.apply(g.policy())
    session = net.connect("FI", 4, PORT)
    server, _ = listeners[4].accept()
    server.settimeout(20)
    reached = sum(net.reaches("RU", 4, PORT, timeout=0.05) for _ in range(60))
    assert 10 <= reached < 60
    assert net.counter("flood") >= 60 - reached
    assert net.reaches("SE", 4, PORT), "another source is not hurt"
    session.sendall(b"still")
    assert server.recv(5) == b"still"
    session.close()
    server.close()


def test_thousand_sources_meet_the_budget(net, make, listeners):
    guard = make("--budget", "20", "--budget-burst", "40")
    guard.hub.apply(g.policy(g.rule(g.ALLOW, ["FI", "RU"])))
    session = net.connect("FI", 4, PORT)
    server, _ = listeners[4].accept()
    server.settimeout(20)
    batch = "".join(f"address add 198.51.{100}.{host}/32 dev wan0\n" for host in range(11, 251))
    batch += "".join(f"address add 2001:db8:2::1:{host:x}/128 dev wan0 nodad\n" for host in range(760))
    net.outside.run("ip", "-batch", "-", text=batch)
    clients = []
    for host in range(11, 251):
        clients.append((socket.AF_INET, f"198.51.100.{host}", net.address("RU", 4, 1)))
    for host in range(760):
        clients.append((socket.AF_INET6, f"2001:db8:2::1:{host:x}", net.address("RU", 6, 1)))
    sockets = []
    for family, source, target in clients:
        client = net.outside.socket(family)
        client.setblocking(False)
        client.bind((source, 0))
        client.connect_ex((target, PORT))
        sockets.append(client)
    assert len(sockets) == 1000
    wait_until("the budget's drops", lambda: net.counter("budget") > 500)
    session.sendall(b"still")
    assert server.recv(5) == b"still"
    for client in (*sockets, session, server):
        client.close()
