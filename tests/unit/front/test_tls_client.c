/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls: our client before servers that are none; wolfSSL plays them */
#include "identities.h"

#include <errno.h>
#include <sys/socket.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "tls/tls.h"

static int setup(void **state)
{
        if (scratch_setup(state) != 0)
                return -1;
        make_identity("ca", 1, NULL, (struct x509_request){ .common_name = "factory.acme", .ca = true });
        make_identity("device", 3, "ca", (struct x509_request){ .common_name = "device-1", .for_client = true });
        return 0;
}

/* 0, or why the server with the chain and key of this name is not believed */
static int visit(struct tls_context *context, const char *name)
{
        WOLFSSL_CTX *server_context = wolfSSL_CTX_new(wolfTLSv1_3_server_method());
        char certificate[32], key[32];
        int fds[2], client = TLS_WANT_READ;
        struct tls *tls;

        snprintf(certificate, sizeof(certificate), "%s.crt", name);
        snprintf(key, sizeof(key), "%s.key", name);
        assert_int_equal(wolfSSL_CTX_use_certificate_chain_file(server_context, certificate), WOLFSSL_SUCCESS);
        assert_int_equal(wolfSSL_CTX_use_PrivateKey_file(server_context, key, WOLFSSL_FILETYPE_PEM), WOLFSSL_SUCCESS);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        WOLFSSL *server = wolfSSL_new(server_context);
        assert_int_equal(wolfSSL_set_fd(server, fds[1]), WOLFSSL_SUCCESS);
        wolfSSL_set_using_nonblock(server, 1);
        assert_int_equal(tls_new(&tls, context, fds[0], "cloud.acme"), 0);
        for (int turn = 0; turn < 20 && client > 0; turn++) {
                client = tls_handshake(tls);
                (void)wolfSSL_accept(server);
        }
        tls_free(tls);
        wolfSSL_free(server);
        wolfSSL_CTX_free(server_context);
        close(fds[0]);
        close(fds[1]);
        return client;
}

/* What a chain brought along that was refused must not stand behind the next one. */
static void no_server_by_a_device(void **state)
{
        const struct tls_client_options options = { .certificate_file = "device.crt",
                                                    .key_file = "device.key",
                                                    .ca_file = "ca.crt" };
        struct tls_context *context = NULL;

        (void)state;
        make_identity(
                "cloud", 5, "ca",
                (struct x509_request){ .common_name = "cloud.acme", .dns_name = "cloud.acme", .for_server = true });
        make_identity("opened", 6, "ca",
                      (struct x509_request){ .common_name = "device-6", .organisation = "Acme", .device = true });
        make_identity(
                "posing", 7, "opened",
                (struct x509_request){ .common_name = "device-6", .organisation = "Acme", .dns_name = "cloud.acme" });
        assert_int_equal(shell("cat posing.crt opened.crt >chain.crt && cp posing.key chain.key"), 0);
        assert_int_equal(tls_client_context_new(&context, &options), 0);
        assert_int_equal(visit(context, "cloud"), 0);
        assert_int_equal(visit(context, "posing"), -EKEYREJECTED);
        assert_int_equal(visit(context, "chain"), -EKEYREJECTED);
        assert_int_equal(visit(context, "posing"), -EKEYREJECTED);
        assert_int_equal(visit(context, "cloud"), 0);
        tls_context_free(context);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(no_server_by_a_device) };

        return cmocka_run_group_tests_name("tls_client", tests, setup, scratch_teardown);
}
