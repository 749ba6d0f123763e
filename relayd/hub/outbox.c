/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The outbox: a window in memory over an ordered table; see outbox.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/outbox.h"
#include "hub/table.h"
#include "relay/topic.h"

/* Whoever holds more than half of a full outbox leaves this part of it to the others. */
#define SHARE_LEFT 8

/* STORE_META: the highest number known to have been given out; written at start and when an export is dropped */
#define LAST_NUMBER "outbox/last"
#define DROP_BATCH  64

/* what one device has waiting */
struct share {
        struct table_entry entry;
        uint64_t bytes;
        char device[IDENTITY_MAX + 1];
};

struct slot {
        uint64_t number;
        struct message *message; /* NULL: done */
        bool under_way;
};

struct outbox {
        struct outbox_options options;
        struct slot *slots;          /* ring of window_count, numbers ascend */
        size_t first, count, unsent; /* unsent: offset from first of the first one not sent */
        size_t window_bytes;         /* of the messages in the ring */
        uint64_t last_number;        /* given out so far */
        uint64_t loaded_through;     /* numbers up to here are in the ring or done */
        uint64_t last_commit;        /* the commit that holds last_number */
        uint64_t looked_at;          /* durable commit when the store had nothing more to read */
        struct table shares;         /* by device */
        struct outbox_figures figures;
};

static bool share_equal(const struct table_entry *entry, const void *key)
{
        return span_equal_string(*(const struct span *)key, container_of(entry, const struct share, entry)->device);
}

/* empty: not a device's */
static struct span device_of(const struct message *m)
{
        struct topic_parts parts;

        return topic_parse(m->topic, &parts) == TOPIC_DEVICE ? parts.device : SPAN_EMPTY;
}

static struct share *find_share(const struct outbox *o, struct span device)
{
        struct table_entry *e = device.size ? table_find(&o->shares, table_hash(device), share_equal, &device) : NULL;

        return e ? container_of(e, struct share, entry) : NULL;
}

/* Found or made; NULL: not a device's, or no memory, and then it is not counted. */
static struct share *make_share(struct outbox *o, struct span device)
{
        struct share *share = find_share(o, device);

        if (share || !device.size)
                return share;
        share = calloc(1, sizeof(*share));
        if (!share)
                return NULL;
        if (!span_to_string(device, share->device, sizeof(share->device)) ||
            table_insert(&o->shares, &share->entry, table_hash(device)) < 0) {
                free(share);
                return NULL;
        }
        return share;
}

static void count_in(struct outbox *o, const struct message *m)
{
        struct share *share = make_share(o, device_of(m));

        o->figures.events++;
        o->figures.bytes += m->stored.size;
        if (share)
                share->bytes += m->stored.size;
}

static void count_out(struct outbox *o, const struct message *m)
{
        struct share *share = find_share(o, device_of(m));

        o->figures.events--;
        o->figures.bytes -= m->stored.size;
        if (share)
                share->bytes -= share->bytes < m->stored.size ? share->bytes : m->stored.size;
}

static struct slot *slot_at(const struct outbox *o, size_t offset)
{
        return &o->slots[(o->first + offset) % o->options.window_count];
}

static bool window_has_room(const struct outbox *o)
{
        return o->count < o->options.window_count && o->window_bytes < o->options.window_bytes;
}

static void push(struct outbox *o, uint64_t number, struct message *m)
{
        *slot_at(o, o->count++) = (struct slot){ number, m, false };
        o->window_bytes += m->stored.size;
        o->loaded_through = number;
}

static int count_one(void *context, struct span key, struct span value)
{
        struct outbox *o = context;
        struct message *m;
        struct reader r;
        int result;

        reader_init(&r, key);
        o->last_number = reader_u64(&r);
        if (reader_finish(&r) != RELAY_OK)
                return -EBADMSG;
        result = message_from_stored(&m, value);
        if (result < 0)
                return result;
        count_in(o, m);
        message_unref(m);
        return 0;
}

static int save_last(struct outbox *o)
{
        uint8_t value[STORE_NUMBER_SIZE];

        return store_put(o->options.store, STORE_META, SPAN_LITERAL(LAST_NUMBER),
                         store_number_key(o->last_number, value));
}

/* An export goes on behind the number it wrote last, so numbers must not begin anew when the outbox was emptied. */
static int load_last(struct outbox *o)
{
        uint8_t *bytes = NULL;
        struct reader r;
        uint64_t last;
        size_t size;
        int result = store_get(o->options.store, STORE_META, SPAN_LITERAL(LAST_NUMBER), &bytes, &size);

        if (result == -ENOENT)
                return o->last_number > 0 ? save_last(o) : 0;
        if (result < 0)
                return result;
        reader_init(&r, span_of(bytes, size));
        last = reader_u64(&r);
        result = reader_finish(&r) == RELAY_OK ? 0 : -EBADMSG;
        free(bytes);
        if (result < 0 || o->last_number > last)
                return result < 0 ? result : save_last(o);
        o->last_number = last;
        return 0;
}

int outbox_new(struct outbox **ret, const struct outbox_options *options)
{
        struct outbox *o = calloc(1, sizeof(*o));
        int result;

        if (!o)
                return -ENOMEM;
        o->options = *options;
        if (!o->options.window_count)
                o->options.window_count = OUTBOX_WINDOW_COUNT;
        if (!o->options.window_bytes)
                o->options.window_bytes = OUTBOX_WINDOW_BYTES;
        o->slots = calloc(o->options.window_count, sizeof(*o->slots));
        result = o->slots ? store_walk(options->store, STORE_OUTBOX, SPAN_EMPTY, count_one, o) : -ENOMEM;
        if (result == 0)
                result = load_last(o);
        if (result == -ENOSPC)
                result = 0; /* a full store: said again at the next start */
        if (result < 0) {
                outbox_free(o);
                return result;
        }
        o->looked_at = UINT64_MAX;
        *ret = o;
        return 0;
}

struct outbox *outbox_free(struct outbox *o)
{
        if (!o)
                return NULL;
        for (size_t i = 0; i < o->count; i++)
                message_unref(slot_at(o, i)->message);
        for (struct table_entry *e = table_next(&o->shares, NULL), *next; e; e = next) {
                next = table_next(&o->shares, e);
                free(container_of(e, struct share, entry));
        }
        table_release(&o->shares);
        free(o->slots);
        free(o);
        return NULL;
}

/* Everything up to this offset that is done leaves the ring. */
static void shift(struct outbox *o)
{
        while (o->count && !slot_at(o, 0)->message) {
                o->first = (o->first + 1) % o->options.window_count;
                o->count--;
                if (o->unsent)
                        o->unsent--;
        }
}

static int delete_at(struct outbox *o, size_t offset)
{
        struct slot *slot = slot_at(o, offset);
        uint8_t key[STORE_NUMBER_SIZE];
        int result = store_delete(o->options.store, STORE_OUTBOX, store_number_key(slot->number, key));

        if (result < 0)
                return result;
        count_out(o, slot->message);
        o->window_bytes -= slot->message->stored.size;
        slot->message = message_unref(slot->message);
        shift(o);
        return 0;
}

static int load_one(void *context, struct span key, struct span value)
{
        struct outbox *o = context;
        struct message *m;
        struct reader r;
        int result;

        if (!window_has_room(o))
                return 1;
        reader_init(&r, key);
        result = message_from_stored(&m, value);
        if (result < 0)
                return result;
        push(o, reader_u64(&r), m);
        return 0;
}

/* Fills the ring from the store. What is staged and not yet committed cannot be read: that is for a later call, so a
 * look that found the end is not repeated before the store went on. */
static void load(struct outbox *o, uint64_t durable)
{
        uint8_t key[STORE_NUMBER_SIZE];
        int result;

        if (o->loaded_through >= o->last_number || !window_has_room(o) || o->looked_at == durable || o->figures.failed)
                return;
        result = store_walk(o->options.store, STORE_OUTBOX, store_number_key(o->loaded_through + 1, key), load_one, o);
        if (result < 0)
                o->figures.failed = true;
        if (result != 0)
                return;
        o->looked_at = durable;
        if (durable >= o->last_commit)
                o->loaded_through = o->last_number;
}

/* Oldest first, but events before states, results and requests, of which the newest matters; never what is under
 * way. */
static bool is_event(const struct message *m)
{
        return !m->retain && memmem(m->topic.data, m->topic.size, "/events", 7);
}

/* Offset of the oldest one that may go, or count. of: of this device only, unless empty. */
static size_t find_droppable(const struct outbox *o, bool any, struct span of)
{
        size_t i = o->unsent;

        for (; i < o->count; i++) {
                const struct slot *slot = slot_at(o, i);
                if (slot->message && !slot->under_way && (any || is_event(slot->message)) &&
                    (of.size == 0 || span_equal(device_of(slot->message), of)))
                        break;
        }
        return i;
}

/* Slots that are done leave the ring also behind one that is not, so that others can be read back. */
static void compact(struct outbox *o)
{
        size_t kept = 0, unsent = 0;

        for (size_t i = 0; i < o->count; i++) {
                struct slot slot = *slot_at(o, i);
                if (!slot.message)
                        continue;
                unsent += i < o->unsent;
                *slot_at(o, kept++) = slot;
        }
        o->count = kept;
        o->unsent = unsent;
}

static int drop_oldest(struct outbox *o, uint64_t durable, struct span of)
{
        size_t i = find_droppable(o, false, of);

        if (i == o->count) {
                compact(o);
                load(o, durable);
                i = find_droppable(o, false, of);
        }
        if (i == o->count)
                i = find_droppable(o, true, of);
        if (i == o->count)
                return -ENOSPC;
        o->figures.dropped_full++;
        return delete_at(o, i);
}

/* by the rule for a full outbox; what is greedy pays for itself */
static int make_room(struct outbox *o, const struct message *m, uint64_t durable)
{
        const struct share *share = find_share(o, device_of(m));
        bool greedy = share && share->bytes > o->options.bytes_max / 2;
        uint64_t limit = o->options.bytes_max - (greedy ? o->options.bytes_max / SHARE_LEFT : 0);
        struct span of = greedy ? device_of(m) : SPAN_EMPTY;

        while (o->figures.bytes + m->stored.size > limit) {
                int result = o->options.drop_oldest ? drop_oldest(o, durable, of) : -ENOSPC;
                if (result < 0)
                        return result == -ENOSPC && greedy && o->shares.count > 1 ? -EDQUOT : result;
        }
        return 0;
}

int outbox_add(struct outbox *o, struct message *m, uint64_t commit, uint64_t durable)
{
        uint8_t key[STORE_NUMBER_SIZE];
        int result;

        if (o->options.events_only && !is_event(m))
                return 0;
        result = make_room(o, m, durable);
        if (result < 0)
                return result;
        result = store_put(o->options.store, STORE_OUTBOX, store_number_key(o->last_number + 1, key), m->stored);
        if (result < 0)
                return result;
        /* without a gap between the ring and this one it need not be read back */
        if (o->loaded_through == o->last_number && window_has_room(o))
                push(o, o->last_number + 1, message_ref(m));
        o->last_number++;
        o->last_commit = commit;
        o->figures.added++;
        count_in(o, m);
        return 0;
}

bool outbox_next(struct outbox *o, uint64_t durable, struct outbox_entry *out)
{
        /* read back in large pieces: a walk costs a transaction */
        if (o->count - o->unsent < o->options.window_count / 4)
                load(o, durable);
        while (o->unsent < o->count && (!slot_at(o, o->unsent)->message || slot_at(o, o->unsent)->under_way))
                o->unsent++;
        if (o->unsent >= o->count)
                return false;
        *out = (struct outbox_entry){ slot_at(o, o->unsent)->number, slot_at(o, o->unsent)->message };
        return true;
}

/* Offset of the number in the ring, or count. */
static size_t find(const struct outbox *o, uint64_t number)
{
        size_t low = 0, high = o->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (slot_at(o, middle)->number < number)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < o->count && slot_at(o, low)->number == number ? low : o->count;
}

void outbox_sent(struct outbox *o)
{
        if (o->unsent < o->count)
                slot_at(o, o->unsent++)->under_way = true;
}

void outbox_again(struct outbox *o, uint64_t number)
{
        size_t offset = find(o, number);

        if (offset < o->count)
                slot_at(o, offset)->under_way = false;
}

void outbox_resume(struct outbox *o)
{
        o->unsent = 0;
}

uint64_t outbox_last(const struct outbox *o)
{
        return o->last_number;
}

const struct message *outbox_find(const struct outbox *o, uint64_t number)
{
        size_t offset = find(o, number);

        return offset < o->count ? slot_at(o, offset)->message : NULL;
}

int outbox_done(struct outbox *o, uint64_t number, bool delivered)
{
        size_t offset = find(o, number);
        int result;

        if (offset >= o->count || !slot_at(o, offset)->message)
                return 0;
        result = delete_at(o, offset);
        if (result < 0)
                return result;
        if (delivered)
                o->figures.delivered++;
        else
                o->figures.refused++;
        return 0;
}

void outbox_rewind(struct outbox *o)
{
        for (size_t i = 0; i < o->count; i++)
                slot_at(o, i)->under_way = false;
        o->unsent = 0;
}

size_t outbox_expire(struct outbox *o, uint64_t now, uint64_t durable)
{
        size_t dropped = 0;

        while (o->options.age_max_s && o->unsent == 0) {
                const struct message *m;
                if (!o->count)
                        load(o, durable);
                if (!o->count)
                        break;
                m = slot_at(o, 0)->message;
                if (m->received + o->options.age_max_s >= now || !message_time_is_comparable(m->received, now) ||
                    delete_at(o, 0) < 0)
                        break;
                o->figures.dropped_age++;
                dropped++;
        }
        return dropped;
}

/* ---- export */
struct export
{
        int (*fn)(void *context, uint64_t number, const struct message *message);
        void *context;
};

static int export_one(void *context, struct span key, struct span value)
{
        const struct export *export = context;
        struct message *m;
        struct reader r;
        int result = message_from_stored(&m, value);

        if (result < 0)
                return result;
        reader_init(&r, key);
        result = export->fn(export->context, reader_u64(&r), m);
        message_unref(m);
        return result;
}

int outbox_walk(const struct outbox *o, uint64_t from,
                int (*fn)(void *context, uint64_t number, const struct message *message), void *context)
{
        struct export export = { fn, context };
        uint8_t key[STORE_NUMBER_SIZE];

        return store_walk(o->options.store, STORE_OUTBOX, store_number_key(from, key), export_one, &export);
}

struct drop {
        uint64_t through, numbers[DROP_BATCH];
        struct message *messages[DROP_BATCH];
        size_t count;
};

static int collect(void *context, uint64_t number, const struct message *message)
{
        struct drop *drop = context;

        if (number > drop->through || drop->count == DROP_BATCH)
                return 1;
        drop->numbers[drop->count] = number;
        drop->messages[drop->count] = NULL;
        return message_from_stored(&drop->messages[drop->count++], message->stored);
}

/* What is not in the ring and not behind it was deleted before, and only not yet committed. 1: deleted, 0: was */
static int drop_one(struct outbox *o, uint64_t number, const struct message *m)
{
        size_t offset = find(o, number);
        uint8_t key[STORE_NUMBER_SIZE];
        int result;

        if (offset < o->count && slot_at(o, offset)->message) {
                result = delete_at(o, offset);
                return result < 0 ? result : 1;
        }
        if (number <= o->loaded_through)
                return 0;
        result = store_delete(o->options.store, STORE_OUTBOX, store_number_key(number, key));
        if (result < 0)
                return result;
        count_out(o, m);
        o->loaded_through = number;
        return 1;
}

int outbox_drop(struct outbox *o, uint64_t through, uint32_t max)
{
        struct drop drop = { .through = through };
        uint64_t from = 0;
        uint32_t dropped = 0;
        int result;

        do {
                drop.count = 0;
                result = outbox_walk(o, from, collect, &drop);
                for (size_t i = 0; i < drop.count; i++) {
                        int one = result < 0 || dropped == max ? 0 : drop_one(o, drop.numbers[i], drop.messages[i]);

                        result = one < 0 ? one : result;
                        dropped += one > 0;
                        message_unref(drop.messages[i]);
                        from = drop.numbers[i] + 1;
                }
        } while (result > 0 && drop.count == DROP_BATCH && dropped < max);
        if (result < 0)
                return result;
        o->figures.exported += dropped;
        result = dropped > 0 ? save_last(o) : 0;
        return result < 0 && result != -ENOSPC ? result : (int)dropped;
}

enum outbox_level outbox_level(const struct outbox *o)
{
        if (o->figures.bytes >= o->options.bytes_max / 4 * 3)
                return OUTBOX_FILLING;
        return o->figures.bytes <= o->options.bytes_max / 2 ? OUTBOX_ROOMY : OUTBOX_BETWEEN;
}

void outbox_figures(const struct outbox *o, struct outbox_figures *out)
{
        *out = o->figures;
}
