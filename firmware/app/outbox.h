/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The device's outbox: events wait in NOR flash until some broker acknowledged them.
 *
 * An append-only log in a ring of sectors, so all sectors wear alike. A record's key is (boot, seq); acknowledging
 * clears bits in its mark. Power may go at any flash operation: what outbox_put() returned 0 for is found again, an
 * acknowledged record may come back once more (with the same key), nothing else changes.
 *
 * When the ring is full: the oldest sector is dropped if what waits in it is telemetry, and the number of dropped
 * records is counted, durably; if an event marked OUTBOX_KEEP waits in it the new event is refused. Never silent.
 */

#include "port/flash.h"

#define OUTBOX_NAME_MAX    40  /* bytes of an event's name */
#define OUTBOX_PAYLOAD_MAX 512 /* bytes */

enum outbox_class {
        OUTBOX_TELEMETRY = 0, /* may be dropped, oldest first, when the outbox is full */
        OUTBOX_KEEP = 1,      /* never dropped */
};

/* A place in the log. Invalid once its sector was dropped: functions notice. All zero: before the first record. */
struct outbox_place {
        uint32_t serial; /* of the sector */
        uint32_t offset; /* of the record in the sector */
};

struct outbox_record {
        struct outbox_place place;
        enum outbox_class class;
        uint32_t boot;
        uint64_t seq;
        size_t name_size, payload_size;
        uint8_t name[OUTBOX_NAME_MAX];
        uint8_t payload[OUTBOX_PAYLOAD_MAX];
};

struct outbox {
        struct flash_area area; /* at least 3 sectors */
        uint32_t head;          /* sector written to */
        uint32_t head_serial;   /* 0: nothing was ever written */
        uint32_t head_offset;   /* next record's place; sector size if the sector is closed */
        uint32_t tail, tail_serial;
        uint32_t pending; /* records not acknowledged */
        uint64_t dropped; /* records dropped since the flash was new */
};

/* Finds the log in the area. 0, RELAY_E_RANGE (fewer than 3 sectors), or the flash's error. */
int outbox_mount(struct outbox *o, const struct flash_area *area);
/*
 * Appends an event; 0 means it is in flash. *dropped (may be NULL): how many old ones had to go.
 * RELAY_E_SPACE: full of events to keep (nothing was written). RELAY_E_RANGE: name or payload too long. Flash errors.
 */
int outbox_put(struct outbox *o, enum outbox_class class, uint32_t boot, uint64_t seq, struct span name,
               struct span payload, uint32_t *dropped);
/* The first waiting record behind after, in the order of putting. 0 and *out, RELAY_MORE if there is none. */
int outbox_next(const struct outbox *o, struct outbox_place after, struct outbox_record *out);
/* The record was delivered. 0, also if its sector was dropped meanwhile. */
int outbox_acknowledge(struct outbox *o, struct outbox_place place);
