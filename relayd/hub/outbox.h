/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Messages on their way to the cloud (or, at an air-gapped site, into a file): durable, in order, bounded. Key in the
 * store: u64 number, big-endian; value: the stored form of message.h. A window of them is kept in memory; what is
 * beyond is read back when the window has room.
 *
 * The uplink's side: outbox_next() gives what to send, outbox_sent() moves on, outbox_acked() deletes (with the next
 * commit), outbox_rewind() after a lost connection makes everything unanswered unsent again.
 */

#include "hub/message.h"
#include "store/store.h"

#define OUTBOX_WINDOW_COUNT 8192
#define OUTBOX_WINDOW_BYTES (8u * 1024 * 1024)

struct outbox;

struct outbox_options {
        struct store *store; /* the caller commits */
        uint64_t bytes_max;
        uint32_t age_max_s;                /* 0: none */
        bool drop_oldest;                  /* when full; otherwise refuse */
        bool events_only;                  /* air-gapped: nobody waits for anything else */
        size_t window_count, window_bytes; /* 0: as above */
};
struct outbox_entry {
        uint64_t number;
        struct message *message; /* borrowed */
};
struct outbox_figures {
        uint64_t events, bytes; /* waiting for the cloud's answer */
        uint64_t added, delivered, refused, exported, dropped_full, dropped_age;
        bool failed; /* the store could not be read */
};

int outbox_new(struct outbox **ret, const struct outbox_options *options); /* reads what the store holds */
struct outbox *outbox_free(struct outbox *outbox);

/* Stages the message (with events_only: if it is a device's event). 0; -ENOSPC: full by bytes_max or the store is;
 * -EDQUOT: full but for the part that a device which holds more than half of it leaves to others; other errors of the
 * store. commit: the number the next commit will have; durable: the highest one that is. */
int outbox_add(struct outbox *outbox, struct message *m, uint64_t commit, uint64_t durable);
/* The next unsent message; false if there is none, or none that is readable before the store reaches a commit. */
bool outbox_next(struct outbox *outbox, uint64_t durable, struct outbox_entry *out);
void outbox_sent(struct outbox *outbox); /* what outbox_next() gave is under way */
/* The cloud's answer (or the decision to give up): deleted. delivered = false counts as refused. */
int outbox_done(struct outbox *outbox, uint64_t number, bool delivered);
void outbox_rewind(struct outbox *outbox);
/* The cloud could not take it now: outbox_next() gives it again after outbox_resume(). */
void outbox_again(struct outbox *outbox, uint64_t number);
void outbox_resume(struct outbox *outbox);
/* the highest number given out so far, 0: none */
uint64_t outbox_last(const struct outbox *outbox);
/* a message under way or in the window, borrowed; NULL if unknown */
const struct message *outbox_find(const struct outbox *outbox, uint64_t number);
/* Drops what is older than age_max; gives how many were dropped. */
size_t outbox_expire(struct outbox *outbox, uint64_t now, uint64_t durable);
/*
 * For an export: what is durable, number >= from, in order, as long as fn returns 0. Passes fn's value on; -EBADMSG: a
 * record is damaged. Numbers are never given out again, also after a restart with an empty outbox.
 */
int outbox_walk(const struct outbox *outbox, uint64_t from,
                int (*fn)(void *context, uint64_t number, const struct message *message), void *context);
/* Deletes up to this number (staged), at most max messages: how many. Only without an uplink. Negative: the store's. */
int outbox_drop(struct outbox *outbox, uint64_t through, uint32_t max);
/* How full by bytes_max: at least three quarters, at most half, or in between. */
enum outbox_level { OUTBOX_ROOMY = 0, OUTBOX_BETWEEN = 1, OUTBOX_FILLING = 2 };
enum outbox_level outbox_level(const struct outbox *outbox);
void outbox_figures(const struct outbox *outbox, struct outbox_figures *out);
