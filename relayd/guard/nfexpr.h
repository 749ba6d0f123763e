/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Tables, chains, sets, counters and rules as nf_tables messages: one function per line of `nft list table`.
 * Errors are kept in the batch.
 */

#include <stdbool.h>

#include "guard/nfmsg.h"

enum nfkey { NFKEY_IPV4, NFKEY_IPV6, NFKEY_PORT };
enum nfside { NFSIDE_SOURCE, NFSIDE_DESTINATION };

void nftable_add(struct nfbatch *batch, const char *table);
void nftable_delete(struct nfbatch *batch, const char *table);
void nfchain_add(struct nfbatch *batch, const char *table, const char *chain);
/* hook: NF_INET_LOCAL_IN ...; policy: accept */
void nfchain_add_base(struct nfbatch *batch, const char *table, const char *chain, unsigned hook, int priority);
void nfcounter_add(struct nfbatch *batch, const char *table, const char *counter);

struct nfset {
        const char *table, *name;
        enum nfkey key;
        bool interval;
        uint32_t dynamic_size; /* not 0: filled by packets, at most so many elements ... */
        uint32_t timeout_ms;   /* ... forgotten after this time */
        uint32_t id;           /* unique in the transaction */
};
void nfset_add(struct nfbatch *batch, const struct nfset *set);

/* A rule: begin, expressions, end. Matches come first, left to right. */
struct nfrule {
        struct nfbatch *batch;
        struct nlattr *expressions;
};
struct nfrule nfrule_begin(struct nfbatch *batch, const char *table, const char *chain);
void nfrule_end(struct nfrule *rule);

void nfmatch_meta_u8(struct nfrule *rule, uint32_t key, bool equal, uint8_t value);
/* host byte order, as meta values are (interface type, uid) */
void nfmatch_meta_u16(struct nfrule *rule, uint32_t key, uint16_t value);
void nfmatch_meta_u32(struct nfrule *rule, uint32_t key, uint32_t value);
void nfmatch_port(struct nfrule *rule, enum nfside side, uint16_t port);
void nfmatch_port_set(struct nfrule *rule, enum nfside side, const char *set);
/* also matches the protocol family */
void nfmatch_address_set(struct nfrule *rule, enum nfkey family, enum nfside side, const char *set);
/* a first packet of a TCP connection: of the flags fin, syn, rst, ack only syn is set */
void nfmatch_syn(struct nfrule *rule);
/* rst is set */
void nfmatch_reset(struct nfrule *rule);
void nfmatch_established(struct nfrule *rule);
/* matches while the rate is over (or under) the limit */
void nfmatch_limit(struct nfrule *rule, uint64_t per_second, uint32_t burst, bool over);
/* matches if this source is over the rate; its state lives in the dynamic set */
void nfmatch_source_over(struct nfrule *rule, enum nfkey family, const char *set, uint64_t per_second, uint32_t burst);

void nfdo_count(struct nfrule *rule, const char *counter);
void nfdo_log(struct nfrule *rule, uint16_t group, uint32_t copy_bytes, const char *prefix);
void nfdo_accept(struct nfrule *rule);
void nfdo_drop(struct nfrule *rule);
void nfdo_goto(struct nfrule *rule, const char *chain);
void nfdo_reject_reset(struct nfrule *rule);
void nfdo_reject_prohibited(struct nfrule *rule);
