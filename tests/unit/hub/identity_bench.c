/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "identity_bench.h"

const uint8_t image_a[SHA256_SIZE] = { 0xA }, image_b[SHA256_SIZE] = { 0xB };
const uint8_t old_seed[ED25519_SEED_SIZE] = { 1 }, new_seed[ED25519_SEED_SIZE] = { 2 },
              newer_seed[ED25519_SEED_SIZE] = { 3 };

static void open_manager(struct identity_bench *b)
{
        struct manager_options options = { .conf = &b->conf, .event = b->event, .store = b->store };
        char error[256] = "";

        if (manager_new(&b->m, &options, error, sizeof(error)) < 0)
                fail_msg("%s", error);
        assert_int_equal(manager_start(b->m), 0);
}

void bench_commit(struct identity_bench *b)
{
        assert_int_equal(broker_commit(b->m->broker), 0);
        assert_int_equal(store_sync(b->store), 0);
        assert_int_equal(broker_durable(b->m->broker), 0);
}

void bench_restart(struct identity_bench *b)
{
        bench_commit(b);
        manager_free(b->m);
        open_manager(b);
}

/* Time goes on, so that the next alert is not the same one again. */
void bench_later(struct identity_bench *b, uint32_t seconds)
{
        broker_time(b->m->broker, b->m->broker->now_ms + seconds * UINT64_C(1000), b->m->broker->time + seconds);
}

struct public_key bench_key(const uint8_t seed[ED25519_SEED_SIZE])
{
        struct public_key key;

        assert_int_equal(crypto_ed25519_public(seed, &key), RELAY_OK);
        return key;
}

/* with image A shipped */
void bench_import(struct identity_bench *b, const char *identity, enum factory_attestation level, bool with_image)
{
        const uint8_t vendor[VENDOR_ID_SIZE] = { 7 };
        struct factory_device device = { .key = bench_key(old_seed), .attestation = level };
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

int bench_setup(void **state)
{
        struct store_options options = { .size_max = 16 * 1024 * 1024 };
        struct identity_bench *b = calloc(1, sizeof(*b));
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
        bench_import(b, "device-1", FACTORY_ATTESTED, true);
        bench_import(b, "device-2", FACTORY_NO_ATTESTATION, false);
        *state = b;
        return 0;
}

int bench_teardown(void **state)
{
        struct identity_bench *b = *state;

        manager_free(b->m);
        store_free(b->store);
        sd_event_unref(b->event);
        free(b);
        return 0;
}

struct attestation_verdict bench_show(struct identity_bench *b, struct showing s)
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

struct device *bench_device(struct identity_bench *b, const char *identity)
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

size_t bench_alerts(struct identity_bench *b, enum reason reason)
{
        struct look look = { reason_name(reason), 0 };

        alerts_walk(&b->m->alerts, 0, count_one, &look);
        return look.count;
}
