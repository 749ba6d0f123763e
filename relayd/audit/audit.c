/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing and verifying the chain. */

#include "audit/audit.h"

#include <string.h>

#include "relay/cbor.h"

#define RECORD_VERSION  1
#define RECORD_REQUIRED 0xffu /* a bit for each key, the digest aside */

static const char *const action_names[AUDIT_ACTION_COUNT] = {
#define AUDIT_ACTION_ROW(name, text) [AUDIT_##name] = text,
        AUDIT_ACTION_TABLE(AUDIT_ACTION_ROW)
#undef AUDIT_ACTION_ROW
};

static const char *const explanations[] = {
        [AUDIT_INTACT] = "every record is in its place",
        [AUDIT_MALFORMED] = "the record breaks its format",
        [AUDIT_FIRST] = "the log does not begin with its first record",
        [AUDIT_MISSING] = "the record is missing",
        [AUDIT_ORDER] = "the record is out of order",
        [AUDIT_CHANGED] = "the record was changed or replaced",
        [AUDIT_SHORTENED] = "the log does not contain what an earlier verification saw",
        [AUDIT_CHECKPOINT_MALFORMED] = "the checkpoint is none of this log",
        [AUDIT_CHECKPOINT_SIGNATURE] = "the checkpoint was signed by no gate key of the site",
        [AUDIT_CHECKPOINT_MISSING] = "a checkpoint before it is missing",
        [AUDIT_REWRITTEN] =
                "the record, or one between it and the checkpoint before, is not the one that was signed for",
};

const char *audit_action_name(enum audit_action action)
{
        return (size_t)action < AUDIT_ACTION_COUNT ? action_names[action] : "unknown";
}

const char *audit_break_explanation(enum audit_break what)
{
        return (size_t)what < sizeof(explanations) / sizeof(explanations[0]) ? explanations[what] : "unknown";
}

/* Cuts to size without splitting a character; copies only text that is not UTF-8. */
static struct span clean(struct span text, uint8_t copy[AUDIT_TEXT_MAX])
{
        struct span cut = span_slice(text, 0, AUDIT_TEXT_MAX);
        if (cut.size < text.size)
                while (cut.size > 0 && (text.data[cut.size] & 0xc0) == 0x80)
                        cut.size--;
        if (span_is_utf8(cut))
                return cut;
        for (size_t i = 0; i < cut.size; i++)
                copy[i] = cut.data[i] >= ' ' && cut.data[i] < 0x7f ? cut.data[i] : '?';
        return span_of(copy, cut.size);
}

static void put_text(struct writer *w, uint64_t key, struct span text)
{
        uint8_t copy[AUDIT_TEXT_MAX];
        cbor_put_uint(w, key);
        cbor_put_tstr(w, clean(text, copy));
}

static void encode(struct writer *w, const struct audit_head *head, const struct audit_record *record)
{
        cbor_put_map(w, record->digest ? 9 : 8);
        cbor_put_uint(w, 0);
        cbor_put_uint(w, RECORD_VERSION);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, head->count + 1);
        cbor_put_uint(w, 2);
        cbor_put_uint(w, record->time);
        cbor_put_uint(w, 3);
        cbor_put_bstr(w, SPAN_OF(head->hash));
        put_text(w, 4, record->actor);
        put_text(w, 5, record->action);
        put_text(w, 6, record->object);
        put_text(w, 7, record->detail);
        if (record->digest) {
                cbor_put_uint(w, 8);
                cbor_put_bstr(w, span_of(record->digest, SHA256_SIZE));
        }
}

int audit_append(struct audit_head *head, const struct audit_record *record, uint8_t out[AUDIT_RECORD_MAX],
                 size_t *size, uint8_t key[AUDIT_KEY_SIZE])
{
        struct audit_head next = { .count = head->count + 1 };
        struct writer w, k;
        writer_init(&w, out, AUDIT_RECORD_MAX);
        encode(&w, head, record);
        int result = writer_finish(&w);
        if (result == RELAY_OK)
                result = crypto_sha256(writer_span(&w), next.hash);
        if (result != RELAY_OK)
                return result;
        writer_init(&k, key, AUDIT_KEY_SIZE);
        writer_u64(&k, next.count);
        *size = writer_span(&w).size;
        *head = next;
        return RELAY_OK;
}

static struct span get_text(struct reader *r)
{
        struct span text = cbor_get_tstr(r);
        if (text.size > AUDIT_TEXT_MAX)
                reader_fail(r, RELAY_E_RANGE);
        return text;
}

static void get_digest(struct reader *r, const uint8_t **digest)
{
        struct span bytes = cbor_get_bstr(r);
        if (bytes.size != SHA256_SIZE)
                reader_fail(r, RELAY_E_RANGE);
        *digest = bytes.data;
}

static void decode_field(struct reader *r, int64_t key, struct audit_record *out)
{
        switch (key) {
        case 0:
                cbor_get_version(r, RECORD_VERSION);
                break;
        case 1:
                out->number = cbor_get_uint(r);
                break;
        case 2:
                out->time = cbor_get_uint(r);
                break;
        case 3:
                cbor_get_bstr_exact(r, out->previous, SHA256_SIZE);
                break;
        case 4:
                out->actor = get_text(r);
                break;
        case 5:
                out->action = get_text(r);
                break;
        case 6:
                out->object = get_text(r);
                break;
        case 7:
                out->detail = get_text(r);
                break;
        case 8:
                get_digest(r, &out->digest);
                break;
        default:
                reader_fail(r, RELAY_E_MALFORMED);
        }
}

int audit_decode(struct span encoded, struct audit_record *out)
{
        struct audit_record record = { 0 };
        struct reader r;
        struct cbor_map map;
        int64_t key;
        reader_init(&r, encoded);
        if (encoded.size > AUDIT_RECORD_MAX)
                reader_fail(&r, RELAY_E_RANGE);
        cbor_map_enter(&map, &r);
        while (cbor_map_next(&map, &key))
                decode_field(&r, key, &record);
        cbor_map_require(&map, RECORD_REQUIRED);
        if (record.number == 0)
                reader_fail(&r, RELAY_E_MALFORMED);
        int result = reader_finish(&r);
        if (result == RELAY_OK)
                *out = record;
        return result;
}

int audit_head_of(struct span encoded, struct audit_head *out)
{
        struct audit_record record;
        struct audit_head head;
        int result = audit_decode(encoded, &record);
        if (result == RELAY_OK)
                result = crypto_sha256(encoded, head.hash);
        if (result != RELAY_OK)
                return result;
        head.count = record.number;
        *out = head;
        return RELAY_OK;
}

void audit_verify_start(struct audit_verifier *verifier, const struct audit_head *checkpoint)
{
        *verifier = (struct audit_verifier){ .what = AUDIT_INTACT };
        if (checkpoint)
                verifier->checkpoint = *checkpoint;
}

static bool fail(struct audit_verifier *verifier, enum audit_break what, uint64_t number)
{
        verifier->what = what;
        verifier->number = number;
        return false;
}

static bool check_place(struct audit_verifier *verifier, const struct audit_record *record)
{
        static const uint8_t zeros[SHA256_SIZE];
        uint64_t expected = verifier->head.count + 1;
        if (record->number != expected) {
                if (expected == 1)
                        return fail(verifier, AUDIT_FIRST, 1);
                return record->number > expected ? fail(verifier, AUDIT_MISSING, expected)
                                                 : fail(verifier, AUDIT_ORDER, record->number);
        }
        const uint8_t *previous = expected == 1 ? zeros : verifier->head.hash;
        if (memcmp(record->previous, previous, SHA256_SIZE) == 0)
                return true;
        /* this record names the hash of its predecessor, so it is that one which is no longer what it was */
        return expected == 1 ? fail(verifier, AUDIT_FIRST, 1) : fail(verifier, AUDIT_CHANGED, expected - 1);
}

bool audit_verify_next(struct audit_verifier *verifier, struct span encoded)
{
        struct audit_record record;
        struct audit_head next;
        if (verifier->what == AUDIT_MISSING && audit_decode(encoded, &record) == RELAY_OK &&
            record.number == verifier->number)
                verifier->what = AUDIT_ORDER;
        if (verifier->what != AUDIT_INTACT)
                return false;
        if (audit_decode(encoded, &record) != RELAY_OK || audit_head_of(encoded, &next) != RELAY_OK)
                return fail(verifier, AUDIT_MALFORMED, verifier->head.count + 1);
        if (!check_place(verifier, &record))
                return false;
        if (next.count == verifier->checkpoint.count && memcmp(next.hash, verifier->checkpoint.hash, SHA256_SIZE) != 0)
                return fail(verifier, AUDIT_SHORTENED, next.count);
        verifier->head = next;
        return true;
}

bool audit_verify_end(struct audit_verifier *verifier)
{
        if (verifier->what == AUDIT_INTACT && verifier->head.count < verifier->checkpoint.count)
                fail(verifier, AUDIT_SHORTENED, verifier->head.count + 1);
        return verifier->what == AUDIT_INTACT;
}
