# SPDX-License-Identifier: GPL-2.0-or-later
"""Country policy at a relay without a guard: relayctl, trials, lock-out, databases. With a guard: test_country_kernel.py."""

import os
import pathlib
import time

import pytest

from lab.country import configure, make_database
from lab.ctl import on_terminal
from lab.process import wait_until
from lab.site import World

BUILD = os.environ.get("RELAYD_BUILD", str(pathlib.Path(__file__).resolve().parent.parent.parent / "build"))


@pytest.fixture(scope="module")
def site():
    """A hub with a database, its bus, and no guard."""
    world = World(BUILD, devices=1)
    try:
        world.make_vendor()
        world.make_factory()
        world.make_cloud()
        world.make_people()
        world.make_relay()
        configure(world, make_database(pathlib.Path(BUILD), world.folder))
        world.start_bus()
        world.cloud.start()
        world.start_hub()
        yield world
    finally:
        world.close()


@pytest.fixture
def relay(site):
    """With no rule, and nothing on trial."""
    if not site.processes["hub"].alive():
        site.start_hub()
    if shown(site)["CountryPendingUntil"]:
        country(site, "confirm")
    reset(site)
    return site


def country(world, *arguments, code=0):
    done = world.relayctl("country", *arguments, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def reset(world):
    for setting in shown(world)["Policy"]:
        name, value = setting["Name"], setting["Value"]
        if name in ("inbound", "uplink", "admin") and value != "off":
            country(world, "off", "--direction", name)
        elif name.startswith("port "):
            country(world, "off", "--port", name.split()[1])
        elif name == "exempt":
            country(world, "exempt", "--remove", value)
        elif name == "local" and value != "exempt":
            country(world, "local", "exempt")


def shown(world):
    return world.relayctl_json("country", "show")


def rules(world, state="committed"):
    return {row["Name"]: row["Value"] for row in shown(world)["Policy"] if row["State"] == state}


def judged(world, address, *options):
    return world.relayctl_json("country", "test", address, *options)


def alerts(world, reason):
    return [alert for alert in world.relayctl_json("alerts") if alert["reason"] == reason]


# ---- what is shown

def test_without_a_guard_it_says_so_and_enforces_all_the_same(relay):
    assert shown(relay)["CountryEnforced"] == "off"
    said = country(relay, "allow", "FI").stdout
    assert "at the relay only" in said and "relay-guardd does not run" in said
    assert shown(relay)["CountryEnforced"] == "hub" and shown(relay)["GuardState"] == "absent"
    status = relay.relayctl_json("status")
    assert status["CountryEnforced"] == "hub" and status["GuardState"] == "absent"
    assert "absent" in relay.relayctl("status").stdout
    assert shown(relay)["CountryDatabase"] == "tor-geoipdb" and shown(relay)["CountryDatabaseDate"] > 0


TESTS = [
    # commands, address and options of the question -> allowed, country, rule
    ([], ("198.51.100.7",), True, "RU", "inbound:off"),
    ([("allow", "FI", "SE")], ("192.0.2.9",), True, "FI", "inbound:allow:FI"),
    ([("allow", "FI", "SE")], ("::ffff:192.0.2.9",), True, "FI", "inbound:allow:FI"),
    ([("allow", "FI", "SE")], ("2001:db8:3::9",), True, "SE", "inbound:allow:SE"),
    ([("allow", "FI", "SE")], ("198.51.100.7",), False, "RU", "inbound:not-allowed:RU"),
    ([("allow", "FI", "SE")], ("2001:db8:2::9",), False, "RU", "inbound:not-allowed:RU"),
    ([("allow", "FI", "SE")], ("10.1.2.3",), True, "??", "local:10.0.0.0/8"),
    ([("allow", "FI", "SE")], ("127.0.0.1",), True, "??", None),
    ([("allow", "FI", "SE")], ("fd00::1",), True, "??", "local:fc00::/7"),
    ([("allow", "FI"), ("local", "judge")], ("10.1.2.3",), False, "??", "inbound:unknown"),
    ([("allow", "FI"), ("local", "judge")], ("127.0.0.1",), True, "??", None),
    ([("deny", "RU")], ("198.51.100.7",), False, "RU", "inbound:deny:RU"),
    ([("deny", "RU")], ("192.0.2.9",), True, "FI", "inbound:not-denied:FI"),
    # unknown countries: allow refuses, deny accepts, unless told otherwise
    ([("allow", "FI")], ("8.8.8.8",), False, "??", "inbound:unknown"),
    ([("allow", "FI", "--unknown", "accept")], ("8.8.8.8",), True, "??", "inbound:unknown"),
    ([("deny", "RU")], ("8.8.8.8",), True, "??", "inbound:unknown"),
    ([("deny", "RU", "--unknown", "refuse")], ("8.8.8.8",), False, "??", "inbound:unknown"),
    # exempt networks, also within refused countries
    ([("deny", "RU"), ("exempt", "198.51.100.0/28")], ("198.51.100.7",), True, "RU", "exempt:198.51.100.0/28"),
    ([("deny", "RU"), ("exempt", "198.51.100.0/28")], ("198.51.100.16",), False, "RU", "inbound:deny:RU"),
    ([("allow", "FI"), ("exempt", "2001:db8:2::/64")], ("2001:db8:2::1",), True, "RU", "exempt:2001:db8:2::/64"),
    # ports of their own
    ([("allow", "FI"), ("deny", "US", "--port", "8884")], ("198.51.100.7", "--port", "8884"), True, "RU", None),
    ([("allow", "FI"), ("deny", "US", "--port", "8884")], ("100.100.1.1", "--port", "8884"), False, "US",
     "port-8884:deny:US"),
    ([("allow", "FI"), ("deny", "US", "--port", "8884")], ("198.51.100.7", "--port", "8883"), False, "RU",
     "inbound:not-allowed:RU"),
    # directions do not touch each other
    ([("allow", "FI")], ("198.51.100.7", "--direction", "uplink"), True, "RU", "uplink:off"),
    ([("deny", "RU", "--direction", "uplink")], ("198.51.100.7", "--direction", "uplink"), False, "RU", "uplink:deny:RU"),
    ([("deny", "RU", "--direction", "uplink")], ("198.51.100.7",), True, "RU", "inbound:off"),
    # groups
    ([("allow", "EU")], ("192.0.2.9",), True, "FI", None),
    ([("allow", "EU")], ("100.100.1.1",), False, "US", None),
    ([("allow", "eea")], ("203.0.113.5",), True, "SE", None),
    ([("deny", "EU", "RU")], ("203.0.113.5",), False, "SE", None),
]


@pytest.mark.parametrize("commands, question, allowed, code, rule", TESTS)
def test_an_address_is_explained(relay, commands, question, allowed, code, rule):
    for command in commands:
        country(relay, *command)
    answer = judged(relay, *question)
    assert (answer["Allowed"], answer["Country"]) == (allowed, code), answer
    assert rule is None or answer["Rule"] == rule
    assert (answer["Reason"] == "none") == allowed
    assert question[0].removeprefix("::ffff:") in answer["Sentence"]
    assert ("is allowed" if allowed else "is refused") in answer["Sentence"]
    assert answer["Sentence"] in country(relay, "test", *question).stdout


def test_groups_become_their_countries(relay):
    country(relay, "allow", "EU")
    members = rules(relay)["inbound"].split()[1:]
    assert len(members) == 27 and "FI" in members and "NO" not in members
    country(relay, "allow", "EEA")
    assert set(rules(relay)["inbound"].split()[1:]) == {*members, "IS", "LI", "NO"}


# ---- bad words

BAD = [
    (("allow", "F1"), 3, "F1"), (("allow", "FIN"), 3, "FIN"), (("allow", "XX"), 3, "XX"), (("allow", "FI", "EUR"), 3, "EUR"),
    (("allow",), 2, "CODE"), (("deny",), 2, "CODE"), (("allow", "FI", "\x1b[2J"), 3, ""), (("allow", "*" * 300), 3, ""),
    (("deny", "RU", "--unknown", "maybe"), 2, "maybe"), (("deny", "RU", "--direction", "sideways"), 2, "sideways"),
    (("deny", "RU", "--port", "0"), 2, "0"), (("deny", "RU", "--port", "65536"), 2, "65536"),
    (("deny", "RU", "--port", "8883x"), 2, "8883x"), (("deny", "RU", "--port", "22", "--direction", "uplink"), 2, "--port"),
    (("deny", "RU", "--confirm", "soon"), 2, "soon"), (("deny", "RU", "--confirm", "0"), 2, "0"),
    (("deny", "RU", "--confirm", "2h"), 3, "3600"),
    (("exempt", "192.0.2.1/24"), 3, "192.0.2.0/24"), (("exempt", "192.0.2.0/33"), 3, "192.0.2.0/33"),
    (("exempt", "192.0.2.256"), 3, "192.0.2.256"), (("exempt", "2001:db8::/129"), 3, "2001:db8::/129"),
    (("exempt", "example.org"), 3, "example.org"), (("exempt", "--remove", "192.0.2.0/24"), 3, "not in the list"),
    (("exempt", ""), 3, ""), (("local", "maybe"), 3, "maybe"), (("off", "--port", "8884"), 3, "8884"),
    (("test", "192.0.2"), 3, "192.0.2"), (("test", "localhost"), 3, "localhost"), (("test", "1.2.3.4.5"), 3, "1.2.3.4.5"),
    (("test", "2001:db8:::1"), 3, "2001:db8:::1"), (("test", "192.0.2.0/24"), 3, "192.0.2.0/24"), (("test", ""), 3, ""),
    (("test",), 2, "ADDRESS"), (("confirm",), 3, "not-pending"), (("test", "192.0.2.1", "--direction", "up"), 2, "up"),
]


@pytest.mark.parametrize("words, code, said", BAD)
def test_bad_words_change_nothing(relay, words, code, said):
    before = rules(relay)
    done = country(relay, *words, code=code)
    assert said in done.stderr and len(done.stderr) > 20 and "\x1b" not in done.stderr
    assert rules(relay) == before and rules(relay, "on trial") == {}


def test_one_bad_word_among_good_ones_changes_nothing(relay):
    country(relay, "exempt", "192.0.2.0/24", "203.0.113.0/24", "198.51.100.1/24", code=3)
    assert "exempt" not in rules(relay)


def test_lockdown_needs_the_configured_rule(relay):
    done = relay.relayctl("lockdown", "on", check=False)
    assert done.returncode == 3 and "not-authorised" in done.stderr and "[firewall]" in done.stderr
    assert rules(relay)["lockdown"] == "off"


# ---- lock-out

def with_ssh(monkeypatch, address):
    monkeypatch.setenv("SSH_CONNECTION", f"{address} 50022 10.0.0.1 22")


@pytest.mark.parametrize("address", ["198.51.100.7", "2001:db8:2::7", "8.8.8.8"])
def test_a_change_that_refuses_the_caller_is_refused(relay, monkeypatch, address):
    with_ssh(monkeypatch, address)
    done = country(relay, "allow", "FI", code=3)
    assert "lock-out" in done.stderr and address in done.stderr and "--force" in done.stderr
    assert rules(relay)["inbound"] == "off"
    country(relay, "allow", "FI", "--confirm", "60s", code=3)
    country(relay, "allow", "FI", "--force")
    assert rules(relay)["inbound"] == "allow FI"
    country(relay, "allow", "SE")  # it was refused before: nothing is lost


@pytest.mark.parametrize("address", ["192.0.2.7", "10.0.0.9", "fe80::1%eth0", "127.0.0.1"])
def test_a_change_that_lets_the_caller_in_is_not_asked_about(relay, monkeypatch, address):
    with_ssh(monkeypatch, address)
    country(relay, "allow", "FI")


def test_on_a_terminal_it_asks(relay, monkeypatch):
    with_ssh(monkeypatch, "198.51.100.7")
    code, seen = on_terminal("--bus", relay.bus, "country", "allow", "FI", typed="n\n")
    assert code == 1 and "198.51.100.7" in seen and "all the same?" in seen
    assert rules(relay)["inbound"] == "off"
    code, seen = on_terminal("--bus", relay.bus, "country", "allow", "FI", typed="y\n")
    assert code == 0 and rules(relay)["inbound"] == "allow FI"


# ---- trials

def test_a_trial_is_given_up_by_itself(relay):
    country(relay, "allow", "SE")
    said = country(relay, "allow", "FI", "--confirm", "2s").stdout
    assert "on trial until" in said and "country confirm" in said
    assert rules(relay, "on trial")["inbound"] == "allow FI" and rules(relay)["inbound"] == "allow SE"
    assert not judged(relay, "203.0.113.5")["Allowed"]
    wait_until("the trial's end", lambda: shown(relay)["CountryPendingUntil"] == 0)
    assert rules(relay)["inbound"] == "allow SE" and rules(relay, "on trial") == {}
    assert judged(relay, "203.0.113.5")["Allowed"]
    assert alerts(relay, "no-confirmation")
    country(relay, "confirm", code=3)


def test_a_confirmed_trial_stays(relay):
    country(relay, "allow", "FI", "--confirm", "1h")
    assert "on trial" in country(relay, "show").stdout
    country(relay, "confirm")
    assert shown(relay)["CountryPendingUntil"] == 0 and rules(relay)["inbound"] == "allow FI"
    relay.processes["hub"].kill()
    relay.start_hub()
    assert rules(relay)["inbound"] == "allow FI" and rules(relay, "on trial") == {}


def test_a_change_for_good_waits_for_the_trial(relay):
    country(relay, "allow", "FI", "--confirm", "60s")
    assert "no-confirmation" in country(relay, "deny", "RU", code=3).stderr
    country(relay, "allow", "SE", "--confirm", "60s")  # another trial takes its place
    assert rules(relay, "on trial")["inbound"] == "allow SE"
    country(relay, "confirm")
    assert rules(relay)["inbound"] == "allow SE"


def test_a_crash_does_not_keep_a_trial(relay):
    country(relay, "allow", "SE")
    country(relay, "allow", "FI", "--confirm", "6s")
    wait_until("the trial on disk", lambda: "on trial for 6 s" in str(relay.relayctl_json("audit", "log")))
    relay.processes["hub"].kill()
    relay.start_hub()
    assert rules(relay, "on trial")["inbound"] == "allow FI"  # what is left of its time
    wait_until("the trial's end", lambda: rules(relay, "on trial") == {})
    assert rules(relay)["inbound"] == "allow SE"


def test_a_trial_that_ended_while_the_hub_was_dead(relay):
    country(relay, "allow", "SE")
    country(relay, "allow", "FI", "--confirm", "1s")
    wait_until("the trial on disk", lambda: "on trial for 1 s" in str(relay.relayctl_json("audit", "log")))
    before = len(alerts(relay, "no-confirmation"))
    relay.processes["hub"].kill()
    end = time.monotonic() + 1.2
    wait_until("the trial's end", lambda: time.monotonic() > end)
    relay.start_hub()
    assert rules(relay, "on trial") == {} and rules(relay)["inbound"] == "allow SE"
    assert len(alerts(relay, "no-confirmation")) >= before


def test_a_reboot_ends_a_trial(relay, monkeypatch):
    country(relay, "allow", "SE")
    country(relay, "allow", "FI", "--confirm", "50m")
    wait_until("the trial on disk", lambda: "on trial for 3000 s" in str(relay.relayctl_json("audit", "log")))
    relay.processes["hub"].kill()
    monkeypatch.setenv("RELAYD_BOOT_ID", "0123456789abcdef0123456789abcdef")
    relay.start_hub()
    assert rules(relay, "on trial") == {} and rules(relay)["inbound"] == "allow SE"
    wait_until("the audit entry", lambda: "country-given-up" in str(relay.relayctl_json("audit", "log")))


def test_everything_is_audited_with_its_caller(relay):
    country(relay, "deny", "RU", "--confirm", "60s")
    country(relay, "confirm")
    country(relay, "exempt", "198.51.100.0/28")

    def seen():
        log = [row for row in relay.relayctl_json("audit", "log") if row["action"].startswith("country-")]
        return log if any("198.51.100.0/28" in row["detail"] for row in log) else None
    log = wait_until("the audit entries", seen)
    assert all(row["actor"] in ("relay", f"uid:{os.geteuid()}") for row in log)
    assert {"country-changed", "country-confirmed"} <= {row["action"] for row in log}


# ---- databases

def test_another_database_is_noticed_and_a_broken_one_is_not_taken(relay):
    folder, build = relay.folder, pathlib.Path(BUILD)
    good = (folder / "country.db").read_bytes()
    assert judged(relay, "198.51.100.7")["Country"] == "RU"
    make_database(build, folder, {"198.51.100.0/24": "BY", "192.0.2.0/24": "FI", "2001:db8::/32": "NO"})
    wait_until("the new database", lambda: judged(relay, "198.51.100.7")["Country"] == "BY")
    for broken in (good[:1000], b"", bytes(len(good)), good[:-1], good + b"x", good[:200] + b"\xff" + good[201:]):
        (folder / "broken").write_bytes(broken)
        (folder / "broken").replace(folder / "country.db")
        wait_until("the error", lambda: shown(relay)["CountryDatabaseError"])
        assert judged(relay, "198.51.100.7")["Country"] == "BY"
        (folder / "good").write_bytes(good)
    assert alerts(relay, "no-country-database")
    (folder / "good").replace(folder / "country.db")
    wait_until("the first database", lambda: judged(relay, "198.51.100.7")["Country"] == "RU")
    assert shown(relay)["CountryDatabaseError"] == ""


def test_update_compiles_and_says_what_is_in_use(relay, monkeypatch):
    monkeypatch.setenv("PATH", f"{BUILD}/relayd/country:{os.environ['PATH']}")
    database = relay.folder / "country.db"
    (relay.folder / "no.mmdb").write_bytes(b"\0" * 5000)
    before = database.read_bytes()
    done = country(relay, "update", relay.folder / "no.mmdb", "--output", database, code=1)
    assert "the one before stays" in done.stderr and database.read_bytes() == before
    country(relay, "update", relay.folder / "nothing.mmdb", "--output", database, code=1)
    country(relay, "update", "x", "--packaged", code=2)
    if not os.path.exists("/usr/share/tor/geoip"):
        pytest.skip("tor-geoipdb is not installed")
    try:
        assert "in use: tor-geoipdb" in country(relay, "update", "--output", database).stdout
        assert judged(relay, "8.8.8.8")["Country"] == "US"
    finally:
        make_database(pathlib.Path(BUILD), relay.folder)
        wait_until("the small database", lambda: judged(relay, "8.8.8.8")["Country"] == "??")


def test_without_a_database_nothing_is_open(relay):
    database = relay.folder / "country.db"
    country(relay, "deny", "RU")
    relay.processes["hub"].stop()
    database.rename(relay.folder / "away.db")
    try:
        relay.start_hub()
        answer = judged(relay, "192.0.2.9")
        assert not answer["Allowed"] and answer["Reason"] == "no-country-database"
        assert judged(relay, "10.0.0.1")["Allowed"]
        assert "No such file" in shown(relay)["CountryDatabaseError"]
        wait_until("the alert", lambda: alerts(relay, "no-country-database"))
    finally:
        (relay.folder / "away.db").rename(database)
    wait_until("the database", lambda: judged(relay, "192.0.2.9")["Allowed"])


def test_an_old_database_stays_and_is_alerted(relay):
    make_database(pathlib.Path(BUILD), relay.folder, date=time.time() - 90 * 86400)
    relay.processes["hub"].stop()
    relay.start_hub()
    try:
        country(relay, "deny", "RU")
        wait_until("the alert", lambda: alerts(relay, "old-country-database"))
        assert "90 days" in alerts(relay, "old-country-database")[-1]["detail"]
        assert not judged(relay, "198.51.100.7")["Allowed"] and judged(relay, "192.0.2.9")["Allowed"]
    finally:
        make_database(pathlib.Path(BUILD), relay.folder)
