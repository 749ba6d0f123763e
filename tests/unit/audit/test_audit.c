/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chain: every record changed, removed, moved, and the end cut. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "audit/audit.h"

#define RECORDS 6

struct log {
        uint8_t bytes[RECORDS][AUDIT_RECORD_MAX];
        struct span records[RECORDS];
        size_t count;
        struct audit_head heads[RECORDS + 1];
};

static void make_log(struct log *log)
{
        struct audit_head head = { 0 };
        uint8_t digest[SHA256_SIZE], key[AUDIT_KEY_SIZE];
        memset(digest, 7, sizeof(digest));
        log->count = RECORDS;
        log->heads[0] = head;
        for (size_t i = 0; i < RECORDS; i++) {
                const struct audit_record record = {
                        .time = 1763800000 + i,
                        .actor = SPAN_LITERAL("uid:1000"),
                        .action = span_of_string(audit_action_name((enum audit_action)i)),
                        .object = SPAN_LITERAL("device-1"),
                        .detail = SPAN_LITERAL("anna"),
                        .digest = i % 2 ? digest : NULL,
                };
                size_t size;
                assert_int_equal(audit_append(&head, &record, log->bytes[i], &size, key), RELAY_OK);
                log->records[i] = span_of(log->bytes[i], size);
                log->heads[i + 1] = head;
                assert_int_equal(key[7], i + 1);
                assert_int_equal(head.count, i + 1);
        }
}

static struct audit_verifier verify(const struct log *log, const struct audit_head *checkpoint)
{
        struct audit_verifier verifier;
        audit_verify_start(&verifier, checkpoint);
        for (size_t i = 0; i < log->count && audit_verify_next(&verifier, log->records[i]); i++)
                ;
        bool whole = audit_verify_end(&verifier);
        assert_int_equal(whole, verifier.what == AUDIT_INTACT);
        return verifier;
}

static void expect(const struct log *log, const struct audit_head *checkpoint, enum audit_break what, uint64_t number)
{
        struct audit_verifier v = verify(log, checkpoint);
        assert_int_equal(v.what, what);
        assert_int_equal(v.number, number);
        assert_true(strlen(audit_break_explanation(v.what)) > 5);
}

static void test_intact(void **state)
{
        (void)state;
        struct log log;
        make_log(&log);
        struct audit_verifier v = verify(&log, NULL);
        assert_int_equal(v.what, AUDIT_INTACT);
        assert_int_equal(v.head.count, RECORDS);
        assert_memory_equal(v.head.hash, log.heads[RECORDS].hash, SHA256_SIZE);
        for (size_t i = 0; i <= RECORDS; i++)
                expect(&log, &log.heads[i], AUDIT_INTACT, 0);
        log.count = 0;
        expect(&log, NULL, AUDIT_INTACT, 0);
}

static void test_decode(void **state)
{
        (void)state;
        struct log log;
        struct audit_record record;
        struct audit_head head;
        make_log(&log);
        assert_int_equal(audit_decode(log.records[3], &record), RELAY_OK);
        assert_int_equal(record.number, 4);
        assert_int_equal(record.time, 1763800003);
        assert_true(span_equal_string(record.actor, "uid:1000"));
        assert_true(span_equal_string(record.action, audit_action_name((enum audit_action)3)));
        assert_true(span_equal_string(record.object, "device-1"));
        assert_true(span_equal_string(record.detail, "anna"));
        assert_non_null(record.digest);
        assert_int_equal(record.digest[31], 7);
        assert_memory_equal(record.previous, log.heads[3].hash, SHA256_SIZE);
        assert_int_equal(audit_head_of(log.records[3], &head), RELAY_OK);
        assert_memory_equal(&head, &log.heads[4], sizeof(head));
        for (size_t size = 0; size < log.records[3].size; size++)
                assert_int_not_equal(audit_decode(span_of(log.bytes[3], size), &record), RELAY_OK);
        log.bytes[3][log.records[3].size] = 0;
        assert_int_not_equal(audit_decode(span_of(log.bytes[3], log.records[3].size + 1), &record), RELAY_OK);
}

/* any bit of any record but the last one's is found at once; of the last one, with a checkpoint */
static void test_changed(void **state)
{
        (void)state;
        struct log log;
        make_log(&log);
        for (size_t i = 0; i < RECORDS; i++)
                for (size_t at = 0; at < log.records[i].size; at++) {
                        log.bytes[i][at] ^= 1;
                        struct audit_verifier v = verify(&log, &log.heads[RECORDS]);
                        assert_int_not_equal(v.what, AUDIT_INTACT);
                        assert_true(v.number >= i && v.number <= i + 1);
                        if (i + 1 < RECORDS)
                                assert_int_not_equal(verify(&log, NULL).what, AUDIT_INTACT);
                        log.bytes[i][at] ^= 1;
                }
        uint8_t *detail = memmem(log.bytes[2], log.records[2].size, "anna", 4);
        assert_non_null(detail);
        detail[0] = 'e';
        expect(&log, NULL, AUDIT_CHANGED, 3);
        detail[0] = 'a';
        expect(&log, NULL, AUDIT_INTACT, 0);
}

static void test_removed(void **state)
{
        (void)state;
        for (size_t i = 0; i < RECORDS; i++) {
                struct log log;
                make_log(&log);
                memmove(log.records + i, log.records + i + 1, (RECORDS - i - 1) * sizeof(log.records[0]));
                log.count--;
                enum audit_break what = i == 0 ? AUDIT_FIRST : i + 1 == RECORDS ? AUDIT_SHORTENED : AUDIT_MISSING;
                expect(&log, &log.heads[RECORDS], what, i + 1);
        }
}

static void test_reordered(void **state)
{
        (void)state;
        for (size_t i = 0; i + 1 < RECORDS; i++) {
                struct log log;
                make_log(&log);
                struct span first = log.records[i];
                log.records[i] = log.records[i + 1];
                log.records[i + 1] = first;
                expect(&log, NULL, i == 0 ? AUDIT_FIRST : AUDIT_MISSING, i + 1);
                make_log(&log);
                log.records[i + 1] = log.records[i]; /* the same one twice */
                expect(&log, NULL, AUDIT_ORDER, i + 1);
        }
}

/* a whole new log in place of the old one is only seen by those who remember */
static void test_replaced(void **state)
{
        (void)state;
        struct log log;
        make_log(&log);
        struct audit_head remembered = log.heads[4], head = { 0 };
        for (size_t i = 0; i < RECORDS; i++) {
                const struct audit_record record = { .time = 1, .actor = SPAN_LITERAL("relay") };
                uint8_t key[AUDIT_KEY_SIZE];
                size_t size;
                assert_int_equal(audit_append(&head, &record, log.bytes[i], &size, key), RELAY_OK);
                log.records[i] = span_of(log.bytes[i], size);
        }
        expect(&log, NULL, AUDIT_INTACT, 0);
        expect(&log, &remembered, AUDIT_SHORTENED, 4);
}

static void test_texts(void **state)
{
        (void)state;
        struct audit_head head = { 0 };
        uint8_t out[AUDIT_RECORD_MAX], key[AUDIT_KEY_SIZE], digest[SHA256_SIZE] = { 0 };
        char text[600];
        size_t size;
        struct audit_record decoded;
        /* the longest record fits */
        for (size_t i = 0; i < sizeof(text); i += 2)
                memcpy(text + i, "\xc3\xa4", 2);
        struct audit_record record = { .time = UINT64_MAX, .digest = digest };
        record.actor = record.action = record.object = span_of(text, sizeof(text));
        record.detail = span_of(text + 1, 300); /* not UTF-8 */
        assert_int_equal(audit_append(&head, &record, out, &size, key), RELAY_OK);
        assert_int_equal(audit_decode(span_of(out, size), &decoded), RELAY_OK);
        assert_int_equal(decoded.action.size, AUDIT_TEXT_MAX);
        record.action = SPAN_LITERAL("gate-opened");
        record.actor = SPAN_LITERAL("a\nb");
        assert_int_equal(audit_append(&head, &record, out, &size, key), RELAY_OK);
        assert_int_equal(audit_decode(span_of(out, size), &decoded), RELAY_OK);
        assert_int_equal(decoded.object.size, 256);
        assert_int_equal(decoded.detail.size, 255);
        assert_int_equal(decoded.detail.data[5], '?');
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_intact),  cmocka_unit_test(test_decode),    cmocka_unit_test(test_changed),
                cmocka_unit_test(test_removed), cmocka_unit_test(test_reordered), cmocka_unit_test(test_replaced),
                cmocka_unit_test(test_texts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
