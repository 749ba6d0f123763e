# SPDX-License-Identifier: GPL-2.0-or-later
"""The peer of a fail-over: mosquitto as a bridge that knows two addresses, and loses the first. Without TLS, in its favour."""

import itertools
import json
import subprocess
import threading
import time

from lab.process import Process, wait_until
from lab.triangle import CLOUD, GATEWAY, seconds

NAME = "mosquitto bridge with two addresses, restart_timeout 1, without TLS"
FIRST, SECOND, LOCAL = 2883, 2884, 2885
BROKER = "listener {port} {address}\nallow_anonymous true\nset_tcp_nodelay true\nuser root\nlog_dest stderr\nlog_type all\n"
BRIDGE = f"""\
connection up
addresses {GATEWAY}:{FIRST} {CLOUD}:{SECOND}
round_robin false
restart_timeout 1
keepalive_interval 5
cleansession true
notifications false
try_private false
bridge_protocol_version mqttv50
topic # out 1
"""


class Broker:
    def __init__(self, world, place, name, address, port, more=""):
        path = world.folder / f"{name}.conf"
        path.write_text(BROKER.format(port=port, address=address) + more)
        self.process = Process(name, world.places[place].command("mosquitto", "-c", path), world.folder / f"{name}.log")
        self.process.wait_for("mosquitto version .* running")


class Talker:
    """Says something to the bridge fifty times a second."""

    def __init__(self, world):
        self.popen = subprocess.Popen(world.places["lan"].command("mosquitto_pub", "-h", "127.0.0.1", "-p", LOCAL, "-q", "1", "-t", "t",
                                                                  "-l"), stdin=subprocess.PIPE, text=True)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.talk)
        self.thread.start()

    def talk(self):
        for number in itertools.count():
            if self.ended.wait(0.02):
                return
            self.popen.stdin.write(f"{number}\n")
            self.popen.stdin.flush()

    def close(self):
        self.ended.set()
        self.thread.join()
        self.popen.stdin.close()
        self.popen.wait()


class Listener:
    def __init__(self, world, place, address, port, name):
        self.process = Process(name, world.places[place].command("stdbuf", "-oL", "mosquitto_sub", "-d", "-h", address, "-p", port, "-t", "#",
                                                                 "-F", "%j"), world.folder / f"{name}.log")
        self.process.wait_for("SUBACK")

    def times(self):
        return [seconds(json.loads(line)["tst"]) for line in self.process.output().splitlines() if line.startswith("{")]


def time_once(world, number):
    """The first address' broker is killed; seconds until something new arrives at the second one."""
    running = [Broker(world, "gateway", f"first-{number}", GATEWAY, FIRST), Broker(world, "cloud", f"second-{number}", CLOUD, SECOND)]
    listeners = [Listener(world, "gateway", GATEWAY, FIRST, f"at-first-{number}"),
                 Listener(world, "cloud", CLOUD, SECOND, f"at-second-{number}")]
    running.append(Broker(world, "lan", f"bridge-{number}", "127.0.0.1", LOCAL, BRIDGE))
    talker = Talker(world)
    try:
        wait_until("the bridge at its first address", listeners[0].times)
        began = time.time()
        running[0].process.kill()
        return min(wait_until("the bridge at its second address", lambda: [at for at in listeners[1].times() if at > began])) - began
    finally:
        talker.close()
        for one in [*listeners, *running]:
            one.process.kill()


def measure_peer(world, rounds):
    return [time_once(world, number) for number in range(rounds)]
