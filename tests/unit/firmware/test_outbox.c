/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The outbox, with the power cut at every single flash operation of a script. */
#include "unit.h"

#include <unistd.h>

#include "app/outbox.h"
#include "port/journal.h"
#include "relay/cursor.h"
#include "ports/common/flash_ram.h"

#define SECTORS 4
#define SECTOR  4096
#define SEQ_MAX 400

struct bench {
        uint8_t memory[SECTORS * SECTOR];
        struct flash_ram ram;
        struct port_flash flash;
        struct flash_area area;
        struct outbox outbox;
        bool put[SEQ_MAX], acknowledged[SEQ_MAX];
        uint64_t attempted; /* seq of the last put, whatever came of it */
        uint64_t acknowledging;
};

static void power_on(struct bench *b, uint64_t cut_after)
{
        flash_ram_init(&b->ram, b->memory, SECTOR, SECTORS);
        b->ram.cut_after = cut_after;
        b->flash = flash_ram_port(&b->ram);
        b->area = (struct flash_area){ &b->flash, 0, SECTORS };
}

static void fresh(struct bench *b, uint64_t cut_after)
{
        memset(b, 0, sizeof(*b));
        memset(b->memory, 0xff, sizeof(b->memory));
        power_on(b, cut_after);
        assert_int_equal(outbox_mount(&b->outbox, &b->area), 0);
}

static struct span payload_of(uint64_t seq, uint8_t out[200])
{
        size_t size = 40 + seq * 7 % 150;
        for (size_t i = 0; i < size; i++)
                out[i] = (uint8_t)(seq * 31 + i);
        return span_of(out, size);
}

static int put(struct bench *b, uint64_t seq, enum outbox_class class)
{
        uint8_t bytes[200];

        b->attempted = seq;
        int r = outbox_put(&b->outbox, class, 3, seq, SPAN_LITERAL("soil"), payload_of(seq, bytes), NULL);
        if (r == 0)
                b->put[seq] = true;
        return r;
}

static int acknowledge_oldest(struct bench *b)
{
        struct outbox_record record;

        int r = outbox_next(&b->outbox, (struct outbox_place){ 0 }, &record);
        if (r != 0)
                return r == RELAY_MORE ? 0 : r;
        b->acknowledging = record.seq;
        r = outbox_acknowledge(&b->outbox, record.place);
        if (r == 0)
                b->acknowledged[record.seq] = true;
        return r;
}

/* puts and acknowledgements in a fixed mixture; every acks-th put is followed by an acknowledgement */
static int run_script(struct bench *b, uint64_t from, uint64_t to, unsigned acks)
{
        int r = 0;
        for (uint64_t seq = from; seq <= to && r == 0; seq++) {
                r = put(b, seq, OUTBOX_TELEMETRY);
                if (r == 0 && seq % acks != 0)
                        r = acknowledge_oldest(b);
        }
        return r;
}

/* What is in flash is what was promised: nothing lost but what is counted as dropped, in order, unharmed. */
static void check_promises(struct bench *b)
{
        struct outbox_place place = { 0 };
        struct outbox_record record;
        bool found[SEQ_MAX] = { false };
        uint8_t bytes[200];
        uint64_t last = 0, missing = 0;
        uint32_t count = 0;
        int r;

        while ((r = outbox_next(&b->outbox, place, &record)) == 0) {
                assert_true(record.seq > last);
                assert_true(record.seq < SEQ_MAX);
                assert_true(b->put[record.seq] || record.seq == b->attempted);
                assert_false(b->acknowledged[record.seq]);
                struct span expected = payload_of(record.seq, bytes);
                assert_true(span_equal(expected, span_of(record.payload, record.payload_size)));
                last = record.seq;
                found[record.seq] = true;
                place = record.place;
                count++;
        }
        assert_int_equal(r, RELAY_MORE);
        assert_int_equal(count, b->outbox.pending);
        for (uint64_t seq = 1; seq < SEQ_MAX; seq++)
                if (b->put[seq] && !b->acknowledged[seq] && !found[seq] && seq != b->acknowledging)
                        missing++;
        /* the record that was being acknowledged at the cut may or may not wait still, and may be among the dropped */
        assert_true(b->outbox.dropped == missing || b->outbox.dropped == missing + 1);
}

static void cut_everywhere(uint64_t last, unsigned acks)
{
        static struct bench b;

        for (uint64_t cut = 1;; cut++) {
                fresh(&b, cut);
                int r = run_script(&b, 1, last, acks);
                if (r == 0)
                        break; /* the script has fewer operations */
                assert_int_equal(r, PORT_E_IO);
                power_on(&b, 0);
                assert_int_equal(outbox_mount(&b.outbox, &b.area), 0);
                check_promises(&b);
                /* and life goes on */
                uint64_t next = b.attempted + 1;
                b.put[b.attempted] = b.put[b.acknowledging] = false; /* unless they are found */
                struct outbox_record record;
                struct outbox_place place = { 0 };
                while (outbox_next(&b.outbox, place, &record) == 0) {
                        place = record.place;
                        b.put[record.seq] = true;
                }
                assert_int_equal(run_script(&b, next, next + 30, 2), 0);
                check_promises(&b);
        }
}

static void test_power_cut_everywhere(void **state)
{
        (void)state;
        cut_everywhere(150, 2);
}

static void test_power_cut_while_dropping(void **state)
{
        (void)state;
        cut_everywhere(250, 1); /* nothing is acknowledged: the ring overflows */
}

static void test_full_drops_oldest_and_counts(void **state)
{
        static struct bench b;

        (void)state;
        fresh(&b, 0);
        for (uint64_t seq = 1; seq < SEQ_MAX; seq++)
                assert_int_equal(put(&b, seq, OUTBOX_TELEMETRY), 0);
        assert_true(b.outbox.dropped > 0);
        assert_int_equal(b.outbox.dropped + b.outbox.pending, SEQ_MAX - 1);
        check_promises(&b);
        uint64_t dropped = b.outbox.dropped;
        assert_int_equal(outbox_mount(&b.outbox, &b.area), 0);
        assert_int_equal(b.outbox.dropped, dropped);
}

static void test_full_of_keepers_refuses(void **state)
{
        static struct bench b;
        uint64_t seq = 1;
        int r;

        (void)state;
        fresh(&b, 0);
        while ((r = put(&b, seq, OUTBOX_KEEP)) == 0)
                seq++;
        assert_int_equal(r, RELAY_E_SPACE);
        assert_int_equal(b.outbox.dropped, 0);
        assert_int_equal(b.outbox.pending, seq - 1);
        assert_int_equal(put(&b, seq, OUTBOX_TELEMETRY), RELAY_E_SPACE);
        while (b.outbox.pending > 0)
                assert_int_equal(acknowledge_oldest(&b), 0);
        assert_int_equal(put(&b, seq, OUTBOX_KEEP), 0);
}

static void test_bad_input(void **state)
{
        static struct bench b;
        uint8_t large[OUTBOX_PAYLOAD_MAX + 1] = { 0 };
        struct flash_area small;

        (void)state;
        fresh(&b, 0);
        assert_int_equal(outbox_put(&b.outbox, OUTBOX_TELEMETRY, 1, 1, SPAN_LITERAL("a"), SPAN_OF(large), NULL),
                         RELAY_E_RANGE);
        assert_int_equal(
                outbox_put(&b.outbox, OUTBOX_TELEMETRY, 1, 1, span_of(large, OUTBOX_NAME_MAX + 1), SPAN_EMPTY, NULL),
                RELAY_E_RANGE);
        assert_int_equal(b.outbox.pending, 0);
        /* places of nowhere change nothing */
        assert_int_equal(outbox_acknowledge(&b.outbox, (struct outbox_place){ 77, 24 }), 0);
        assert_int_equal(put(&b, 1, OUTBOX_TELEMETRY), 0);
        assert_int_equal(outbox_acknowledge(&b.outbox, (struct outbox_place){ 1, 2000 }), 0);
        assert_int_equal(b.outbox.pending, 1);
        small = (struct flash_area){ &b.flash, 0, 2 };
        assert_int_equal(outbox_mount(&b.outbox, &small), RELAY_E_RANGE);
}

static void test_garbage_in_flash(void **state)
{
        static struct bench b;
        uint32_t random = 12345;

        (void)state;
        for (unsigned round = 0; round < 200; round++) {
                fresh(&b, 0);
                assert_int_equal(run_script(&b, 1, 60, 3), 0);
                for (unsigned i = 0; i < 20; i++) {
                        random = random * 1103515245 + 12345;
                        b.memory[(random >> 8) % sizeof(b.memory)] ^= (uint8_t)random;
                }
                assert_int_equal(outbox_mount(&b.outbox, &b.area), 0);
                assert_int_equal(put(&b, 100, OUTBOX_TELEMETRY), 0);
        }
}

/* What a hostile application left behind must not keep the good one that follows it from starting. */
static void test_hostile_numbers(void **state)
{
        static const uint32_t serials[] = { UINT32_MAX, UINT32_MAX - 1, 0x80000000, 0x7fffffff, 0x7ffffffe };
        static struct bench b;
        uint8_t header[24];
        struct writer w;

        (void)state;
        alarm(30); /* it used to count for ever */
        for (size_t i = 0; i < ROWS(serials); i++) {
                fresh(&b, 0);
                writer_init(&w, header, sizeof(header));
                writer_u32(&w, 0x6f757462);
                writer_u32(&w, serials[i]);
                writer_u32(&w, 0);
                writer_u64(&w, UINT64_MAX);
                writer_u32(&w, flash_crc(0, writer_span(&w)));
                memcpy(b.memory + SECTOR, header, sizeof(header));
                assert_int_equal(outbox_mount(&b.outbox, &b.area), 0);
                for (uint64_t seq = 1; seq < 100; seq++)
                        assert_int_equal(put(&b, seq, OUTBOX_TELEMETRY), 0);
                assert_int_equal(acknowledge_oldest(&b), 0);
        }
        alarm(0);
}

/* The same for a journal: it goes on, whatever number is in it. */
static void test_hostile_journal(void **state)
{
        static const uint32_t serials[] = { UINT32_MAX, UINT32_MAX - 1, UINT32_MAX - 2, 7 };
        static struct bench b;
        uint8_t bytes[20];
        struct writer w;

        (void)state;
        for (size_t i = 0; i < ROWS(serials); i++) {
                struct flash_area area;
                struct journal journal;
                uint32_t value = 0;

                fresh(&b, 0);
                area = (struct flash_area){ &b.flash, 0, 2 };
                writer_init(&w, bytes, sizeof(bytes));
                writer_u32(&w, 0x74657374);
                writer_u32(&w, serials[i]);
                writer_u32(&w, 4);
                uint32_t crc = flash_crc(flash_crc(0, writer_span(&w)), SPAN_LITERAL("evil"));
                writer_u32(&w, crc);
                writer_bytes(&w, SPAN_LITERAL("evil"));
                memcpy(b.memory, bytes, sizeof(bytes));
                for (uint32_t n = 1; n <= 600; n++) {
                        int r = journal_load(&journal, &area, 0x74657374, &value, sizeof(value));
                        assert_true(r == 0 || (n == 1 && r == RELAY_E_STATE));
                        assert_true(n == 1 || value == n - 1);
                        assert_int_equal(journal_store(&journal, &n), 0);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_power_cut_everywhere),
                cmocka_unit_test(test_power_cut_while_dropping),
                cmocka_unit_test(test_full_drops_oldest_and_counts),
                cmocka_unit_test(test_full_of_keepers_refuses),
                cmocka_unit_test(test_bad_input),
                cmocka_unit_test(test_garbage_in_flash),
                cmocka_unit_test(test_hostile_numbers),
                cmocka_unit_test(test_hostile_journal),
        };
        return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
