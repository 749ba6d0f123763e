/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules of a site policy at the gate, which of two approvals says more, and the site's answer to the vendor. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/update.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define DAY         86400
#define NOON        UINT64_C(1763812800)
#define SUN(hour)   (6 * 1440 + (hour)*60)

static const uint8_t pumps[CLASS_ID_SIZE] = { 1 }, lamps[CLASS_ID_SIZE] = { 2 };

/* one: security for pumps, 2 days after the offer, Sunday night. two: emergency for the site, at once. three: routine
 * for device-3 in the week after Sunday 23:00 for two hours */
static void make_policy(struct site_policy *policy)
{
        *policy = (struct site_policy){ .rule_count = 3, .device_count = 1 };
        strcpy(policy->devices[0], "device-3");
        policy->rules[0] = (struct site_rule){ .urgencies = { "security", "important" },
                                               .urgency_count = 2,
                                               .scope = { .kind = SCOPE_CLASS, .class_id = { 1 } },
                                               .wait_s = 2 * DAY,
                                               .windows = { { SUN(2), 120 } },
                                               .window_count = 1 };
        policy->rules[1] = (struct site_rule){ .urgencies = { "emergency" }, .urgency_count = 1 };
        policy->rules[2] = (struct site_rule){ .urgencies = { "routine" },
                                               .urgency_count = 1,
                                               .scope = { .kind = SCOPE_DEVICES, .device_count = 1 },
                                               .windows = { { SUN(23), 120 } },
                                               .window_count = 1 };
}

#define GATE(now, minute)      true, true, (now), NOON, true, (minute)
#define OTHER_GATE             false, false, 0, 0, false, 0
#define FACTS(urgency, device) SPAN_LITERAL(urgency), device

static void rules_approve_when_all_holds(void **state)
{
        static struct site_policy policy;
        const struct {
                struct rule_facts facts;
                enum reason reason;
                int rule;
        } rows[] = {
                { { FACTS("security", "device-1"), pumps, GATE(NOON + 2 * DAY, SUN(2)) }, REASON_NONE, 0 },
                { { FACTS("important", "device-1"), pumps, GATE(NOON + 2 * DAY, SUN(3)) }, REASON_NONE, 0 },
                { { FACTS("security", "device-1"), pumps, GATE(NOON + 2 * DAY - 1, SUN(2)) }, REASON_RULE_WAITS, 0 },
                { { FACTS("security", "device-1"), pumps, GATE(NOON - 1, SUN(2)) }, REASON_RULE_WAITS, 0 },
                { { FACTS("security", "device-1"), pumps, GATE(NOON + 2 * DAY, SUN(4)) }, REASON_RULE_WAITS, 0 },
                { { FACTS("security", "device-1"), lamps, GATE(NOON + 2 * DAY, SUN(2)) }, REASON_NOT_APPROVED, -1 },
                { { FACTS("routine", "device-1"), pumps, GATE(NOON + 2 * DAY, SUN(2)) }, REASON_NOT_APPROVED, -1 },
                { { FACTS("securit", "device-1"), pumps, GATE(NOON + 2 * DAY, SUN(2)) }, REASON_NOT_APPROVED, -1 },
                { { FACTS("", "device-1"), pumps, GATE(NOON + 2 * DAY, SUN(2)) }, REASON_NOT_APPROVED, -1 },
                /* without a clock nothing that waits is over */
                { { FACTS("security", "device-1"), pumps, true, false, 0, NOON, false, 0 }, REASON_NO_TRUSTED_TIME, 0 },
                { { FACTS("security", "device-1"), pumps, true, true, NOON + 9 * DAY, NOON, false, 0 },
                  REASON_NO_TRUSTED_TIME,
                  0 },
                /* nobody knows when it was offered */
                { { FACTS("security", "device-1"), pumps, true, true, NOON, 0, true, SUN(2) }, REASON_RULE_WAITS, 0 },
                /* at once, and without a clock */
                { { FACTS("emergency", "device-1"), lamps, true, false, 0, 0, false, 0 }, REASON_NONE, 1 },
                /* windows over the week's end */
                { { FACTS("routine", "device-3"), pumps, GATE(NOON, SUN(23)) }, REASON_NONE, 2 },
                { { FACTS("routine", "device-3"), pumps, GATE(NOON, 59) }, REASON_NONE, 2 },
                { { FACTS("routine", "device-3"), pumps, GATE(NOON, 60) }, REASON_RULE_WAITS, 2 },
                /* another gate judges wait and windows: here it is enough that a rule covers it */
                { { FACTS("security", "device-1"), pumps, OTHER_GATE }, REASON_NONE, 0 },
                { { FACTS("security", "device-1"), lamps, OTHER_GATE }, REASON_NOT_APPROVED, -1 },
        };

        (void)state;
        make_policy(&policy);
        for (size_t i = 0; i < ROWS(rows); i++) {
                int rule = 99;
                struct decision decision = rule_decide(&policy, &rows[i].facts, &rule);
                print_message("# row %zu\n", i);
                assert_string_equal(reason_name(decision.reason), reason_name(rows[i].reason));
                assert_int_equal(decision.verdict == VERDICT_ALLOW, rows[i].reason == REASON_NONE);
                assert_int_equal(rule, rows[i].rule);
        }
}

/* of two rules that cover an update, the one that does not wait counts */
static void a_second_rule_may_be_faster(void **state)
{
        static struct site_policy policy;
        struct rule_facts facts = { FACTS("security", "device-1"), pumps, GATE(NOON, 0) };
        int rule;

        (void)state;
        make_policy(&policy);
        strcpy(policy.rules[1].urgencies[0], "security");
        assert_int_equal(rule_decide(&policy, &facts, &rule).verdict, VERDICT_ALLOW);
        assert_int_equal(rule, 1);
}

static void a_policy_without_rules_approves_nothing(void **state)
{
        static struct site_policy policy;
        struct rule_facts facts = { FACTS("security", "device-1"), pumps, GATE(NOON, 0) };
        int rule;

        (void)state;
        assert_int_equal(rule_decide(&policy, &facts, &rule).reason, REASON_NOT_APPROVED);
        assert_int_equal(rule, -1);
}

#define SITE        .scope = SCOPE_SITE
#define PUMPS       .scope = SCOPE_CLASS, .class_id = { 1 }
#define LAMPS       .scope = SCOPE_CLASS, .class_id = { 2 }
#define ONE         .scope = SCOPE_DEVICES, .device_count = 1, .devices = { "a" }
#define TWO         .scope = SCOPE_DEVICES, .device_count = 2, .devices = { "b", "a" }
#define FROM(time)  .has_not_before = true, .not_before = (time)
#define UNTIL(time) .has_not_after = true, .not_after = (time)

static void only_what_says_more_widens(void **state)
{
        static const struct {
                struct approval next, before;
                bool widens;
        } rows[] = {
                { { SITE }, { PUMPS }, true },
                { { SITE }, { TWO }, true },
                { { PUMPS }, { TWO }, true },
                { { TWO }, { ONE }, true },
                { { ONE }, { TWO }, false },
                { { PUMPS }, { SITE }, false },
                { { TWO }, { PUMPS }, false },
                { { PUMPS }, { LAMPS }, false },
                { { SITE }, { SITE }, false },
                { { TWO }, { TWO }, false },
                { { SITE }, { SITE, UNTIL(5) }, true },
                { { SITE, UNTIL(6) }, { SITE, UNTIL(5) }, true },
                { { SITE, UNTIL(4) }, { SITE, UNTIL(5) }, false },
                { { SITE }, { SITE, FROM(5) }, true },
                { { SITE, FROM(5) }, { SITE }, false },
                { { SITE, FROM(4), UNTIL(4) }, { SITE, FROM(5), UNTIL(6) }, false }, /* another window is not more */
                { { SITE, UNTIL(5) }, { ONE }, false },                              /* wider and shorter: neither */
                { { SITE, .epoch = 2 }, { SITE, .epoch = 1 }, true },
                { { SITE, .epoch = 1 }, { SITE, .epoch = 2 }, false },
                { { SITE, .epoch = 1 }, { ONE, .epoch = 2 }, false },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                print_message("# row %zu\n", i);
                assert_int_equal(approval_widens(&rows[i].next, &rows[i].before), rows[i].widens);
        }
}

static void the_answer_is_json_whatever_was_said(void **state)
{
        static const struct {
                const char *detail, *shown;
        } rows[] = {
                { "", "" },
                { "not in winter", "not in winter" },
                { "the \"pump\" \\ \n\x7f", "the \\\"pump\\\" \\\\   " },
                { "vi v\xc3\xa4ntar", "vi v\xc3\xa4ntar" },
        };
        char out[UPDATE_ANSWER_MAX], expected[UPDATE_ANSWER_MAX];

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                const struct update_answer answer = {
                        "denied", "denied", rows[i].detail, SPAN_LITERAL("security"), NOON, 1, 2
                };
                snprintf(expected, sizeof(expected),
                         "{\"state\":\"denied\",\"reason\":\"denied\",\"detail\":\"%s\",\"urgency\":\"security\","
                         "\"since\":1763812800,\"approved\":1,\"needed\":2}",
                         rows[i].shown);
                assert_int_equal(update_answer_json(&answer, out), strlen(expected));
                assert_string_equal(out, expected);
        }
}

/* long words are cut between characters, and escapes are not cut in two */
static void long_words_are_cut_whole(void **state)
{
        char words[1000], out[UPDATE_ANSWER_MAX];
        struct update_answer answer = { "denied", "denied", words, SPAN_LITERAL("security"), 1, 1, 2 };

        (void)state;
        for (size_t offset = 0; offset < 3; offset++) {
                memset(words, 'x', offset);
                for (size_t i = offset; i + 2 < sizeof(words); i += 2)
                        memcpy(words + i, "\xc3\xa4", 2);
                words[sizeof(words) - 4 + offset % 2] = '\0';
                size_t size = update_answer_json(&answer, out);
                assert_true(size > 300 && size < 400);
                assert_true(span_is_utf8(span_of(out, size)));
        }
        memset(words, '"', sizeof(words) - 1);
        words[sizeof(words) - 1] = '\0';
        update_answer_json(&answer, out);
        const char *end = strstr(out, "\",\"urgency\"");
        assert_non_null(end);
        assert_int_equal((size_t)(end - strstr(out, "detail\":\"") - 9) % 2, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rules_approve_when_all_holds),
                cmocka_unit_test(a_second_rule_may_be_faster),
                cmocka_unit_test(a_policy_without_rules_approves_nothing),
                cmocka_unit_test(only_what_says_more_widens),
                cmocka_unit_test(the_answer_is_json_whatever_was_said),
                cmocka_unit_test(long_words_are_cut_whole),
        };
        return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
