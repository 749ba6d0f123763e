/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/ruleset.h"

#include <linux/if_arp.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <string.h>

#include "guard/lists.h"
#include "guard/nfexpr.h"

#define PRIORITY_BEFORE_FILTER (-10)
#define PRIORITY_FILTER        0
#define FLOOD_SOURCES          65536
#define FLOOD_MEMORY_MS        60000
#define LOG_PER_SECOND         20
#define LOG_BURST              50
#define PORT_DNS               53
#define PORT_DHCP_SERVER       67
#define PORT_DHCP_CLIENT       68
#define PORT_DHCP6_CLIENT      546
#define PORT_DHCP6_SERVER      547

#define TABLE RULESET_TABLE

const char *const ruleset_counters[] = {
        "inbound-accepted",
        "inbound-refused",
        "uplink-accepted",
        "uplink-refused",
        "admin-accepted",
        "admin-refused",
        "ended",
        "flood",
        "budget",
        "closed",
        NULL,
};

static const char *const accepted[] = { "inbound-accepted", "uplink-accepted", "admin-accepted" };
static const char *const refused[] = { "inbound-refused", "uplink-refused", "admin-refused" };
static const char *const refuse_chains[] = { "refuse-inbound", "refuse-uplink", "refuse-admin" };

static struct nfrule begin_tcp(struct nfbatch *b, const char *chain)
{
        struct nfrule rule = nfrule_begin(b, TABLE, chain);

        nfmatch_meta_u8(&rule, NFT_META_L4PROTO, true, IPPROTO_TCP);
        return rule;
}

/* The last rules for a packet that no set has: counted and, at a bounded rate, reported. */
static void add_log(struct nfbatch *b, const struct ruleset *r, const char *chain, enum country_direction direction)
{
        struct nfrule rule = nfrule_begin(b, TABLE, chain);

        nfmatch_limit(&rule, LOG_PER_SECOND, LOG_BURST, false);
        nfdo_log(&rule, r->options->log_group, RULESET_COPY, country_direction_name(direction));
        nfrule_end(&rule);
        rule = nfrule_begin(b, TABLE, chain);
        nfdo_count(&rule, refused[direction]);
        nfrule_end(&rule);
}

/* A first packet is dropped without a word; in a session that is refused now, the peer hears that it is over. */
static void add_refusal_in(struct nfbatch *b, const struct ruleset *r, enum country_direction direction)
{
        const char *chain = refuse_chains[direction];

        add_log(b, r, chain, direction);
        struct nfrule rule = begin_tcp(b, chain);
        nfmatch_syn(&rule);
        nfdo_drop(&rule);
        nfrule_end(&rule);
        rule = begin_tcp(b, chain);
        nfdo_reject_reset(&rule);
        nfrule_end(&rule);
        rule = nfrule_begin(b, TABLE, chain);
        nfdo_drop(&rule);
        nfrule_end(&rule);
}

static void add_refusal_out(struct nfbatch *b, const struct ruleset *r)
{
        const char *chain = refuse_chains[COUNTRY_UPLINK];

        add_log(b, r, chain, COUNTRY_UPLINK);
        struct nfrule rule = nfrule_begin(b, TABLE, chain);
        nfdo_reject_prohibited(&rule);
        nfrule_end(&rule);
}

static void add_accept_set(struct nfbatch *b, const char *chain, enum nfkey family, enum nfside side, const char *set,
                           const char *counter)
{
        struct nfrule rule = nfrule_begin(b, TABLE, chain);

        nfmatch_address_set(&rule, family, side, set);
        if (counter)
                nfdo_count(&rule, counter);
        nfdo_accept(&rule);
        nfrule_end(&rule);
}

/* The chain of a list: who is in its sets passes. */
static void add_list_chain(struct nfbatch *b, const struct list *list)
{
        enum nfside side = list->direction == COUNTRY_UPLINK ? NFSIDE_DESTINATION : NFSIDE_SOURCE;
        struct nfrule rule;

        if (list->open) {
                rule = nfrule_begin(b, TABLE, list->name);
                nfdo_count(&rule, accepted[list->direction]);
                nfdo_accept(&rule);
                nfrule_end(&rule);
                return;
        }
        add_accept_set(b, list->name, NFKEY_IPV4, side, list->set4, accepted[list->direction]);
        add_accept_set(b, list->name, NFKEY_IPV6, side, list->set6, accepted[list->direction]);
        rule = nfrule_begin(b, TABLE, list->name);
        nfdo_goto(&rule, refuse_chains[list->direction]);
        nfrule_end(&rule);
}

/* What the relay answers in a session that is refused now: the relay's own end hears that it is over. */
static void add_reply_chain(struct nfbatch *b, const struct list *list)
{
        if (list->open)
                return; /* an empty chain of a port's own keeps its replies from the direction's */
        add_accept_set(b, list->reply, NFKEY_IPV4, NFSIDE_DESTINATION, list->set4, NULL);
        add_accept_set(b, list->reply, NFKEY_IPV6, NFSIDE_DESTINATION, list->set6, NULL);
        struct nfrule rule = begin_tcp(b, list->reply);
        nfmatch_reset(&rule); /* that of refuse-inbound to the peer */
        nfdo_accept(&rule);
        nfrule_end(&rule);
        rule = begin_tcp(b, list->reply);
        nfdo_count(&rule, "ended");
        nfdo_reject_reset(&rule);
        nfrule_end(&rule);
}

static void add_loopback(struct nfbatch *b, const char *chain, uint32_t type_key)
{
        struct nfrule rule = nfrule_begin(b, TABLE, chain);

        nfmatch_meta_u16(&rule, type_key, ARPHRD_LOOPBACK);
        nfdo_accept(&rule);
        nfrule_end(&rule);
}

static void add_flood(struct nfbatch *b, const struct ruleset_options *o)
{
        static const char *const sets[] = { [NFKEY_IPV4] = "sources4", [NFKEY_IPV6] = "sources6" };
        struct nfrule rule;

        for (enum nfkey family = NFKEY_IPV4; o->source_rate && family <= NFKEY_IPV6; family++) {
                rule = begin_tcp(b, "inbound");
                nfmatch_port_set(&rule, NFSIDE_DESTINATION, "ports");
                nfmatch_syn(&rule);
                nfmatch_source_over(&rule, family, sets[family], o->source_rate, o->source_burst);
                nfdo_count(&rule, "flood");
                nfdo_drop(&rule);
                nfrule_end(&rule);
        }
}

/* Behind the look-up of addresses, so that refused sources cannot spend it. */
static void add_budget(struct nfbatch *b, const struct ruleset_options *o, const struct list *list)
{
        if (!o->budget || list->direction != COUNTRY_INBOUND)
                return;
        struct nfrule rule = begin_tcp(b, list->name);
        nfmatch_syn(&rule);
        nfmatch_limit(&rule, o->budget, o->budget_burst, true);
        nfdo_count(&rule, "budget");
        nfdo_drop(&rule);
        nfrule_end(&rule);
}

/* Asking for names is not connecting: what they lead to is judged. */
static void add_names(struct nfbatch *b, const struct ruleset *r, const struct list *list)
{
        static const uint8_t protocols[] = { IPPROTO_UDP, IPPROTO_TCP };

        if (list->direction != COUNTRY_UPLINK || r->air_gapped)
                return;
        for (size_t i = 0; i < sizeof(protocols); i++) {
                struct nfrule rule = nfrule_begin(b, TABLE, list->name);
                nfmatch_meta_u8(&rule, NFT_META_L4PROTO, true, protocols[i]);
                nfmatch_port(&rule, NFSIDE_DESTINATION, PORT_DNS);
                nfdo_accept(&rule);
                nfrule_end(&rule);
        }
}

/* Hands packets to the chain of their list: a port with a rule of its own first. */
static void add_dispatch(struct nfbatch *b, const char *chain, enum nfside side, const struct list *list)
{
        struct nfrule rule = begin_tcp(b, chain);

        if (list->port)
                nfmatch_port(&rule, side, list->port);
        else
                nfmatch_port_set(&rule, side, list->direction == COUNTRY_ADMIN ? "admin-ports" : "ports");
        nfdo_goto(&rule, side == NFSIDE_SOURCE ? list->reply : list->name);
        nfrule_end(&rule);
}

static void add_inbound(struct nfbatch *b, const struct ruleset *r, const struct lists *lists)
{
        nfchain_add_base(b, TABLE, "inbound", NF_INET_LOCAL_IN, PRIORITY_BEFORE_FILTER);
        add_loopback(b, "inbound", NFT_META_IIFTYPE);
        add_flood(b, r->options);
        for (size_t i = 0; i < lists->count; i++)
                if (lists->list[i].direction != COUNTRY_UPLINK)
                        add_dispatch(b, "inbound", NFSIDE_DESTINATION, &lists->list[i]);
}

/* The hub's own traffic comes first: a hub that is taken over gains nothing by sending from a port of devices. */
static void add_outbound(struct nfbatch *b, const struct ruleset *r, const struct lists *lists)
{
        nfchain_add_base(b, TABLE, "outbound", NF_INET_LOCAL_OUT, PRIORITY_BEFORE_FILTER);
        add_loopback(b, "outbound", NFT_META_OIFTYPE);
        for (size_t i = 0; i < lists->count; i++) {
                if (lists->list[i].direction != COUNTRY_UPLINK)
                        continue;
                struct nfrule rule = nfrule_begin(b, TABLE, "outbound");
                nfmatch_meta_u32(&rule, NFT_META_SKUID, (uint32_t)r->options->hub_uid);
                nfdo_goto(&rule, lists->list[i].name);
                nfrule_end(&rule);
        }
        for (size_t i = 0; i < lists->count; i++)
                if (lists->list[i].direction == COUNTRY_INBOUND)
                        add_dispatch(b, "outbound", NFSIDE_SOURCE, &lists->list[i]);
}

static void add_lockdown_port(struct nfbatch *b, uint8_t protocol, uint16_t from, uint16_t to)
{
        struct nfrule rule = nfrule_begin(b, TABLE, "lockdown");

        nfmatch_meta_u8(&rule, NFT_META_L4PROTO, true, protocol);
        nfmatch_port(&rule, NFSIDE_SOURCE, from);
        nfmatch_port(&rule, NFSIDE_DESTINATION, to);
        nfdo_accept(&rule);
        nfrule_end(&rule);
}

/* Everything to this host is closed but what it asked for, ICMP, DHCP's answers, the relay's and the admin ports (who
 * may reach those was decided in "inbound"). */
static void add_lockdown(struct nfbatch *b, const struct ruleset *r)
{
        static const uint8_t icmp[] = { IPPROTO_ICMP, IPPROTO_ICMPV6 };
        static const char *const ports[] = { "ports", "admin-ports" };
        struct nfrule rule;

        nfchain_add_base(b, TABLE, "lockdown", NF_INET_LOCAL_IN, PRIORITY_FILTER);
        add_loopback(b, "lockdown", NFT_META_IIFTYPE);
        rule = nfrule_begin(b, TABLE, "lockdown");
        nfmatch_established(&rule);
        nfdo_accept(&rule);
        nfrule_end(&rule);
        for (size_t i = 0; i < 2; i++) {
                rule = nfrule_begin(b, TABLE, "lockdown");
                nfmatch_meta_u8(&rule, NFT_META_L4PROTO, true, icmp[i]);
                nfdo_accept(&rule);
                nfrule_end(&rule);
                rule = begin_tcp(b, "lockdown");
                nfmatch_port_set(&rule, NFSIDE_DESTINATION, ports[i]);
                nfdo_accept(&rule);
                nfrule_end(&rule);
        }
        add_lockdown_port(b, IPPROTO_UDP, PORT_DHCP_SERVER, PORT_DHCP_CLIENT);
        add_lockdown_port(b, IPPROTO_UDP, PORT_DHCP6_SERVER, PORT_DHCP6_CLIENT);
        rule = nfrule_begin(b, TABLE, "lockdown");
        nfmatch_limit(&rule, LOG_PER_SECOND, LOG_BURST, false);
        nfdo_log(&rule, r->options->log_group, RULESET_COPY, country_direction_name(COUNTRY_ADMIN));
        nfrule_end(&rule);
        rule = nfrule_begin(b, TABLE, "lockdown");
        nfdo_count(&rule, "closed");
        nfdo_drop(&rule);
        nfrule_end(&rule);
}

static void add_sets(struct nfbatch *b, const struct ruleset *r, const struct lists *lists)
{
        struct nfset set = { .table = TABLE, .id = 1 };

        set.name = "ports", set.key = NFKEY_PORT;
        nfset_add(b, &set);
        set.name = "admin-ports", set.id++;
        nfset_add(b, &set);
        set.dynamic_size = FLOOD_SOURCES, set.timeout_ms = FLOOD_MEMORY_MS;
        set.name = "sources4", set.key = NFKEY_IPV4, set.id++;
        nfset_add(b, &set);
        set.name = "sources6", set.key = NFKEY_IPV6, set.id++;
        nfset_add(b, &set);
        set.dynamic_size = 0, set.timeout_ms = 0, set.interval = true;
        for (size_t i = 0; i < lists->count; i++) {
                if (lists->list[i].open)
                        continue;
                set.name = lists->list[i].set4, set.key = NFKEY_IPV4, set.id++;
                nfset_add(b, &set);
                set.name = lists->list[i].set6, set.key = NFKEY_IPV6, set.id++;
                nfset_add(b, &set);
        }
        elements_add_ports(b, TABLE, "ports", r->options->ports, r->options->port_count);
        elements_add_ports(b, TABLE, "admin-ports", r->policy->lockdown_ports, r->policy->lockdown_port_count);
}

static void add_chains(struct nfbatch *b, const struct lists *lists)
{
        for (size_t i = 0; i < COUNTRY_DIRECTIONS; i++)
                nfchain_add(b, TABLE, refuse_chains[i]);
        for (size_t i = 0; i < lists->count; i++) {
                nfchain_add(b, TABLE, lists->list[i].name);
                if (lists->list[i].direction == COUNTRY_INBOUND)
                        nfchain_add(b, TABLE, lists->list[i].reply);
        }
}

/* Base chains come last: from then on packets are judged. */
static void add_rules(struct nfbatch *b, const struct ruleset *r, const struct lists *lists)
{
        add_refusal_in(b, r, COUNTRY_INBOUND);
        add_refusal_in(b, r, COUNTRY_ADMIN);
        add_refusal_out(b, r);
        for (size_t i = 0; i < lists->count; i++) {
                const struct list *list = &lists->list[i];
                add_budget(b, r->options, list);
                add_names(b, r, list);
                add_list_chain(b, list);
                if (list->direction == COUNTRY_INBOUND)
                        add_reply_chain(b, list);
        }
        add_inbound(b, r, lists);
        add_outbound(b, r, lists);
        if (r->policy->lockdown)
                add_lockdown(b, r);
}

static void add_empty_table(struct nfbatch *b, const struct ruleset *r, const struct lists *lists)
{
        nftable_add(b, TABLE);
        for (size_t i = 0; ruleset_counters[i]; i++)
                nfcounter_add(b, TABLE, ruleset_counters[i]);
        add_sets(b, r, lists);
        add_chains(b, lists);
}

int ruleset_shape(struct nfbatch *batch, const struct ruleset *ruleset)
{
        struct lists lists;

        lists_make(&lists, ruleset);
        nfbatch_start(batch, 1);
        add_empty_table(batch, ruleset, &lists);
        add_rules(batch, ruleset, &lists);
        return nfbatch_finish(batch);
}

int ruleset_replace(struct nfbatch *batch, const struct ruleset *ruleset, uint32_t sequence,
                    struct ruleset_counts *counts)
{
        struct lists lists;

        lists_make(&lists, ruleset);
        *counts = (struct ruleset_counts){ 0 };
        nfbatch_start(batch, sequence);
        nftable_add(batch, TABLE); /* so that there is one to delete */
        nftable_delete(batch, TABLE);
        add_empty_table(batch, ruleset, &lists);
        for (size_t i = 0; i < lists.count; i++)
                list_add(batch, ruleset, &lists.list[i], counts);
        nfbatch_end_piece(batch);
        add_rules(batch, ruleset, &lists);
        return nfbatch_finish(batch);
}

int ruleset_change(struct nfbatch *batch, const struct ruleset *present, const struct ruleset *wanted,
                   uint32_t sequence, struct ruleset_counts *counts)
{
        struct lists lists;

        lists_make(&lists, wanted);
        *counts = (struct ruleset_counts){ 0 };
        nfbatch_start(batch, sequence);
        for (size_t i = 0; i < lists.count; i++)
                list_change(batch, present, wanted, &lists.list[i], counts);
        int r = nfbatch_finish(batch);
        return r == 0 && counts->added + counts->deleted == 0 ? 1 : r;
}

int ruleset_remove(struct nfbatch *batch, uint32_t sequence)
{
        nfbatch_start(batch, sequence);
        nftable_add(batch, TABLE);
        nftable_delete(batch, TABLE);
        return nfbatch_finish(batch);
}
