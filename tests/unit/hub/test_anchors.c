/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vendor and site keep their keys apart, whichever of the two is imported first. */
#include "../librelay/objects.h"

#include "hub/anchors.h"

#define SITE "site-1"

static struct store *open_store(void)
{
        const struct store_options options = { .size_max = 1 << 20 };
        struct store *store;
        char detail[256];

        assert_int_equal(store_open(&options, &store, detail, sizeof(detail)), 0);
        return store;
}

/* the sample policy, with one of the vendor's people where the row says so */
static struct span policy_with(enum who gate, uint8_t *out, size_t size)
{
        static const enum who approvers[] = { APPROVER_1, APPROVER_2 };
        struct site_policy policy = sample_policy(3, 2);

        policy.gates[0].key = key_of(gate);
        return write_policy_set(out, size, &policy, approvers, 2);
}

static void test_roles_are_kept_apart(void **state)
{
        static const struct {
                enum who gate;
                bool vendor_first;
                enum reason first, second;
        } rows[] = {
                { GATE, true, REASON_NONE, REASON_NONE },
                { GATE, false, REASON_NONE, REASON_NONE },
                { ORGANISATION, true, REASON_NONE, REASON_POLICY_INVALID },
                { DEVELOPER, true, REASON_NONE, REASON_POLICY_INVALID },
                { COMMAND, true, REASON_NONE, REASON_POLICY_INVALID },
                { ORGANISATION, false, REASON_NONE, REASON_VENDOR_KEYS_INVALID },
                { COMMAND, false, REASON_NONE, REASON_VENDOR_KEYS_INVALID },
        };
        static uint8_t policy_bytes[SITE_POLICY_MAX], vendor_bytes[VENDOR_KEYS_SET_MAX];

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct store *store = open_store();
                struct anchors anchors = { 0 };
                struct span policy = policy_with(rows[i].gate, policy_bytes, sizeof(policy_bytes));
                struct span vendor = write_vendor_set(vendor_bytes, sizeof(vendor_bytes));

                for (int turn = 0; turn < 2; turn++) {
                        bool of_vendor = rows[i].vendor_first == (turn == 0);
                        enum reason reason = of_vendor ? anchors_import_vendor(&anchors, store, vendor)
                                                       : anchors_import_policy(&anchors, store, SITE, policy);
                        assert_string_equal(reason_name(reason), reason_name(turn ? rows[i].second : rows[i].first));
                }
                anchors_clear(&anchors);
                store_free(store);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_roles_are_kept_apart),
        };
        return cmocka_run_group_tests_name("anchors", tests, NULL, NULL);
}
