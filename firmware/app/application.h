/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a product team writes: one table named application. Everything around it (network, fail-over, outbox, updates,
 * commands, time, watchdog) is the runtime's. The same file runs on every board; the board's main program looks for
 *
 *     const struct application application = { .version = "1.0.0", .product = &garden, .step = step };
 *
 * Every callback runs on the one thread there is, and returns soon: nothing here waits. docs/firmware.md walks through.
 */

#include "app/command.h"
#include "app/json.h"
#include "app/outbox.h"

struct runtime; /* the application's side of it is below */

struct application {
        /* Of this image, at most MANIFEST_TEXT_MAX bytes; people read it, sequence numbers decide. */
        const char *version;
        /* Handed to the callbacks: the product's state, static or const. May be NULL, as any callback may. */
        void *product;
        /* Once, before the first step: pins, sensors, where the plan stands. now_ms as in step. */
        void (*start)(void *product, struct runtime *runtime, uint64_t now_ms);
        /*
         * The product's control loop. now_ms: milliseconds of uptime, never falls. Returns when it wants to be called
         * again, on the same clock; UINT64_MAX: not before something else happens. It is called at that time or
         * earlier (each time the device wakes up), with or without a network, and first of all in each round.
         * Later than asked for only while one round's work is done: docs/firmware.md has the figures.
         */
        uint64_t (*step)(void *product, struct runtime *runtime, uint64_t now_ms);
        /*
         * May the device restart now, into an update of this version? Asked before it is fetched and again before it is
         * installed; no means later. NULL: always. Everything else was checked, and the site agreed.
         */
        bool (*may_restart)(void *product, const char *version);
        /*
         * Does this image work? Asked while it is on trial: it is kept once this is true and a broker acknowledged
         * the device's presence. If that does not come true in time, the boot stage goes back to the image before.
         * NULL: being online is enough.
         */
        bool (*is_healthy)(void *product);
        /*
         * A command of somebody who may give it (the site policy says who may give which). Does it at once, or starts
         * it. value: UTF-8 for the result, at most COMMANDS_VALUE_MAX bytes. COMMAND_OUTCOME_UNKNOWN if it is none of
         * the product's. diagnostics.uptime and diagnostics.version are the runtime's, for every product. NULL: none.
         */
        enum command_outcome (*command)(void *product, struct runtime *runtime, const char *name, struct span arguments,
                                        struct writer *value);
};

/* The product's. A board's main program hands it to runtime_init(). */
extern const struct application application;

/* ---- what a product may ask of the runtime, in any callback that is given one */

/*
 * Puts an event into the outbox: it is in flash when this returns 0, and is told to relay or cloud as soon as there is
 * one, in the order of publishing. name: the topic below events/, at most OUTBOX_NAME_MAX bytes, levels separated by
 * '/'; payload: at most OUTBOX_PAYLOAD_MAX bytes, usually JSON (app/json.h).
 * class: OUTBOX_TELEMETRY may be dropped, oldest first, when weeks without a network filled the outbox (what was
 * dropped is counted and told); OUTBOX_KEEP is never dropped.
 * 0; RELAY_E_SPACE: full of events to keep, this one was not taken; RELAY_E_RANGE: too long; RELAY_E_STATE: this is
 * recovery, which tells no events. Flash errors restart the device: nothing to do about them here.
 */
int runtime_publish(struct runtime *runtime, enum outbox_class class, const char *name, struct span payload);
/*
 * Trusted time: Unix seconds, of the site's gate, in this boot. false: not known (now), which is nothing special: work
 * by uptime. Never of a clock or a network that nobody vouches for.
 */
bool runtime_time(const struct runtime *runtime, uint64_t *unix_s);
/* A broker (relay or cloud) acknowledged this device's presence, and the session lives. */
bool runtime_is_online(const struct runtime *runtime);
/* milliseconds of uptime, as in step() */
uint64_t runtime_now(const struct runtime *runtime);
/* How often to report, in milliseconds: as this installation is set up, else usual_ms. */
uint32_t runtime_report_ms(const struct runtime *runtime, uint32_t usual_ms);
/* A line for people at the console, at most 150 bytes, never a secret. */
void runtime_log(const struct runtime *runtime, const char *text);
