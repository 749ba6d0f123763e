/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checkpoints of the audit log: when they are made, that they follow each other, and every way a log can be broken. */

#include <errno.h>
#include <stdlib.h>

#include "../librelay/objects.h"
#include "hub/checkpoints.h"

#define TIME UINT64_C(1763800000)

struct bench {
        struct store *store;
        struct gate_key key;
        struct audit_log log;
        struct checkpoints checkpoints;
        char sentence[200];
};

static void load(struct bench *b)
{
        assert_int_equal(audit_log_load(&b->log, b->store), 0);
        assert_int_equal(checkpoints_load(&b->checkpoints, b->store, "site-1", "relay.site-1", &b->key), 0);
}

static int setup(void **state)
{
        static struct bench b;
        struct store_options options = { .size_max = 8 * 1024 * 1024 };
        char detail[100];

        b = (struct bench){ 0 };
        b.key = (struct gate_key){ .there = true, .key = key_of(GATE) };
        memset(b.key.seed, GATE, sizeof(b.key.seed));
        assert_int_equal(store_open(&options, &b.store, detail, sizeof(detail)), 0);
        load(&b);
        *state = &b;
        return 0;
}

static int teardown(void **state)
{
        store_free(((struct bench *)*state)->store);
        return 0;
}

static void add(struct bench *b, unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                assert_int_equal(audit_log_append(&b->log, TIME, "relay", AUDIT_STARTED, "relay.site-1", ""), 0);
        assert_int_equal(store_sync(b->store), 0);
}

static int make(struct bench *b, uint64_t now)
{
        int result = checkpoints_make(&b->checkpoints, &b->log.head, now);

        assert_int_equal(store_sync(b->store), 0);
        return result;
}

static bool holds(struct bench *b)
{
        int result = 1;
        bool whole;

        load(b);
        whole = checkpoints_verify(&b->checkpoints, &b->log, b->sentence, sizeof(b->sentence), &result);
        assert_int_equal(result, 0);
        return whole;
}

static void delete_record(struct bench *b, enum store_table table, uint64_t number)
{
        uint8_t key[STORE_NUMBER_SIZE];

        assert_int_equal(store_delete(b->store, table, store_number_key(number, key)), 0);
        assert_int_equal(store_sync(b->store), 0);
}

/* The record with another detail, its place in the chain kept. */
static void change_record(struct bench *b, uint64_t number)
{
        uint8_t key[STORE_NUMBER_SIZE], bytes[AUDIT_RECORD_MAX], *old;
        struct audit_record record;
        struct audit_head head = { .count = number - 1 };
        size_t size;

        assert_int_equal(store_get(b->store, STORE_AUDIT, store_number_key(number, key), &old, &size), 0);
        assert_int_equal(audit_decode(span_of(old, size), &record), RELAY_OK);
        record.detail = SPAN_LITERAL("nobody did this");
        memcpy(head.hash, record.previous, SHA256_SIZE);
        assert_int_equal(audit_append(&head, &record, bytes, &size, key), RELAY_OK);
        free(old);
        assert_int_equal(store_put(b->store, STORE_AUDIT, SPAN_OF(key), span_of(bytes, size)), 0);
        assert_int_equal(store_sync(b->store), 0);
}

static void they_follow_each_other(void **state)
{
        struct bench *b = *state;
        uint8_t first[SHA256_SIZE];
        struct checkpoint checkpoint;

        assert_int_equal(make(b, TIME), CHECKPOINTS_UNCHANGED); /* an empty log */
        assert_int_equal(checkpoints_last(&b->checkpoints).size, 0);
        add(b, 3);
        assert_int_equal(make(b, TIME), 0);
        assert_int_equal(make(b, TIME + 1), CHECKPOINTS_UNCHANGED);
        assert_int_equal(checkpoint_check(checkpoints_last(&b->checkpoints), &b->key.key, 1, &checkpoint), REASON_NONE);
        assert_int_equal(checkpoint.count, 3);
        assert_memory_equal(checkpoint.head, b->log.head.hash, SHA256_SIZE);
        assert_string_equal(checkpoint.site, "site-1");
        assert_string_equal(checkpoint.relay, "relay.site-1");
        assert_int_equal(checkpoint.time, TIME);
        assert_false(checkpoint.has_previous);
        assert_int_equal(crypto_sha256(checkpoints_last(&b->checkpoints), first), RELAY_OK);
        add(b, 1);
        load(b); /* also after a restart */
        assert_int_equal(make(b, TIME + 2), 0);
        assert_int_equal(checkpoint_check(checkpoints_last(&b->checkpoints), &b->key.key, 1, &checkpoint), REASON_NONE);
        assert_int_equal(checkpoint.count, 4);
        assert_true(checkpoint.has_previous);
        assert_memory_equal(checkpoint.previous, first, SHA256_SIZE);
        assert_true(holds(b));
}

static void they_are_due_after_a_thousand_records_or_a_day(void **state)
{
        struct bench *b = *state;
        struct audit_head head = { .count = 1 };

        assert_true(checkpoints_are_due(&b->checkpoints, &head, TIME)); /* the first */
        add(b, 1);
        assert_int_equal(make(b, TIME), 0);
        assert_false(checkpoints_are_due(&b->checkpoints, &head, TIME + 10 * CHECKPOINTS_INTERVAL)); /* nothing new */
        head.count = CHECKPOINTS_RECORDS;
        assert_false(checkpoints_are_due(&b->checkpoints, &head, TIME));
        head.count++;
        assert_true(checkpoints_are_due(&b->checkpoints, &head, TIME));
        head.count = 2;
        assert_false(checkpoints_are_due(&b->checkpoints, &head, TIME + CHECKPOINTS_INTERVAL - 1));
        assert_true(checkpoints_are_due(&b->checkpoints, &head, TIME + CHECKPOINTS_INTERVAL));
        assert_true(checkpoints_are_due(&b->checkpoints, &head, TIME - 1)); /* the clock was set back */
        b->key.there = false;
        assert_false(checkpoints_are_due(&b->checkpoints, &head, TIME + CHECKPOINTS_INTERVAL));
        assert_int_equal(checkpoints_make(&b->checkpoints, &head, TIME), CHECKPOINTS_UNCHANGED);
}

static void they_are_told_when_they_are_on_the_disk(void **state)
{
        struct bench *b = *state;

        add(b, 1);
        assert_false(checkpoints_durable(&b->checkpoints, 100));
        assert_int_equal(make(b, TIME), 0);
        assert_false(checkpoints_durable(&b->checkpoints, 100));
        checkpoints_sealed(&b->checkpoints, 101);
        checkpoints_sealed(&b->checkpoints, 102);
        assert_false(checkpoints_durable(&b->checkpoints, 100));
        assert_true(checkpoints_durable(&b->checkpoints, 101));
        assert_false(checkpoints_durable(&b->checkpoints, 102));
        load(b); /* perhaps nobody heard of it */
        assert_true(checkpoints_durable(&b->checkpoints, 0));
}

static void fill(struct bench *b)
{
        add(b, 5);
        assert_int_equal(make(b, TIME), 0);
        add(b, 5);
        assert_int_equal(make(b, TIME), 0);
        add(b, 3);
        assert_true(holds(b));
}

static void a_log_that_lost_its_end(void **state)
{
        struct bench *b = *state;

        fill(b);
        for (uint64_t number = 13; number >= 10; number--)
                delete_record(b, STORE_AUDIT, number);
        assert_false(holds(b));
        assert_non_null(strstr(b->sentence, "record 10"));
}

static void a_log_that_lost_all(void **state)
{
        struct bench *b = *state;

        fill(b);
        for (uint64_t number = 13; number >= 1; number--)
                delete_record(b, STORE_AUDIT, number);
        assert_false(holds(b));
        assert_int_equal(b->log.head.count, 0);
}

static void a_log_with_a_gap(void **state)
{
        struct bench *b = *state;

        fill(b);
        delete_record(b, STORE_AUDIT, 12);
        assert_false(holds(b));
        assert_true(b->log.has_gaps);
        assert_int_equal(b->log.head.count, 13); /* goes on behind its end */
        assert_non_null(strstr(b->sentence, "record 12"));
}

/* Between checkpoints the chain itself has to be verified whole; the count shows it. */
static void a_gap_between_checkpoints(void **state)
{
        struct bench *b = *state;

        fill(b);
        delete_record(b, STORE_AUDIT, 7);
        load(b);
        assert_true(b->log.has_gaps);
}

static void a_changed_record(void **state)
{
        static const struct {
                uint64_t number;
                const char *said;
        } rows[] = { { 5, "record 5" }, { 10, "record 10" }, { 11, "record 11" }, { 12, "record 12" } };

        for (size_t i = 0; i < ROWS(rows); i++) {
                void *own;
                struct bench *b;

                if (i > 0) {
                        teardown(state);
                        setup(&own);
                        *state = own;
                }
                b = *state;
                fill(b);
                change_record(b, rows[i].number);
                assert_false(holds(b));
                assert_non_null(strstr(b->sentence, rows[i].said));
        }
}

static void a_checkpoint_that_was_taken_out(void **state)
{
        struct bench *b = *state;

        fill(b);
        assert_int_equal(make(b, TIME), 0);
        delete_record(b, STORE_CHECKPOINTS, 10);
        assert_false(holds(b));
        assert_non_null(strstr(b->sentence, "checkpoint"));
}

static void a_checkpoint_with_a_wrong_signature(void **state)
{
        struct bench *b = *state;
        uint8_t key[STORE_NUMBER_SIZE], bytes[CHECKPOINT_MAX];
        struct span last;

        fill(b);
        last = checkpoints_last(&b->checkpoints);
        memcpy(bytes, last.data, last.size);
        bytes[last.size - 1] ^= 1;
        assert_int_equal(store_put(b->store, STORE_CHECKPOINTS, store_number_key(10, key), span_of(bytes, last.size)),
                         0);
        assert_int_equal(store_sync(b->store), 0);
        assert_false(holds(b));
        assert_non_null(strstr(b->sentence, "signature"));
        /* of a key that this relay had before, nobody can say here */
        b->key.key = key_of(STRANGER);
        memset(b->key.seed, STRANGER, sizeof(b->key.seed));
        assert_true(holds(b));
}

static void a_damaged_checkpoint(void **state)
{
        struct bench *b = *state;
        uint8_t key[STORE_NUMBER_SIZE];

        fill(b);
        assert_int_equal(store_put(b->store, STORE_CHECKPOINTS, store_number_key(11, key), SPAN_LITERAL("rubbish")), 0);
        assert_int_equal(store_sync(b->store), 0);
        assert_int_equal(checkpoints_load(&b->checkpoints, b->store, "site-1", "relay.site-1", &b->key), -EBADMSG);
}

static void after_a_break_the_log_goes_on(void **state)
{
        struct bench *b = *state;
        uint8_t previous[SHA256_SIZE];
        struct checkpoint checkpoint;

        fill(b);
        for (uint64_t number = 13; number >= 8; number--)
                delete_record(b, STORE_AUDIT, number);
        assert_false(holds(b));
        assert_int_equal(crypto_sha256(checkpoints_last(&b->checkpoints), previous), RELAY_OK);
        assert_int_equal(checkpoints_restart(&b->checkpoints), 0);
        add(b, 1);
        assert_int_equal(make(b, TIME), 0);
        /* whoever kept the old ones sees that this one says less than the one it follows */
        assert_int_equal(checkpoint_check(checkpoints_last(&b->checkpoints), &b->key.key, 1, &checkpoint), REASON_NONE);
        assert_int_equal(checkpoint.count, 8);
        assert_memory_equal(checkpoint.previous, previous, SHA256_SIZE);
        assert_true(holds(b));
        add(b, 2);
        assert_int_equal(make(b, TIME), 0);
        assert_true(holds(b));
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(they_follow_each_other),
                test(they_are_due_after_a_thousand_records_or_a_day),
                test(they_are_told_when_they_are_on_the_disk),
                test(a_log_that_lost_its_end),
                test(a_log_that_lost_all),
                test(a_log_with_a_gap),
                test(a_gap_between_checkpoints),
                test(a_changed_record),
                test(a_checkpoint_that_was_taken_out),
                test(a_checkpoint_with_a_wrong_signature),
                test(a_damaged_checkpoint),
                test(after_a_break_the_log_goes_on),
        };
        return cmocka_run_group_tests_name("checkpoints", tests, NULL, NULL);
}
