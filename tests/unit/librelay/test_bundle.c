/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Update files: what stands before the image, and that the file ends with it. */
#include "objects.h"
#include "relay/bundle.h"
#include "relay/image.h"

static uint8_t bytes[UPDATE_FILE_HEAD_MAX];

static struct span head(struct span envelope, struct span notes, uint32_t size, int expected)
{
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(update_file_encode_head(&w, envelope, notes, size), expected);
        return writer_span(&w);
}

static void test_round_trip(void **state)
{
        struct span envelope = SPAN_LITERAL("envelope"), notes = SPAN_LITERAL("Waters less.\n\t- at night\n");
        struct span in = head(envelope, notes, 5000, RELAY_OK);
        struct update_file file;

        (void)state;
        assert_int_equal(update_file_decode(in, in.size + 5000, &file), RELAY_OK);
        assert_span_equal(file.envelope, envelope);
        assert_span_equal(file.notes, notes);
        assert_int_equal(file.image_offset, in.size);
        assert_int_equal(file.image_size, 5000);
        assert_int_equal(update_file_decode(in, in.size + 4999, &file), RELAY_E_TRUNCATED);
        assert_int_equal(update_file_decode(in, in.size, &file), RELAY_E_TRUNCATED);
        assert_int_equal(update_file_decode(in, 0, &file), RELAY_E_TRUNCATED);
        assert_int_equal(update_file_decode(in, in.size + 5001, &file), RELAY_E_MALFORMED);
        for (size_t size = 0; size < in.size; size++)
                assert_int_equal(update_file_decode(span_of(bytes, size), in.size + 5000, &file), RELAY_E_TRUNCATED);
        in = head(envelope, SPAN_EMPTY, 1, RELAY_OK);
        assert_int_equal(update_file_decode(in, in.size + 1, &file), RELAY_OK);
        assert_int_equal(file.notes.size, 0);
}

static void test_limits(void **state)
{
        static uint8_t much[UPDATE_FILE_NOTES_MAX + 1];
        struct span envelope = SPAN_LITERAL("envelope");

        (void)state;
        memset(much, 'x', sizeof(much));
        head(span_of(much, MANIFEST_MAX), span_of(much, UPDATE_FILE_NOTES_MAX), IMAGE_SIZE_MAX, RELAY_OK);
        head(span_of(much, MANIFEST_MAX + 1), SPAN_EMPTY, 1, RELAY_E_RANGE);
        head(envelope, SPAN_OF(much), 1, RELAY_E_RANGE);
        head(envelope, SPAN_EMPTY, 0, RELAY_E_RANGE);
        head(envelope, SPAN_EMPTY, IMAGE_SIZE_MAX + 1u, RELAY_E_RANGE);
        head(SPAN_EMPTY, SPAN_EMPTY, 1, RELAY_E_RANGE);
        head(envelope, SPAN_LITERAL("fine\x1b[2J"), 1, RELAY_E_RANGE);
        head(envelope, SPAN_LITERAL("fine\r"), 1, RELAY_E_RANGE);
        head(envelope, SPAN_LITERAL("fine\x7f"), 1, RELAY_E_RANGE);
        head(envelope,
             SPAN_LITERAL("\xe2\x80\xae"
                          "exe.gpj"),
             1, RELAY_E_RANGE); /* right-to-left override */
        head(envelope, SPAN_LITERAL("\xc3"), 1, RELAY_E_RANGE);
}

#define TYPE "6d72656c6179642d757064617465" /* "relayd-update" */
static void test_form(void **state)
{
        static const struct {
                const char *hex;
                uint64_t image; /* bytes behind */
                int result;
        } rows[] = {
                { "85" TYPE "01"
                  "4165"
                  "60"
                  "45",
                  5, RELAY_OK },
                { "84" TYPE "01"
                  "4165"
                  "60"
                  "45",
                  5, RELAY_E_MALFORMED },
                { "86" TYPE "01"
                  "4165"
                  "60"
                  "45",
                  5, RELAY_E_MALFORMED },
                { "85" TYPE "02"
                  "4165"
                  "60"
                  "45",
                  5, RELAY_E_MALFORMED },
                { "85"
                  "6d72656c6179642d757064617466"
                  "01"
                  "4165"
                  "60"
                  "45",
                  5, RELAY_E_MALFORMED },
                { "85" TYPE "01"
                  "6165"
                  "60"
                  "45",
                  5, RELAY_E_MALFORMED },
                { "85" TYPE "01"
                  "4165"
                  "40"
                  "45",
                  5, RELAY_E_MALFORMED },
                { "85" TYPE "01"
                  "4165"
                  "60"
                  "65",
                  5, RELAY_E_MALFORMED },
                { "85" TYPE "01"
                  "4165"
                  "60"
                  "5805",
                  5, RELAY_E_MALFORMED }, /* longer than needed */
                { "85" TYPE "01"
                  "40"
                  "60"
                  "45",
                  5, RELAY_E_RANGE },
                { "85" TYPE "01"
                  "4165"
                  "60"
                  "40",
                  0, RELAY_E_RANGE },
                { "85" TYPE "01"
                  "4165"
                  "611b"
                  "45",
                  5, RELAY_E_RANGE },
                { "85" TYPE "01"
                  "4165"
                  "60"
                  "5bffffffffffffffff",
                  5, RELAY_E_RANGE },
                { "85" TYPE "01"
                  "4165"
                  "60"
                  "5f",
                  5, RELAY_E_MALFORMED },
                { "c3" TYPE "01"
                  "4165"
                  "60"
                  "45",
                  5, RELAY_E_MALFORMED },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct update_file file;
                uint8_t buffer[64];
                struct span in = unhex(rows[i].hex, buffer, sizeof(buffer));
                int result = update_file_decode(in, in.size + rows[i].image, &file);
                if (result != rows[i].result)
                        fail_msg("row %zu: %d", i, result);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_form),
        };
        return cmocka_run_group_tests_name("bundle", tests, NULL, NULL);
}
