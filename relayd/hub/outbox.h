/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Messages on their way to the cloud: durable, in order, bounded. Key in the store: u64 number, big-endian; value: the
 * stored form of message.h. A window of them is kept in memory; what is beyond is read back when the window has room.
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
        size_t window_count, window_bytes; /* 0: as above */
};
struct outbox_entry {
        uint64_t number;
        struct message *message; /* borrowed */
};
struct outbox_figures {
        uint64_t events, bytes; /* waiting for the cloud's answer */
        uint64_t added, delivered, refused, dropped_full, dropped_age;
        bool failed; /* the store could not be read */
};

int outbox_new(struct outbox **ret, const struct outbox_options *options); /* reads what the store holds */
struct outbox *outbox_free(struct outbox *outbox);

/* Stages the message. 0; -ENOSPC: full by bytes_max or the store is; -EDQUOT: full but for the part that a device which
 * holds more than half of it leaves to others; other errors of the store. commit: the number the
 * next commit will have; durable: the highest one that is. */
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
/* a message under way or in the window, borrowed; NULL if unknown */
const struct message *outbox_find(const struct outbox *outbox, uint64_t number);
/* Drops what is older than age_max; gives how many were dropped. */
size_t outbox_expire(struct outbox *outbox, uint64_t now, uint64_t durable);
void outbox_figures(const struct outbox *outbox, struct outbox_figures *out);
