/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose key counts: rotations, and what a list says later. */

#include "identity_bench.h"

/* ---- rotation */
static int sign_with(void *context, struct span message, uint8_t signature[SIGNATURE_SIZE])
{
        return crypto_ed25519_sign(context, message, signature);
}

static struct span rotation(uint8_t out[ROTATION_MAX], const char *identity, uint32_t number, const uint8_t *from,
                            const uint8_t *to)
{
        struct rotation content = { .number = number, .old_key = bench_key(from), .new_key = bench_key(to) };
        struct signer signer = { .key = content.old_key, .sign = sign_with, .context = (void *)from };
        struct writer w;

        snprintf(content.device, sizeof(content.device), "%s", identity);
        writer_init(&w, out, ROTATION_MAX);
        assert_int_equal(rotation_sign(&w, &content, &signer), RELAY_OK);
        return writer_span(&w);
}

static bool counts(struct identity_bench *b, struct span sign1, const uint8_t *seed)
{
        struct public_key key, expected = bench_key(seed);

        assert_true(manager_identity_key(b->m, "device-1", sign1, &key));
        return key_equal(&key, &expected);
}

static void rotation_inside_a_proof(void **state)
{
        struct identity_bench *b = *state;
        uint8_t first[ROTATION_MAX], second[ROTATION_MAX], foreign[ROTATION_MAX], other[ROTATION_MAX];
        struct span one = rotation(first, "device-1", 1, old_seed, new_seed);
        struct span two = rotation(second, "device-1", 2, new_seed, newer_seed);

        assert_true(counts(b, SPAN_EMPTY, old_seed));
        assert_true(counts(b, one, new_seed));
        assert_true(counts(b, two, old_seed)); /* what was between is not known here */
        assert_true(counts(b, rotation(foreign, "device-1", 1, newer_seed, new_seed), old_seed));
        assert_true(counts(b, rotation(other, "device-2", 1, old_seed, new_seed), old_seed));
        assert_true(counts(b, SPAN_EMPTY, old_seed)); /* asking changes nothing */
        bench_show(b, (struct showing){ .boot = 1, .mode = DICE_MODE_NORMAL, .rotation = one });
        bench_restart(b);
        assert_true(counts(b, SPAN_EMPTY, new_seed));
        assert_true(counts(b, one, new_seed)); /* the device shows it until there is a newer one */
        assert_int_equal(bench_device(b, "device-1")->rotation, 1);
        bench_show(b, (struct showing){ .boot = 2, .mode = DICE_MODE_NORMAL, .rotation = two });
        assert_true(counts(b, one, newer_seed)); /* the old key comes back by nobody's replay */
        /* a plain CONNECT brings none */
        assert_false(manager_identity_key(b->m, "device-9", one, &(struct public_key){ 0 }));
}

static void rotation_by_hand(void **state)
{
        struct identity_bench *b = *state;
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
        struct identity_bench *b = *state;
        uint8_t bytes[ROTATION_MAX];
        char whose[IDENTITY_MAX + 1];
        struct refusal refusal;

        bench_device(b, "device-2")->sessions = 1;
        assert_int_equal(manager_rotate_device(b->m, "uid:0", rotation(bytes, "device-2", 1, old_seed, new_seed), whose,
                                               &refusal),
                         0);
        assert_int_equal(bench_device(b, "device-2")->boots.end, MQTT_ADMINISTRATIVE_ACTION);
}

/* ---- the list */
static void a_list_raises_and_never_lowers(void **state)
{
        struct identity_bench *b = *state;

        bench_import(b, "device-2", FACTORY_CLAIMED, false);
        assert_int_equal(bench_device(b, "device-2")->level, FACTORY_CLAIMED);
        bench_restart(b);
        bench_import(b, "device-1", FACTORY_CLAIMED, false);
        assert_int_equal(bench_device(b, "device-1")->level, FACTORY_ATTESTED);
        assert_int_equal(bench_device(b, "device-2")->level, FACTORY_CLAIMED);
        assert_int_equal(bench_show(b, (struct showing){ .device = "device-2", .plain = true }).reason,
                         REASON_NOT_ATTESTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(rotation_inside_a_proof),
                TEST(rotation_by_hand),
                TEST(rotation_by_hand_ends_the_session),
                TEST(a_list_raises_and_never_lowers),
        };

        return cmocka_run_group_tests_name("rotation", tests, NULL, NULL);
}
