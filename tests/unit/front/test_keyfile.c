/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls/keyfile: our files in openssl, openssl's files here, and what is neither */
#include "scratch.h"

#include <errno.h>
#include <sys/stat.h>

#include "tls/keyfile.h"
#include "util/files.h"

static const uint8_t seed[ED25519_SEED_SIZE] = "0123456789abcdef0123456789ABCDE";

static void openssl_reads_ours(void **state)
{
        static const struct {
                const char *passphrase, *command;
                bool opens;
        } rows[] = {
                { NULL, "openssl pkey -in key -noout -text", true },
                { "", "openssl pkey -in key -noout -text", true },
                { "correct horse", "openssl pkey -in key -passin 'pass:correct horse' -noout -text", true },
                { "correct horse", "openssl pkey -in key -passin pass:wrong -noout -text", false },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                uint8_t back[ED25519_SEED_SIZE] = { 0 };
                struct stat st;
                unlink("key");
                assert_int_equal(keyfile_save("key", seed, rows[i].passphrase), 0);
                assert_int_equal(stat("key", &st), 0);
                assert_int_equal(st.st_mode & 0777, 0600);
                assert_int_equal(shell(rows[i].command) == 0, rows[i].opens);
                assert_int_equal(out_has("30:31:32:33:34:35:36:37"), rows[i].opens);
                assert_int_equal(keyfile_load("key", rows[i].passphrase, back), 0);
                assert_memory_equal(back, seed, sizeof(seed));
        }
}

static void we_read_openssl(void **state)
{
        static const struct {
                const char *command, *passphrase;
                int result;
        } rows[] = {
                { "openssl genpkey -algorithm ed25519 -out key", NULL, 0 },
                { "openssl genpkey -algorithm ed25519 -out key", "not needed", 0 },
                { "openssl genpkey -algorithm ed25519 -aes256 -pass pass:secret -out key", "secret", 0 },
                { "openssl genpkey -algorithm ed25519 -aes256 -pass pass:secret -out key", "Secret",
                  KEYFILE_PASSPHRASE },
                { "openssl genpkey -algorithm ed25519 -aes256 -pass pass:secret -out key", NULL, KEYFILE_PASSPHRASE },
                { "openssl genpkey -algorithm ed25519 -aes256 -pass pass:secret -out key", "", KEYFILE_PASSPHRASE },
                { "openssl genpkey -algorithm ed25519 -out k && openssl pkcs8 -topk8 -in k -out key -iter 4321"
                  " -v2 aes-256-cbc -passout pass:secret",
                  "secret", 0 },
                { "openssl genpkey -algorithm ed448 -out key", NULL, -EBADMSG },
                { "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key", NULL, -EBADMSG },
                { "openssl genpkey -algorithm ed25519 -des3 -pass pass:secret -out key", "secret", -EBADMSG },
                { "echo nothing >key", NULL, -EBADMSG },
                { "printf -- '-----BEGIN PRIVATE KEY-----\n' >key", NULL, -EBADMSG },
                { "printf -- '-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n' >key", NULL, -EBADMSG },
                { "head -c 300000 /dev/zero >key", NULL, -EFBIG },
                { "rm -f key", NULL, -ENOENT },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                uint8_t loaded[ED25519_SEED_SIZE] = "untouched";
                struct public_key key, from_openssl;

                assert_int_equal(shell(rows[i].command), 0);
                assert_int_equal(keyfile_load("key", rows[i].passphrase, loaded), rows[i].result);
                if (rows[i].result != 0) {
                        assert_string_equal((char *)loaded, "untouched");
                        continue;
                }
                assert_int_equal(shell("openssl pkey -in key -passin pass:secret -pubout -out key.pub"), 0);
                assert_int_equal(keyfile_load_public("key.pub", &from_openssl), 0);
                assert_int_equal(crypto_ed25519_public(loaded, &key), 0);
                assert_true(key_equal(&key, &from_openssl));
        }
}

static void every_cut_and_flip_is_refused(void **state)
{
        uint8_t *text = NULL, loaded[ED25519_SEED_SIZE];
        size_t size;

        (void)state;
        assert_int_equal(keyfile_save("key", seed, NULL), 0);
        assert_int_equal(file_read("key", 1000, &text, &size), 0);
        for (size_t cut = 0; cut + 1 < size; cut++) {
                assert_int_equal(file_write("cut", text, cut, 0600), 0);
                assert_int_not_equal(keyfile_load("cut", NULL, loaded), 0);
        }
        free(text);
}

static void never_overwrites(void **state)
{
        static const uint8_t other[ED25519_SEED_SIZE] = { 1 };
        uint8_t loaded[ED25519_SEED_SIZE];

        (void)state;
        assert_int_equal(keyfile_save("key", seed, NULL), 0);
        assert_int_equal(keyfile_save("key", other, NULL), -EEXIST);
        assert_int_equal(keyfile_load("key", NULL, loaded), 0);
        assert_memory_equal(loaded, seed, sizeof(seed));
}

static void public_halves(void **state)
{
        struct public_key key, loaded;

        (void)state;
        assert_int_equal(crypto_ed25519_public(seed, &key), 0);
        assert_int_equal(keyfile_save_public("key.pub", &key), 0);
        assert_int_equal(shell("openssl pkey -pubin -in key.pub -noout -text"), 0);
        assert_true(out_has("ED25519 Public-Key"));
        assert_int_equal(keyfile_load_public("key.pub", &loaded), 0);
        assert_true(key_equal(&key, &loaded));

        assert_int_equal(shell("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec &&"
                               "openssl pkey -in ec -pubout -out ec.pub"),
                         0);
        assert_int_equal(keyfile_load_public("ec.pub", &loaded), 0);
        assert_int_equal(loaded.type, KEY_P256);
        assert_int_equal(shell("openssl req -x509 -key ec -subj /CN=x -out ec.crt"), 0);
        struct public_key from_certificate;
        assert_int_equal(keyfile_load_public("ec.crt", &from_certificate), 0);
        assert_true(key_equal(&loaded, &from_certificate));
        assert_int_equal(keyfile_load_public("ec", &loaded), -EBADMSG);

        struct public_key none = { 0 };
        assert_int_equal(keyfile_save_public("none.pub", &none), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(openssl_reads_ours, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(we_read_openssl, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(every_cut_and_flip_is_refused, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(never_overwrites, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(public_halves, scratch_setup, scratch_teardown),
        };
        return cmocka_run_group_tests_name("keyfile", tests, NULL, NULL);
}
