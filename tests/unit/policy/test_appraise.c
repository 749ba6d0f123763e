/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What follows from a proof, or from none: rows of facts. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/appraise.h"

/* a device of an isolated boot stage that runs what was approved */
#define GOOD \
        .proved = true, .level = FACTORY_ATTESTED, .proved_before = true, .mode = DICE_MODE_NORMAL, .image_known = true
#define PLAIN .proved = false

/* each row changes something of it */
#pragma GCC diagnostic ignored "-Woverride-init"

static const struct {
        const char *name;
        struct appraise_facts facts;
        enum reason reason;
        enum attestation_trust trust;
        enum reason quarantine;
} rows[] = {
        { "isolated, known image", { GOOD }, REASON_NONE, TRUST_ATTESTED, REASON_NONE },
        { "first proof", { GOOD, .proved_before = false }, REASON_NONE, TRUST_ATTESTED, REASON_NONE },
        { "not isolated", { GOOD, .level = FACTORY_CLAIMED }, REASON_NONE, TRUST_CLAIMED, REASON_NONE },
        { "the list says nothing of proofs",
          { GOOD, .level = FACTORY_NO_ATTESTATION },
          REASON_NONE,
          TRUST_CLAIMED,
          REASON_NONE },
        { "unknown image", { GOOD, .image_known = false }, REASON_NONE, TRUST_UNKNOWN_IMAGE, REASON_UNKNOWN_IMAGE },
        { "unknown image, not isolated",
          { GOOD, .image_known = false, .level = FACTORY_CLAIMED },
          REASON_NONE,
          TRUST_UNKNOWN_IMAGE,
          REASON_UNKNOWN_IMAGE },
        { "debug", { GOOD, .mode = DICE_MODE_DEBUG }, REASON_NONE, TRUST_UNKNOWN_IMAGE, REASON_UNKNOWN_IMAGE },
        { "not configured",
          { GOOD, .mode = DICE_MODE_NOT_CONFIGURED },
          REASON_NONE,
          TRUST_UNKNOWN_IMAGE,
          REASON_UNKNOWN_IMAGE },
        { "a mode of nobody",
          { GOOD, .mode = (enum dice_mode)9 },
          REASON_NONE,
          TRUST_UNKNOWN_IMAGE,
          REASON_UNKNOWN_IMAGE },
        { "recovery", { GOOD, .mode = DICE_MODE_RECOVERY }, REASON_NONE, TRUST_RECOVERY, REASON_RECOVERY },
        { "recovery, unknown image",
          { GOOD, .mode = DICE_MODE_RECOVERY, .image_known = false },
          REASON_NONE,
          TRUST_RECOVERY,
          REASON_RECOVERY },
        { "clone", { GOOD, .cloned = true }, REASON_NONE, TRUST_ATTESTED, REASON_CLONED_DEVICE },
        { "clone with an unknown image",
          { GOOD, .cloned = true, .image_known = false },
          REASON_NONE,
          TRUST_UNKNOWN_IMAGE,
          REASON_CLONED_DEVICE },
        { "clone in recovery",
          { GOOD, .cloned = true, .mode = DICE_MODE_RECOVERY },
          REASON_NONE,
          TRUST_RECOVERY,
          REASON_CLONED_DEVICE },
        { "plain, never proved anything", { PLAIN }, REASON_NONE, TRUST_FRONT_END, REASON_NONE },
        { "plain clone", { PLAIN, .cloned = true }, REASON_NONE, TRUST_FRONT_END, REASON_CLONED_DEVICE },
        { "plain, but it once proved itself",
          { PLAIN, .proved_before = true },
          REASON_NOT_ATTESTED,
          TRUST_FRONT_END,
          REASON_NONE },
        { "plain, and the list says it proves itself",
          { PLAIN, .level = FACTORY_CLAIMED },
          REASON_NOT_ATTESTED,
          TRUST_FRONT_END,
          REASON_NONE },
        { "plain, and the list says it is isolated",
          { PLAIN, .level = FACTORY_ATTESTED },
          REASON_NOT_ATTESTED,
          TRUST_FRONT_END,
          REASON_NONE },
        /* what stands in the facts without a proof counts for nothing */
        { "plain with fine words",
          { GOOD, .proved = false, .proved_before = false, .level = FACTORY_NO_ATTESTATION },
          REASON_NONE,
          TRUST_FRONT_END,
          REASON_NONE },
        { "nothing at all", { 0 }, REASON_NONE, TRUST_FRONT_END, REASON_NONE },
};

static void test_rows(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                struct appraise_result result = appraise_decide(&rows[i].facts);

                if (result.reason != rows[i].reason || result.trust != rows[i].trust ||
                    result.quarantine != rows[i].quarantine)
                        fail_msg("%s: reason %s, trust %s, quarantine %s", rows[i].name, reason_name(result.reason),
                                 attestation_trust_name(result.trust), reason_name(result.quarantine));
        }
}

static void test_names(void **state)
{
        (void)state;
        assert_string_equal(attestation_trust_name(TRUST_FRONT_END), "front-end");
        assert_string_equal(attestation_trust_name(TRUST_CLAIMED), "claimed");
        assert_string_equal(attestation_trust_name(TRUST_ATTESTED), "attested");
        assert_string_equal(attestation_trust_name(TRUST_RECOVERY), "recovery");
        assert_string_equal(attestation_trust_name(TRUST_UNKNOWN_IMAGE), "unknown-image");
        assert_string_equal(attestation_level_name(FACTORY_NO_ATTESTATION), "none");
        assert_string_equal(attestation_level_name(FACTORY_CLAIMED), "claimed");
        assert_string_equal(attestation_level_name(FACTORY_ATTESTED), "attested");
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_names) };

        return cmocka_run_group_tests_name("appraise", tests, NULL, NULL);
}
