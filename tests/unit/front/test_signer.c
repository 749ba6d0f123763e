/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hub/signer: signs transcript hashes and nothing else */
#include "scratch.h"

#include <errno.h>
#include <sys/socket.h>

#include "channel/message.h"
#include "channel/socket.h"
#include "hub/signer.h"
#include "tls/keyfile.h"

static const uint8_t seed[ED25519_SEED_SIZE] = "a seed that is used in tests ...";
static struct signer *signer;

static int setup(void **state)
{
        struct signer_options options = { "sign", "key", NULL, (uid_t)-1, (gid_t)-1 };
        if (scratch_setup(state) != 0 || keyfile_save("key", seed, NULL) != 0)
                return -1;
        return signer_start(&signer, &options);
}

static int teardown(void **state)
{
        signer = signer_stop(signer);
        return scratch_teardown(state);
}

static ssize_t ask(int fd, const void *request, size_t size, uint8_t answer[128])
{
        if (send(fd, request, size, MSG_NOSIGNAL) < 0)
                return -errno;
        ssize_t n = recv(fd, answer, 128, 0);
        return n < 0 ? -errno : n;
}

static void signs_hashes(void **state)
{
        static const uint8_t hash[48] = { 1, 2, 3 };
        int fd = channel_socket_connect("sign", true);

        (void)state;
        assert_true(fd >= 0);
        for (size_t size = 32; size <= 48; size += 16) {
                struct channel_sign_request request = { (uint32_t)size, { hash, size } };
                struct channel_sign_answer answer;
                uint8_t bytes[64], got[128], content[SIGNER_CONTENT_MAX];
                struct public_key key;
                struct writer w;

                writer_init(&w, bytes, sizeof(bytes));
                assert_int_equal(channel_sign_request_encode(&w, &request), 0);
                ssize_t n = ask(fd, bytes, w.at, got);
                assert_true(n > 0);
                assert_int_equal(channel_sign_answer_decode(span_of(got, (size_t)n), &answer), 0);
                assert_int_equal(answer.token, size);
                assert_int_equal(answer.status, 0);
                assert_int_equal(signer_content(request.hash, content), 98 + size);
                assert_memory_equal(content + 64, "TLS 1.3, server CertificateVerify", 34);
                signer_public_key(signer, &key);
                assert_int_equal(crypto_verify(&key, span_of(content, 98 + size), answer.signature.data), RELAY_OK);
        }
        assert_int_equal(signer_count(signer), 2);
        close(fd);
}

static void drops_what_is_no_request(void **state)
{
        static const struct {
                uint8_t bytes[80];
                size_t size;
        } rows[] = { { { 1, 32 }, 37 }, { { 1, 31 }, 37 }, { { 1, 33 }, 39 }, { { 2, 32 }, 38 },
                     { { 1, 32 }, 39 }, { { 1, 64 }, 70 }, { { 1, 48 }, 53 }, { { 0 }, 1 } };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                uint8_t answer[128];
                int fd = channel_socket_connect("sign", true);
                assert_true(fd >= 0);
                ssize_t n = ask(fd, rows[i].bytes, rows[i].size, answer);
                assert_true(n == 0 || n == -ECONNRESET);
                close(fd);
        }
        assert_int_equal(signer_count(signer), 0);
}

static void a_crowd_leaves_room(void **state)
{
        int fds[40];
        uint8_t request[38] = { 1, 32 }, answer[128];
        size_t served = 0;

        (void)state;
        for (size_t i = 0; i < 40; i++)
                fds[i] = channel_socket_connect("sign", true);
        for (size_t i = 0; i < 40; i++)
                served += ask(fds[i], request, sizeof(request), answer) > 0;
        assert_int_equal(served, 16);
        for (size_t i = 0; i < 40; i++)
                close(fds[i]);
        int fd = channel_socket_connect("sign", true); /* places are free again */
        assert_true(fd >= 0);
        ssize_t n = ask(fd, request, sizeof(request), answer);
        assert_true(n == 70);
        close(fd);
}

static void does_not_start(void **state)
{
        struct signer *other = NULL;
        struct signer_options options = { "sign2", "absent", NULL, (uid_t)-1, (gid_t)-1 };

        (void)state;
        assert_int_equal(signer_start(&other, &options), -ENOENT);
        assert_int_equal(keyfile_save("locked", seed, "secret"), 0);
        options.key_file = "locked";
        assert_int_equal(signer_start(&other, &options), KEYFILE_PASSPHRASE);
        options.passphrase = "secret";
        options.path = "no/such/folder/sign";
        assert_int_equal(signer_start(&other, &options), -ENOENT);
        options.path = "sign2";
        assert_int_equal(signer_start(&other, &options), 0);
        other = signer_stop(other);
        assert_int_equal(channel_socket_connect("sign2", true), -ENOENT);
        assert_null(signer_stop(NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(signs_hashes, setup, teardown),
                cmocka_unit_test_setup_teardown(drops_what_is_no_request, setup, teardown),
                cmocka_unit_test_setup_teardown(a_crowd_leaves_room, setup, teardown),
                cmocka_unit_test_setup_teardown(does_not_start, setup, teardown),
        };
        return cmocka_run_group_tests_name("signer", tests, NULL, NULL);
}
