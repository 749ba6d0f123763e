/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Alerts: numbered, stored, the last ALERTS_MAX kept. Raising only notes one; at the end of the turn they are told to
 * the bus, to sites/<site>/alerts and to the cloud. Bounded: the same alert once a minute, all together by a bucket.
 * STORE_ALERTS, number (u64): u8 format (1) | u64 time | u8 size + device | u8 size + reason name | u8 size + detail
 */

#include "hub/views.h"
#include "policy/quota.h"
#include "store/store.h"

#define ALERTS_MAX       1000
#define ALERT_DETAIL_MAX 200 /* bytes with the NUL */
#define ALERT_REPEAT_S   60

struct alert {
        uint64_t number, time;
        char device[IDENTITY_SIZE];
        char reason[40];
        char detail[ALERT_DETAIL_MAX];
};
struct alerts {
        struct store *store;
        struct alert *ring; /* ALERTS_MAX; number n stands at n % ALERTS_MAX */
        uint64_t last, told, suppressed;
        struct quota quota;
};

/* Reads the store, which is borrowed. 0, -ENOMEM, -EBADMSG (a record is damaged), or the store's error */
int alerts_load(struct alerts *alerts, struct store *store, uint64_t now_ms);
void alerts_release(struct alerts *alerts);
/* device: "" if none. detail: a sentence; cut, and foreign characters replaced. now: Unix seconds, now_ms: monotonic */
void alerts_raise(struct alerts *alerts, const char *device, enum reason reason, const char *detail, uint64_t now,
                  uint64_t now_ms);
/* Next one that was not told yet, or NULL; marks it as told. */
const struct alert *alerts_next_untold(struct alerts *alerts);
void alert_view(const struct alert *alert, struct alert_view *out);
/* number >= from, ascending, as long as fn returns 0 */
int alerts_walk(const struct alerts *alerts, uint64_t from, int (*fn)(void *context, const struct alert_view *alert),
                void *context);
/* The JSON of the wire (docs/protocol.md); returns its size. */
#define ALERT_JSON_MAX 512
size_t alert_json(const struct alert *alert, char out[ALERT_JSON_MAX]);
