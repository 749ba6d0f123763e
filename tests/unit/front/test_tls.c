/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls: client and server over a socket pair, in turns; who is refused and how */
#include "identities.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "tls/tls.h"

static uint8_t pin_right[SHA256_SIZE], pin_wrong[SHA256_SIZE];

static int setup(void **state)
{
        struct x509_facts facts;
        uint8_t *der = NULL;
        size_t size;

        if (scratch_setup(state) != 0)
                return -1;
        make_identity("ca", 1, NULL, (struct x509_request){ .common_name = "factory.acme", .ca = true });
        make_identity("relay", 2, "ca",
                      (struct x509_request){ .common_name = "relay.s1", .dns_name = "127.0.0.1", .for_server = true });
        make_identity("device", 3, "ca", (struct x509_request){ .common_name = "device-1", .for_client = true });
        make_identity(
                "broker", 4, "ca",
                (struct x509_request){ .common_name = "cloud.acme", .dns_name = "broker.test", .for_server = true });
        make_identity("alone", 5, NULL, (struct x509_request){ .common_name = "device-5", .for_client = true });
        /* an identity key that was copied out of a device, and what it signs for a server */
        make_identity("opened", 7, "ca",
                      (struct x509_request){ .common_name = "device-8", .organisation = "Acme", .device = true });
        make_identity("posing", 8, "opened",
                      (struct x509_request){ .common_name = "device-8",
                                             .organisation = "Acme",
                                             .dns_name = "broker.test",
                                             .for_server = true });
        make_identity(
                "lying", 9, "opened",
                (struct x509_request){ .common_name = "cloud.acme", .dns_name = "broker.test", .for_server = true });
        make_identity("otherca", 6, NULL, (struct x509_request){ .common_name = "factory.other", .ca = true });
        if (shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ec.key -subj "
                  "/CN=device-6"
                  " -out ec.crt -addext basicConstraints=critical,CA:FALSE"
                  " && openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -subj /CN=device-7 -out rsa.crt"
                  " && cat posing.crt opened.crt >posingchain.crt && cat lying.crt opened.crt >lyingchain.crt"
                  " && cat device.crt ca.crt >devicechain.crt"
                  " && cat device.crt ca.crt ca.crt ca.crt ca.crt >longchain.crt") != 0)
                return -1;
        assert_int_equal(x509_load_pem("relay.crt", &der, &size), 0);
        assert_int_equal(x509_parse(span_of(der, size), &facts), 0);
        memcpy(pin_right, facts.fingerprint, SHA256_SIZE);
        memset(pin_wrong, 0x55, SHA256_SIZE);
        free(der);
        return 0;
}

struct pair {
        struct tls_context *server_context, *client_context;
        struct tls *server, *client;
        int fds[2];
        int server_result, client_result;
};

static void pair_connect(struct pair *p, const struct tls_server_options *server,
                         const struct tls_client_options *client, const char *host)
{
        assert_int_equal(tls_server_context_new(&p->server_context, server), 0);
        assert_int_equal(tls_client_context_new(&p->client_context, client), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fds), 0);
        assert_int_equal(tls_new(&p->server, p->server_context, p->fds[0], NULL), 0);
        assert_int_equal(tls_new(&p->client, p->client_context, p->fds[1], host), 0);
        p->server_result = p->client_result = TLS_WANT_READ;
        for (int turn = 0; turn < 20; turn++) {
                if (p->client_result > 0)
                        p->client_result = tls_handshake(p->client);
                if (p->server_result > 0)
                        p->server_result = tls_handshake(p->server);
        }
}

static void pair_end(struct pair *p)
{
        p->server = tls_free(p->server);
        p->client = tls_free(p->client);
        p->server_context = tls_context_free(p->server_context);
        p->client_context = tls_context_free(p->client_context);
        close(p->fds[0]);
        close(p->fds[1]);
}

static int signatures;
static int sign_with_seed(void *context, struct span hash, uint8_t signature[SIGNATURE_SIZE])
{
        uint8_t seed[ED25519_SEED_SIZE] = { 2 };
        uint8_t content[64 + 34 + 48];

        signatures++;
        assert_true(hash.size == 32 || hash.size == 48);
        memset(content, ' ', 64);
        memcpy(content + 64, "TLS 1.3, server CertificateVerify", 34);
        memcpy(content + 98, hash.data, hash.size);
        if (context)
                return *(int *)context;
        return crypto_ed25519_sign(seed, span_of(content, 98 + hash.size), signature) == 0 ? 0 : -EIO;
}

static const struct tls_server_options by_key = { .certificate_file = "relay.crt", .key_file = "relay.key" };
static const struct tls_server_options by_signer = { .certificate_file = "relay.crt", .sign = sign_with_seed };
static const struct tls_server_options broker = { .certificate_file = "broker.crt", .key_file = "broker.key" };

static const struct tls_server_options posing = { .certificate_file = "posingchain.crt", .key_file = "posing.key" };
static const struct tls_server_options lying = { .certificate_file = "lyingchain.crt", .key_file = "lying.key" };

static void who_gets_in(void **state)
{
        static const struct {
                const char *what, *certificate, *key, *ca, *host;
                const uint8_t *pin, *backup_pin;
                const struct tls_server_options *server;
                bool good;
        } rows[] = {
                { "pin", "device.crt", "device.key", NULL, NULL, pin_right, NULL, &by_key, true },
                { "pin, key elsewhere", "device.crt", "device.key", NULL, NULL, pin_right, NULL, &by_signer, true },
                { "backup pin", "device.crt", "device.key", NULL, NULL, pin_wrong, pin_right, &by_key, true },
                { "wrong pin", "device.crt", "device.key", NULL, NULL, pin_wrong, pin_wrong, &by_key, false },
                { "wrong pin, good CA", "device.crt", "device.key", "ca.crt", "127.0.0.1", pin_wrong, NULL, &by_key,
                  false },
                { "right pin, other CA", "device.crt", "device.key", "otherca.crt", "127.0.0.1", pin_right, NULL,
                  &by_key, false },
                { "right pin, good CA", "device.crt", "device.key", "ca.crt", "127.0.0.1", pin_right, NULL, &by_key,
                  true },
                { "CA and address", "device.crt", "device.key", "ca.crt", "127.0.0.1", NULL, NULL, &by_key, true },
                { "CA, other address", "device.crt", "device.key", "ca.crt", "127.0.0.2", NULL, NULL, &by_key, false },
                { "CA and name", "device.crt", "device.key", "ca.crt", "broker.test", NULL, NULL, &broker, true },
                { "CA, other name", "device.crt", "device.key", "ca.crt", "broker2.test", NULL, NULL, &broker, false },
                { "CA, CN is no name", "device.crt", "device.key", "ca.crt", "cloud.acme", NULL, NULL, &broker, false },
                { "other CA", "device.crt", "device.key", "otherca.crt", "127.0.0.1", NULL, NULL, &by_key, false },
                { "opened device as a server", "device.crt", "device.key", "ca.crt", "broker.test", NULL, NULL, &posing,
                  false },
                { "the same, another name", "device.crt", "device.key", "ca.crt", "broker.test", NULL, NULL, &lying,
                  false },
                { "self-signed client", "alone.crt", "alone.key", NULL, NULL, pin_right, NULL, &by_key, true },
                { "P-256 client", "ec.crt", "ec.key", NULL, NULL, pin_right, NULL, &by_key, true },
                { "client with a chain", "devicechain.crt", "device.key", NULL, NULL, pin_right, NULL, &by_key, true },
                { "chain too long", "longchain.crt", "device.key", NULL, NULL, pin_right, NULL, &by_key, false },
                { "RSA client", "rsa.crt", "rsa.key", NULL, NULL, pin_right, NULL, &by_key, false },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct tls_client_options options = { rows[i].certificate, rows[i].key, rows[i].ca, { { 0 } }, 0 };
                struct pair p = { 0 };
                if (rows[i].pin)
                        memcpy(options.pins[options.pin_count++], rows[i].pin, SHA256_SIZE);
                if (rows[i].backup_pin)
                        memcpy(options.pins[options.pin_count++], rows[i].backup_pin, SHA256_SIZE);
                pair_connect(&p, rows[i].server, &options, rows[i].host);
                bool both = p.server_result == 0 && p.client_result == 0;
                if (both != rows[i].good)
                        fail_msg("%s: server %d (%s), client %d (%s)", rows[i].what, p.server_result,
                                 tls_error_string(p.server), p.client_result, tls_error_string(p.client));
                if (!both) /* whoever refused says so */
                        assert_true(p.server_result == -EKEYREJECTED || p.client_result == -EKEYREJECTED);
                else
                        assert_string_equal(tls_describe(p.server), "TLSv1.3, X25519, TLS_CHACHA20_POLY1305_SHA256");
                pair_end(&p);
        }
}

static struct tls_client_options device_options(void)
{
        struct tls_client_options options = { "devicechain.crt", "device.key", NULL, { { 0 } }, 1 };
        memcpy(options.pins[0], pin_right, SHA256_SIZE);
        return options;
}

static void peer_chain(void **state)
{
        struct span chain[TLS_CHAIN_MAX];
        struct tls_client_options options = device_options();
        struct x509_facts facts;
        struct pair p = { 0 };

        (void)state;
        pair_connect(&p, &by_key, &options, NULL);
        assert_int_equal(p.server_result, 0);
        assert_int_equal(tls_peer_chain(p.server, chain), 2);
        assert_int_equal(x509_parse(chain[0], &facts), 0);
        assert_string_equal(facts.identity, "device-1");
        assert_int_equal(x509_parse(chain[1], &facts), 0);
        assert_string_equal(facts.identity, "factory.acme");
        tls_forget_peer_chain(p.server);
        assert_int_equal(tls_peer_chain(p.server, chain), 0);
        pair_end(&p);
}

static void bytes_both_ways(void **state)
{
        static uint8_t sent[100000], got[100000];
        struct tls_client_options options = device_options();
        struct pair p = { 0 };
        size_t written = 0, read = 0, done;

        (void)state;
        for (size_t i = 0; i < sizeof(sent); i++)
                sent[i] = (uint8_t)(i * 31);
        pair_connect(&p, &by_signer, &options, NULL);
        while (read < sizeof(sent)) {
                if (written < sizeof(sent)) {
                        int r = tls_write(p.client, span_of(sent + written, sizeof(sent) - written), &done);
                        assert_true(r == 0 || r == TLS_WANT_WRITE);
                        written += r == 0 ? done : 0;
                }
                int r = tls_read(p.server, got + read, 777, &done);
                assert_true(r == 0 || r == TLS_WANT_READ);
                read += r == 0 ? done : 0;
        }
        assert_memory_equal(sent, got, sizeof(sent));
        assert_int_equal(tls_read(p.client, got, 1, &done), TLS_WANT_READ);
        assert_int_equal(tls_write(p.server, SPAN_LITERAL("answer"), &done), 0);
        assert_int_equal(tls_read(p.client, got, 2, &done), 0);
        assert_true(tls_pending(p.client));
        assert_int_equal(tls_read(p.client, got, 100, &done), 0);
        assert_int_equal(done, 4);
        assert_false(tls_pending(p.client));

        tls_close_notify(p.client);
        assert_int_equal(tls_read(p.server, got, 100, &done), TLS_CLOSED);
        pair_end(&p);
}

static void lost_connection(void **state)
{
        struct tls_client_options options = device_options();
        struct pair p = { 0 };
        uint8_t byte;
        size_t done;

        (void)state;
        pair_connect(&p, &by_key, &options, NULL);
        shutdown(p.fds[1], SHUT_RDWR);
        assert_int_equal(tls_read(p.server, &byte, 1, &done), -ECONNRESET);
        assert_true(tls_write(p.server, SPAN_LITERAL("x"), &done) < 0); /* and no SIGPIPE */
        pair_end(&p);
}

static void signer_is_asked_once(void **state)
{
        struct tls_client_options options = device_options();
        struct pair p = { 0 };

        (void)state;
        signatures = 0;
        pair_connect(&p, &by_signer, &options, NULL);
        assert_int_equal(p.server_result, 0);
        assert_int_equal(signatures, 1);
        pair_end(&p);
}

static void signer_fails(void **state)
{
        int error = -ENOTCONN;
        struct tls_server_options server = { .certificate_file = "relay.crt",
                                             .sign = sign_with_seed,
                                             .sign_context = &error };
        struct tls_client_options options = device_options();
        struct pair p = { 0 };

        (void)state;
        pair_connect(&p, &server, &options, NULL);
        assert_int_equal(p.server_result, -ENOTCONN);
        assert_int_not_equal(p.client_result, 0);
        pair_end(&p);
}

/* openssl as the client over TCP; the server's view of each handshake */
static int handshake_with_openssl(struct tls_context *context, const char *options)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct timeval patience = { 5, 0 };
        socklen_t size = sizeof(address);
        struct tls *tls = NULL;
        char command[512];
        int result = -ECONNREFUSED; /* unless the client comes at all */

        int listener = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(bind(listener, (void *)&address, sizeof(address)), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(getsockname(listener, (void *)&address, &size), 0);
        snprintf(command, sizeof(command),
                 "timeout 5 openssl s_client -connect 127.0.0.1:%u -CAfile ca.crt %s </dev/null >client 2>&1 &",
                 ntohs(address.sin_port), options);
        assert_int_equal(system(command), 0);
        setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0) {
                assert_int_equal(tls_new(&tls, context, fd, NULL), 0);
                result = tls_handshake(tls);
                tls_free(tls);
                close(fd);
        }
        close(listener);
        return result;
}

static void openssl_clients(void **state)
{
        static const struct {
                const char *options;
                bool good;
        } rows[] = {
                { "-cert device.crt -key device.key", true },
                { "-cert device.crt -key device.key -alpn mqtt", true },
                { "-cert device.crt -key device.key -alpn h2", false },
                { "-cert device.crt -key device.key -groups P-256", true },
                { "-cert device.crt -key device.key -groups P-384", false },
                { "-cert device.crt -key device.key -ciphersuites TLS_AES_128_GCM_SHA256", true },
                { "-cert device.crt -key device.key -ciphersuites TLS_AES_256_GCM_SHA384", false },
                { "-cert device.crt -key device.key -tls1_2", false },
                { "", false },
        };
        struct tls_context *context = NULL;

        (void)state;
        assert_int_equal(tls_server_context_new(&context, &by_signer), 0);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                int result = handshake_with_openssl(context, rows[i].options);
                if ((result == 0) != rows[i].good)
                        fail_msg("s_client %s: %d", rows[i].options, result);
        }
        tls_context_free(context);
}

static void contexts_refused(void **state)
{
        struct tls_context *context = NULL;
        struct tls *tls = NULL;
        struct tls_server_options server = { .certificate_file = "relay.crt" };
        struct tls_client_options client = { .certificate_file = "device.crt", .key_file = "device.key" };

        (void)state;
        assert_int_equal(tls_server_context_new(&context, &server), -EINVAL);
        server.key_file = "device.key";
        assert_int_equal(tls_server_context_new(&context, &server), -EKEYREJECTED);
        server.key_file = "absent";
        assert_int_equal(tls_server_context_new(&context, &server), -ENOENT);
        server.certificate_file = "relay.key";
        server.key_file = "relay.key";
        assert_int_equal(tls_server_context_new(&context, &server), -EBADMSG);

        assert_int_equal(tls_client_context_new(&context, &client), -EINVAL); /* neither CA nor pin */
        client.ca_file = "absent";
        assert_int_equal(tls_client_context_new(&context, &client), -ENOENT);
        client.ca_file = "ca.key";
        assert_int_equal(tls_client_context_new(&context, &client), -EBADMSG);
        client.ca_file = "ca.crt";
        assert_int_equal(tls_client_context_new(&context, &client), 0);
        assert_int_equal(tls_new(&tls, context, 0, NULL), -EINVAL); /* a CA, but no host to check */
        context = tls_context_free(context);
        assert_null(context);
        assert_null(tls);
        assert_null(tls_free(NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_gets_in),          cmocka_unit_test(peer_chain),
                cmocka_unit_test(bytes_both_ways),      cmocka_unit_test(lost_connection),
                cmocka_unit_test(signer_is_asked_once), cmocka_unit_test(signer_fails),
                cmocka_unit_test(openssl_clients),      cmocka_unit_test(contexts_refused),
        };
        return cmocka_run_group_tests_name("tls", tests, setup, scratch_teardown);
}
