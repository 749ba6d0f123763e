/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clones and what only looks like one: rows. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/clone.h"

static const struct {
        const char *name;
        struct clone_session facts;
        enum clone_verdict verdict;
} sessions[] = {
        { "the first one ever", { .boot = 7 }, CLONE_NONE },
        { "after a restart", { .boot = 8, .highest = 7 }, CLONE_NONE },
        { "after a power-cut loop", { .boot = 800, .highest = 7 }, CLONE_NONE },
        { "the same boot: a probe, or the way back", { .boot = 7, .highest = 7 }, CLONE_NONE },
        { "the same boot, the next session", { .boot = 7, .highest = 7, .number = 4, .last_number = 3 }, CLONE_NONE },
        { "the same boot, the same session", { .boot = 7, .highest = 7, .number = 3, .last_number = 3 }, CLONE_NONE },
        { "the same boot, nothing known of sessions",
          { .boot = 7, .highest = 7, .number = 0, .last_number = 3 },
          CLONE_NONE },
        { "a new boot counts its sessions anew",
          { .boot = 8, .highest = 7, .number = 1, .last_number = 9 },
          CLONE_NONE },
        { "an older boot", { .boot = 6, .highest = 7 }, CLONE_ALERT },
        { "zero after something", { .boot = 0, .highest = 7 }, CLONE_ALERT },
        { "the same boot, an older session", { .boot = 7, .highest = 7, .number = 2, .last_number = 3 }, CLONE_ALERT },
        { "the highest possible", { .boot = UINT32_MAX, .highest = UINT32_MAX - 1 }, CLONE_NONE },
        { "rule quarantine", { .rule = CLONE_RULE_QUARANTINE, .boot = 6, .highest = 7 }, CLONE_QUARANTINE },
        { "rule refuse", { .rule = CLONE_RULE_REFUSE, .boot = 6, .highest = 7 }, CLONE_REFUSE },
        { "rule refuse, an older session",
          { .rule = CLONE_RULE_REFUSE, .boot = 7, .highest = 7, .number = 2, .last_number = 3 },
          CLONE_REFUSE },
        { "rule refuse, and nothing wrong", { .rule = CLONE_RULE_REFUSE, .boot = 8, .highest = 7 }, CLONE_NONE },
        { "older than what the cloud tells: only an alert",
          { .rule = CLONE_RULE_REFUSE, .boot = 7, .highest = 7, .heard = 8 },
          CLONE_ALERT },
        { "newer than here, older than what the cloud tells",
          { .rule = CLONE_RULE_QUARANTINE, .boot = 8, .highest = 7, .heard = 9 },
          CLONE_ALERT },
        { "as the cloud tells", { .boot = 8, .highest = 7, .heard = 8 }, CLONE_NONE },
        { "back from the direct way after a restart", { .boot = 9, .highest = 7, .heard = 8 }, CLONE_NONE },
};

static void test_sessions(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(sessions) / sizeof(*sessions); i++)
                if (clone_of_session(&sessions[i].facts) != sessions[i].verdict)
                        fail_msg("%s", sessions[i].name);
}

static const struct {
        const char *name;
        struct clone_direct facts;
        enum clone_verdict verdict;
} directs[] = {
        { "the same boot, here and there: a probe",
          { .online = true, .boot = 7, .highest = 7, .running = 7, .settled = true },
          CLONE_NONE },
        { "the same boot, not here", { .online = true, .boot = 7, .highest = 7, .settled = true }, CLONE_NONE },
        { "older, live", { .online = true, .boot = 6, .highest = 7, .running = 7, .settled = true }, CLONE_ALERT },
        { "older, live, nobody here", { .online = true, .boot = 6, .highest = 7, .settled = true }, CLONE_ALERT },
        { "older, but it may have been under way",
          { .online = true, .boot = 6, .highest = 7, .running = 7 },
          CLONE_NONE },
        { "older, retained",
          { .online = true, .boot = 6, .highest = 7, .settled = true, .retained = true },
          CLONE_NONE },
        { "older, a will", { .boot = 6, .highest = 7, .running = 7, .settled = true }, CLONE_NONE },
        { "newer, nobody here", { .online = true, .boot = 8, .highest = 7, .settled = true }, CLONE_NONE },
        { "newer, and a session here",
          { .online = true, .boot = 8, .highest = 7, .running = 7, .settled = true },
          CLONE_WAIT },
        { "newer, retained", { .online = true, .boot = 8, .highest = 7, .running = 7, .retained = true }, CLONE_NONE },
        { "newer, a will", { .boot = 8, .highest = 7, .running = 7, .settled = true }, CLONE_NONE },
        { "never here", { .online = true, .boot = 8, .settled = true }, CLONE_NONE },
};

static void test_directs(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(directs) / sizeof(*directs); i++)
                if (clone_of_direct(&directs[i].facts) != directs[i].verdict)
                        fail_msg("%s", directs[i].name);
}

static void test_waiting(void **state)
{
        const uint64_t heard = 1000000;

        (void)state;
        /* a session that is dead is closed by its front end before this */
        assert_int_equal(clone_of_silence(heard, heard, 30), CLONE_WAIT);
        assert_int_equal(clone_of_silence(heard, heard + 45000 + CLONE_GRACE_MS, 30), CLONE_WAIT);
        assert_int_equal(clone_of_silence(heard, heard + 45001 + CLONE_GRACE_MS, 30), CLONE_ALERT);
        assert_int_equal(clone_of_silence(heard, heard + UINT64_C(1000000000), 0), CLONE_WAIT);
        assert_int_equal(clone_of_silence(heard, heard + 65535 * UINT64_C(1500) + CLONE_GRACE_MS, 65535), CLONE_WAIT);
        /* what it sent before it restarted may still be under way */
        assert_int_equal(clone_of_packet(heard, heard + CLONE_GRACE_MS), CLONE_WAIT);
        assert_int_equal(clone_of_packet(heard, heard + CLONE_GRACE_MS + 1), CLONE_ALERT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sessions),
                cmocka_unit_test(test_directs),
                cmocka_unit_test(test_waiting),
        };

        return cmocka_run_group_tests_name("clone", tests, NULL, NULL);
}
