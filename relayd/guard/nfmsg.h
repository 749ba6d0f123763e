/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One nf_tables transaction as bytes: BATCH_BEGIN, messages, BATCH_END, built with libnl's nlmsg and nla functions.
 * All integers of nf_tables attributes are big-endian. Errors (no memory) are sticky and come out of nfbatch_finish().
 */

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/cleanup.h"

#define NFBATCH_LIST_MAX 60000 /* bytes of a list attribute: its length field has 16 bits */

struct nfbatch {
        uint8_t *data; /* the messages so far */
        size_t size, room;
        uint32_t first_sequence, sequence; /* of BATCH_BEGIN and of the next message */
        size_t last_at;                    /* offset of the last message */
        int error;
        struct nl_msg *message; /* the one being built */
        /* Not NULL: called between two messages when there are piece_size bytes; ends and sends the transaction and
         * starts the next. Its error is kept. */
        int (*piece)(struct nfbatch *batch, void *context);
        void *piece_context;
        size_t piece_size;
};

int nfbatch_new(struct nfbatch **ret);
struct nfbatch *nfbatch_free(struct nfbatch *batch);
CLEANUP_DEFINE(struct nfbatch, nfbatch_free)

/* Begins a transaction; sequence: of its first message. */
void nfbatch_start(struct nfbatch *batch, uint32_t sequence);
/* Begins a message of type (enum nf_tables_msg_types) with its nfgenmsg. flags: NLM_F_CREATE ... */
struct nl_msg *nfbatch_message(struct nfbatch *batch, int type, int flags);
/* Appends it to the transaction. */
void nfbatch_end_message(struct nfbatch *batch);
/* Sends what there is as a piece; nothing without piece(). */
void nfbatch_end_piece(struct nfbatch *batch);
/* Ends the transaction; the last message of it asks for the acknowledgement. 0 or -ENOMEM, -EMSGSIZE */
int nfbatch_finish(struct nfbatch *batch);

/* Attributes; a failure is kept in the batch. */
void nfput_u8(struct nfbatch *batch, int attribute, uint8_t value);
void nfput_u16(struct nfbatch *batch, int attribute, uint16_t value);
void nfput_u32(struct nfbatch *batch, int attribute, uint32_t value);
void nfput_u64(struct nfbatch *batch, int attribute, uint64_t value);
void nfput_text(struct nfbatch *batch, int attribute, const char *text);
void nfput_bytes(struct nfbatch *batch, int attribute, const void *data, size_t size);
/* room in the message; NULL if there is none (kept) */
void *nfput_space(struct nfbatch *batch, size_t size);
struct nlattr *nfput_nest(struct nfbatch *batch, int attribute);
void nfput_nest_end(struct nfbatch *batch, struct nlattr *nest);
/* bytes of the message being built */
size_t nfbatch_message_size(const struct nfbatch *batch);
