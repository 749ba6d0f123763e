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

/* Additions go behind all deletions; so many of them are kept, for more the lists are walked once more. */
#define KEPT_MAX 8192

struct difference {
        const struct element_change *change;
        struct address_range present, wanted; /* next ones of the lists, if ... */
        bool has_present, has_wanted;
        uint32_t total; /* of wanted */
};

static void advance_present(struct difference *d)
{
        d->has_present = d->change->present.next(d->change->present.context, &d->present);
}

static void advance_wanted(struct difference *d)
{
        d->has_wanted = d->change->wanted.next(d->change->wanted.context, &d->wanted);
        d->total += d->has_wanted;
}

static void start_difference(struct difference *d, const struct element_change *change)
{
        *d = (struct difference){ .change = change };
        change->rewind(change->context);
        advance_present(d);
        advance_wanted(d);
}

/* < 0: only in present, > 0: only in wanted, 0: in both. Of one beginning but not one end: first the present one. */
static int compare_heads(const struct difference *d)
{
        if (!d->has_present || !d->has_wanted)
                return d->has_present ? -1 : 1;
        int order = address_compare(&d->present.first, &d->wanted.first);
        if (order == 0 && address_compare(&d->present.last, &d->wanted.last) != 0)
                return -1;
        return order;
}

/* The next interval that is in one list only; false: the end. */
static bool next_difference(struct difference *d, struct address_range *range, bool *is_added)
{
        while (d->has_present || d->has_wanted) {
                int order = compare_heads(d);
                *range = order < 0 ? d->present : d->wanted;
                *is_added = order > 0;
                if (order <= 0)
                        advance_present(d);
                if (order >= 0)
                        advance_wanted(d);
                if (order != 0)
                        return true;
        }
        return false;
}

static void put_kept(struct stream *s, const struct address_range *kept, size_t count)
{
        for (size_t i = 0; i < count; i++)
                put_interval(s, &kept[i]);
}

static void put_additions(struct stream *s, const struct element_change *change)
{
        struct address_range range;
        struct difference d;
        bool is_added;

        start_difference(&d, change);
        while (next_difference(&d, &range, &is_added))
                if (is_added)
                        put_interval(s, &range);
}

void elements_change(struct nfbatch *batch, const char *table, const char *set, const struct element_change *change,
                     struct element_counts *counts)
{
        struct stream deleted = { batch, table, set, NFT_MSG_DELSETELEM, 0, NULL };
        struct stream added = { batch, table, set, NFT_MSG_NEWSETELEM, NLM_F_CREATE, NULL };
        _cleanup_free_ struct address_range *kept = calloc(KEPT_MAX, sizeof(*kept));
        size_t addition_count = 0, kept_max = kept ? KEPT_MAX : 0;
        struct address_range range;
        struct difference d;
        bool is_added;

        start_difference(&d, change);
        while (next_difference(&d, &range, &is_added)) {
                if (!is_added) {
                        put_interval(&deleted, &range);
                        counts->deleted++;
                } else if (addition_count++ < kept_max) {
                        kept[addition_count - 1] = range;
                }
        }
        close_message(&deleted);
        if (addition_count <= kept_max)
                put_kept(&added, kept, addition_count);
        else
                put_additions(&added, change);
        close_message(&added);
        counts->wanted += d.total;
        counts->added += (uint32_t)addition_count;
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
