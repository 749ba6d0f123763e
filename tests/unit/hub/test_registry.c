/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registry: who checks updates, as lists say it, as nobody said it, and as older records mean it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/registry.h"

#define NOW UINT64_C(1763800000)

static struct store *open_store(void)
{
        const struct store_options options = { .size_max = 16 * 1024 * 1024 };
        struct store *store;
        char detail[100];

        assert_int_equal(store_open(&options, &store, detail, sizeof(detail)), 0);
        return store;
}

static const char *checks_of(const struct registry *registry, const char *identity)
{
        struct device_view view;
        const struct device *d = registry_find(registry, span_of_string(identity));

        assert_non_null(d);
        registry_view(d, &view);
        return view.update_checks;
}

static void put_device(struct writer *w, const char *identity, uint8_t key, bool relay_checks)
{
        struct factory_device device = { .key = { .type = KEY_ED25519 }, .relay_checks = relay_checks };

        strcpy(device.identity, identity);
        memset(device.key.bytes, key, 32);
        memset(device.class_id, 7, sizeof(device.class_id));
        factory_put_device(w, &device);
}

static void reload(struct registry *registry, struct store *store)
{
        registry_release(registry);
        store_commit(store);
        assert_int_equal(store_sync(store), 0);
        assert_int_equal(registry_load(registry, store), 0);
}

static void who_checks(void **state)
{
        struct store *store = open_store();
        struct registry registry;
        struct refusal refusal;
        struct public_key key = { .type = KEY_ED25519 };
        uint8_t bytes[512], vendor[VENDOR_ID_SIZE] = { 0 }, fingerprint[SHA256_SIZE] = { 9 };
        uint32_t added, known;
        struct writer w;

        (void)state;
        assert_int_equal(registry_load(&registry, store), 0);
        writer_init(&w, bytes, sizeof(bytes));
        factory_put_list(&w, vendor, 2, 0);
        put_device(&w, "ours", 1, false);
        put_device(&w, "foreign", 2, true);
        assert_int_equal(writer_finish(&w), RELAY_OK);
        assert_int_equal(registry_import(&registry, writer_span(&w), NOW, &added, &known, &refusal), 0);
        assert_int_equal(added, 2);
        assert_int_equal(registry_note_pending(&registry, "by-hand", &key, fingerprint, NOW), 0);
        assert_int_equal(registry_admit(&registry, "by-hand", NOW, &refusal), 0);
        for (int i = 0; i < 2; i++) {
                assert_string_equal(checks_of(&registry, "ours"), "device");
                assert_string_equal(checks_of(&registry, "foreign"), "relay");
                assert_string_equal(checks_of(&registry, "by-hand"), "relay");
                reload(&registry, store);
        }
        registry_release(&registry);
        store_free(store);
}

/* as releases before wrote them: format 1, nothing said of checks */
static void put_old(struct store *store, const char *identity, uint8_t class_byte, uint8_t format, int extra)
{
        uint8_t record[256], zeros[64] = { 0 }, class_id[CLASS_ID_SIZE];
        struct writer w;

        memset(class_id, class_byte, sizeof(class_id));
        writer_init(&w, record, sizeof(record));
        writer_u8(&w, format);
        writer_u8(&w, REGISTRATION_REGISTERED);
        writer_u64(&w, NOW);
        writer_u8(&w, KEY_ED25519);
        writer_bytes(&w, span_of(zeros, 64));
        writer_bytes(&w, span_of(zeros, 32));
        writer_bytes(&w, span_of(zeros, 16));
        writer_bytes(&w, SPAN_OF(class_id));
        writer_u8(&w, 0);
        if (extra >= 0)
                writer_u8(&w, (uint8_t)extra);
        assert_int_equal(store_put(store, STORE_DEVICES, span_of_string(identity), writer_span(&w)), 0);
}

static void older_records(void **state)
{
        static const struct {
                uint8_t class_byte, format;
                int extra;          /* -1: none */
                const char *checks; /* NULL: damaged */
        } rows[] = {
                { 7, 1, -1, "device" }, { 0, 1, -1, "relay" }, { 7, 2, 0, "device" }, { 7, 2, 1, "relay" },
                { 7, 2, 2, NULL },      { 7, 2, -1, NULL },    { 7, 1, 0, NULL },     { 7, 3, 0, NULL },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                struct store *store = open_store();
                struct registry registry;

                put_old(store, "device-1", rows[i].class_byte, rows[i].format, rows[i].extra);
                store_commit(store);
                assert_int_equal(store_sync(store), 0);
                assert_int_equal(registry_load(&registry, store) == 0, rows[i].checks != NULL);
                if (rows[i].checks)
                        assert_string_equal(checks_of(&registry, "device-1"), rows[i].checks);
                registry_release(&registry);
                store_free(store);
        }
}

/* All of a record is read as it was written. */
static void newest_record(void **state)
{
        struct store *store = open_store();
        struct registry registry;
        struct device to, *d;

        (void)state;
        put_old(store, "device-1", 7, 2, 1);
        store_commit(store);
        assert_int_equal(store_sync(store), 0);
        assert_int_equal(registry_load(&registry, store), 0);
        d = registry_find(&registry, SPAN_LITERAL("device-1"));
        assert_non_null(d);
        assert_int_equal(d->level, FACTORY_NO_ATTESTATION);
        assert_false(d->proved || d->evidence.there || device_must_prove(d));
        assert_int_equal(d->boot_highest, 0);
        to = *d;
        to.level = FACTORY_ATTESTED;
        to.proved = true;
        to.trust = TRUST_UNKNOWN_IMAGE;
        to.quarantine = REASON_UNKNOWN_IMAGE;
        to.boot_highest = UINT32_MAX;
        to.rotation = 9;
        memset(to.previous, 8, SHA256_SIZE);
        to.evidence = (struct device_evidence){ true, { 1 }, { 2 }, DICE_MODE_DEBUG, 3, NOW };
        assert_int_equal(registry_change(&registry, d, &to), 0);
        reload(&registry, store);
        d = registry_find(&registry, SPAN_LITERAL("device-1"));
        assert_non_null(d);
        assert_int_equal(d->level, FACTORY_ATTESTED);
        assert_true(d->proved && d->evidence.there && device_must_prove(d) && d->relay_checks);
        assert_int_equal(d->trust, TRUST_UNKNOWN_IMAGE);
        assert_int_equal(d->quarantine, REASON_UNKNOWN_IMAGE);
        assert_int_equal(d->boot_highest, UINT32_MAX);
        assert_int_equal(d->rotation, 9);
        assert_memory_equal(d->previous, to.previous, SHA256_SIZE);
        assert_memory_equal(d->evidence.image, to.evidence.image, SHA256_SIZE);
        assert_memory_equal(d->evidence.manifest, to.evidence.manifest, SHA256_SIZE);
        assert_int_equal(d->evidence.mode, DICE_MODE_DEBUG);
        assert_int_equal(d->evidence.sequence, 3);
        assert_int_equal(d->evidence.time, NOW);
        registry_release(&registry);
        store_free(store);
}

/* What cannot have been written is damage, wherever it stands. */
static void damaged_records(void **state)
{
        struct device d = { .identity = "device-1",
                            .quarantine = REASON_CLONED_DEVICE,
                            .evidence = { .there = true, .mode = DICE_MODE_NORMAL } };
        struct store *store = open_store();
        uint8_t *bytes;
        size_t size, cuts = 0;

        (void)state;
        assert_int_equal(device_record_write(store, &d), 0);
        store_commit(store);
        assert_int_equal(store_sync(store), 0);
        assert_int_equal(store_get(store, STORE_DEVICES, SPAN_LITERAL("device-1"), &bytes, &size), 0);
        for (size_t cut = 0; cut < size; cut++) {
                struct device out = { 0 };
                cuts += device_record_read(SPAN_LITERAL("device-1"), span_of(bytes, cut), &out) < 0;
        }
        assert_int_equal(cuts, size);
        bytes[0] = 4; /* of a release to come */
        assert_true(device_record_read(SPAN_LITERAL("device-1"), span_of(bytes, size), &(struct device){ 0 }) < 0);
        bytes[0] = 3;
        assert_int_equal(device_record_read(SPAN_LITERAL("device-1"), span_of(bytes, size), &(struct device){ 0 }), 0);
        free(bytes);
        /* a reason that is none for a quarantine */
        d.quarantine = REASON_TOPIC;
        assert_int_equal(device_record_write(store, &d), 0);
        store_commit(store);
        assert_int_equal(store_sync(store), 0);
        struct registry registry;
        assert_int_equal(registry_load(&registry, store), -EBADMSG);
        registry_release(&registry);
        store_free(store);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(who_checks), cmocka_unit_test(older_records),
                                            cmocka_unit_test(newest_record), cmocka_unit_test(damaged_records) };

        return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
