/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From now on only approvals of this epoch count: who may say so, and that it never goes back. */
#include "objects.h"

static uint8_t scratch[REVOCATION_MAX], bytes[REVOCATION_MAX];

static const struct {
        const char *site;
        uint64_t epoch, floor;
        enum who signers[3];
        size_t count;
        enum reason reason;
} rows[] = {
        { "site-1", 4, 3, { APPROVER_1, APPROVER_2 }, 2, REASON_NONE },
        { "site-1", UINT64_MAX, 3, { APPROVER_3, APPROVER_2 }, 2, REASON_NONE },
        { "site-1", 3, 3, { APPROVER_1, APPROVER_2 }, 2, REASON_OLD_EPOCH },
        { "site-1", 2, 3, { APPROVER_1, APPROVER_2 }, 2, REASON_OLD_EPOCH },
        { "site-1", 0, 0, { APPROVER_1, APPROVER_2 }, 2, REASON_OLD_EPOCH },
        { "site-2", 4, 3, { APPROVER_1, APPROVER_2 }, 2, REASON_WRONG_SITE },
        { "site-1", 4, 3, { APPROVER_1 }, 1, REASON_UNDER_SIGNED },
        { "site-1", 4, 3, { APPROVER_1, APPROVER_1 }, 2, REASON_UNDER_SIGNED },
        { "site-1", 4, 3, { APPROVER_1, GATE }, 2, REASON_UNDER_SIGNED },
        { "site-1", 4, 3, { APPROVER_1, APPROVER_4, STRANGER }, 3, REASON_UNDER_SIGNED },
};

static void test_who_revokes_what(void **state)
{
        struct site_policy policy = full_policy();

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct revocation revocation = { .epoch = rows[i].epoch, .issued = 1763900000 }, out = { 0 };
                strcpy(revocation.site, rows[i].site);
                struct span in = write_revocation(bytes, sizeof(bytes), &revocation, rows[i].signers, rows[i].count);
                enum reason reason = revocation_accept(in, &policy, rows[i].floor, &out, scratch, sizeof(scratch));
                if (reason != rows[i].reason)
                        fail_msg("row %zu: %s", i, reason_name(reason));
                assert_int_equal(out.epoch, reason == REASON_NONE ? rows[i].epoch : 0);
                assert_int_equal(out.issued, reason == REASON_NONE ? 1763900000 : 0);
        }
}

static void test_size_and_kind(void **state)
{
        static uint8_t large[REVOCATION_MAX + 1];
        struct site_policy policy = full_policy();
        struct revocation revocation = { .site = "site-1", .epoch = 4 }, out;
        struct span in = write_revocation(bytes, sizeof(bytes), &revocation, rows[0].signers, 2);
        struct cose_set set;
        uint8_t other[REVOCATION_MAX];

        (void)state;
        assert_int_equal(revocation_accept(in, &policy, 3, &out, scratch, 90), REASON_TOO_LARGE);
        assert_int_equal(revocation_accept(SPAN_OF(large), &policy, 3, &out, scratch, sizeof(scratch)),
                         REASON_TOO_LARGE);
        /* signed as something else */
        assert_int_equal(cose_set_decode(in, &set), RELAY_OK);
        in = sign_set(other, sizeof(other), SPAN_LITERAL(APPROVAL_AAD), set.payload, rows[0].signers, 2);
        assert_int_equal(revocation_accept(in, &policy, 3, &out, scratch, sizeof(scratch)), REASON_UNDER_SIGNED);
        policy.threshold = 0;
        in = write_revocation(bytes, sizeof(bytes), &revocation, rows[0].signers, 2);
        assert_int_equal(revocation_accept(in, &policy, 3, &out, scratch, sizeof(scratch)), REASON_UNDER_SIGNED);
}

static void test_form(void **state)
{
        static const struct {
                const char *hex;
                int result;
        } forms[] = {
                { "a400010163732d3102040305", RELAY_OK },
                { "a300010163732d310204", RELAY_E_MALFORMED },         /* no issued */
                { "a500010163732d31020403050400", RELAY_E_MALFORMED }, /* one label more */
                { "a400020163732d3102040305", RELAY_E_UNSUPPORTED },   /* version 2 */
                { "a400010163532d3102040305", RELAY_E_RANGE },         /* a capital */
                { "a400010160"
                  "02040305",
                  RELAY_E_RANGE },
                { "a400010163732d3102200305", RELAY_E_MALFORMED },   /* epoch -1 */
                { "a400010163732d310218040305", RELAY_E_MALFORMED }, /* longer than needed */
                { "a400010163732d310204030500", RELAY_E_MALFORMED }, /* a byte behind */
                { "a400010163732d31020403", RELAY_E_TRUNCATED },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(forms); i++) {
                struct revocation out;
                uint8_t buffer[64];
                int result = revocation_decode(unhex(forms[i].hex, buffer, sizeof(buffer)), &out);
                if (result != forms[i].result)
                        fail_msg("row %zu: %d", i, result);
        }
}

static void test_what_cannot_be_written(void **state)
{
        struct revocation revocation = { .site = "Site" };
        struct writer w;

        (void)state;
        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(revocation_encode(&w, &revocation), RELAY_E_RANGE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_who_revokes_what),
                cmocka_unit_test(test_size_and_kind),
                cmocka_unit_test(test_form),
                cmocka_unit_test(test_what_cannot_be_written),
        };
        return cmocka_run_group_tests_name("revocation", tests, NULL, NULL);
}
