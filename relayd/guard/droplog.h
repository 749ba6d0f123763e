/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Refused packets from nflog: only the fixed header fields of the first bytes are looked at, and what is reported is
 * bounded: one report at once for each direction and country, then sums.
 */

#include <systemd/sd-event.h>

#include "country/country.h"
#include "relay/span.h"

struct droplog_packet {
        enum country_direction direction;
        struct address address; /* of the other end */
        uint16_t port;          /* of the relay (inbound, admin) or of the other end; 0: not TCP or UDP */
};

/* One packet as nflog gives it: its prefix (the direction's name) and the first bytes. false: nothing to learn */
bool droplog_parse(struct droplog_packet *out, struct span prefix, struct span bytes);

struct droplog_report {
        struct droplog_packet packet; /* the last one of these */
        country_code country;
        uint32_t count;
};

#define DROPLOG_KINDS  32 /* directions and countries summed at a time */
#define DROPLOG_SUM_MS 1000

/* Sums of refused packets; zero-initialise. */
struct droplog_sums {
        struct {
                struct droplog_report report; /* count 0: nothing since the last report */
                uint64_t reported_ms;
        } kinds[DROPLOG_KINDS];
        size_t count;
        uint64_t refused[COUNTRY_UNKNOWN + 2]; /* per country, since the start */
};
/* Counts a packet. true: report it now. */
bool droplog_note(struct droplog_sums *sums, const struct droplog_packet *packet, country_code country, uint64_t now_ms,
                  struct droplog_report *report);
/* The next sum that is due; false: none. Call until false, every DROPLOG_SUM_MS. */
bool droplog_next(struct droplog_sums *sums, uint64_t now_ms, struct droplog_report *report);

struct droplog;
typedef void (*droplog_handler)(const struct droplog_packet *packet, void *context);
/* Reads group; 0 or -errno (-EBUSY: another program reads this group) */
int droplog_new(struct droplog **ret, sd_event *event, uint16_t group, droplog_handler handler, void *context);
struct droplog *droplog_free(struct droplog *droplog);
CLEANUP_DEFINE(struct droplog, droplog_free)
