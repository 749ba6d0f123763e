/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Does a board keep what port/ asks of it? For bring-up and the factory, never in a product: it overwrites a piece of
 * flash and needs a peer in the network. docs/porting.md says what it cannot see.
 */

#include "port/boot.h"
#include "port/clock.h"
#include "port/entropy.h"
#include "port/flash.h"
#include "port/log.h"
#include "port/net.h"
#include "port/secret.h"
#include "port/watchdog.h"

/* What is NULL is not tested. */
struct selftest {
        const struct port_log *log; /* one line a check: "selftest: ok ..." or "selftest: FAILED ..."; may be NULL */
        const struct flash_area *scratch; /* at least two sectors; what is in them is lost */
        const struct port_clock *clock;
        const struct port_entropy *entropy;
        const struct port_watchdog *watchdog;
        const struct port_boot *boot;
        const struct port_secret *secret;
        const struct port_net *net;
        const char *echo_host; /* with net: a TCP server there that sends back what it gets */
        uint16_t echo_port;
        uint16_t closed_port;        /* there, nobody listens */
        void (*idle)(void *context); /* lets the board move packets; NULL: nothing to do */
        void *context;
};
/* Returns how many checks failed. Takes a second or so, and at most some ten seconds. */
unsigned selftest_run(const struct selftest *test);
