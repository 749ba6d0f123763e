/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exports of the audit log: every item changed, removed or moved, checkpoints of other keys, sites and logs. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../librelay/objects.h"
#include "audit/auditfile.h"

#define RECORDS 6
#define ITEMS   (RECORDS + 2) /* a checkpoint behind the third record, and one behind the last */

struct log {
        uint8_t bytes[ITEMS][AUDIT_RECORD_MAX];
        struct audit_item items[ITEMS];
        size_t count;
        struct audit_seen seen[2]; /* of both checkpoints */
        struct audit_head head;
};

static void add_record(struct log *log, const char *actor)
{
        const struct audit_record record = { .time = 1763800000,
                                             .actor = span_of_string(actor),
                                             .action = SPAN_LITERAL("gate-opened"),
                                             .object = SPAN_LITERAL("gate") };
        uint8_t key[AUDIT_KEY_SIZE], *out = log->bytes[log->count];
        size_t size;

        assert_int_equal(audit_append(&log->head, &record, out, &size, key), RELAY_OK);
        log->items[log->count++] = (struct audit_item){ AUDIT_ITEM_RECORD, span_of(out, size) };
}

static void add_checkpoint(struct log *log, enum who key, const char *site, const struct audit_seen *previous,
                           struct audit_seen *out)
{
        struct checkpoint checkpoint = { .relay = "relay.s1", .count = log->head.count, .time = 1763800000 };
        struct signer signer = who(key);
        struct writer w;

        strcpy(checkpoint.site, site);
        memcpy(checkpoint.head, log->head.hash, SHA256_SIZE);
        checkpoint.has_previous = previous != NULL;
        if (previous)
                memcpy(checkpoint.previous, previous->digest, SHA256_SIZE);
        writer_init(&w, log->bytes[log->count], AUDIT_RECORD_MAX);
        assert_int_equal(checkpoint_sign(&w, &checkpoint, &signer), RELAY_OK);
        log->items[log->count++] = (struct audit_item){ AUDIT_ITEM_CHECKPOINT, writer_span(&w) };
        out->count = checkpoint.count;
        assert_int_equal(crypto_sha256(writer_span(&w), out->digest), RELAY_OK);
}

static void make(struct log *log, enum who key, const char *site, const char *actor)
{
        *log = (struct log){ 0 };
        for (int i = 0; i < 3; i++)
                add_record(log, actor);
        add_checkpoint(log, key, site, NULL, &log->seen[0]);
        for (int i = 3; i < RECORDS; i++)
                add_record(log, actor);
        add_checkpoint(log, key, site, &log->seen[0], &log->seen[1]);
}

static struct audit_check check(const struct log *log, const struct audit_seen *seen)
{
        struct public_key key = key_of(GATE);
        struct audit_check c;

        audit_check_start(&c, "s1", &key, 1, NULL, seen);
        for (size_t i = 0; i < log->count; i++)
                if (!audit_check_next(&c, &log->items[i]) && c.verifier.what != AUDIT_MISSING)
                        break;
        bool whole = audit_check_end(&c);
        assert_int_equal(whole, c.verifier.what == AUDIT_INTACT);
        return c;
}

static void expect(const struct log *log, const struct audit_seen *seen, enum audit_break what, uint64_t number)
{
        struct audit_check c = check(log, seen);

        assert_int_equal(c.verifier.what, what);
        assert_int_equal(c.verifier.number, number);
        assert_true(strlen(audit_break_explanation(what)) > 5);
}

static void intact(void **state)
{
        struct log log;
        struct audit_check c;

        (void)state;
        make(&log, GATE, "s1", "uid:0");
        c = check(&log, NULL);
        assert_int_equal(c.verifier.what, AUDIT_INTACT);
        assert_int_equal(c.checkpoints, 2);
        assert_memory_equal(&c.last, &log.seen[1], sizeof(c.last));
        expect(&log, &log.seen[0], AUDIT_INTACT, 0); /* the log went on */
        expect(&log, &log.seen[1], AUDIT_INTACT, 0);
        log.count--; /* records after the last checkpoint are fine */
        expect(&log, NULL, AUDIT_INTACT, 0);
        log.count = 0;
        expect(&log, NULL, AUDIT_INTACT, 0);
}

static void any_bit_changed(void **state)
{
        struct log log;

        (void)state;
        make(&log, GATE, "s1", "uid:0");
        for (size_t i = 0; i < ITEMS; i++)
                for (size_t at = 0; at < log.items[i].bytes.size; at++) {
                        log.bytes[i][at] ^= 1;
                        struct audit_check c = check(&log, NULL);
                        assert_int_not_equal(c.verifier.what, AUDIT_INTACT);
                        log.bytes[i][at] ^= 1;
                }
        expect(&log, NULL, AUDIT_INTACT, 0);
}

static void removed(void **state)
{
        static const struct {
                enum audit_break what;
                uint64_t number;
        } rows[ITEMS] = {
                { AUDIT_FIRST, 1 },   { AUDIT_MISSING, 2 }, { AUDIT_SHORTENED, 3 }, { AUDIT_CHECKPOINT_MISSING, 6 },
                { AUDIT_MISSING, 4 }, { AUDIT_MISSING, 5 }, { AUDIT_SHORTENED, 6 }, { AUDIT_INTACT, 0 },
        };

        (void)state;
        for (size_t i = 0; i < ITEMS; i++) {
                struct log log;

                make(&log, GATE, "s1", "uid:0");
                memmove(&log.items[i], &log.items[i + 1], (ITEMS - i - 1) * sizeof(log.items[0]));
                log.count--;
                expect(&log, NULL, rows[i].what, rows[i].number);
                /* who saw the last checkpoint misses it */
                assert_int_not_equal(check(&log, &log.seen[1]).verifier.what, AUDIT_INTACT);
        }
}

static void moved(void **state)
{
        static const struct {
                enum audit_break what;
                uint64_t number;
        } rows[ITEMS - 1] = {
                /* exchanged with the next one */
                { AUDIT_FIRST, 1 }, { AUDIT_ORDER, 2 }, { AUDIT_SHORTENED, 3 }, { AUDIT_CHECKPOINT_MALFORMED, 4 },
                { AUDIT_ORDER, 4 }, { AUDIT_ORDER, 5 }, { AUDIT_SHORTENED, 6 },
        };

        (void)state;
        for (size_t i = 0; i + 1 < ITEMS; i++) {
                struct log log;

                make(&log, GATE, "s1", "uid:0");
                struct audit_item first = log.items[i];
                log.items[i] = log.items[i + 1];
                log.items[i + 1] = first;
                expect(&log, NULL, rows[i].what, rows[i].number);
        }
}

/* root on the gateway, with everything but what was kept elsewhere */
static void rewritten(void **state)
{
        struct log log, other;

        (void)state;
        make(&log, GATE, "s1", "uid:0");
        make(&other, GATE, "s1", "uid:1");
        expect(&other, NULL, AUDIT_INTACT, 0);
        expect(&other, &log.seen[0], AUDIT_CHECKPOINT_MISSING, 3);
        expect(&other, &log.seen[1], AUDIT_CHECKPOINT_MISSING, 6);
        /* without the gate's key the old checkpoints have to stay, and do not fit */
        other.items[3] = log.items[3];
        expect(&other, NULL, AUDIT_REWRITTEN, 3);
        make(&other, STRANGER, "s1", "uid:1");
        expect(&other, NULL, AUDIT_CHECKPOINT_SIGNATURE, 3);
        make(&other, GATE, "s2", "uid:1"); /* the same gate at another site */
        expect(&other, NULL, AUDIT_CHECKPOINT_MALFORMED, 3);
}

/* the relay began its checkpoints anew after a break was told: who kept the last one goes on from it */
static void begun_anew(void **state)
{
        struct log log = { 0 };
        const struct audit_seen before = { .count = 2, .digest = { 7 } }, other = { .count = 2, .digest = { 8 } };
        struct audit_seen seen;

        (void)state;
        for (int i = 0; i < 3; i++)
                add_record(&log, "uid:0");
        add_checkpoint(&log, GATE, "s1", &before, &seen);
        expect(&log, NULL, AUDIT_CHECKPOINT_MISSING, 3);
        expect(&log, &other, AUDIT_CHECKPOINT_MISSING, 3);
        expect(&log, &before, AUDIT_INTACT, 0);
}

static void heads(void **state)
{
        struct audit_file_head head = { "s1", "relay.s1" }, read;
        uint8_t out[AUDIT_ITEM_MAX];
        struct writer w;
        size_t size;

        (void)state;
        writer_init(&w, out, sizeof(out));
        audit_file_head_encode(&w, &head);
        struct span bytes = writer_span(&w);
        assert_int_equal(audit_file_head_decode(bytes, &read, &size), RELAY_OK);
        assert_int_equal(size, bytes.size);
        assert_string_equal(read.site, "s1");
        assert_string_equal(read.relay, "relay.s1");
        for (size_t i = 0; i < bytes.size; i++)
                assert_int_equal(audit_file_head_decode(span_slice(bytes, 0, i), &read, &size), RELAY_E_TRUNCATED);
        out[1 + 1 + 3] ^= 1; /* not "relayd-audit" */
        assert_int_equal(audit_file_head_decode(bytes, &read, &size), RELAY_E_MALFORMED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(intact), cmocka_unit_test(any_bit_changed), cmocka_unit_test(removed),
                cmocka_unit_test(moved),  cmocka_unit_test(rewritten),       cmocka_unit_test(begun_anew),
                cmocka_unit_test(heads),
        };
        return cmocka_run_group_tests_name("audit_file", tests, NULL, NULL);
}
