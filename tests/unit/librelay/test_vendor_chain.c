/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Successors of a vendor key set: the vendor's two people and k of the site's. */
#include "objects.h"

static uint8_t scratch[VENDOR_KEYS_SET_MAX], bytes[VENDOR_KEYS_SET_MAX];
static struct vendor_keys current, next, out;
static struct site_policy policy;

static struct span encode(const struct vendor_keys *keys)
{
        static uint8_t payload[VENDOR_KEYS_SET_MAX];
        struct writer w;

        writer_init(&w, payload, sizeof(payload));
        assert_int_equal(vendor_keys_encode(&w, keys), RELAY_OK);
        return writer_span(&w);
}

static void follow(void)
{
        assert_int_equal(crypto_sha256(encode(&current), current.digest), RELAY_OK);
        next = current;
        next.epoch++;
        next.has_predecessor = true;
        memcpy(next.predecessor, current.digest, SHA256_SIZE);
}

static void start(void)
{
        policy = full_policy();
        current = sample_vendor();
        follow();
}

static void plain(void)
{
}

static void lower(void)
{
        current.epoch = 5;
        current.has_predecessor = true;
        follow();
        next.epoch = 4;
}

static void told_again(void)
{
        next = current;
}

static void forked(void)
{
        next = current;
        next.command_count = 0;
}

static void forked_before(void)
{
        next.predecessor[0] ^= 1;
}

static void skipped(void)
{
        next.epoch++;
}

static void other_vendor(void)
{
        next.vendor_id[0] ^= 1;
}

static void new_developer(void)
{
        next.developer[0] = key_of(STRANGER);
}

static void key_of_the_site(void)
{
        next.command[0] = key_of(GATE);
}

static void command_key_of_the_site(void)
{
        next.command[0] = key_of(SITE_COMMAND);
}

static const struct {
        const char *name;
        void (*bend)(void);
        enum who signers[6];
        size_t count;
        enum reason reason;
} rows[] = {
        { "direct successor", plain, { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 }, 4, REASON_NONE },
        { "any order", plain, { APPROVER_3, DEVELOPER, ORGANISATION, APPROVER_1 }, 4, REASON_NONE },
        { "lower", lower, { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 }, 4, REASON_OLD_VENDOR_KEYS },
        { "told again", told_again, { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 }, 4, REASON_OLD_VENDOR_KEYS },
        { "forked", forked, { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 }, 4, REASON_VENDOR_KEYS_FORK },
        { "of another",
          forked_before,
          { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 },
          4,
          REASON_VENDOR_KEYS_FORK },
        { "forked, by nobody", forked, { STRANGER, GATE }, 2, REASON_ORGANISATION_SIGNATURE },
        { "forked, without developer", forked, { ORGANISATION, APPROVER_1 }, 2, REASON_DEVELOPER_SIGNATURE },
        { "a second first one, which no approver signs",
          forked,
          { ORGANISATION, DEVELOPER },
          2,
          REASON_VENDOR_KEYS_FORK },
        { "of another, by nobody", forked_before, { STRANGER, GATE }, 2, REASON_ORGANISATION_SIGNATURE },
        { "of another, by the vendor alone", forked_before, { ORGANISATION, DEVELOPER }, 2, REASON_UNDER_SIGNED },
        { "skipped", skipped, { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 }, 4, REASON_VENDOR_KEYS_GAP },
        { "other vendor", other_vendor, { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 }, 4, REASON_WRONG_VENDOR },
        { "not by the organisation", plain, { DEVELOPER, APPROVER_1, APPROVER_2 }, 3, REASON_ORGANISATION_SIGNATURE },
        { "not by the developer", plain, { ORGANISATION, APPROVER_1, APPROVER_2 }, 3, REASON_DEVELOPER_SIGNATURE },
        { "by the vendor alone", plain, { ORGANISATION, DEVELOPER }, 2, REASON_UNDER_SIGNED },
        { "by one of the site", plain, { ORGANISATION, DEVELOPER, APPROVER_1 }, 3, REASON_UNDER_SIGNED },
        { "by one of the site twice",
          plain,
          { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_1 },
          4,
          REASON_UNDER_SIGNED },
        { "by the gate", plain, { ORGANISATION, DEVELOPER, APPROVER_1, GATE }, 4, REASON_UNDER_SIGNED },
        { "new developer", new_developer, { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 }, 4, REASON_NONE },
        { "new developer, by himself",
          new_developer,
          { ORGANISATION, STRANGER, APPROVER_1, APPROVER_2 },
          4,
          REASON_DEVELOPER_SIGNATURE },
        { "a key of the site",
          key_of_the_site,
          { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 },
          4,
          REASON_VENDOR_KEYS_INVALID },
        { "a command key of the site",
          command_key_of_the_site,
          { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 },
          4,
          REASON_VENDOR_KEYS_INVALID },
};

static struct span make(const enum who *signers, size_t count)
{
        return sign_set(bytes, sizeof(bytes), SPAN_LITERAL(VENDOR_KEYS_AAD), encode(&next), signers, count);
}

static void test_successors(void **state)
{
        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                start();
                rows[i].bend();
                memset(&out, 0, sizeof(out));
                enum reason reason = vendor_keys_accept_next(make(rows[i].signers, rows[i].count), &current, &policy,
                                                             &out, scratch, sizeof(scratch));
                if (reason != rows[i].reason)
                        fail_msg("%s: %s", rows[i].name, reason_name(reason));
                assert_int_equal(out.epoch, reason == REASON_NONE ? 2 : 0);
        }
}

static void test_form_and_size(void **state)
{
        struct span in;

        (void)state;
        start();
        in = make(rows[0].signers, rows[0].count);
        assert_int_equal(vendor_keys_accept_next(in, &current, &policy, &out, scratch, 100), REASON_TOO_LARGE);
        assert_int_equal(
                vendor_keys_accept_next(span_of(bytes, in.size - 1), &current, &policy, &out, scratch, sizeof(scratch)),
                REASON_MALFORMED);
        policy.threshold = 0; /* a site of nobody agrees to nothing */
        assert_int_equal(vendor_keys_accept_next(in, &current, &policy, &out, scratch, sizeof(scratch)),
                         REASON_UNDER_SIGNED);
}

static void test_read_back(void **state)
{
        (void)state;
        start();
        struct span in = make(rows[0].signers, rows[0].count);
        assert_int_equal(vendor_keys_read(in, &out), REASON_NONE);
        assert_int_equal(out.epoch, 2);
        assert_int_equal(vendor_keys_accept_first(in, &out, scratch, sizeof(scratch)), REASON_VENDOR_KEYS_INVALID);
        assert_int_equal(vendor_keys_read(span_of(bytes, 5), &out), REASON_MALFORMED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_successors),
                cmocka_unit_test(test_form_and_size),
                cmocka_unit_test(test_read_back),
        };
        return cmocka_run_group_tests_name("vendor_chain", tests, NULL, NULL);
}
