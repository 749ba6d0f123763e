/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "objects.h"

#define NOW 1000u

static const uint8_t manifest[SHA256_SIZE] = { 0x11 };
static const uint8_t our_class[CLASS_ID_SIZE] = { 0xc1 };

enum shape {
        PLAIN,
        OTHER_SITE,
        OTHER_MANIFEST,
        OUR_CLASS,
        OTHER_CLASS,
        OUR_DEVICE,
        OTHER_DEVICE,
        WINDOW_NOW,    /* not before NOW, not after NOW: both ends included */
        WINDOW_PAST,   /* not after NOW - 1 */
        WINDOW_FUTURE, /* not before NOW + 1 */
        EPOCH_0,
        GARBAGE,
        OTHER_AAD,
        DETACHED,
        FORGED, /* claims the approver's key id, signed by a stranger */
};

struct vote {
        enum who signer; /* 0: end of the row's votes */
        enum shape shape;
};

static struct approval shaped(enum shape shape)
{
        struct approval a = sample_approval(manifest);

        switch (shape) {
        case PLAIN:
        case GARBAGE:
        case OTHER_AAD:
        case DETACHED:
        case FORGED:
                break;
        case OTHER_SITE:
                strcpy(a.site, "site-2");
                break;
        case OTHER_MANIFEST:
                a.manifest_digest[31] ^= 1;
                break;
        case OUR_CLASS:
        case OTHER_CLASS:
                a.scope = SCOPE_CLASS;
                memcpy(a.class_id, our_class, sizeof(a.class_id));
                a.class_id[15] ^= shape == OTHER_CLASS;
                break;
        case OUR_DEVICE:
        case OTHER_DEVICE:
                a.scope = SCOPE_DEVICES;
                a.device_count = 2;
                strcpy(a.devices[0], "device-8");
                strcpy(a.devices[1], shape == OUR_DEVICE ? "device-1" : "device-11");
                break;
        case WINDOW_NOW:
                a.has_not_before = a.has_not_after = true;
                a.not_before = a.not_after = NOW;
                break;
        case WINDOW_PAST:
                a.has_not_after = true;
                a.not_after = NOW - 1;
                break;
        case WINDOW_FUTURE:
                a.has_not_before = true;
                a.not_before = NOW + 1;
                break;
        case EPOCH_0:
                a.epoch = 0;
                break;
        }
        return a;
}

/* what the other shapes bend is not the approval but its signature */
static struct span write_bent(uint8_t *out, size_t size, const struct approval *approval, struct vote vote)
{
        uint8_t payload_bytes[APPROVAL_MAX], scratch[APPROVAL_MAX];
        struct signer signer = who(vote.signer);
        struct writer payload, w;
        struct span aad = vote.shape == OTHER_AAD ? SPAN_LITERAL(SITE_POLICY_AAD) : SPAN_LITERAL(APPROVAL_AAD);

        writer_init(&payload, payload_bytes, sizeof(payload_bytes));
        assert_int_equal(approval_encode(&payload, approval), RELAY_OK);
        if (vote.shape == FORGED)
                signer.context = who(STRANGER).context;
        writer_init(&w, out, size);
        assert_int_equal(cose_sign1_write(&w, &signer, aad, writer_span(&payload), vote.shape == DETACHED, scratch,
                                          sizeof(scratch)),
                         RELAY_OK);
        if (vote.shape == GARBAGE)
                out[w.at / 2] ^= 0x80;
        return writer_span(&w);
}

static const struct {
        size_t n, k;
        const char *device; /* NULL: the site as a whole */
        uint64_t floor;
        bool time_trusted;
        struct vote votes[5];
        enum reason reason; /* REASON_NONE: allowed */
} rows[] = {
        /* k of n, by different people */
        { 3, 2, "device-1", 1, true, { { 0 } }, REASON_NOT_APPROVED },
        { 3, 2, "device-1", 1, true, { { APPROVER_1 } }, REASON_NOT_APPROVED },
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_3 } }, REASON_NONE },
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2 }, { APPROVER_3 } }, REASON_NONE },
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_1 } }, REASON_NOT_APPROVED },
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_1, OUR_CLASS } }, REASON_NOT_APPROVED },
        { 3, 3, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2 } }, REASON_NOT_APPROVED },
        { 3, 3, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2 }, { APPROVER_3 } }, REASON_NONE },
        { 1, 1, "device-1", 1, false, { { APPROVER_1 } }, REASON_NONE },
        { 4, 3, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2 }, { APPROVER_4 } }, REASON_NONE },
        /* people who are no approvers here */
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_4 } }, REASON_NOT_APPROVED },
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { GATE } }, REASON_NOT_APPROVED },
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { STRANGER }, { ORGANISATION } }, REASON_NOT_APPROVED },
        /* approvals that are none, and do not harm */
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2, FORGED } }, REASON_NOT_APPROVED },
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2, OTHER_AAD } }, REASON_NOT_APPROVED },
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2, DETACHED } }, REASON_NOT_APPROVED },
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2, GARBAGE } }, REASON_NOT_APPROVED },
        { 3, 2, "device-1", 1, true, { { APPROVER_2, GARBAGE }, { APPROVER_1 }, { APPROVER_2 } }, REASON_NONE },
        { 3, 2, "device-1", 1, true, { { APPROVER_2, FORGED }, { APPROVER_1 }, { APPROVER_2 } }, REASON_NONE },
        /* another site, another manifest */
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2, OTHER_SITE } }, REASON_NOT_APPROVED },
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2, OTHER_MANIFEST } }, REASON_NOT_APPROVED },
        /* scope */
        { 3, 2, "device-1", 1, true, { { APPROVER_1, OUR_CLASS }, { APPROVER_2, OUR_DEVICE } }, REASON_NONE },
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2, OTHER_CLASS } }, REASON_OUT_OF_SCOPE },
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2, OTHER_DEVICE } }, REASON_OUT_OF_SCOPE },
        { 3, 2, "device-1", 1, true, { { APPROVER_1, OTHER_CLASS } }, REASON_NOT_APPROVED },
        { 3, 2, NULL, 1, true, { { APPROVER_1, OTHER_CLASS }, { APPROVER_2, OTHER_DEVICE } }, REASON_NONE },
        /* an approver who first approved too little counts once he approved enough */
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2, OTHER_DEVICE }, { APPROVER_2 } }, REASON_NONE },
        /* window */
        { 3, 2, "device-1", 1, true, { { APPROVER_1, WINDOW_NOW }, { APPROVER_2, WINDOW_NOW } }, REASON_NONE },
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2, WINDOW_PAST } }, REASON_OUTSIDE_WINDOW },
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2, WINDOW_FUTURE } }, REASON_OUTSIDE_WINDOW },
        { 3, 2, "device-1", 1, false, { { APPROVER_1 }, { APPROVER_2, WINDOW_NOW } }, REASON_NO_TRUSTED_TIME },
        { 3, 2, "device-1", 1, false, { { APPROVER_1 }, { APPROVER_2 } }, REASON_NONE },
        { 3, 2, NULL, 1, true, { { APPROVER_1 }, { APPROVER_2, WINDOW_PAST } }, REASON_OUTSIDE_WINDOW },
        /* revoked epochs */
        { 3, 2, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2, EPOCH_0 } }, REASON_REVOKED_EPOCH },
        { 3, 2, "device-1", 2, true, { { APPROVER_1 }, { APPROVER_2 } }, REASON_REVOKED_EPOCH },
        { 3, 2, "device-1", 0, true, { { APPROVER_1 }, { APPROVER_2, EPOCH_0 } }, REASON_NONE },
        /* one kept back, one missing altogether */
        { 3, 3, "device-1", 1, true, { { APPROVER_1 }, { APPROVER_2, WINDOW_PAST } }, REASON_NOT_APPROVED },
        { 3,
          3,
          "device-1",
          1,
          true,
          { { APPROVER_1, EPOCH_0 }, { APPROVER_2, WINDOW_PAST }, { APPROVER_3 } },
          REASON_OUTSIDE_WINDOW },
};

static void test_decision_table(void **state)
{
        static uint8_t bytes[5][APPROVAL_MAX];

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct site_policy policy = sample_policy(rows[i].n, rows[i].k);
                struct approval_facts facts = { .device = rows[i].device,
                                                .epoch_floor = rows[i].floor,
                                                .time_trusted = rows[i].time_trusted,
                                                .now = NOW };
                struct span approvals[5], backwards[5];
                size_t count = 0;

                memcpy(facts.class_id, our_class, sizeof(our_class));
                for (; count < 5 && rows[i].votes[count].signer; count++) {
                        struct approval approval = shaped(rows[i].votes[count].shape);
                        approvals[count] = write_bent(bytes[count], APPROVAL_MAX, &approval, rows[i].votes[count]);
                }
                for (size_t j = 0; j < count; j++)
                        backwards[j] = approvals[count - 1 - j];
                struct decision decision = approval_decide(approvals, count, manifest, &policy, &facts);
                struct decision again = approval_decide(backwards, count, manifest, &policy, &facts);
                if (decision.reason != rows[i].reason || again.reason != rows[i].reason)
                        fail_msg("row %zu: %s, backwards %s, expected %s", i, reason_name(decision.reason),
                                 reason_name(again.reason), reason_name(rows[i].reason));
                assert_int_equal(decision.verdict, rows[i].reason == REASON_NONE ? VERDICT_ALLOW : VERDICT_DENY);
        }
}

static void test_nobody_needed_is_no_policy(void **state)
{
        struct site_policy policy = { .site = "site-1" };
        struct approval_facts facts = { 0 };

        (void)state;
        assert_int_equal(approval_decide(NULL, 0, manifest, &policy, &facts).verdict, VERDICT_DENY);
}

static void test_check_names_the_approver(void **state)
{
        struct site_policy policy = sample_policy(3, 2);
        struct approval approval = shaped(WINDOW_NOW), back;
        uint8_t bytes[APPROVAL_MAX];
        size_t approver = 99;

        (void)state;
        struct span sign1 = write_approval(bytes, sizeof(bytes), &approval, APPROVER_3);
        assert_int_equal(approval_check(sign1, &policy, &back, &approver), REASON_NONE);
        assert_int_equal(approver, 2);
        assert_true(back.has_not_before && back.not_before == NOW);
        sign1 = write_approval(bytes, sizeof(bytes), &approval, APPROVER_4);
        assert_int_equal(approval_check(sign1, &policy, &back, &approver), REASON_NOT_AN_APPROVER);
        approval = shaped(OTHER_SITE);
        sign1 = write_approval(bytes, sizeof(bytes), &approval, APPROVER_1);
        assert_int_equal(approval_check(sign1, &policy, &back, &approver), REASON_WRONG_SITE);
        sign1 = write_bent(bytes, sizeof(bytes), &(struct approval[]){ shaped(PLAIN) }[0],
                           (struct vote){ APPROVER_1, FORGED });
        assert_int_equal(approval_check(sign1, &policy, &back, &approver), REASON_BAD_SIGNATURE);
        assert_int_equal(approver, 2);
}

static void test_writer_refuses_what_the_reader_would(void **state)
{
        struct approval approval = shaped(PLAIN);
        uint8_t bytes[APPROVAL_MAX];
        struct writer w;

        (void)state;
        writer_init(&w, bytes, sizeof(bytes));
        approval.scope = SCOPE_DEVICES;
        assert_int_equal(approval_encode(&w, &approval), RELAY_E_RANGE);
        approval.device_count = APPROVAL_DEVICES_MAX + 1;
        assert_int_equal(approval_encode(&w, &approval), RELAY_E_RANGE);
        approval = shaped(WINDOW_NOW);
        approval.not_after--;
        assert_int_equal(approval_encode(&w, &approval), RELAY_E_RANGE);
        approval = shaped(PLAIN);
        approval.site[0] = 0;
        assert_int_equal(approval_encode(&w, &approval), RELAY_E_RANGE);
        writer_init(&w, bytes, 10);
        approval = shaped(PLAIN);
        assert_int_equal(approval_encode(&w, &approval), RELAY_E_SPACE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_decision_table),
                cmocka_unit_test(test_nobody_needed_is_no_policy),
                cmocka_unit_test(test_check_names_the_approver),
                cmocka_unit_test(test_writer_refuses_what_the_reader_would),
        };
        return cmocka_run_group_tests_name("approval", tests, NULL, NULL);
}
