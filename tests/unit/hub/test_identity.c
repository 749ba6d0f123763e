/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who the devices are: appraisal of what they prove, quarantine, clones. */

#include "identity_bench.h"

/* ---- appraisal */
static void proven_and_known(void **state)
{
        struct identity_bench *b = *state;
        struct attestation_verdict verdict = bench_show(b, NORMAL(1));
        struct device_view view;

        assert_int_equal(verdict.reason, REASON_NONE);
        assert_int_equal(verdict.trust, TRUST_ATTESTED);
        assert_false(verdict.quarantined);
        assert_true(verdict.staged);
        assert_true(manager_find_device(b->m, "device-1", &view));
        assert_string_equal(view.trust, "attested");
        assert_string_equal(view.attestation, "attested");
        assert_string_equal(view.quarantine, "");
        assert_int_equal(strlen(view.proved_image), 64);
        assert_int_equal(view.proved_sequence, 5);
        /* the same boot again: nothing to write, but nothing is on the disk either until that is done */
        assert_true(bench_show(b, NORMAL(1)).staged);
        bench_commit(b);
        assert_false(bench_show(b, NORMAL(1)).staged);
        assert_true(bench_show(b, NORMAL(2)).staged);
        assert_int_equal(bench_alerts(b, REASON_UNKNOWN_IMAGE), 0);
}

static void nobody_is_nobody(void **state)
{
        struct identity_bench *b = *state;
        struct refusal refusal;

        assert_int_equal(bench_show(b, (struct showing){ .device = "device-9", .plain = true }).reason,
                         REASON_UNKNOWN_DEVICE);
        assert_int_equal(manager_revoke_device(b->m, "uid:0", "device-1", "", &refusal), 0);
        assert_int_equal(bench_show(b, NORMAL(1)).reason, REASON_UNKNOWN_DEVICE);
}

/* Once proven, always to be proven: also after a restart of the relay. */
static void sticky(void **state)
{
        struct identity_bench *b = *state;
        const struct showing plain = { .device = "device-2", .plain = true };
        struct showing proof = { .device = "device-2", .boot = 1, .mode = DICE_MODE_NORMAL };

        assert_int_equal(bench_show(b, (struct showing){ .plain = true }).reason,
                         REASON_NOT_ATTESTED); /* the list's word */
        assert_int_equal(bench_alerts(b, REASON_NOT_ATTESTED), 1);
        assert_int_equal(bench_show(b, plain).reason, REASON_NONE);
        assert_int_equal(bench_show(b, plain).trust, TRUST_FRONT_END);
        assert_int_equal(bench_show(b, proof).trust, TRUST_CLAIMED);
        assert_int_equal(bench_show(b, plain).reason, REASON_NOT_ATTESTED);
        bench_restart(b);
        assert_int_equal(bench_show(b, plain).reason, REASON_NOT_ATTESTED);
        assert_string_equal(attestation_trust_name(bench_device(b, "device-2")->trust), "claimed");
}

static void unknown_image(void **state)
{
        struct identity_bench *b = *state;
        struct showing s = { .boot = 1, .image = image_b, .mode = DICE_MODE_NORMAL };
        struct known_image known = { .source = IMAGE_ADDED };
        struct attestation_verdict verdict = bench_show(b, s);
        struct refusal refusal;

        assert_int_equal(verdict.reason, REASON_NONE);
        assert_int_equal(verdict.trust, TRUST_UNKNOWN_IMAGE);
        assert_true(verdict.quarantined);
        assert_int_equal(bench_alerts(b, REASON_UNKNOWN_IMAGE), 1);
        /* nobody's word takes it out */
        assert_int_equal(manager_release_device(b->m, "uid:0", "device-1", &refusal), MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_UNKNOWN_IMAGE);
        bench_restart(b);
        assert_int_equal(bench_device(b, "device-1")->quarantine, REASON_UNKNOWN_IMAGE);
        memcpy(known.image, image_b, SHA256_SIZE);
        assert_int_equal(manager_identity_add_image(b->m, "uid:0", &known), 0);
        assert_int_equal(manager_identity_add_image(b->m, "uid:0", &known), KNOWN_IMAGES_THERE);
        bench_restart(b);
        verdict = bench_show(b, s);
        assert_int_equal(verdict.trust, TRUST_ATTESTED);
        assert_false(verdict.quarantined);
        assert_int_equal(manager_forget_image(b->m, "uid:0", image_b, &refusal), 0);
        assert_int_equal(manager_forget_image(b->m, "uid:0", image_b, &refusal), MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_UNKNOWN_IMAGE);
        assert_true(bench_show(b, s).quarantined);
}

/* What people say of an image while a session that proved it waits for the disk holds for that session, too. */
static void known_and_forgotten_meanwhile(void **state)
{
        struct identity_bench *b = *state;
        const struct link link = { .is_device = true };
        struct refusal refusal;
        struct device *d = bench_device(b, "device-1");

        assert_false(bench_show(b, NORMAL(1)).quarantined);
        d->sessions = 1;
        manager_identity_online(b->m, d, &link, true);
        assert_int_equal(d->boots.end, 0);
        assert_int_equal(manager_forget_image(b->m, "uid:0", image_a, &refusal), 0);
        assert_int_equal(d->boots.end, MQTT_ADMINISTRATIVE_ACTION);
        manager_identity_turn(b->m);
        d->sessions = 0;
        bench_import(b, "device-3", FACTORY_ATTESTED, true);
        assert_false(bench_show(b, NORMAL(2)).quarantined);
        assert_int_equal(manager_forget_image(b->m, "uid:0", image_a, &refusal), 0);
        d->sessions = 1;
        manager_identity_online(b->m, d, &link, true);
        assert_int_equal(d->boots.end, MQTT_ADMINISTRATIVE_ACTION);
}

static void modes(void **state)
{
        struct identity_bench *b = *state;
        static const struct {
                enum dice_mode mode;
                enum attestation_trust trust;
                enum reason quarantine;
        } rows[] = { { DICE_MODE_RECOVERY, TRUST_RECOVERY, REASON_RECOVERY },
                     { DICE_MODE_DEBUG, TRUST_UNKNOWN_IMAGE, REASON_UNKNOWN_IMAGE },
                     { DICE_MODE_NOT_CONFIGURED, TRUST_UNKNOWN_IMAGE, REASON_UNKNOWN_IMAGE },
                     { DICE_MODE_NORMAL, TRUST_ATTESTED, REASON_NONE } };

        for (uint32_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                struct attestation_verdict verdict = bench_show(
                        b, (struct showing){ .boot = i + 1, .mode = rows[i].mode });

                assert_int_equal(verdict.reason, REASON_NONE);
                assert_int_equal(verdict.trust, rows[i].trust);
                assert_int_equal(verdict.quarantined, rows[i].quarantine != REASON_NONE);
                assert_int_equal(bench_device(b, "device-1")->quarantine, rows[i].quarantine);
                if (rows[i].quarantine != REASON_NONE)
                        assert_true(bench_alerts(b, rows[i].quarantine) > 0);
                bench_restart(b);
        }
}

/* ---- clones */
static void no_clone(void **state)
{
        struct identity_bench *b = *state;

        b->conf.clones = CLONE_RULE_REFUSE;
        for (uint32_t boot = 1; boot < 40; boot += boot % 3 ? 1 : 5) {
                assert_int_equal(bench_show(b, NORMAL(boot)).reason, REASON_NONE); /* a start */
                assert_int_equal(bench_show(b, NORMAL(boot)).reason, REASON_NONE); /* a probe, or the way back */
                if (boot % 2)
                        bench_restart(b);
        }
        assert_int_equal(bench_alerts(b, REASON_CLONED_DEVICE), 0);
}

static void clones_by_rule(void **state)
{
        static const struct {
                enum clone_rule rule;
                enum reason reason;
                bool quarantined;
        } rows[] = { { CLONE_RULE_ALERT, REASON_NONE, false },
                     { CLONE_RULE_QUARANTINE, REASON_NONE, true },
                     { CLONE_RULE_REFUSE, REASON_CLONED_DEVICE, false } };
        struct identity_bench *b = *state;
        struct refusal refusal;

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                struct attestation_verdict verdict;

                b->conf.clones = rows[i].rule;
                assert_int_equal(bench_show(b, NORMAL(7)).reason, REASON_NONE);
                bench_restart(b); /* what was seen is not forgotten */
                verdict = bench_show(b, NORMAL(6));
                assert_int_equal(verdict.reason, rows[i].reason);
                assert_int_equal(verdict.quarantined, rows[i].quarantined);
                assert_int_equal(bench_alerts(b, REASON_CLONED_DEVICE), i + 1);
                /* whichever comes: nobody knows which is the right one */
                bench_restart(b);
                verdict = bench_show(b, NORMAL(7));
                assert_int_equal(verdict.reason, REASON_NONE);
                assert_int_equal(verdict.quarantined, rows[i].quarantined);
                /* a person found out: the next one counts, and its boots */
                assert_int_equal(manager_release_device(b->m, "uid:0", "device-1", &refusal), 0);
                bench_restart(b);
                verdict = bench_show(b, NORMAL(3));
                assert_int_equal(verdict.reason, REASON_NONE);
                assert_false(verdict.quarantined);
                assert_int_equal(bench_device(b, "device-1")->boot_highest, 3);
                bench_later(b, 120);
        }
        assert_int_equal(manager_release_device(b->m, "uid:0", "device-9", &refusal), MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_UNKNOWN_DEVICE);
}

static void told(struct identity_bench *b, const char *identity, unsigned boot, unsigned session, bool online)
{
        char json[120];
        int size = snprintf(json, sizeof(json),
                            "{\"online\":%s,\"version\":\"1\",\"image\":\"00\",\"boot\":%u,\"session\":%u}",
                            online ? "true" : "false", boot, session);

        manager_identity_published(b->m, identity, SPAN_LITERAL("state/relay"), span_of(json, (size_t)size));
}

/* One that proves nothing: its own word about its boots is all there is. */
static void plain_clones(void **state)
{
        struct identity_bench *b = *state;
        const struct showing plain = { .device = "device-2", .plain = true };
        struct device *d = bench_device(b, "device-2");

        b->conf.clones = CLONE_RULE_QUARANTINE;
        assert_int_equal(bench_show(b, plain).reason, REASON_NONE);
        told(b, "device-2", 5, 1, true);
        told(b, "device-2", 5, 1, true); /* its counter of sessions is not trusted */
        told(b, "device-2", 6, 1, true);
        told(b, "device-2", 5, 9, false); /* a farewell */
        manager_identity_published(b->m, "device-2", SPAN_LITERAL("events/soil"), SPAN_LITERAL("{\"boot\":1}"));
        manager_identity_published(b->m, "device-2", SPAN_LITERAL("state/relay"), SPAN_LITERAL("{\"online\":true}"));
        manager_identity_published(b->m, "device-2", SPAN_LITERAL("state/relay"), SPAN_LITERAL("no JSON"));
        manager_identity_published(b->m, "device-2", SPAN_LITERAL("state/relay"),
                                   SPAN_LITERAL("{\"online\":true,\"boot\":99999999999}"));
        assert_int_equal(bench_alerts(b, REASON_CLONED_DEVICE), 0);
        assert_int_equal(d->boot_highest, 6);
        told(b, "device-2", 5, 1, true);
        assert_int_equal(bench_alerts(b, REASON_CLONED_DEVICE), 1);
        assert_int_equal(d->quarantine, REASON_CLONED_DEVICE);
        bench_restart(b);
        assert_true(bench_show(b, plain).quarantined);
}

/* Two that were copied while they were off start with the same counter; what they say of their sessions differs. */
static void two_of_the_same_boot(void **state)
{
        struct identity_bench *b = *state;

        bench_show(b, NORMAL(4));
        told(b, "device-1", 4, 1, true);
        bench_show(b, NORMAL(4));
        told(b, "device-1", 4, 3, true);
        told(b, "device-1", 9, 1, true); /* another boot than it proved: its application's word, which does not count */
        assert_int_equal(bench_alerts(b, REASON_CLONED_DEVICE), 0);
        bench_show(b, NORMAL(4));
        told(b, "device-1", 4, 2, true);
        assert_int_equal(bench_alerts(b, REASON_CLONED_DEVICE), 1);
        assert_int_equal(bench_device(b, "device-1")->boot_highest, 4);
}

static void direct(struct identity_bench *b, const char *json)
{
        manager_identity_direct(b->m, SPAN_LITERAL("device-1"), span_of_string(json));
}

/* The cloud's word raises no counter and refuses nobody. */
static void what_the_cloud_tells(void **state)
{
        struct identity_bench *b = *state;
        struct device *d = bench_device(b, "device-1");

        b->conf.clones = CLONE_RULE_REFUSE;
        bench_show(b, NORMAL(4));
        direct(b, "{\"online\":true,\"boot\":4294967295,\"session\":1}");
        direct(b, "{\"online\":true,\"boot\":4294967296,\"session\":1}");
        direct(b, "{\"online\":false,\"boot\":1,\"session\":1}");
        direct(b, "{\"online\":true,\"boot\":0}");
        direct(b, "rubbish");
        manager_identity_direct(b->m, SPAN_LITERAL("device-99"), SPAN_LITERAL("{\"online\":true,\"boot\":4}"));
        assert_int_equal(d->boot_highest, 4);
        assert_int_equal(bench_alerts(b, REASON_CLONED_DEVICE), 0);
        assert_int_equal(bench_show(b, NORMAL(5)).reason, REASON_NONE);
        assert_int_equal(bench_alerts(b, REASON_CLONED_DEVICE), 1); /* who is on the direct way, in a later boot? */
        assert_int_equal(d->quarantine, REASON_NONE);
}

static void silence_and_signs_of_life(void **state)
{
        struct identity_bench *b = *state;
        struct device *d = bench_device(b, "device-1");
        struct link link = { .keep_alive_s = 20 };
        struct refusal refusal;

        bench_show(b, NORMAL(4));
        d->sessions = 1;
        direct(b, "{\"online\":true,\"boot\":5,\"session\":1}");
        assert_int_equal(b->m->identity.waits, 1);
        assert_int_equal(manager_release_device(b->m, "uid:0", "device-1", &refusal), 0);
        assert_int_equal(b->m->identity.waits, 0); /* whatever was suspected is settled */
        manager_identity_turn(b->m);
        bench_show(b, NORMAL(4));
        d->sessions = 1;
        manager_identity_online(b->m, d, &link, true);
        direct(b, "{\"online\":true,\"boot\":5,\"session\":1}");
        assert_int_equal(b->m->identity.waits, 1);
        bench_later(b, 9);
        told(b, "device-1", 4, 1, true); /* was still under way */
        bench_later(b, 30);
        manager_identity_tick(b->m);
        assert_int_equal(bench_alerts(b, REASON_CLONED_DEVICE), 0);
        d->sessions = 0; /* the session was a dead one */
        manager_identity_online(b->m, d, &link, false);
        assert_int_equal(b->m->identity.waits, 0);
        bench_later(b, 100);
        manager_identity_tick(b->m);
        assert_int_equal(bench_show(b, NORMAL(5)).reason, REASON_NONE);
        assert_int_equal(bench_alerts(b, REASON_CLONED_DEVICE), 0);
        /* and one that is alive */
        d->sessions = 1;
        manager_identity_online(b->m, d, &link, true);
        direct(b, "{\"online\":true,\"boot\":6,\"session\":1}");
        bench_later(b, 41);
        manager_identity_tick(b->m);
        assert_int_equal(bench_alerts(b, REASON_CLONED_DEVICE), 1);
        assert_int_equal(b->m->identity.waits, 0);
        bench_later(b, 60);
        direct(b, "{\"online\":true,\"boot\":6,\"session\":2}");
        bench_later(b, 11);
        manager_identity_published(b->m, "device-1", SPAN_LITERAL("events/soil"), SPAN_EMPTY);
        assert_int_equal(bench_alerts(b, REASON_CLONED_DEVICE), 2);
}

static void alerts_are_bounded(void **state)
{
        struct identity_bench *b = *state;

        bench_show(b, NORMAL(1000));
        for (uint32_t i = 0; i < 500; i++)
                bench_show(b, NORMAL(i + 1));
        assert_int_equal(bench_alerts(b, REASON_CLONED_DEVICE), 1);
        bench_device(b, "device-1")->boots.alert_next_ms = 0; /* a minute later */
        bench_show(b, NORMAL(7));
        assert_int_equal(bench_alerts(b, REASON_CLONED_DEVICE), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(proven_and_known),
                TEST(nobody_is_nobody),
                TEST(sticky),
                TEST(unknown_image),
                TEST(known_and_forgotten_meanwhile),
                TEST(modes),
                TEST(no_clone),
                TEST(clones_by_rule),
                TEST(plain_clones),
                TEST(two_of_the_same_boot),
                TEST(what_the_cloud_tells),
                TEST(silence_and_signs_of_life),
                TEST(alerts_are_bounded),
        };

        return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
