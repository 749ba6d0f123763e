/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Admission: rows of facts. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/admit.h"

/* a registered device with a factory certificate, everything fine */
#define GOOD                                                                                                    \
        .kind = ADMIT_DEVICE, .identity_valid = true, .registration = ADMIT_REGISTERED, .chain_verified = true, \
        .time = ADMIT_TIME_WITHIN, .sessions_max = 10, .pending_max = 5

/* each row changes something of it */
#pragma GCC diagnostic ignored "-Woverride-init"

static const struct {
        const char *name;
        struct admit_facts facts;
        enum reason reason; /* NONE: admitted */
        bool record;
} rows[] = {
        { "factory certificate", { GOOD }, REASON_NONE, false },
        { "pinned key", { GOOD, .pin = ADMIT_PIN_EQUAL }, REASON_NONE, false },
        { "pinned key without a chain", { GOOD, .pin = ADMIT_PIN_EQUAL, .chain_verified = false }, REASON_NONE, false },
        { "another key than the pinned one", { GOOD, .pin = ADMIT_PIN_DIFFERENT }, REASON_FOREIGN_CERTIFICATE, false },
        { "another identity key, and it proves which one counts",
          { GOOD, .pin = ADMIT_PIN_DIFFERENT, .proves_itself = true },
          REASON_NONE,
          false },
        { "another identity key of nobody's making",
          { GOOD, .pin = ADMIT_PIN_DIFFERENT, .proves_itself = true, .chain_verified = false },
          REASON_FOREIGN_CERTIFICATE,
          false },
        { "an application proves nothing",
          { GOOD, .kind = ADMIT_APPLICATION, .pin = ADMIT_PIN_DIFFERENT, .proves_itself = true },
          REASON_FOREIGN_CERTIFICATE,
          false },
        { "a leaf that its device certificate did not issue",
          { GOOD, .pin = ADMIT_PIN_EQUAL, .forged = true },
          REASON_FOREIGN_CERTIFICATE,
          false },
        { "the same of an unknown device: nothing to note",
          { GOOD, .registration = ADMIT_UNKNOWN, .forged = true },
          REASON_FOREIGN_CERTIFICATE,
          false },
        { "registered, but nobody vouches", { GOOD, .chain_verified = false }, REASON_FOREIGN_CERTIFICATE, false },
        { "no valid name", { GOOD, .identity_valid = false }, REASON_BAD_IDENTITY, false },
        { "no valid name, unknown",
          { GOOD, .identity_valid = false, .registration = ADMIT_UNKNOWN },
          REASON_BAD_IDENTITY,
          false },
        { "revoked", { GOOD, .registration = ADMIT_REVOKED, .pin = ADMIT_PIN_EQUAL }, REASON_REVOKED_DEVICE, false },
        { "expired", { GOOD, .time = ADMIT_TIME_OUTSIDE }, REASON_EXPIRED_CERTIFICATE, false },
        { "expired, pinned",
          { GOOD, .time = ADMIT_TIME_OUTSIDE, .pin = ADMIT_PIN_EQUAL },
          REASON_EXPIRED_CERTIFICATE,
          false },
        { "no clock", { GOOD, .time = ADMIT_TIME_UNKNOWN }, REASON_NONE, false },
        { "unknown", { GOOD, .registration = ADMIT_UNKNOWN }, REASON_PENDING_DEVICE, true },
        { "unknown, nobody vouches",
          { GOOD, .registration = ADMIT_UNKNOWN, .chain_verified = false },
          REASON_PENDING_DEVICE,
          true },
        { "unknown, expired",
          { GOOD, .registration = ADMIT_UNKNOWN, .time = ADMIT_TIME_OUTSIDE },
          REASON_EXPIRED_CERTIFICATE,
          false },
        { "unknown and the rule says refuse",
          { GOOD, .registration = ADMIT_UNKNOWN, .refuse_unknown = true },
          REASON_UNKNOWN_DEVICE,
          false },
        { "unknown, half of the places are taken, nobody vouches",
          { GOOD, .registration = ADMIT_UNKNOWN, .chain_verified = false, .pending = 2 },
          REASON_PENDING_DEVICE,
          false },
        { "unknown, half of the places are taken",
          { GOOD, .registration = ADMIT_UNKNOWN, .pending = 4 },
          REASON_PENDING_DEVICE,
          true },
        { "unknown, too many wait",
          { GOOD, .registration = ADMIT_UNKNOWN, .pending = 5 },
          REASON_PENDING_DEVICE,
          false },
        { "pending, comes again",
          { GOOD, .registration = ADMIT_PENDING, .pin = ADMIT_PIN_EQUAL },
          REASON_PENDING_DEVICE,
          false },
        { "pending, a stranger with its name",
          { GOOD, .registration = ADMIT_PENDING, .pin = ADMIT_PIN_DIFFERENT, .chain_verified = false },
          REASON_PENDING_DEVICE,
          false },
        { "a stranger's pending record, and the true device comes",
          { GOOD, .registration = ADMIT_PENDING, .pin = ADMIT_PIN_DIFFERENT, .pending = 5 },
          REASON_PENDING_DEVICE,
          true },
        { "all sessions taken", { GOOD, .sessions = 10 }, REASON_TOO_MANY_SESSIONS, false },
        { "one session left", { GOOD, .sessions = 9 }, REASON_NONE, false },
        { "all taken, but one is its own", { GOOD, .sessions = 10, .takes_over = true }, REASON_NONE, false },
        { "all are taking over", { GOOD, .sessions = 19, .takes_over = true }, REASON_NONE, false },
        { "taking over without end", { GOOD, .sessions = 20, .takes_over = true }, REASON_TOO_MANY_SESSIONS, false },
        { "a foreigner cannot take over",
          { GOOD, .pin = ADMIT_PIN_DIFFERENT, .takes_over = true },
          REASON_FOREIGN_CERTIFICATE,
          false },
        { "application with its key", { GOOD, .kind = ADMIT_APPLICATION, .pin = ADMIT_PIN_EQUAL }, REASON_NONE, false },
        { "application, a factory certificate is not enough",
          { GOOD, .kind = ADMIT_APPLICATION },
          REASON_FOREIGN_CERTIFICATE,
          false },
        { "application without role file",
          { GOOD, .kind = ADMIT_APPLICATION, .registration = ADMIT_UNKNOWN },
          REASON_UNKNOWN_DEVICE,
          false },
        { "nothing known at all", { 0 }, REASON_BAD_IDENTITY, false },
};

static void test_rows(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct admit_result result = admit_decide(&rows[i].facts);
                if (result.decision.reason != rows[i].reason || result.record_pending != rows[i].record)
                        fail_msg("%s: reason %d, record %d", rows[i].name, result.decision.reason,
                                 result.record_pending);
                assert_int_equal(result.decision.verdict == VERDICT_ALLOW, rows[i].reason == REASON_NONE);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
