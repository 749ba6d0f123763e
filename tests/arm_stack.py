#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sums stack along the call graph that GCC wrote (-fcallgraph-info=su): deepest path of each check a device makes.

    arm_stack.py FOLDER ROOT...

Prints the roots' sums, and names each cycle of calls; with one the sums would mean nothing, and it exits 1. A call by
pointer counts as the deepest function of that file whose name stands in INDIRECT; the crypto library, the C library and
the port behind a callback are not in the graph and count as nothing.
"""
import pathlib
import re
import sys

NODE = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*?(\d+) bytes \((?:static|dynamic,bounded)\)')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')
INDIRECT = {"identity_is_device", "identity_is_dotted", "policy_host_is_valid", "policy_name_is_valid",
            "policy_urgency_is_valid", "policy_time_zone_is_valid", "command_name_is_valid"}  # what get_text() calls


def read(folder):
    frames, calls = {}, {}
    for path in sorted(pathlib.Path(folder).rglob("*.ci")):
        text = path.read_text()
        frames.update((name, int(size)) for name, size in NODE.findall(text))
        for caller, callee in EDGE.findall(text):
            calls.setdefault(caller, set()).update(INDIRECT if callee == "__indirect_call" else {callee})
    return frames, calls


class Graph:
    def __init__(self, folder):
        self.frames, self.calls = read(folder)
        self.sums, self.cycles = {}, []

    def sum(self, name, path=()):
        """(bytes, deepest path) of a function and all it calls"""
        if name in path:
            self.cycles.append(" -> ".join(path[path.index(name):] + (name,)))
            return 0, ()
        if name not in self.sums:
            below = [self.sum(callee, path + (name,)) for callee in sorted(self.calls.get(name, ()))]
            size, deepest = max(below, default=(0, ()))
            self.sums[name] = (self.frames.get(name, 0) + size, (name,) + deepest)
        return self.sums[name]


def main(folder, *roots):
    graph = Graph(folder)
    for name in sorted(graph.frames):
        graph.sum(name)
    for root in roots:
        size, path = graph.sum(root)
        if root not in graph.frames:
            sys.exit(f"{root}: no such function")
        large = [part.split(":")[-1] for part in path if graph.frames.get(part, 0) >= 64]
        print(f"{root}: {size} bytes, most of it in {', '.join(large)}")
    for cycle in graph.cycles:
        print(f"recursion: {cycle}")
    return 1 if graph.cycles else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
