# SPDX-License-Identifier: GPL-2.0-or-later
"""The gate by scope and week, and rules of the site policy: which device is shown which update, and when."""

import datetime
import os

import pytest
import relayobjects as objects
from lab.process import wait_until
from lab.site import CLASS, DOMAIN, SITE, World
from lab.trust import Chain, Manager, locally, restart, watch
from lab.updates import Desk

from conftest import BUILD

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
CLASS_ID = objects.ids(DOMAIN, CLASS)[1]


@pytest.fixture
def site():
    """Two registered devices that are not there; app.all sees what they would see. The site's windows are in UTC."""
    with World(BUILD, devices=2, proves=True, keep="RELAYD_KEEP" in os.environ) as world:
        world.make_vendor()
        world.make_factory()
        world.make_cloud()
        world.make_people()
        world.make_relay()
        world.add_application("app.all", ["#"], [])
        world.start_all()
        world.desk = Desk(world)
        world.chain = Chain(world, world.desk)
        world.manager = Manager(world)
        world.manager.call("ImportSitePolicy", world.chain.add({16: "UTC"}))
        watch(world)
        yield world
        world.application.close()
        world.manager.close()
        world.desk.close()


def offered(world, *devices, approved=True):
    update = world.desk.make()
    world.desk.serve(update)
    world.desk.offer(update.envelope, *devices)
    wait_until("the offer at the hub", lambda: any(entry["Digest"] == update.manifest.hex()
                                                   for entry in world.relayctl_json("updates", "list")))
    for person in ("anna", "bertil") if approved else ():
        world.manager.call("Approve", world.desk.approval(person, update))
    return update


def shown(world, update):
    """the devices that are shown this update now"""
    return {name for name in world.devices if locally(world, f"devices/{name}/updates/offer") == update.envelope}


def wait_shown(world, update, *devices):
    wait_until(f"{devices} to be shown the update, not {shown(world, update)}",
               lambda: shown(world, update) == set(devices), 40)


def waits_for(world, update):
    return {str(device): str(what) for device, what in world.manager.update(update, "Devices")}


def settings(world):
    return [(str(scope), str(state), int(until), [str(window) for window in windows])
            for scope, state, until, windows in world.manager.call("GetGate")]


def around_now(hours_from, hours_to):
    """a window of that many hours from now, in UTC, as one writes it"""
    now = datetime.datetime.now(datetime.timezone.utc)
    first, last = now + datetime.timedelta(hours=hours_from), now + datetime.timedelta(hours=hours_to)
    return f"{DAYS[first.weekday()]} {first:%H:%M}-{DAYS[last.weekday()]} {last:%H:%M}"


def test_closed_from_the_start_and_opened_by_scope(site):
    assert settings(site) == [] and site.manager.get("GateState") == "closed"
    update = offered(site)
    wait_until("the image", lambda: site.manager.update(update, "BlocksCached") == site.manager.update(update, "Blocks"), 40)
    assert waits_for(site, update) == {"device-1": "gate", "device-2": "gate"}
    site.manager.call("SetGate", "device:device-2", "open", 0, [])
    wait_shown(site, update, "device-2")
    site.manager.call("SetGate", f"class:{CLASS_ID.hex()}", "open", 0, [])
    wait_shown(site, update, "device-1", "device-2")
    site.manager.call("SetGate", "device:device-1", "closed", 0, [])
    wait_shown(site, update, "device-2")
    site.manager.call("ResetGate", f"class:{CLASS_ID.hex()}")
    site.manager.call("OpenGate", 0)  # the site's: device-1's own setting stands
    wait_shown(site, update, "device-2")
    assert site.manager.get("GateState") == "open"
    site.manager.call("ResetGate", "device:device-1")
    wait_shown(site, update, "device-1", "device-2")
    site.manager.call("CloseGate")
    wait_shown(site, update, "device-2")
    assert settings(site) == [("site", "closed", 0, []), ("device:device-2", "open", 0, [])]
    actions = [entry["action"] for entry in site.relayctl_json("audit")]
    assert {"gate-opened", "gate-closed", "gate-reset"} <= set(actions)


def test_windows_in_the_sites_time_zone(site):
    update = offered(site)
    site.manager.call("SetGate", "site", "windows", 0, [around_now(30, 31)])
    wait_until("the image", lambda: site.manager.update(update, "BlocksCached") == site.manager.update(update, "Blocks"), 40)
    assert waits_for(site, update)["device-1"] == "gate"
    now = around_now(-1, 3)
    site.manager.call("SetGate", "site", "windows", 0, [around_now(30, 31), now])
    wait_shown(site, update, "device-1", "device-2")
    # the same window is half a day away in another zone, when the policy says so
    site.manager.call("ImportSitePolicy", site.chain.add({16: "Etc/GMT+12"}))
    wait_shown(site, update)
    site.manager.call("ImportSitePolicy", site.chain.add({16: "UTC"}))
    wait_shown(site, update, "device-1", "device-2")


def test_settings_survive_kill_9(site):
    window = "Sun 02:00-04:00"
    site.manager.call("SetGate", "site", "windows", 0, [window, "daily 23:00-01:00"])
    site.manager.call("SetGate", "device:device-1", "open", 4102444800, [])
    restart(site)
    kept = settings(site)
    assert kept[0][:2] == ("site", "windows") and window in kept[0][3] and len(kept[0][3]) == 8
    assert kept[1] == ("device:device-1", "open", 4102444800, [])


@pytest.mark.parametrize("scope,state,until,windows,name", [
    ("everywhere", "open", 0, [], "Malformed"),
    ("device:Device", "open", 0, [], "Malformed"),
    ("class:00", "open", 0, [], "Malformed"),
    ("site", "ajar", 0, [], "Malformed"),
    ("site", "open", 1, [], "OutsideWindow"),
    ("site", "closed", 4102444800, [], "Malformed"),
    ("site", "windows", 0, [], "Malformed"),
    ("site", "windows", 0, ["Someday 02:00-04:00"], "Malformed"),
    ("site", "windows", 0, ["daily 01:00-02:00"] * 3, "TooLarge"),
    ("site", "open", 0, ["Sun 02:00-04:00"], "Malformed"),
])
def test_what_makes_no_sense_is_refused(site, scope, state, until, windows, name):
    assert site.manager.refusal("SetGate", scope, state, until, windows) == name
    assert settings(site) == []


def rule(urgencies, wait=0, windows=None, scope=(0,)):
    return {0: list(urgencies), 1: list(scope), 2: wait, **({} if windows is None else {3: windows})}


def test_a_rule_approves_what_it_covers_and_nobody_signs(site):
    site.manager.call("OpenGate", 0)
    site.manager.call("ImportSitePolicy", site.chain.add({15: [rule(["security"], scope=(2, ["device-1"]))]}))
    update = offered(site, approved=False)  # its urgency is "security"
    wait_shown(site, update, "device-1")
    assert site.manager.update(update, "State") == "approved" and list(site.manager.update(update, "Approvals")) == []
    assert site.manager.update(update, "Rule") == "rule 1: urgency security"
    assert waits_for(site, update)["device-2"] == "approval"
    # it holds over a restart, and ends with the rule
    restart(site)
    assert site.manager.update(update, "State") == "approved"
    site.manager.call("ImportSitePolicy", site.chain.add({15: None}))
    wait_shown(site, update)
    assert site.manager.update(update, "State") == "pending" and site.manager.update(update, "Rule") == ""


def test_a_rule_waits_and_can_be_denied(site):
    site.manager.call("OpenGate", 0)
    site.manager.call("ImportSitePolicy", site.chain.add({15: [rule(["security"], wait=7 * 86400, windows=[[8760, 120]])]}))
    update = offered(site, approved=False)
    assert waits_for(site, update) == {"device-1": "rule-waits", "device-2": "rule-waits"}
    assert site.manager.update(update, "Rule") == "rule 1: urgency security, 7 d after the offer, in Sun 02:00-04:00"
    # without the wait it is approved: what was offered counts from its first offer on
    site.manager.call("ImportSitePolicy", site.chain.add({15: [rule(["security"])]}))
    wait_shown(site, update, "device-1", "device-2")
    site.manager.call("DenyUpdate", update.manifest.hex(), "not this one")
    wait_shown(site, update)
    assert site.manager.update(update, "State") == "denied"


def test_a_rule_that_a_cloud_made_up_is_none(site):
    """A policy with a rule that fewer than k signed changes nothing."""
    site.manager.call("OpenGate", 0)
    forged = site.chain.make({15: [rule(["security"])]}, signers=("anna",), extra=[objects.Key("a stranger")])
    site.desk.publish(f"sites/{SITE}/policy/3", forged)
    wait_until("the alert", lambda: [alert for alert in site.relayctl_json("alerts") if alert["reason"] == "under-signed"])
    update = offered(site, approved=False)
    assert site.manager.update(update, "State") == "pending" and site.manager.update(update, "Rule") == ""
