#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tunnel.py PORT [HOLD]: carries one connection of a board in QEMU between its standard streams and 127.0.0.1:PORT.

QEMU starts one for each connection the board makes. While the file HOLD exists nothing is carried, as if the wire were cut.
"""

import os
import selectors
import socket
import sys
import time


def carry(source, sink):
    data = os.read(source, 65536)
    while data:
        data = data[os.write(sink, data):]
        if not data:
            return True
    return False


def main():
    hold = sys.argv[2] if len(sys.argv) > 2 else None
    while hold and os.path.exists(hold):
        time.sleep(0.05)
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as peer, selectors.DefaultSelector() as selector:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(0, selectors.EVENT_READ, (0, peer.fileno()))
        selector.register(peer.fileno(), selectors.EVENT_READ, (peer.fileno(), 1))
        while True:
            ready = selector.select(0.5)
            if hold and os.path.exists(hold):
                time.sleep(0.05)
                continue
            for key, _ in ready:
                if not carry(*key.data):
                    return


if __name__ == "__main__":
    try:
        main()
    except OSError:
        pass  # the board sees its connection end
