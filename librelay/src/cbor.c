/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/cbor.h"

#define SIMPLE_FALSE 20
#define SIMPLE_TRUE  21
#define SIMPLE_NULL  22

/* ---- writing */

static void put_head(struct writer *w, enum cbor_major major, uint64_t value)
{
        uint8_t top = (uint8_t)(major << 5);

        if (value < 24) {
                writer_u8(w, (uint8_t)(top | value));
        } else if (value <= UINT8_MAX) {
                writer_u8(w, top | 24);
                writer_u8(w, (uint8_t)value);
        } else if (value <= UINT16_MAX) {
                writer_u8(w, top | 25);
                writer_u16(w, (uint16_t)value);
        } else if (value <= UINT32_MAX) {
                writer_u8(w, top | 26);
                writer_u32(w, (uint32_t)value);
        } else {
                writer_u8(w, top | 27);
                writer_u64(w, value);
        }
}

void cbor_put_uint(struct writer *w, uint64_t value)
{
        put_head(w, CBOR_UINT, value);
}

void cbor_put_int(struct writer *w, int64_t value)
{
        if (value < 0)
                put_head(w, CBOR_NINT, (uint64_t)(-1 - value));
        else
                put_head(w, CBOR_UINT, (uint64_t)value);
}

void cbor_put_bstr_head(struct writer *w, size_t size)
{
        put_head(w, CBOR_BSTR, size);
}

void cbor_put_bstr(struct writer *w, struct span bytes)
{
        put_head(w, CBOR_BSTR, bytes.size);
        writer_bytes(w, bytes);
}

void cbor_put_tstr(struct writer *w, struct span text)
{
        if (!span_is_utf8(text))
                writer_fail(w, RELAY_E_MALFORMED);
        put_head(w, CBOR_TSTR, text.size);
        writer_bytes(w, text);
}

void cbor_put_array(struct writer *w, size_t items)
{
        put_head(w, CBOR_ARRAY, items);
}

void cbor_put_map(struct writer *w, size_t pairs)
{
        put_head(w, CBOR_MAP, pairs);
}

void cbor_put_tag(struct writer *w, uint64_t tag)
{
        put_head(w, CBOR_TAG, tag);
}

void cbor_put_bool(struct writer *w, bool value)
{
        put_head(w, CBOR_SIMPLE, value ? SIMPLE_TRUE : SIMPLE_FALSE);
}

void cbor_put_null(struct writer *w)
{
        put_head(w, CBOR_SIMPLE, SIMPLE_NULL);
}

/* ---- reading */

enum cbor_major cbor_peek(const struct reader *r)
{
        return reader_left(r) > 0 ? (enum cbor_major)(r->in.data[r->at] >> 5) : CBOR_NONE;
}

/* the argument of a head (RFC 8949 section 3), shortest form only */
static uint64_t get_argument(struct reader *r, uint8_t info)
{
        static const uint64_t least[4] = { 24, UINT8_MAX + 1u, UINT16_MAX + 1u, (uint64_t)UINT32_MAX + 1 };
        uint64_t value = 0;

        if (info < 24)
                return info;
        if (info > 27) {
                reader_fail(r, RELAY_E_MALFORMED);
                return 0;
        }
        for (unsigned left = 1u << (info - 24); left > 0; left--)
                value = value << 8 | reader_u8(r);
        if (r->result == RELAY_OK && value < least[info - 24])
                reader_fail(r, RELAY_E_MALFORMED);
        return r->result == RELAY_OK ? value : 0;
}

static uint64_t get_head(struct reader *r, enum cbor_major major)
{
        uint8_t first = reader_u8(r);

        if (r->result != RELAY_OK)
                return 0;
        if (first >> 5 != (int)major) {
                reader_fail(r, RELAY_E_MALFORMED);
                return 0;
        }
        if (major == CBOR_SIMPLE && ((first & 31) < SIMPLE_FALSE || (first & 31) > SIMPLE_NULL)) {
                reader_fail(r, RELAY_E_MALFORMED);
                return 0;
        }
        return get_argument(r, first & 31);
}

uint64_t cbor_get_uint(struct reader *r)
{
        return get_head(r, CBOR_UINT);
}

uint64_t cbor_get_uint_max(struct reader *r, uint64_t max)
{
        uint64_t value = get_head(r, CBOR_UINT);

        if (value <= max)
                return value;
        reader_fail(r, RELAY_E_RANGE);
        return 0;
}

int64_t cbor_get_int(struct reader *r)
{
        bool negative = cbor_peek(r) == CBOR_NINT;
        uint64_t value = get_head(r, negative ? CBOR_NINT : CBOR_UINT);

        if (value > INT64_MAX) {
                reader_fail(r, RELAY_E_RANGE);
                return 0;
        }
        if (r->result != RELAY_OK)
                return 0;
        return negative ? -1 - (int64_t)value : (int64_t)value;
}

/* a length or count that the bytes left can hold at all */
static size_t get_count(struct reader *r, enum cbor_major major, size_t bytes_each)
{
        uint64_t count = get_head(r, major);

        if (count <= reader_left(r) / bytes_each)
                return (size_t)count;
        reader_fail(r, RELAY_E_TRUNCATED);
        return 0;
}

struct span cbor_get_bstr(struct reader *r)
{
        return reader_bytes(r, get_count(r, CBOR_BSTR, 1));
}

uint64_t cbor_get_bstr_head(struct reader *r)
{
        return get_head(r, CBOR_BSTR);
}

void cbor_get_bstr_exact(struct reader *r, uint8_t *out, size_t size)
{
        struct span bytes = cbor_get_bstr(r);

        if (r->result == RELAY_OK && bytes.size != size)
                reader_fail(r, RELAY_E_RANGE);
        for (size_t i = 0; i < size; i++)
                out[i] = r->result == RELAY_OK ? bytes.data[i] : 0;
}

struct span cbor_get_tstr(struct reader *r)
{
        struct span text = reader_bytes(r, get_count(r, CBOR_TSTR, 1));

        if (span_is_utf8(text))
                return text;
        reader_fail(r, RELAY_E_MALFORMED);
        return SPAN_EMPTY;
}

void cbor_get_text(struct reader *r, bool (*is_valid)(struct span text), char *out, size_t size)
{
        struct span text = cbor_get_tstr(r);

        if (!is_valid(text) || !span_to_string(text, out, size))
                reader_fail(r, RELAY_E_RANGE);
}

void cbor_get_version(struct reader *r, uint64_t version)
{
        if (cbor_get_uint(r) != version)
                reader_fail(r, RELAY_E_UNSUPPORTED);
}

size_t cbor_get_array(struct reader *r)
{
        return get_count(r, CBOR_ARRAY, 1);
}

size_t cbor_get_map(struct reader *r)
{
        return get_count(r, CBOR_MAP, 2);
}

uint64_t cbor_get_tag(struct reader *r)
{
        return get_head(r, CBOR_TAG);
}

bool cbor_get_bool(struct reader *r)
{
        uint64_t value = get_head(r, CBOR_SIMPLE);

        if (r->result == RELAY_OK && value == SIMPLE_NULL)
                reader_fail(r, RELAY_E_MALFORMED);
        return r->result == RELAY_OK && value == SIMPLE_TRUE;
}

bool cbor_try_null(struct reader *r)
{
        if (reader_left(r) == 0 || r->in.data[r->at] != (CBOR_SIMPLE << 5 | SIMPLE_NULL))
                return false;
        r->at++;
        return true;
}

/* how many items stand inside the item whose head is read here; strings are consumed whole */
static size_t skip_head(struct reader *r)
{
        switch (cbor_peek(r)) {
        case CBOR_UINT:
                cbor_get_uint(r);
                return 0;
        case CBOR_NINT:
                get_head(r, CBOR_NINT);
                return 0;
        case CBOR_BSTR:
                cbor_get_bstr(r);
                return 0;
        case CBOR_TSTR:
                cbor_get_tstr(r);
                return 0;
        case CBOR_ARRAY:
                return cbor_get_array(r);
        case CBOR_MAP:
                return 2 * cbor_get_map(r);
        case CBOR_TAG:
                cbor_get_tag(r);
                return 1;
        case CBOR_SIMPLE:
                get_head(r, CBOR_SIMPLE);
                return 0;
        case CBOR_NONE:
                break;
        }
        reader_fail(r, RELAY_E_TRUNCATED);
        return 0;
}

/* a container whose items are being skipped */
struct skip_level {
        size_t left;
        bool map;
        size_t key_at;            /* where the map key being read starts */
        struct span previous_key; /* encoded */
};

/* called after a whole item: a map's key must come after the one before it */
static void skip_item_done(struct reader *r, struct skip_level *level)
{
        level->left--;
        if (!level->map || level->left % 2 == 0)
                return;
        struct span key = { r->in.data + level->key_at, r->at - level->key_at };
        if (level->previous_key.size && span_compare(level->previous_key, key) >= 0)
                reader_fail(r, RELAY_E_MALFORMED);
        level->previous_key = key;
}

struct span cbor_skip(struct reader *r)
{
        struct skip_level levels[CBOR_DEPTH_MAX];
        size_t from = r->at, depth = 0;

        do {
                if (depth && levels[depth - 1].left % 2 == 0)
                        levels[depth - 1].key_at = r->at;
                bool map = cbor_peek(r) == CBOR_MAP;
                size_t inside = skip_head(r);
                if (inside && depth == CBOR_DEPTH_MAX)
                        reader_fail(r, RELAY_E_MALFORMED);
                if (r->result != RELAY_OK)
                        return SPAN_EMPTY;
                if (inside) {
                        levels[depth++] = (struct skip_level){ .left = inside, .map = map };
                        continue;
                }
                while (depth && (skip_item_done(r, &levels[depth - 1]), levels[depth - 1].left == 0))
                        depth--;
        } while (depth && r->result == RELAY_OK);
        return r->result == RELAY_OK ? span_of(r->in.data + from, r->at - from) : SPAN_EMPTY;
}

void cbor_map_enter(struct cbor_map *m, struct reader *r)
{
        *m = (struct cbor_map){ .r = r, .left = cbor_get_map(r), .previous_key = SPAN_EMPTY };
}

static bool map_key_done(struct cbor_map *m, struct span key)
{
        if (m->previous_key.size && span_compare(m->previous_key, key) >= 0)
                reader_fail(m->r, RELAY_E_MALFORMED);
        m->previous_key = key;
        m->left--;
        return m->r->result == RELAY_OK;
}

bool cbor_map_next(struct cbor_map *m, int64_t *key)
{
        size_t from = m->r->at;
        int64_t value;

        if (m->r->result != RELAY_OK || m->left == 0)
                return false;
        value = cbor_get_int(m->r);
        if (m->r->result != RELAY_OK || !map_key_done(m, span_of(m->r->in.data + from, m->r->at - from)))
                return false;
        if (value >= 0 && value < 32)
                m->seen |= UINT32_C(1) << value;
        *key = value;
        return true;
}

void cbor_map_require(const struct cbor_map *m, uint32_t keys)
{
        if ((m->seen & keys) != keys)
                reader_fail(m->r, RELAY_E_MALFORMED);
}

bool cbor_map_next_encoded(struct cbor_map *m, struct span *key)
{
        struct span encoded;

        if (m->r->result != RELAY_OK || m->left == 0)
                return false;
        encoded = cbor_skip(m->r);
        if (m->r->result != RELAY_OK || !map_key_done(m, encoded))
                return false;
        *key = encoded;
        return true;
}
