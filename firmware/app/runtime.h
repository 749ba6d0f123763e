/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The runtime: one application on one board. It owns the device engine, outbox, update agent and commands, feeds the
 * watchdog and confirms a new image. In recovery (the boot stage says so) there are updates only: no events, no
 * commands, and nothing to confirm; events in flash stay for the image that comes. A board's main program is
 *
 *     struct runtime_options options = runtime_options_default();
 *     runtime_init(&runtime, &application, &ports, &options);
 *     for (;;) {
 *             if (runtime_run(&runtime) < 0) restart the device;
 *             sleep until something moved on a link, or until runtime_deadline(&runtime);
 *     }
 */

#include "app/application.h"
#include "app/device.h"
#include "port/secret.h"
#include "port/watchdog.h"

/* The application's areas of the flash map (boot/layout.h). */
struct runtime_flash {
        struct flash_area manifests[2], images[2]; /* by slot */
        struct flash_area list, fetch, outbox, settings;
};

/* What the board provides. Everything pointed to is borrowed and stays. */
struct runtime_ports {
        const char *identity;    /* the device's name */
        const uint8_t *class_id; /* CLASS_ID_SIZE bytes */
        const struct port_clock *clock;
        const struct port_entropy *entropy;
        const struct port_boot *boot;
        const struct port_tls *tls;
        const struct port_secret *secret;     /* for DICE-1; NULL, or without attest: plain CONNECT everywhere */
        const struct port_watchdog *watchdog; /* NULL: the board has none */
        const struct port_log *log;           /* NULL: nobody reads it */
        struct runtime_flash flash;
};

struct runtime_options {
        uint16_t keep_alive_s;
        uint32_t report_ms; /* for runtime_report_ms(); 0: as the product likes */
        struct failover_timing failover;
        struct gate_timing gate;
        struct update_timing update;
        const struct device_carrier *carrier; /* updates that were carried here; NULL: no slot for them */
};
struct runtime_options runtime_options_default(void);

/* None of its fields is the product's to touch. */
struct runtime {
        const struct application *application;
        struct runtime_ports ports;
        uint32_t report_ms;
        struct device device;
        struct outbox outbox;
        struct update update;
        struct commands commands;
        uint64_t started_ms, fed_ms, step_ms; /* step_ms: when the product wants to run */
        bool fed, confirmed;
        int failure; /* of flash or boot stage: the device is to be reset */
};

/*
 * 0, or an error of flash or boot stage: the device should be reset. app: usually &application, which stays;
 * ports and options are copied. *runtime must not move.
 */
int runtime_init(struct runtime *runtime, const struct application *app, const struct runtime_ports *ports,
                 const struct runtime_options *options);
/*
 * One round: the watchdog, the product's step, the network. Never waits. 0, or an error of flash or boot stage: the
 * device should be reset.
 */
int runtime_run(struct runtime *runtime);
/* When runtime_run() is due at the latest if nothing moves on a link: milliseconds of port_clock, maybe in the past. */
uint64_t runtime_deadline(const struct runtime *runtime);
