/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/image.h"
#include "relay/reason.h"
#include "relay/topic.h"
#include "unit.h"

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define FORTY  "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"

static void test_identities(void **state)
{
        static const struct {
                const char *name;
                bool device, dotted;
        } rows[] = {
                { "device-1", true, false },       { "a", true, false },          { FORTY, true, false },
                { FORTY "a", false, false },       { "", false, false },          { "relay.s1", false, true },
                { "a.b.c", false, true },          { ".a", false, false },        { "a.", false, false },
                { "a..b", false, false },          { ".", false, false },         { "Device", false, false },
                { "a_b", false, false },           { "a/b", false, false },       { "a b", false, false },
                { "vendor.Acme", false, false },   { "d\xc3\xbc", false, false }, { "a.+", false, false },
                { FORTY "." FORTY, false, false },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                assert_int_equal(identity_is_device(span_of_string(rows[i].name)), rows[i].device);
                assert_int_equal(identity_is_dotted(span_of_string(rows[i].name)), rows[i].dotted);
        }
}

static void test_validity(void **state)
{
        static const struct {
                const char *text;
                bool name, filter;
        } rows[] = {
                { "a", true, true },       { "/", true, true },      { "a//b", true, true },   { "", false, false },
                { "+", false, true },      { "#", false, true },     { "a/+/b", false, true }, { "a/#", false, true },
                { "a/#/b", false, false }, { "a#", false, false },   { "a+", false, false },   { "+a/b", false, false },
                { "a/b#", false, false },  { "##", false, false },   { "++", false, false },   { "$SYS/x", true, true },
                { "a\xff", false, false }, { "+/+/#", false, true },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                assert_int_equal(topic_name_is_valid(span_of_string(rows[i].text)), rows[i].name);
                assert_int_equal(topic_filter_is_valid(span_of_string(rows[i].text)), rows[i].filter);
        }
        assert_false(topic_name_is_valid(SPAN_LITERAL("a\0b")));
}

static void test_matching(void **state)
{
        static const struct {
                const char *filter, *topic;
                bool matches;
        } rows[] = {
                /* MQTT 5 sections 4.7.1.2, 4.7.1.3 and 4.7.2 */
                { "sport/tennis/player1/#", "sport/tennis/player1", true },
                { "sport/tennis/player1/#", "sport/tennis/player1/ranking", true },
                { "sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true },
                { "sport/tennis/player1/#", "sport/tennis/player2", false },
                { "sport/#", "sport", true },
                { "#", "a/b", true },
                { "sport/tennis/+", "sport/tennis/player1", true },
                { "sport/tennis/+", "sport/tennis/player1/ranking", false },
                { "sport/+", "sport", false },
                { "sport/+", "sport/", true },
                { "+/+", "/finance", true },
                { "/+", "/finance", true },
                { "+", "/finance", false },
                { "#", "$SYS/x", false },
                { "+/monitor/Clients", "$SYS/monitor/Clients", false },
                { "$SYS/#", "$SYS/x", true },
                { "$SYS/monitor/+", "$SYS/monitor/Clients", true },
                { "a/b", "a/b", true },
                { "a/b", "A/b", false },
                { "a/b", "a", false },
                { "a", "a/b", false },
                { "a/", "a", false },
                { "a//b", "a//b", true },
                { "a/+/b", "a//b", true },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++)
                assert_int_equal(topic_matches(span_of_string(rows[i].filter), span_of_string(rows[i].topic)),
                                 rows[i].matches);
}

static void test_covering(void **state)
{
        static const struct {
                const char *outer, *inner;
                bool covers;
        } rows[] = {
                { "#", "a/#", true },         { "#", "#", true },        { "#", "+", true },
                { "+", "#", false },          { "a/+", "a/+", true },    { "a/+", "a/#", false },
                { "a/#", "a/+/b", true },     { "a/#", "a", true },      { "a/+/c", "a/b/c", true },
                { "a/b/c", "a/+/c", false },  { "a/#", "+/b", false },   { "#", "$SYS/#", false },
                { "$SYS/#", "$SYS/a", true }, { "a/b/#", "a/#", false }, { "sites/s1/#", "sites/s2/#", false },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++)
                assert_int_equal(topic_filter_covers(span_of_string(rows[i].outer), span_of_string(rows[i].inner)),
                                 rows[i].covers);
}

static void test_parsing(void **state)
{
        static const struct {
                const char *topic;
                enum topic_kind kind;
                const char *site, *device, *rest;
                uint32_t index;
        } rows[] = {
                { "sites/s1/devices/d-1/events/soil", TOPIC_DEVICE, "s1", "d-1", "events/soil", 0 },
                { "sites/s1/devices/d-1/x", TOPIC_DEVICE, "s1", "d-1", "x", 0 },
                { "sites/s1/policy/3", TOPIC_SITE, "s1", "", "policy/3", 0 },
                { "sites/s1/alerts", TOPIC_SITE, "s1", "", "alerts", 0 },
                { "images/" DIGEST "/0", TOPIC_IMAGE_BLOCK, "", "", "", 0 },
                { "images/" DIGEST "/4294967295", TOPIC_IMAGE_BLOCK, "", "", "", 4294967295u },
                { "images/" DIGEST "/l12", TOPIC_IMAGE_LIST, "", "", "", 12 },
                { "images/" DIGEST "/4294967296", TOPIC_FOREIGN, "", "", "", 0 },
                { "images/" DIGEST "/99999999999", TOPIC_FOREIGN, "", "", "", 0 },
                { "images/" DIGEST "/01", TOPIC_FOREIGN, "", "", "", 0 },
                { "images/" DIGEST "/-1", TOPIC_FOREIGN, "", "", "", 0 },
                { "images/" DIGEST "/", TOPIC_FOREIGN, "", "", "", 0 },
                { "images/" DIGEST "/l", TOPIC_FOREIGN, "", "", "", 0 },
                { "images/" DIGEST "/+", TOPIC_FOREIGN, "", "", "", 0 },
                { "images/" DIGEST "/0/0", TOPIC_FOREIGN, "", "", "", 0 },
                { "images/" DIGEST "00/0", TOPIC_FOREIGN, "", "", "", 0 },
                { "images/00/0", TOPIC_FOREIGN, "", "", "", 0 },
                { "images/00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff/0", TOPIC_FOREIGN, "", "",
                  "", 0 },
                { "images", TOPIC_FOREIGN, "", "", "", 0 },
                { "sites/s1", TOPIC_FOREIGN, "", "", "", 0 },
                { "sites/s1/", TOPIC_FOREIGN, "", "", "", 0 },
                { "sites//x", TOPIC_FOREIGN, "", "", "", 0 },
                { "sites/S1/x", TOPIC_FOREIGN, "", "", "", 0 },
                { "sites/s1/devices", TOPIC_FOREIGN, "", "", "", 0 },
                { "sites/s1/devices/", TOPIC_FOREIGN, "", "", "", 0 },
                { "sites/s1/devices/d1", TOPIC_FOREIGN, "", "", "", 0 },
                { "sites/s1/devices/d1/", TOPIC_FOREIGN, "", "", "", 0 },
                { "sites/s1/devices//x", TOPIC_FOREIGN, "", "", "", 0 },
                { "sites/s1/devices/relay.s1/x", TOPIC_FOREIGN, "", "", "", 0 },
                { "Sites/s1/x", TOPIC_FOREIGN, "", "", "", 0 },
                { "/sites/s1/x", TOPIC_FOREIGN, "", "", "", 0 },
                { "sites/s1/devices/+/x", TOPIC_FOREIGN, "", "", "", 0 },
                { "other/topic", TOPIC_FOREIGN, "", "", "", 0 },
                { "", TOPIC_FOREIGN, "", "", "", 0 },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct topic_parts parts;

                assert_int_equal(topic_parse(span_of_string(rows[i].topic), &parts), rows[i].kind);
                assert_int_equal(parts.kind, rows[i].kind);
                assert_true(span_equal_string(parts.site, rows[i].site));
                assert_true(span_equal_string(parts.device, rows[i].device));
                assert_true(span_equal_string(parts.rest, rows[i].rest));
                assert_int_equal(parts.index, rows[i].index);
        }
}

static void test_writing_is_parsing_backwards(void **state)
{
        uint8_t digest[SHA256_SIZE], id[8] = { 0xab, 1, 2, 3, 4, 5, 6, 7 };
        char topic[TOPIC_MAX], rest[TOPIC_MAX];
        struct topic_parts parts;

        (void)state;
        unhex(DIGEST, digest, sizeof(digest));
        assert_string_equal(topic_device(topic, "s1", "d1", "commands"), "sites/s1/devices/d1/commands");
        assert_string_equal(topic_site(topic, "s1", "alerts"), "sites/s1/alerts");
        assert_string_equal(topic_image_block(topic, digest, 0), "images/" DIGEST "/0");
        assert_string_equal(topic_image_list(topic, digest, 4294967295u), "images/" DIGEST "/l4294967295");
        assert_int_equal(topic_parse(span_of_string(topic), &parts), TOPIC_IMAGE_LIST);
        assert_memory_equal(parts.digest, digest, sizeof(digest));
        assert_string_equal(topic_approval(topic, FORTY, digest, id),
                            "sites/" FORTY "/approvals/" DIGEST "/ab01020304050607");
        memset(rest, 'r', sizeof(rest));
        rest[TOPIC_MAX - 1 - strlen("sites/s1/")] = 0;
        assert_int_equal(strlen(topic_site(topic, "s1", rest)), TOPIC_MAX - 1);
        rest[TOPIC_MAX - 1 - strlen("sites/s1/")] = 'r';
        rest[TOPIC_MAX - strlen("sites/s1/")] = 0;
        assert_string_equal(topic_site(topic, "s1", rest), "");
}

static void test_image_pieces(void **state)
{
        static const struct {
                uint32_t size, blocks, lists, last_block, last_list;
        } rows[] = {
                { 0, 0, 0, 0, 0 },
                { 1, 1, 1, 1, 32 },
                { 4096, 1, 1, 4096, 32 },
                { 4097, 2, 1, 1, 64 },
                { 128 * 4096, 128, 1, 4096, 4096 },
                { 128 * 4096 + 1, 129, 2, 1, 32 },
                { IMAGE_SIZE_MAX, 16384, 128, 4096, 4096 },
                { UINT32_MAX, 1048576, 8192, 4095, 4096 },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                assert_int_equal(image_block_count(rows[i].size), rows[i].blocks);
                assert_int_equal(image_list_count(rows[i].size), rows[i].lists);
                assert_int_equal(image_block_size(rows[i].size, rows[i].blocks - 1), rows[i].last_block);
                assert_int_equal(image_list_size(rows[i].size, rows[i].lists - 1), rows[i].last_list);
                assert_int_equal(image_block_size(rows[i].size, rows[i].blocks), 0);
                assert_int_equal(image_list_size(rows[i].size, UINT32_MAX), 0);
        }
}

static void test_block_check(void **state)
{
        static uint8_t image[5000];
        uint8_t list[2 * SHA256_SIZE];
        struct span first = span_of(image, 4096), second = span_of(image + 4096, 904);

        (void)state;
        memset(image, 7, sizeof(image));
        assert_int_equal(crypto_sha256(first, list), RELAY_OK);
        assert_int_equal(crypto_sha256(second, list + SHA256_SIZE), RELAY_OK);
        assert_int_equal(image_check_block(SPAN_OF(list), 5000, 0, first), RELAY_OK);
        assert_int_equal(image_check_block(SPAN_OF(list), 5000, 1, second), RELAY_OK);
        assert_int_equal(image_check_block(SPAN_OF(list), 5000, 0, second), RELAY_E_SIGNATURE);
        assert_int_equal(image_check_block(SPAN_OF(list), 5000, 2, second), RELAY_E_SIGNATURE);
        assert_int_equal(image_check_block(SPAN_OF(list), 4999, 1, second), RELAY_E_SIGNATURE);
        assert_int_equal(image_check_block(span_of(list, SHA256_SIZE), 5000, 1, second), RELAY_E_SIGNATURE);
        image[4999] ^= 1;
        assert_int_equal(image_check_block(SPAN_OF(list), 5000, 1, second), RELAY_E_SIGNATURE);
}

static void test_reason_names(void **state)
{
        (void)state;
        assert_string_equal(reason_name(REASON_NONE), "none");
        for (unsigned i = 0; i < REASON_COUNT; i++) {
                assert_int_equal(reason_from_name(reason_name((enum reason)i)), i);
                assert_true(strlen(reason_explanation((enum reason)i)) > 5);
        }
        assert_int_equal(reason_from_name("no-such-reason"), REASON_COUNT);
        assert_int_equal(reason_from_name(""), REASON_COUNT);
        assert_int_equal(reason_from_name(NULL), REASON_COUNT);
        assert_string_equal(reason_name(REASON_COUNT), "unknown");
        assert_string_equal(relay_result_string(RELAY_OK), "success");
        assert_string_equal(relay_result_string(-1000), "unknown result");
        assert_int_equal((struct decision){ 0 }.verdict, VERDICT_DENY);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_identities),   cmocka_unit_test(test_validity),
                cmocka_unit_test(test_matching),     cmocka_unit_test(test_covering),
                cmocka_unit_test(test_parsing),      cmocka_unit_test(test_writing_is_parsing_backwards),
                cmocka_unit_test(test_image_pieces), cmocka_unit_test(test_block_check),
                cmocka_unit_test(test_reason_names),
        };
        return cmocka_run_group_tests_name("topic", tests, NULL, NULL);
}
