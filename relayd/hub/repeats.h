/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Sliding windows of seen events, one per device, kept in STORE_META under "repeat/<device>" with the commit that holds
 * the events.
 */

#include "hub/message.h"
#include "hub/table.h"
#include "policy/repeat.h"
#include "relay/topic.h"
#include "store/store.h"

#define REPEATS_PREFIX_SIZE 12 /* of events1/...: u32 boot, u64 seq */

struct repeats {
        struct store *store;
        struct table by_device;
        struct repeat_entry *changed;
};

/* Reads the store, which is borrowed. 0, -ENOMEM, -EBADMSG (a record is damaged), or the store's error */
int repeats_load(struct repeats *repeats, struct store *store);
void repeats_release(struct repeats *repeats);
/* The key of an event: user properties boot and seq of events/..., the 12-byte prefix of events1/...; false: none */
bool repeats_key(const struct mqtt_packet *packet, const struct topic_parts *parts, uint32_t *boot, uint64_t *seq);
/* Was it certainly seen? Does not mark. */
bool repeats_seen(const struct repeats *repeats, struct span device, uint32_t boot, uint64_t seq);
int repeats_mark(struct repeats *repeats, struct span device, uint32_t boot, uint64_t seq);
int repeats_write_changed(struct repeats *repeats); /* before the commit */
