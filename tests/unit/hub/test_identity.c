/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who the devices are: appraisal of what they prove, quarantine, clones, rotation, known images. A whole hub on a store
 * in memory; proofs are made by hand, as hub/attestation.h hands them on once they were verified.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hub/manager_internal.h"

#define LOOK_MAX 20

struct bench {
        struct conf conf;
        sd_event *event;
        struct store *store;
        struct manager *m;
};

static const uint8_t image_a[SHA256_SIZE] = { 0xA }, image_b[SHA256_SIZE] = { 0xB };
static const uint8_t old_seed[ED25519_SEED_SIZE] = { 1 }, new_seed[ED25519_SEED_SIZE] = { 2 },
                     newer_seed[ED25519_SEED_SIZE] = { 3 };

static void open_manager(struct bench *b)
{
        struct manager_options options = { .conf = &b->conf, .event = b->event, .store = b->store };
        char error[256] = "";

        if (manager_new(&b->m, &options, error, sizeof(error)) < 0)
                fail_msg("%s", error);
        assert_int_equal(manager_start(b->m), 0);
}

static void commit(struct bench *b)
{
        assert_int_equal(broker_commit(b->m->broker), 0);
        assert_int_equal(store_sync(b->store), 0);
        assert_int_equal(broker_durable(b->m->broker), 0);
}

static void restart(struct bench *b)
{
        commit(b);
        manager_free(b->m);
        open_manager(b);
}

/* Time goes on, so that the next alert is not the same one again. */
static void later(struct bench *b, uint32_t seconds)
{
        broker_time(b->m->broker, b->m->broker->now_ms + seconds * UINT64_C(1000), b->m->broker->time + seconds);
}

static struct public_key key_of(const uint8_t seed[ED25519_SEED_SIZE])
{
        struct public_key key;

        assert_int_equal(crypto_ed25519_public(seed, &key), RELAY_OK);
        return key;
}

/* with image A shipped */
static void import(struct bench *b, const char *identity, enum factory_attestation level, bool with_image)
{
        const uint8_t vendor[VENDOR_ID_SIZE] = { 7 };
        struct factory_device device = { .key = key_of(old_seed), .attestation = level };
        uint8_t bytes[400];
        uint32_t added, known;
        struct refusal refusal;
        struct writer w;

        snprintf(device.identity, sizeof(device.identity), "%s", identity);
        writer_init(&w, bytes, sizeof(bytes));
        factory_put_list(&w, vendor, 1, with_image ? 1 : 0);
        factory_put_device(&w, &device);
        if (with_image) {
                factory_put_images(&w, 1);
                factory_put_image(&w, image_a);
        }
        assert_int_equal(writer_finish(&w), RELAY_OK);
        assert_int_equal(manager_import_devices(b->m, "uid:0", writer_span(&w), &added, &known, &refusal), 0);
}

static int setup(void **state)
{
        struct store_options options = { .size_max = 16 * 1024 * 1024 };
        struct bench *b = calloc(1, sizeof(*b));
        char detail[100];

        assert_non_null(b);
        b->conf = (struct conf){ .site = (char *)"s1",
                                 .identity = (char *)"relay.s1",
                                 .roles = (char *)"/nonexistent",
                                 .certificate = (char *)"/nonexistent",
                                 .country_database = (char *)"/nonexistent/country.db",
                                 .sessions_max = 10,
                                 .store_size_max = 1 << 24 };
        assert_int_equal(sd_event_new(&b->event), 0);
        assert_int_equal(store_open(&options, &b->store, detail, sizeof(detail)), 0);
        open_manager(b);
        import(b, "device-1", FACTORY_ATTESTED, true);
        import(b, "device-2", FACTORY_NO_ATTESTATION, false);
        *state = b;
        return 0;
}

static int teardown(void **state)
{
        struct bench *b = *state;

        manager_free(b->m);
        store_free(b->store);
        sd_event_unref(b->event);
        free(b);
        return 0;
}

struct showing {
        const char *device;
        uint32_t boot;
        const uint8_t *image;
        enum dice_mode mode;
        struct span rotation;
        bool plain;
};

static struct attestation_verdict show(struct bench *b, struct showing s)
{
        struct attest_statement statement = { .boot = s.boot, .rotation = s.rotation };
        struct dice_evidence evidence = { .measurement = { .mode = s.mode, .sequence = 5 } };
        struct attestation_proof proof = { .device = s.device ? s.device : "device-1" };
        struct attestation_verdict verdict = { .reason = REASON_NOT_ATTESTED };

        memcpy(evidence.measurement.image, s.image ? s.image : image_a, SHA256_SIZE);
        if (!s.plain) {
                proof.statement = &statement;
                proof.evidence = &evidence;
        }
        manager_appraise(b->m, &proof, &verdict);
        return verdict;
}
#define NORMAL(number) ((struct showing){ .boot = (number), .mode = DICE_MODE_NORMAL })

static struct device *device(struct bench *b, const char *identity)
{
        return registry_find(&b->m->registry, span_of_string(identity));
}

struct look {
        const char *reason;
        size_t count;
};

static int count_one(void *context, const struct alert_view *alert)
{
        struct look *look = context;

        look->count += strcmp(alert->reason, look->reason) == 0;
        return 0;
}

static size_t alerts_of(struct bench *b, enum reason reason)
{
        struct look look = { reason_name(reason), 0 };

        alerts_walk(&b->m->alerts, 0, count_one, &look);
        return look.count;
}

/* ---- appraisal */
static void proven_and_known(void **state)
{
        struct bench *b = *state;
        struct attestation_verdict verdict = show(b, NORMAL(1));
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
        assert_true(show(b, NORMAL(1)).staged);
        commit(b);
        assert_false(show(b, NORMAL(1)).staged);
        assert_true(show(b, NORMAL(2)).staged);
        assert_int_equal(alerts_of(b, REASON_UNKNOWN_IMAGE), 0);
}

static void nobody_is_nobody(void **state)
{
        struct bench *b = *state;
        struct refusal refusal;

        assert_int_equal(show(b, (struct showing){ .device = "device-9", .plain = true }).reason,
                         REASON_UNKNOWN_DEVICE);
        assert_int_equal(manager_revoke_device(b->m, "uid:0", "device-1", "", &refusal), 0);
        assert_int_equal(show(b, NORMAL(1)).reason, REASON_UNKNOWN_DEVICE);
}

/* Once proven, always to be proven: also after a restart of the relay. */
static void sticky(void **state)
{
        struct bench *b = *state;
        const struct showing plain = { .device = "device-2", .plain = true };
        struct showing proof = { .device = "device-2", .boot = 1, .mode = DICE_MODE_NORMAL };

        assert_int_equal(show(b, (struct showing){ .plain = true }).reason, REASON_NOT_ATTESTED); /* the list's word */
        assert_int_equal(alerts_of(b, REASON_NOT_ATTESTED), 1);
        assert_int_equal(show(b, plain).reason, REASON_NONE);
        assert_int_equal(show(b, plain).trust, TRUST_FRONT_END);
        assert_int_equal(show(b, proof).trust, TRUST_CLAIMED);
        assert_int_equal(show(b, plain).reason, REASON_NOT_ATTESTED);
        restart(b);
        assert_int_equal(show(b, plain).reason, REASON_NOT_ATTESTED);
        assert_string_equal(attestation_trust_name(device(b, "device-2")->trust), "claimed");
}

static void unknown_image(void **state)
{
        struct bench *b = *state;
        struct showing s = { .boot = 1, .image = image_b, .mode = DICE_MODE_NORMAL };
        struct known_image known = { .source = IMAGE_ADDED };
        struct attestation_verdict verdict = show(b, s);
        struct refusal refusal;

        assert_int_equal(verdict.reason, REASON_NONE);
        assert_int_equal(verdict.trust, TRUST_UNKNOWN_IMAGE);
        assert_true(verdict.quarantined);
        assert_int_equal(alerts_of(b, REASON_UNKNOWN_IMAGE), 1);
        /* nobody's word takes it out */
        assert_int_equal(manager_release_device(b->m, "uid:0", "device-1", &refusal), MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_UNKNOWN_IMAGE);
        restart(b);
        assert_int_equal(device(b, "device-1")->quarantine, REASON_UNKNOWN_IMAGE);
        memcpy(known.image, image_b, SHA256_SIZE);
        assert_int_equal(manager_identity_add_image(b->m, "uid:0", &known), 0);
        assert_int_equal(manager_identity_add_image(b->m, "uid:0", &known), KNOWN_IMAGES_THERE);
        restart(b);
        verdict = show(b, s);
        assert_int_equal(verdict.trust, TRUST_ATTESTED);
        assert_false(verdict.quarantined);
        assert_int_equal(manager_forget_image(b->m, "uid:0", image_b, &refusal), 0);
        assert_int_equal(manager_forget_image(b->m, "uid:0", image_b, &refusal), MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_UNKNOWN_IMAGE);
        assert_true(show(b, s).quarantined);
}

/* What people say of an image while a session that proved it waits for the disk holds for that session, too. */
static void known_and_forgotten_meanwhile(void **state)
{
        struct bench *b = *state;
        const struct link link = { .is_device = true };
        struct refusal refusal;
        struct device *d = device(b, "device-1");

        assert_false(show(b, NORMAL(1)).quarantined);
        d->sessions = 1;
        manager_identity_online(b->m, d, &link, true);
        assert_int_equal(d->boots.end, 0);
        assert_int_equal(manager_forget_image(b->m, "uid:0", image_a, &refusal), 0);
        assert_int_equal(d->boots.end, MQTT_ADMINISTRATIVE_ACTION);
        manager_identity_turn(b->m);
        d->sessions = 0;
        import(b, "device-3", FACTORY_ATTESTED, true);
        assert_false(show(b, NORMAL(2)).quarantined);
        assert_int_equal(manager_forget_image(b->m, "uid:0", image_a, &refusal), 0);
        d->sessions = 1;
        manager_identity_online(b->m, d, &link, true);
        assert_int_equal(d->boots.end, MQTT_ADMINISTRATIVE_ACTION);
}

static void modes(void **state)
{
        struct bench *b = *state;
        static const struct {
                enum dice_mode mode;
                enum attestation_trust trust;
                enum reason quarantine;
        } rows[] = { { DICE_MODE_RECOVERY, TRUST_RECOVERY, REASON_RECOVERY },
                     { DICE_MODE_DEBUG, TRUST_UNKNOWN_IMAGE, REASON_UNKNOWN_IMAGE },
                     { DICE_MODE_NOT_CONFIGURED, TRUST_UNKNOWN_IMAGE, REASON_UNKNOWN_IMAGE },
                     { DICE_MODE_NORMAL, TRUST_ATTESTED, REASON_NONE } };

        for (uint32_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                struct attestation_verdict verdict = show(b, (struct showing){ .boot = i + 1, .mode = rows[i].mode });

                assert_int_equal(verdict.reason, REASON_NONE);
                assert_int_equal(verdict.trust, rows[i].trust);
                assert_int_equal(verdict.quarantined, rows[i].quarantine != REASON_NONE);
                assert_int_equal(device(b, "device-1")->quarantine, rows[i].quarantine);
                if (rows[i].quarantine != REASON_NONE)
                        assert_true(alerts_of(b, rows[i].quarantine) > 0);
                restart(b);
        }
}

/* ---- clones */
static void no_clone(void **state)
{
        struct bench *b = *state;

        b->conf.clones = CLONE_RULE_REFUSE;
        for (uint32_t boot = 1; boot < 40; boot += boot % 3 ? 1 : 5) {
                assert_int_equal(show(b, NORMAL(boot)).reason, REASON_NONE); /* a start */
                assert_int_equal(show(b, NORMAL(boot)).reason, REASON_NONE); /* a probe, or the way back */
                if (boot % 2)
                        restart(b);
        }
        assert_int_equal(alerts_of(b, REASON_CLONED_DEVICE), 0);
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
        struct bench *b = *state;
        struct refusal refusal;

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                struct attestation_verdict verdict;

                b->conf.clones = rows[i].rule;
                assert_int_equal(show(b, NORMAL(7)).reason, REASON_NONE);
                restart(b); /* what was seen is not forgotten */
                verdict = show(b, NORMAL(6));
                assert_int_equal(verdict.reason, rows[i].reason);
                assert_int_equal(verdict.quarantined, rows[i].quarantined);
                assert_int_equal(alerts_of(b, REASON_CLONED_DEVICE), i + 1);
                /* whichever comes: nobody knows which is the right one */
                restart(b);
                verdict = show(b, NORMAL(7));
                assert_int_equal(verdict.reason, REASON_NONE);
                assert_int_equal(verdict.quarantined, rows[i].quarantined);
                /* a person found out: the next one counts, and its boots */
                assert_int_equal(manager_release_device(b->m, "uid:0", "device-1", &refusal), 0);
                restart(b);
                verdict = show(b, NORMAL(3));
                assert_int_equal(verdict.reason, REASON_NONE);
                assert_false(verdict.quarantined);
                assert_int_equal(device(b, "device-1")->boot_highest, 3);
                later(b, 120);
        }
        assert_int_equal(manager_release_device(b->m, "uid:0", "device-9", &refusal), MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_UNKNOWN_DEVICE);
}

static void told(struct bench *b, const char *identity, unsigned boot, unsigned session, bool online)
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
        struct bench *b = *state;
        const struct showing plain = { .device = "device-2", .plain = true };
        struct device *d = device(b, "device-2");

        b->conf.clones = CLONE_RULE_QUARANTINE;
        assert_int_equal(show(b, plain).reason, REASON_NONE);
        told(b, "device-2", 5, 1, true);
        told(b, "device-2", 5, 1, true); /* its counter of sessions is not trusted */
        told(b, "device-2", 6, 1, true);
        told(b, "device-2", 5, 9, false); /* a farewell */
        manager_identity_published(b->m, "device-2", SPAN_LITERAL("events/soil"), SPAN_LITERAL("{\"boot\":1}"));
        manager_identity_published(b->m, "device-2", SPAN_LITERAL("state/relay"), SPAN_LITERAL("{\"online\":true}"));
        manager_identity_published(b->m, "device-2", SPAN_LITERAL("state/relay"), SPAN_LITERAL("no JSON"));
        manager_identity_published(b->m, "device-2", SPAN_LITERAL("state/relay"),
                                   SPAN_LITERAL("{\"online\":true,\"boot\":99999999999}"));
        assert_int_equal(alerts_of(b, REASON_CLONED_DEVICE), 0);
        assert_int_equal(d->boot_highest, 6);
        told(b, "device-2", 5, 1, true);
        assert_int_equal(alerts_of(b, REASON_CLONED_DEVICE), 1);
        assert_int_equal(d->quarantine, REASON_CLONED_DEVICE);
        restart(b);
        assert_true(show(b, plain).quarantined);
}

/* Two that were copied while they were off start with the same counter; what they say of their sessions differs. */
static void two_of_the_same_boot(void **state)
{
        struct bench *b = *state;

        show(b, NORMAL(4));
        told(b, "device-1", 4, 1, true);
        show(b, NORMAL(4));
        told(b, "device-1", 4, 3, true);
        told(b, "device-1", 9, 1, true); /* another boot than it proved: its application's word, which does not count */
        assert_int_equal(alerts_of(b, REASON_CLONED_DEVICE), 0);
        show(b, NORMAL(4));
        told(b, "device-1", 4, 2, true);
        assert_int_equal(alerts_of(b, REASON_CLONED_DEVICE), 1);
        assert_int_equal(device(b, "device-1")->boot_highest, 4);
}

static void direct(struct bench *b, const char *json)
{
        manager_identity_direct(b->m, SPAN_LITERAL("device-1"), span_of_string(json));
}

/* The cloud's word raises no counter and refuses nobody. */
static void what_the_cloud_tells(void **state)
{
        struct bench *b = *state;
        struct device *d = device(b, "device-1");

        b->conf.clones = CLONE_RULE_REFUSE;
        show(b, NORMAL(4));
        direct(b, "{\"online\":true,\"boot\":4294967295,\"session\":1}");
        direct(b, "{\"online\":true,\"boot\":4294967296,\"session\":1}");
        direct(b, "{\"online\":false,\"boot\":1,\"session\":1}");
        direct(b, "{\"online\":true,\"boot\":0}");
        direct(b, "rubbish");
        manager_identity_direct(b->m, SPAN_LITERAL("device-99"), SPAN_LITERAL("{\"online\":true,\"boot\":4}"));
        assert_int_equal(d->boot_highest, 4);
        assert_int_equal(alerts_of(b, REASON_CLONED_DEVICE), 0);
        assert_int_equal(show(b, NORMAL(5)).reason, REASON_NONE);
        assert_int_equal(alerts_of(b, REASON_CLONED_DEVICE), 1); /* who is on the direct way, in a later boot? */
        assert_int_equal(d->quarantine, REASON_NONE);
}

static void silence_and_signs_of_life(void **state)
{
        struct bench *b = *state;
        struct device *d = device(b, "device-1");
        struct link link = { .keep_alive_s = 20 };
        struct refusal refusal;

        show(b, NORMAL(4));
        d->sessions = 1;
        direct(b, "{\"online\":true,\"boot\":5,\"session\":1}");
        assert_int_equal(b->m->identity.waits, 1);
        assert_int_equal(manager_release_device(b->m, "uid:0", "device-1", &refusal), 0);
        assert_int_equal(b->m->identity.waits, 0); /* whatever was suspected is settled */
        manager_identity_turn(b->m);
        show(b, NORMAL(4));
        d->sessions = 1;
        manager_identity_online(b->m, d, &link, true);
        direct(b, "{\"online\":true,\"boot\":5,\"session\":1}");
        assert_int_equal(b->m->identity.waits, 1);
        later(b, 9);
        told(b, "device-1", 4, 1, true); /* was still under way */
        later(b, 30);
        manager_identity_tick(b->m);
        assert_int_equal(alerts_of(b, REASON_CLONED_DEVICE), 0);
        d->sessions = 0; /* the session was a dead one */
        manager_identity_online(b->m, d, &link, false);
        assert_int_equal(b->m->identity.waits, 0);
        later(b, 100);
        manager_identity_tick(b->m);
        assert_int_equal(show(b, NORMAL(5)).reason, REASON_NONE);
        assert_int_equal(alerts_of(b, REASON_CLONED_DEVICE), 0);
        /* and one that is alive */
        d->sessions = 1;
        manager_identity_online(b->m, d, &link, true);
        direct(b, "{\"online\":true,\"boot\":6,\"session\":1}");
        later(b, 41);
        manager_identity_tick(b->m);
        assert_int_equal(alerts_of(b, REASON_CLONED_DEVICE), 1);
        assert_int_equal(b->m->identity.waits, 0);
        later(b, 60);
        direct(b, "{\"online\":true,\"boot\":6,\"session\":2}");
        later(b, 11);
        manager_identity_published(b->m, "device-1", SPAN_LITERAL("events/soil"), SPAN_EMPTY);
        assert_int_equal(alerts_of(b, REASON_CLONED_DEVICE), 2);
}

static void alerts_are_bounded(void **state)
{
        struct bench *b = *state;

        show(b, NORMAL(1000));
        for (uint32_t i = 0; i < 500; i++)
                show(b, NORMAL(i + 1));
        assert_int_equal(alerts_of(b, REASON_CLONED_DEVICE), 1);
        device(b, "device-1")->boots.alert_next_ms = 0; /* a minute later */
        show(b, NORMAL(7));
        assert_int_equal(alerts_of(b, REASON_CLONED_DEVICE), 2);
}

/* ---- rotation */
static int sign_with(void *context, struct span message, uint8_t signature[SIGNATURE_SIZE])
{
        return crypto_ed25519_sign(context, message, signature);
}

static struct span rotation(uint8_t out[ROTATION_MAX], const char *identity, uint32_t number, const uint8_t *from,
                            const uint8_t *to)
{
        struct rotation content = { .number = number, .old_key = key_of(from), .new_key = key_of(to) };
        struct signer signer = { .key = content.old_key, .sign = sign_with, .context = (void *)from };
        struct writer w;

        snprintf(content.device, sizeof(content.device), "%s", identity);
        writer_init(&w, out, ROTATION_MAX);
        assert_int_equal(rotation_sign(&w, &content, &signer), RELAY_OK);
        return writer_span(&w);
}

static bool counts(struct bench *b, struct span sign1, const uint8_t *seed)
{
        struct public_key key, expected = key_of(seed);

        assert_true(manager_identity_key(b->m, "device-1", sign1, &key));
        return key_equal(&key, &expected);
}

static void rotation_inside_a_proof(void **state)
{
        struct bench *b = *state;
        uint8_t first[ROTATION_MAX], second[ROTATION_MAX], foreign[ROTATION_MAX], other[ROTATION_MAX];
        struct span one = rotation(first, "device-1", 1, old_seed, new_seed);
        struct span two = rotation(second, "device-1", 2, new_seed, newer_seed);

        assert_true(counts(b, SPAN_EMPTY, old_seed));
        assert_true(counts(b, one, new_seed));
        assert_true(counts(b, two, old_seed)); /* what was between is not known here */
        assert_true(counts(b, rotation(foreign, "device-1", 1, newer_seed, new_seed), old_seed));
        assert_true(counts(b, rotation(other, "device-2", 1, old_seed, new_seed), old_seed));
        assert_true(counts(b, SPAN_EMPTY, old_seed)); /* asking changes nothing */
        show(b, (struct showing){ .boot = 1, .mode = DICE_MODE_NORMAL, .rotation = one });
        restart(b);
        assert_true(counts(b, SPAN_EMPTY, new_seed));
        assert_true(counts(b, one, new_seed)); /* the device shows it until there is a newer one */
        assert_int_equal(device(b, "device-1")->rotation, 1);
        show(b, (struct showing){ .boot = 2, .mode = DICE_MODE_NORMAL, .rotation = two });
        assert_true(counts(b, one, newer_seed)); /* the old key comes back by nobody's replay */
        /* a plain CONNECT brings none */
        assert_false(manager_identity_key(b->m, "device-9", one, &(struct public_key){ 0 }));
}

static void rotation_by_hand(void **state)
{
        struct bench *b = *state;
        uint8_t bytes[ROTATION_MAX];
        char whose[IDENTITY_MAX + 1] = "";
        struct refusal refusal;
        const struct {
                struct span sign1;
                enum reason reason;
        } refused[] = {
                { SPAN_EMPTY, REASON_MALFORMED },
                { SPAN_LITERAL("no rotation"), REASON_MALFORMED },
                { rotation(bytes, "device-9", 1, old_seed, new_seed), REASON_UNKNOWN_DEVICE },
        };

        for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
                assert_int_equal(manager_rotate_device(b->m, "uid:0", refused[i].sign1, whose, &refusal),
                                 MANAGER_REFUSED);
                assert_int_equal(refusal.reason, refused[i].reason);
        }
        struct span one = rotation(bytes, "device-1", 3, old_seed, new_seed);
        assert_int_equal(manager_rotate_device(b->m, "uid:0", one, whose, &refusal), 0);
        assert_string_equal(whose, "device-1");
        assert_int_equal(manager_rotate_device(b->m, "uid:0", one, whose, &refusal), MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_BAD_SIGNATURE); /* its key is the last but one */
        struct span again = rotation(bytes, "device-1", 3, new_seed, old_seed);
        assert_int_equal(manager_rotate_device(b->m, "uid:0", again, whose, &refusal), MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_OLD_ROTATION);
        assert_non_null(strstr(refusal.text, "rotation 3"));
        assert_true(counts(b, SPAN_EMPTY, new_seed));
}

/* Whose key was taken back has no session any more by it. */
static void rotation_by_hand_ends_the_session(void **state)
{
        struct bench *b = *state;
        uint8_t bytes[ROTATION_MAX];
        char whose[IDENTITY_MAX + 1];
        struct refusal refusal;

        device(b, "device-2")->sessions = 1;
        assert_int_equal(manager_rotate_device(b->m, "uid:0", rotation(bytes, "device-2", 1, old_seed, new_seed), whose,
                                               &refusal),
                         0);
        assert_int_equal(device(b, "device-2")->boots.end, MQTT_ADMINISTRATIVE_ACTION);
}

/* ---- the list */
static void a_list_raises_and_never_lowers(void **state)
{
        struct bench *b = *state;

        import(b, "device-2", FACTORY_CLAIMED, false);
        assert_int_equal(device(b, "device-2")->level, FACTORY_CLAIMED);
        restart(b);
        import(b, "device-1", FACTORY_CLAIMED, false);
        assert_int_equal(device(b, "device-1")->level, FACTORY_ATTESTED);
        assert_int_equal(device(b, "device-2")->level, FACTORY_CLAIMED);
        assert_int_equal(show(b, (struct showing){ .device = "device-2", .plain = true }).reason, REASON_NOT_ATTESTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
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
                TEST(rotation_inside_a_proof),
                TEST(rotation_by_hand),
                TEST(rotation_by_hand_ends_the_session),
                TEST(a_list_raises_and_never_lowers),
        };

        return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
