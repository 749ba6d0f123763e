/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/nfexpr.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/tcp.h>
#include <string.h>

/* Numbers of nft's data types: informational for the kernel, but `nft list` prints with them. */
#define TYPE_IPADDR       7
#define TYPE_IP6ADDR      8
#define TYPE_INET_SERVICE 13

#define TCP_FLAGS_AT 13 /* in the TCP header */

static const struct {
        uint32_t type, size;
        uint32_t source, destination; /* offsets in the header */
        uint8_t family;
} keys[] = {
        [NFKEY_IPV4] = { TYPE_IPADDR, 4, 12, 16, NFPROTO_IPV4 },
        [NFKEY_IPV6] = { TYPE_IP6ADDR, 16, 8, 24, NFPROTO_IPV6 },
        [NFKEY_PORT] = { TYPE_INET_SERVICE, 2, 0, 2, NFPROTO_UNSPEC },
};

void nftable_add(struct nfbatch *batch, const char *table)
{
        nfbatch_message(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);
        nfput_text(batch, NFTA_TABLE_NAME, table);
        nfput_u32(batch, NFTA_TABLE_FLAGS, 0);
        nfbatch_end_message(batch);
}

void nftable_delete(struct nfbatch *batch, const char *table)
{
        nfbatch_message(batch, NFT_MSG_DELTABLE, 0);
        nfput_text(batch, NFTA_TABLE_NAME, table);
        nfbatch_end_message(batch);
}

static void begin_chain(struct nfbatch *batch, const char *table, const char *chain)
{
        nfbatch_message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
        nfput_text(batch, NFTA_CHAIN_TABLE, table);
        nfput_text(batch, NFTA_CHAIN_NAME, chain);
}

void nfchain_add(struct nfbatch *batch, const char *table, const char *chain)
{
        begin_chain(batch, table, chain);
        nfbatch_end_message(batch);
}

void nfchain_add_base(struct nfbatch *batch, const char *table, const char *chain, unsigned hook, int priority)
{
        begin_chain(batch, table, chain);
        struct nlattr *nest = nfput_nest(batch, NFTA_CHAIN_HOOK);
        nfput_u32(batch, NFTA_HOOK_HOOKNUM, hook);
        nfput_u32(batch, NFTA_HOOK_PRIORITY, (uint32_t)priority);
        nfput_nest_end(batch, nest);
        nfput_u32(batch, NFTA_CHAIN_POLICY, NF_ACCEPT);
        nfput_text(batch, NFTA_CHAIN_TYPE, "filter");
        nfbatch_end_message(batch);
}

void nfcounter_add(struct nfbatch *batch, const char *table, const char *counter)
{
        nfbatch_message(batch, NFT_MSG_NEWOBJ, NLM_F_CREATE);
        nfput_text(batch, NFTA_OBJ_TABLE, table);
        nfput_text(batch, NFTA_OBJ_NAME, counter);
        nfput_u32(batch, NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
        struct nlattr *nest = nfput_nest(batch, NFTA_OBJ_DATA);
        nfput_u64(batch, NFTA_COUNTER_BYTES, 0);
        nfput_u64(batch, NFTA_COUNTER_PACKETS, 0);
        nfput_nest_end(batch, nest);
        nfbatch_end_message(batch);
}

void nfset_add(struct nfbatch *batch, const struct nfset *set)
{
        uint32_t flags = (set->interval ? NFT_SET_INTERVAL : 0) |
                         (set->dynamic_size ? NFT_SET_EVAL | NFT_SET_TIMEOUT : 0);

        nfbatch_message(batch, NFT_MSG_NEWSET, NLM_F_CREATE);
        nfput_text(batch, NFTA_SET_TABLE, set->table);
        nfput_text(batch, NFTA_SET_NAME, set->name);
        nfput_u32(batch, NFTA_SET_FLAGS, flags);
        nfput_u32(batch, NFTA_SET_KEY_TYPE, keys[set->key].type);
        nfput_u32(batch, NFTA_SET_KEY_LEN, keys[set->key].size);
        nfput_u32(batch, NFTA_SET_ID, set->id);
        if (set->dynamic_size) {
                struct nlattr *nest = nfput_nest(batch, NFTA_SET_DESC);
                nfput_u32(batch, NFTA_SET_DESC_SIZE, set->dynamic_size);
                nfput_nest_end(batch, nest);
                nfput_u64(batch, NFTA_SET_TIMEOUT, set->timeout_ms);
        }
        nfbatch_end_message(batch);
}

struct nfrule nfrule_begin(struct nfbatch *batch, const char *table, const char *chain)
{
        nfbatch_message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
        nfput_text(batch, NFTA_RULE_TABLE, table);
        nfput_text(batch, NFTA_RULE_CHAIN, chain);
        return (struct nfrule){ batch, nfput_nest(batch, NFTA_RULE_EXPRESSIONS) };
}

void nfrule_end(struct nfrule *rule)
{
        nfput_nest_end(rule->batch, rule->expressions);
        nfbatch_end_message(rule->batch);
}

struct expression {
        struct nlattr *outer, *data;
};

static struct expression begin_expression(struct nfrule *rule, const char *name)
{
        struct expression e;

        e.outer = nfput_nest(rule->batch, NFTA_LIST_ELEM);
        nfput_text(rule->batch, NFTA_EXPR_NAME, name);
        e.data = nfput_nest(rule->batch, NFTA_EXPR_DATA);
        return e;
}

static void end_expression(struct nfrule *rule, struct expression *e)
{
        nfput_nest_end(rule->batch, e->data);
        nfput_nest_end(rule->batch, e->outer);
}

static void put_value(struct nfrule *rule, int attribute, const void *data, size_t size)
{
        struct nlattr *nest = nfput_nest(rule->batch, attribute);

        nfput_bytes(rule->batch, NFTA_DATA_VALUE, data, size);
        nfput_nest_end(rule->batch, nest);
}

static void compare(struct nfrule *rule, uint32_t operation, const void *data, size_t size)
{
        struct expression e = begin_expression(rule, "cmp");

        nfput_u32(rule->batch, NFTA_CMP_SREG, NFT_REG_1);
        nfput_u32(rule->batch, NFTA_CMP_OP, operation);
        put_value(rule, NFTA_CMP_DATA, data, size);
        end_expression(rule, &e);
}

static void load_meta(struct nfrule *rule, uint32_t key)
{
        struct expression e = begin_expression(rule, "meta");

        nfput_u32(rule->batch, NFTA_META_DREG, NFT_REG_1);
        nfput_u32(rule->batch, NFTA_META_KEY, key);
        end_expression(rule, &e);
}

static void load_payload(struct nfrule *rule, uint32_t base, uint32_t offset, uint32_t size)
{
        struct expression e = begin_expression(rule, "payload");

        nfput_u32(rule->batch, NFTA_PAYLOAD_DREG, NFT_REG_1);
        nfput_u32(rule->batch, NFTA_PAYLOAD_BASE, base);
        nfput_u32(rule->batch, NFTA_PAYLOAD_OFFSET, offset);
        nfput_u32(rule->batch, NFTA_PAYLOAD_LEN, size);
        end_expression(rule, &e);
}

static void mask(struct nfrule *rule, const void *bits, size_t size)
{
        static const uint8_t zeros[4];
        struct expression e = begin_expression(rule, "bitwise");

        nfput_u32(rule->batch, NFTA_BITWISE_SREG, NFT_REG_1);
        nfput_u32(rule->batch, NFTA_BITWISE_DREG, NFT_REG_1);
        nfput_u32(rule->batch, NFTA_BITWISE_LEN, (uint32_t)size);
        put_value(rule, NFTA_BITWISE_MASK, bits, size);
        put_value(rule, NFTA_BITWISE_XOR, zeros, size);
        end_expression(rule, &e);
}

static void look_up(struct nfrule *rule, const char *set)
{
        struct expression e = begin_expression(rule, "lookup");

        nfput_text(rule->batch, NFTA_LOOKUP_SET, set);
        nfput_u32(rule->batch, NFTA_LOOKUP_SREG, NFT_REG_1);
        end_expression(rule, &e);
}

void nfmatch_meta_u8(struct nfrule *rule, uint32_t key, bool equal, uint8_t value)
{
        load_meta(rule, key);
        compare(rule, equal ? NFT_CMP_EQ : NFT_CMP_NEQ, &value, sizeof(value));
}

void nfmatch_meta_u16(struct nfrule *rule, uint32_t key, uint16_t value)
{
        load_meta(rule, key);
        compare(rule, NFT_CMP_EQ, &value, sizeof(value));
}

void nfmatch_meta_u32(struct nfrule *rule, uint32_t key, uint32_t value)
{
        load_meta(rule, key);
        compare(rule, NFT_CMP_EQ, &value, sizeof(value));
}

static void load_port(struct nfrule *rule, enum nfside side)
{
        load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER,
                     side == NFSIDE_SOURCE ? keys[NFKEY_PORT].source : keys[NFKEY_PORT].destination, 2);
}

void nfmatch_port(struct nfrule *rule, enum nfside side, uint16_t port)
{
        port = htons(port);
        load_port(rule, side);
        compare(rule, NFT_CMP_EQ, &port, sizeof(port));
}

void nfmatch_port_set(struct nfrule *rule, enum nfside side, const char *set)
{
        load_port(rule, side);
        look_up(rule, set);
}

static void load_address(struct nfrule *rule, enum nfkey family, enum nfside side)
{
        nfmatch_meta_u8(rule, NFT_META_NFPROTO, true, keys[family].family);
        load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER,
                     side == NFSIDE_SOURCE ? keys[family].source : keys[family].destination, keys[family].size);
}

void nfmatch_address_set(struct nfrule *rule, enum nfkey family, enum nfside side, const char *set)
{
        load_address(rule, family, side);
        look_up(rule, set);
}

void nfmatch_syn(struct nfrule *rule)
{
        static const uint8_t looked_at = TH_FIN | TH_SYN | TH_RST | TH_ACK, wanted = TH_SYN;

        load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_AT, 1);
        mask(rule, &looked_at, 1);
        compare(rule, NFT_CMP_EQ, &wanted, 1);
}

void nfmatch_reset(struct nfrule *rule)
{
        static const uint8_t reset = TH_RST;

        load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_AT, 1);
        mask(rule, &reset, 1);
        compare(rule, NFT_CMP_EQ, &reset, 1);
}

void nfmatch_established(struct nfrule *rule)
{
        static const uint32_t states = NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED), none;
        struct expression e = begin_expression(rule, "ct");

        nfput_u32(rule->batch, NFTA_CT_DREG, NFT_REG_1);
        nfput_u32(rule->batch, NFTA_CT_KEY, NFT_CT_STATE);
        end_expression(rule, &e);
        mask(rule, &states, sizeof(states));
        compare(rule, NFT_CMP_NEQ, &none, sizeof(none));
}

static void put_limit(struct nfrule *rule, uint64_t per_second, uint32_t burst, bool over)
{
        nfput_u64(rule->batch, NFTA_LIMIT_RATE, per_second);
        nfput_u64(rule->batch, NFTA_LIMIT_UNIT, 1);
        nfput_u32(rule->batch, NFTA_LIMIT_BURST, burst);
        nfput_u32(rule->batch, NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS);
        nfput_u32(rule->batch, NFTA_LIMIT_FLAGS, over ? NFT_LIMIT_F_INV : 0);
}

void nfmatch_limit(struct nfrule *rule, uint64_t per_second, uint32_t burst, bool over)
{
        struct expression e = begin_expression(rule, "limit");

        put_limit(rule, per_second, burst, over);
        end_expression(rule, &e);
}

void nfmatch_source_over(struct nfrule *rule, enum nfkey family, const char *set, uint64_t per_second, uint32_t burst)
{
        load_address(rule, family, NFSIDE_SOURCE);
        struct expression e = begin_expression(rule, "dynset");

        nfput_text(rule->batch, NFTA_DYNSET_SET_NAME, set);
        nfput_u32(rule->batch, NFTA_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
        nfput_u32(rule->batch, NFTA_DYNSET_SREG_KEY, NFT_REG_1);
        struct nlattr *nest = nfput_nest(rule->batch, NFTA_DYNSET_EXPR);
        nfput_text(rule->batch, NFTA_EXPR_NAME, "limit");
        struct nlattr *data = nfput_nest(rule->batch, NFTA_EXPR_DATA);
        put_limit(rule, per_second, burst, true);
        nfput_nest_end(rule->batch, data);
        nfput_nest_end(rule->batch, nest);
        end_expression(rule, &e);
}

void nfdo_count(struct nfrule *rule, const char *counter)
{
        struct expression e = begin_expression(rule, "objref");

        nfput_u32(rule->batch, NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
        nfput_text(rule->batch, NFTA_OBJREF_IMM_NAME, counter);
        end_expression(rule, &e);
}

void nfdo_log(struct nfrule *rule, uint16_t group, uint32_t copy_bytes, const char *prefix)
{
        struct expression e = begin_expression(rule, "log");

        nfput_u16(rule->batch, NFTA_LOG_GROUP, group);
        nfput_text(rule->batch, NFTA_LOG_PREFIX, prefix);
        nfput_u32(rule->batch, NFTA_LOG_SNAPLEN, copy_bytes);
        end_expression(rule, &e);
}

static void verdict(struct nfrule *rule, int code, const char *chain)
{
        struct expression e = begin_expression(rule, "immediate");

        nfput_u32(rule->batch, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
        struct nlattr *data = nfput_nest(rule->batch, NFTA_IMMEDIATE_DATA);
        struct nlattr *nest = nfput_nest(rule->batch, NFTA_DATA_VERDICT);
        nfput_u32(rule->batch, NFTA_VERDICT_CODE, (uint32_t)code);
        if (chain)
                nfput_text(rule->batch, NFTA_VERDICT_CHAIN, chain);
        nfput_nest_end(rule->batch, nest);
        nfput_nest_end(rule->batch, data);
        end_expression(rule, &e);
}

void nfdo_accept(struct nfrule *rule)
{
        verdict(rule, NF_ACCEPT, NULL);
}

void nfdo_drop(struct nfrule *rule)
{
        verdict(rule, NF_DROP, NULL);
}

void nfdo_goto(struct nfrule *rule, const char *chain)
{
        verdict(rule, NFT_GOTO, chain);
}

static void reject(struct nfrule *rule, uint32_t type, uint8_t code)
{
        struct expression e = begin_expression(rule, "reject");

        nfput_u32(rule->batch, NFTA_REJECT_TYPE, type);
        nfput_u8(rule->batch, NFTA_REJECT_ICMP_CODE, code);
        end_expression(rule, &e);
}

void nfdo_reject_reset(struct nfrule *rule)
{
        reject(rule, NFT_REJECT_TCP_RST, 0);
}

void nfdo_reject_prohibited(struct nfrule *rule)
{
        reject(rule, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
}
