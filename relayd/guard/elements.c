/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/elements.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#define ELEMENT_ROOM 128 /* both elements of an interval, with all headers */

/* Messages of one type about one set, a new one whenever the list attribute is full. */
struct stream {
        struct nfbatch *batch;
        const char *table, *set;
        int type, flags;
        struct nlattr *list; /* NULL: no message is open */
};

static void open_message(struct stream *s)
{
        nfbatch_message(s->batch, s->type, s->flags);
        nfput_text(s->batch, NFTA_SET_ELEM_LIST_TABLE, s->table);
        nfput_text(s->batch, NFTA_SET_ELEM_LIST_SET, s->set);
        s->list = nfput_nest(s->batch, NFTA_SET_ELEM_LIST_ELEMENTS);
}

static void close_message(struct stream *s)
{
        if (!s->list)
                return;
        nfput_nest_end(s->batch, s->list);
        nfbatch_end_message(s->batch);
        s->list = NULL;
}

static uint8_t *put_header(uint8_t *at, uint16_t type, size_t size)
{
        const struct nlattr header = { .nla_len = (uint16_t)size, .nla_type = type };

        memcpy(at, &header, NLA_HDRLEN);
        return at + NLA_HDRLEN;
}

/*
 * An element as it lies in the message: LIST_ELEM { [FLAGS] KEY { VALUE } }. There may be hundreds of thousands, so
 * they are written in one go instead of attribute by attribute.
 */
static void put_element(struct stream *s, const void *key, size_t size, bool end)
{
        const size_t flag_size = NLA_HDRLEN + sizeof(uint32_t), value_size = NLA_HDRLEN + NLA_ALIGN(size);
        const size_t total = 2 * NLA_HDRLEN + value_size + (end ? flag_size : 0);
        uint8_t *at = nfput_space(s->batch, total);

        if (!at)
                return;
        at = put_header(at, NFTA_LIST_ELEM | NLA_F_NESTED, total);
        if (end) {
                const uint32_t flag = htonl(NFT_SET_ELEM_INTERVAL_END);
                at = put_header(at, NFTA_SET_ELEM_FLAGS, flag_size);
                memcpy(at, &flag, sizeof(flag));
                at += sizeof(flag);
        }
        at = put_header(at, NFTA_SET_ELEM_KEY | NLA_F_NESTED, NLA_HDRLEN + value_size);
        at = put_header(at, NFTA_DATA_VALUE, NLA_HDRLEN + size);
        memset(at, 0, NLA_ALIGN(size));
        memcpy(at, key, size);
}

static void make_room(struct stream *s)
{
        if (s->list && nfbatch_message_size(s->batch) + ELEMENT_ROOM > NFBATCH_LIST_MAX)
                close_message(s);
        if (!s->list)
                open_message(s);
}

static void put_interval(struct stream *s, const struct address_range *range)
{
        struct address behind = range->last;
        uint8_t key[16];

        make_room(s);
        put_element(s, key, address_to_bytes(&range->first, key), false);
        if (address_next(&behind)) /* else the interval ends with the address space, and has no end element */
                put_element(s, key, address_to_bytes(&behind, key), true);
}

void elements_add(struct nfbatch *batch, const char *table, const char *set, const struct interval_source *wanted,
                  struct element_counts *counts)
{
        struct stream s = { batch, table, set, NFT_MSG_NEWSETELEM, NLM_F_CREATE, NULL };
        struct address_range range;

        while (wanted->next(wanted->context, &range)) {
                put_interval(&s, &range);
                counts->wanted++;
                counts->added++;
        }
        close_message(&s);
}

static bool same(const struct address_range *a, const struct address_range *b)
{
        return address_compare(&a->first, &b->first) == 0 && address_compare(&a->last, &b->last) == 0;
}

/* Everything that is in one list and not in the other; *total: all of the one. */
static uint32_t put_difference(struct stream *s, const struct interval_source *from,
                               const struct interval_source *without, uint32_t *total)
{
        struct address_range mine, other;
        bool has_other = without->next(without->context, &other);
        uint32_t count = 0;

        for (*total = 0; from->next(from->context, &mine); (*total)++) {
                while (has_other && address_compare(&other.first, &mine.first) < 0)
                        has_other = without->next(without->context, &other);
                if (has_other && same(&mine, &other))
                        continue;
                put_interval(s, &mine);
                count++;
        }
        close_message(s);
        return count;
}

void elements_change(struct nfbatch *batch, const char *table, const char *set, const struct element_change *change,
                     struct element_counts *counts)
{
        struct stream deleted = { batch, table, set, NFT_MSG_DELSETELEM, 0, NULL };
        struct stream added = { batch, table, set, NFT_MSG_NEWSETELEM, NLM_F_CREATE, NULL };

        uint32_t total;

        change->rewind(change->context);
        counts->deleted += put_difference(&deleted, &change->present, &change->wanted, &total);
        change->rewind(change->context);
        counts->added += put_difference(&added, &change->wanted, &change->present, &total);
        counts->wanted += total;
}

void elements_add_ports(struct nfbatch *batch, const char *table, const char *set, const uint16_t *ports, size_t count)
{
        struct stream s = { batch, table, set, NFT_MSG_NEWSETELEM, NLM_F_CREATE, NULL };

        for (size_t i = 0; i < count; i++) {
                uint16_t key = htons(ports[i]);
                make_room(&s);
                put_element(&s, &key, sizeof(key), false);
        }
        close_message(&s);
}
