/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Retained messages, in memory and in the store: the last retained message of each topic, bounded in number and bytes.
 */

#include "hub/message.h"
#include "hub/topictree.h"
#include "store/store.h"

#define RETAINED_COUNT_MAX 100000
#define RETAINED_BYTES_MAX (64u * 1024 * 1024)
/* of them one device's */
#define RETAINED_SHARE_COUNT 64
#define RETAINED_SHARE_BYTES (512u * 1024)

struct retained {
        struct store *store;
        struct topic_tree names;
        size_t count, bytes;
        size_t count_max, bytes_max;
};

int retained_init(struct retained *retained, struct store *store); /* empty; load follows */
int retained_load(struct retained *retained, uint64_t now);        /* 0, -EBADMSG, ... */
void retained_release(struct retained *retained);

/* Would retained_set() have room? 0, -E2BIG, -ENOSPC */
int retained_check(const struct retained *retained, const struct message *m);
/*
 * Keeps m for its topic, or removes what is kept if the payload is empty. Staged in the store. 0, -ENOSPC (limits or
 * store), -E2BIG (topic too long to be kept), or the store's error; then nothing changed.
 */
int retained_set(struct retained *retained, struct message *m);
/* Messages whose topic the filter matches and that are not expired; fn must not change retained messages. */
void retained_match(const struct retained *retained, struct span filter, uint64_t now,
                    void (*fn)(void *context, struct message *m), void *context);
/* Removes at most max expired messages. */
void retained_sweep(struct retained *retained, uint64_t now, size_t max);
