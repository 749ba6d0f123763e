/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Back-off, quota, and what an update waits for. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/quota.h"
#include "policy/retry.h"
#include "policy/update.h"

static void test_retry(void **state)
{
        (void)state;
        struct retry retry = RETRY_INIT(1000, 60000);
        assert_int_equal(retry_next(&retry, 0), 1000);
        assert_int_equal(retry_next(&retry, UINT32_MAX), 3000);
        assert_int_equal(retry_next(&retry, UINT32_MAX), 9000);
        assert_int_equal(retry_next(&retry, 0x80000000), 14000);
        assert_int_equal(retry_next(&retry, UINT32_MAX), 42000);
        assert_int_equal(retry_next(&retry, UINT32_MAX), 60000);
        assert_int_equal(retry_next(&retry, UINT32_MAX), 60000);
        assert_int_equal(retry_next(&retry, 0), 1000);
        retry_next(&retry, UINT32_MAX);
        retry_reset(&retry);
        assert_int_equal(retry_next(&retry, UINT32_MAX), 3000);

        struct retry fixed = RETRY_INIT(500, 500), large = RETRY_INIT(1, UINT32_MAX);
        assert_int_equal(retry_next(&fixed, UINT32_MAX), 500);
        for (int i = 0; i < 40; i++)
                retry_next(&large, UINT32_MAX);
        assert_int_equal(large.last_ms, UINT32_MAX);
}

/* 10,000 devices must not come back in one second */
static void test_retry_spreads(void **state)
{
        (void)state;
        uint32_t random = 1, early = 0;
        for (int i = 0; i < 10000; i++) {
                struct retry retry = RETRY_INIT(1000, 60000);
                for (int k = 0; k < 3; k++) {
                        random = random * 1664525 + 1013904223;
                        retry_next(&retry, random);
                }
                early += retry.last_ms < 2000;
        }
        assert_true(early < 6000);
}

static void test_quota(void **state)
{
        (void)state;
        const struct quota_rule rule = { .per_second = 10, .burst = 3 };
        struct quota quota;
        quota_fill(&quota, &rule, 1000);
        for (int i = 0; i < 3; i++)
                assert_int_equal(quota_take(&quota, &rule, 1000).verdict, VERDICT_ALLOW);
        assert_int_equal(quota_take(&quota, &rule, 1000).reason, REASON_QUOTA);
        assert_int_equal(quota_take(&quota, &rule, 1099).verdict, VERDICT_DENY);
        assert_int_equal(quota_take(&quota, &rule, 1100).verdict, VERDICT_ALLOW);
        assert_int_equal(quota_take(&quota, &rule, 1100).verdict, VERDICT_DENY);
        assert_int_equal(quota_take(&quota, &rule, 900).verdict, VERDICT_DENY); /* a clock that went back */
        for (int i = 0; i < 3; i++)                                             /* full after any long time */
                assert_int_equal(quota_take(&quota, &rule, UINT64_MAX).verdict, VERDICT_ALLOW);
        assert_int_equal(quota_take(&quota, &rule, UINT64_MAX).verdict, VERDICT_DENY);
        const struct quota_rule none = { 0 };
        assert_int_equal(quota_take(&quota, &none, 0).verdict, VERDICT_ALLOW);
}

#define YES DECISION_ALLOW
#define NO(why)                            \
        {                                  \
                VERDICT_DENY, REASON_##why \
        }
static void test_update(void **state)
{
        (void)state;
        const struct {
                struct update_facts facts;
                const char *wait;
        } rows[] = {
                { { NO(NOT_APPROVED), false, NO(GATE_CLOSED), false, true, UPDATE_STATUS_NONE }, "approval" },
                { { NO(OUT_OF_SCOPE), false, YES, true, true, UPDATE_STATUS_REFUSED }, "approval" },
                { { YES, true, YES, true, true, UPDATE_STATUS_FETCHING }, "denied" },
                { { NO(NOT_APPROVED), true, YES, true, true, UPDATE_STATUS_NONE }, "denied" },
                { { YES, false, NO(GATE_CLOSED), false, false, UPDATE_STATUS_NONE }, "gate" },
                { { YES, false, YES, false, false, UPDATE_STATUS_NONE }, "image" },
                { { YES, false, YES, true, false, UPDATE_STATUS_FETCHING }, "offline" },
                { { YES, false, YES, true, true, UPDATE_STATUS_NONE }, "offered" },
                { { YES, false, YES, true, true, UPDATE_STATUS_IDLE }, "offered" },
                { { YES, false, YES, true, true, UPDATE_STATUS_WAITING }, "application-busy" },
                { { YES, false, YES, true, true, UPDATE_STATUS_FETCHING }, "fetching" },
                { { YES, false, YES, true, true, UPDATE_STATUS_REFUSED }, "refused" },
                { { YES, false, YES, true, false, UPDATE_STATUS_TRYING }, "trying" },
                { { YES, false, NO(GATE_CLOSED), true, true, UPDATE_STATUS_TRYING }, "trying" },
                { { NO(NOT_APPROVED), true, NO(GATE_CLOSED), false, false, UPDATE_STATUS_CONFIRMED }, "installed" },
                { { .denied = false }, "approval" },
        };
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                assert_string_equal(update_wait_name(update_wait(&rows[i].facts)), rows[i].wait);
        assert_string_equal(update_wait_name(UPDATE_WAIT_COUNT), "unknown");
        assert_string_equal(update_wait_name(UPDATE_WAIT_DENIED), reason_name(REASON_DENIED));
        assert_string_equal(update_wait_name(UPDATE_WAIT_APPLICATION), reason_name(REASON_APPLICATION_BUSY));
}

static void test_status_names(void **state)
{
        (void)state;
        for (int s = UPDATE_STATUS_NONE; s <= UPDATE_STATUS_CONFIRMED; s++) {
                const char *name = update_status_name((enum update_status)s);
                assert_int_equal(update_status_from_name(span_of_string(name)), s);
        }
        assert_int_equal(update_status_from_name(SPAN_LITERAL("Confirmed")), UPDATE_STATUS_NONE);
        assert_int_equal(update_status_from_name(SPAN_EMPTY), UPDATE_STATUS_NONE);
        assert_string_equal(update_status_name((enum update_status)99), "none");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_retry),  cmocka_unit_test(test_retry_spreads), cmocka_unit_test(test_quota),
                cmocka_unit_test(test_update), cmocka_unit_test(test_status_names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
