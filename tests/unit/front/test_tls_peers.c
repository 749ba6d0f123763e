/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls: sessions with openssl and with wolfSSL's own record layer, in both suites, with new keys on the way */
#include "identities.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "relay/dice.h"
#include "tls/tls.h"

#define PATIENCE_MS 20000
#define GUESTS      96
#define GUEST_BYTES 64 /* of memory, far below that of a certificate's key and name; the library settles in */

static const char *const suites[][2] = { { "TLS13-CHACHA20-POLY1305-SHA256", "TLS_CHACHA20_POLY1305_SHA256" },
                                         { "TLS13-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256" } };
static const struct tls_server_options relay = { .certificate_file = "relay.crt", .key_file = "relay.key" };

static int setup(void **state)
{
        if (scratch_setup(state) != 0)
                return -1;
        make_identity("ca", 1, NULL, (struct x509_request){ .common_name = "factory.acme", .ca = true });
        make_identity("relay", 2, "ca",
                      (struct x509_request){ .common_name = "relay.s1", .dns_name = "127.0.0.1", .for_server = true });
        make_identity("device", 3, "ca", (struct x509_request){ .common_name = "device-1", .for_client = true });
        return 0;
}

static void wait_readable(int fd)
{
        struct pollfd p = { .fd = fd, .events = POLLIN };
        assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

/* ---- wolfSSL at the other end of a socket pair */

struct pair {
        struct tls_context *context;
        struct tls *server;
        WOLFSSL_CTX *client_context;
        WOLFSSL *client;
        int fds[2];
};

/* client: its chain and key are NAME.crt and NAME.key; early: it sends this right behind its Finished */
static void pair_connect_to(struct pair *p, struct tls_context *context, const char *name, const char *suite,
                            const char *early)
{
        char certificate[32], key[32];
        int client = 0, server = TLS_WANT_READ;

        snprintf(certificate, sizeof(certificate), "%s.crt", name);
        snprintf(key, sizeof(key), "%s.key", name);
        *p = (struct pair){ .context = context };
        p->client_context = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
        assert_int_equal(wolfSSL_CTX_set_cipher_list(p->client_context, suite), WOLFSSL_SUCCESS);
        assert_int_equal(wolfSSL_CTX_use_certificate_chain_file(p->client_context, certificate), WOLFSSL_SUCCESS);
        assert_int_equal(wolfSSL_CTX_use_PrivateKey_file(p->client_context, key, WOLFSSL_FILETYPE_PEM),
                         WOLFSSL_SUCCESS);
        assert_int_equal(wolfSSL_CTX_load_verify_locations(p->client_context, "ca.crt", NULL), WOLFSSL_SUCCESS);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fds), 0);
        assert_int_equal(tls_new(&p->server, p->context, p->fds[0], NULL), 0);
        p->client = wolfSSL_new(p->client_context);
        assert_int_equal(wolfSSL_set_fd(p->client, p->fds[1]), WOLFSSL_SUCCESS);
        wolfSSL_set_using_nonblock(p->client, 1);
        for (int turn = 0; turn < 20 && (client != WOLFSSL_SUCCESS || server > 0); turn++) {
                if (client != WOLFSSL_SUCCESS) {
                        client = wolfSSL_connect(p->client);
                        if (client == WOLFSSL_SUCCESS && early)
                                assert_int_equal(wolfSSL_write(p->client, early, (int)strlen(early)), strlen(early));
                }
                if (server > 0)
                        server = tls_handshake(p->server);
        }
        assert_int_equal(client, WOLFSSL_SUCCESS);
        assert_int_equal(server, 0);
}

static void pair_connect_as(struct pair *p, const char *name, const char *suite, const char *early)
{
        struct tls_context *context;

        assert_int_equal(tls_server_context_new(&context, &relay), 0);
        pair_connect_to(p, context, name, suite, early);
}

static void pair_connect(struct pair *p, const char *suite, const char *early)
{
        pair_connect_as(p, "device", suite, early);
}

static void pair_end(struct pair *p)
{
        tls_free(p->server);
        wolfSSL_free(p->client);
        wolfSSL_CTX_free(p->client_context);
        tls_context_free(p->context);
        close(p->fds[0]);
        close(p->fds[1]);
}

static void assert_server_reads(struct tls *tls, const char *expected)
{
        char got[64];
        size_t done = 0;

        int r = tls_read(tls, got, sizeof(got), &done);
        if (r != 0 || done != strlen(expected) || memcmp(got, expected, done) != 0)
                fail_msg("%d (%s), %zu bytes instead of '%s'", r, tls_error_string(tls), done, expected);
}

static void assert_client_reads(WOLFSSL *ssl, const char *expected)
{
        char got[64];

        assert_int_equal(wolfSSL_read(ssl, got, sizeof(got)), strlen(expected));
        assert_memory_equal(got, expected, strlen(expected));
}

static void wolfssl_client(void **state)
{
        struct pair p;
        uint8_t byte;
        size_t done;

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                pair_connect(&p, suites[i][0], NULL);
                assert_non_null(strstr(tls_describe(p.server), suites[i][1]));
                assert_int_equal(wolfSSL_write(p.client, "hello", 5), 5);
                assert_server_reads(p.server, "hello");
                assert_int_equal(tls_write(p.server, SPAN_LITERAL("hello back"), &done), 0);
                assert_client_reads(p.client, "hello back");

                assert_int_equal(wolfSSL_update_keys(p.client), WOLFSSL_SUCCESS);
                assert_int_equal(wolfSSL_write(p.client, "new keys", 8), 8);
                assert_server_reads(p.server, "new keys");
                assert_int_equal(tls_write(p.server, SPAN_LITERAL("new keys, too"), &done), 0);
                assert_client_reads(p.client, "new keys, too");
                assert_int_equal(wolfSSL_write(p.client, "still", 5), 5);
                assert_server_reads(p.server, "still");

                wolfSSL_shutdown(p.client);
                assert_int_equal(tls_read(p.server, &byte, 1, &done), TLS_CLOSED);
                assert_int_equal(tls_read(p.server, &byte, 1, &done), TLS_CLOSED);
                tls_close_notify(p.server);
                assert_int_equal(wolfSSL_read(p.client, &byte, 1), 0);
                assert_int_equal(wolfSSL_get_error(p.client, 0), WOLFSSL_ERROR_ZERO_RETURN);
                pair_end(&p);
        }
}

/* The leaf has its issuer's name, by purpose: no library may take it for self-signed and stop there. */
static void chain_of_a_boot_stage(void **state)
{
        static const uint8_t identity_seed[ED25519_SEED_SIZE] = { 4 }, application_seed[ED25519_SEED_SIZE] = { 5 };
        struct dice_measurement measurement = { .mode = DICE_MODE_NORMAL };
        uint8_t leaf[DICE_CERTIFICATE_MAX], *device = NULL;
        struct span shown[TLS_CHAIN_MAX];
        struct x509_device found;
        struct public_key key;
        struct writer w;
        struct pair p;
        size_t size;

        (void)state;
        make_identity("made", 4, "ca",
                      (struct x509_request){ .common_name = "device-4", .organisation = "Acme", .device = true });
        assert_int_equal(x509_load_pem("made.crt", &device, &size), 0);
        assert_int_equal(crypto_ed25519_public(application_seed, &key), RELAY_OK);
        writer_init(&w, leaf, sizeof(leaf));
        assert_int_equal(dice_write_leaf(&w, identity_seed, span_of(device, size), &key, &measurement), RELAY_OK);
        assert_int_equal(x509_save_pem("leaf.crt", writer_span(&w), 0644), 0);
        assert_int_equal(shell("cat leaf.crt made.crt >dice.crt"), 0);
        assert_int_equal(keyfile_save("dice.key", application_seed, NULL), 0);
        pair_connect_as(&p, "dice", suites[0][0], NULL);
        assert_int_equal(tls_peer_chain(p.server, shown), 2);
        assert_int_equal(x509_device_chain(shown, 2, &found), 0);
        assert_string_equal(found.identity, "device-4");
        assert_true(key_equal(&found.key, &key));
        assert_true(span_equal(shown[1], span_of(device, size)));
        free(device);
        pair_end(&p);
}

/* Anybody may come with a chain of his own: what it brought along goes with him. */
static void guests_leave_nothing_behind(void **state)
{
        struct tls_context *context;
        size_t before = 0;

        (void)state;
        assert_int_equal(tls_server_context_new(&context, &relay), 0);
        for (uint8_t i = 0; i < GUESTS; i++) {
                char authority[16], guest[16], name[32], command[64];
                struct pair p;

                snprintf(authority, sizeof(authority), "any%u", i);
                snprintf(guest, sizeof(guest), "guest%u", i);
                snprintf(name, sizeof(name), "any.%u", i);
                make_identity(authority, 100 + i, NULL, (struct x509_request){ .common_name = name, .ca = true });
                make_identity(guest, 150, authority, (struct x509_request){ .common_name = guest });
                snprintf(command, sizeof(command), "cat any%u.crt >>guest%u.crt", i, i);
                assert_int_equal(shell(command), 0);
                pair_connect_to(&p, context, guest, suites[0][0], NULL);
                p.context = NULL;
                pair_end(&p);
                if (i == GUESTS / 2)
                        before = mallinfo2().uordblks;
        }
        assert_in_range(mallinfo2().uordblks, 0, before + (GUESTS / 2) * GUEST_BYTES);
        tls_context_free(context);
}

static void data_right_behind_the_handshake(void **state)
{
        struct pair p;

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                pair_connect(&p, suites[i][0], "at once");
                assert_server_reads(p.server, "at once");
                pair_end(&p);
        }
}

/* more than the socket takes at once, read in odd pieces by each side */
static void much_data(void **state)
{
        static uint8_t sent[400000], got[400000];
        size_t written = 0, read = 0;
        struct pair p;

        (void)state;
        for (size_t i = 0; i < sizeof(sent); i++)
                sent[i] = (uint8_t)(i * 13 + i / 256);
        pair_connect(&p, suites[0][0], NULL);
        while (read < sizeof(sent)) {
                size_t done = 0;
                int r = written < sizeof(sent)
                                ? tls_write(p.server, span_of(sent + written, sizeof(sent) - written), &done)
                                : 0;
                assert_true(r == 0 || r == TLS_WANT_WRITE);
                written += r == 0 ? done : 0;
                int n = wolfSSL_read(p.client, got + read, 5000);
                assert_true(n > 0 || wolfSSL_get_error(p.client, n) == WOLFSSL_ERROR_WANT_READ);
                read += n > 0 ? (size_t)n : 0;
        }
        assert_memory_equal(sent, got, sizeof(sent));
        memset(got, 0, sizeof(got));
        for (written = read = 0; read < sizeof(sent);) {
                size_t done = 0;
                int n = written < sizeof(sent) ? wolfSSL_write(p.client, sent + written, (int)(sizeof(sent) - written))
                                               : 0;
                written += n > 0 ? (size_t)n : 0;
                int r = tls_read(p.server, got + read, sizeof(got) - read < 999 ? sizeof(got) - read : 999, &done);
                assert_true(r == 0 || r == TLS_WANT_READ);
                read += r == 0 ? done : 0;
        }
        assert_memory_equal(sent, got, sizeof(sent));
        assert_false(tls_pending(p.server));
        pair_end(&p);
}

static void rubbish_ends_the_session(void **state)
{
        struct pair p;
        uint8_t byte;
        size_t done;

        (void)state;
        pair_connect(&p, suites[0][0], NULL);
        assert_int_equal(write(p.fds[1], "\x17\x03\x03\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 25), 25);
        assert_int_equal(tls_read(p.server, &byte, 1, &done), -EPROTO);
        assert_int_equal(tls_read(p.server, &byte, 1, &done), -EPROTO);
        assert_int_equal(tls_write(p.server, SPAN_LITERAL("x"), &done), -EPROTO);
        assert_non_null(strstr(tls_error_string(p.server), "bad record MAC"));
        assert_int_equal(wolfSSL_read(p.client, &byte, 1), -1); /* and the client is told */
        WOLFSSL_ALERT_HISTORY history;
        assert_int_equal(wolfSSL_get_alert_history(p.client, &history), WOLFSSL_SUCCESS);
        assert_int_equal(history.last_rx.code, 20);
        pair_end(&p);
}

static void torn_record(void **state)
{
        uint8_t wire[256], got[64];
        struct pair p;
        int between[2];
        size_t done = 0;

        (void)state;
        pair_connect(&p, suites[0][0], NULL);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, between), 0);
        assert_int_equal(wolfSSL_set_fd(p.client, between[0]), WOLFSSL_SUCCESS);
        assert_int_equal(wolfSSL_write(p.client, "one", 3), 3);
        assert_int_equal(wolfSSL_write(p.client, "two", 3), 3);
        ssize_t size = read(between[1], wire, sizeof(wire));
        for (ssize_t i = 0; i < size; i++) {
                assert_int_equal(write(p.fds[1], wire + i, 1), 1);
                int r = tls_read(p.server, got, sizeof(got), &done);
                bool whole = i == size / 2 - 1 || i == size - 1;
                assert_int_equal(r, whole ? 0 : TLS_WANT_READ);
                if (whole)
                        assert_memory_equal(got, i == size - 1 ? "two" : "one", 3);
        }
        close(between[0]);
        close(between[1]);
        pair_end(&p);
}

/* ---- openssl as a child with pipes */

struct child {
        pid_t pid;
        int in, out;
};

static struct child start(char *const command[])
{
        int in[2], out[2];
        struct child child;

        assert_int_equal(pipe(in) | pipe(out), 0);
        child.pid = fork();
        if (child.pid == 0) {
                dup2(in[0], 0);
                dup2(out[1], 1);
                dup2(out[1], 2);
                for (int fd = 3; fd < 64; fd++)
                        close(fd);
                execvp(command[0], command);
                _exit(127);
        }
        close(in[0]);
        close(out[1]);
        child.in = in[1];
        child.out = out[0];
        return child;
}

static void end(struct child child)
{
        kill(child.pid, SIGTERM);
        waitpid(child.pid, NULL, 0);
        close(child.in);
        close(child.out);
}

/* reads its output until this stands in it */
static void expect(struct child child, const char *text)
{
        char seen[65536];
        size_t size = 0;

        for (;;) {
                wait_readable(child.out);
                ssize_t n = read(child.out, seen + size, sizeof(seen) - 1 - size);
                if (n <= 0)
                        fail_msg("'%s' never came: %.*s", text, (int)size, seen);
                size += (size_t)n;
                seen[size] = '\0';
                if (strstr(seen, text))
                        return;
        }
}

static void say(struct child child, const char *text)
{
        assert_int_equal(write(child.in, text, strlen(text)), strlen(text));
}

static void read_text(struct tls *tls, int fd, const char *expected)
{
        char got[64];
        size_t done = 0, size = 0;

        while (size < strlen(expected)) {
                int r = tls_read(tls, got + size, sizeof(got) - size, &done);
                if (r == TLS_WANT_READ)
                        wait_readable(fd);
                else
                        assert_int_equal(r, 0);
                size += r == 0 ? done : 0;
        }
        assert_int_equal(size, strlen(expected));
        assert_memory_equal(got, expected, size);
}

/* openssl's "k" and "K" at the start of a line: KeyUpdate, the second one with a request for ours */
static void talk(struct tls *tls, int fd, struct child peer)
{
        uint8_t byte;
        size_t done;

        say(peer, "hello\n");
        read_text(tls, fd, "hello\n");
        for (const char *command = "kKK"; *command; command++) {
                say(peer, (char[]){ *command, '\n', '\0' });
                wait_readable(fd);
                assert_int_equal(tls_read(tls, &byte, 1, &done), TLS_WANT_READ);
                assert_int_equal(tls_write(tls, SPAN_LITERAL("answer\n"), &done), 0);
                expect(peer, "answer");
                say(peer, "after it\n");
                read_text(tls, fd, "after it\n");
        }
        tls_close_notify(tls);
}

static int listen_somewhere(struct sockaddr_in *address)
{
        socklen_t size = sizeof(*address);
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        *address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        assert_int_equal(bind(fd, (void *)address, sizeof(*address)), 0);
        assert_int_equal(listen(fd, 1), 0);
        assert_int_equal(getsockname(fd, (void *)address, &size), 0);
        return fd;
}

static void shake(struct tls *tls, int fd)
{
        int r;

        while ((r = tls_handshake(tls)) == TLS_WANT_READ)
                wait_readable(fd);
        if (r != 0)
                fail_msg("handshake: %d, %s", r, tls_error_string(tls));
}

static int not_blocking(int fd)
{
        assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
        return fd;
}

static void openssl_client(void **state)
{
        (void)state;
        for (size_t i = 0; i < 2; i++) {
                struct tls_context *context = NULL;
                struct tls *tls = NULL;
                struct sockaddr_in address;
                char to[32], suite[40];

                assert_int_equal(tls_server_context_new(&context, &relay), 0);
                int listener = listen_somewhere(&address);
                snprintf(to, sizeof(to), "127.0.0.1:%u", ntohs(address.sin_port));
                snprintf(suite, sizeof(suite), "%s", suites[i][1]);
                struct child client = start((char *[]){ "openssl", "s_client", "-connect", to, "-CAfile", "ca.crt",
                                                        "-cert", "device.crt", "-key", "device.key", "-ciphersuites",
                                                        suite, NULL });
                wait_readable(listener);
                int fd = not_blocking(accept(listener, NULL, NULL));
                assert_int_equal(tls_new(&tls, context, fd, NULL), 0);
                shake(tls, fd);
                talk(tls, fd, client);
                tls_free(tls);
                tls_context_free(context);
                end(client);
                close(fd);
                close(listener);
        }
}

/* a peer with little memory (RFC 6066 section 4) ends the session if a record is larger than it asked for */
static void small_records(void **state)
{
        struct tls_context *context = NULL;
        struct tls *tls = NULL;
        struct sockaddr_in address;
        uint8_t much[3000];
        char to[32];
        size_t done = 0;

        (void)state;
        memset(much, 'x', sizeof(much));
        assert_int_equal(tls_server_context_new(&context, &relay), 0);
        int listener = listen_somewhere(&address);
        snprintf(to, sizeof(to), "127.0.0.1:%u", ntohs(address.sin_port));
        struct child client = start((char *[]){ "openssl", "s_client", "-connect", to, "-CAfile", "ca.crt", "-cert",
                                                "device.crt", "-key", "device.key", "-maxfraglen", "512", NULL });
        wait_readable(listener);
        int fd = not_blocking(accept(listener, NULL, NULL));
        assert_int_equal(tls_new(&tls, context, fd, NULL), 0);
        shake(tls, fd);
        for (size_t at = 0; at < sizeof(much); at += done) {
                assert_int_equal(tls_write(tls, span_of(much + at, sizeof(much) - at), &done), 0);
                assert_in_range(done, 1, 512);
        }
        assert_int_equal(tls_write(tls, SPAN_LITERAL("the end\n"), &done), 0);
        expect(client, "the end");
        tls_free(tls);
        tls_context_free(context);
        end(client);
        close(fd);
        close(listener);
}

/* its tickets come right behind the handshake */
static void openssl_server(void **state)
{
        struct tls_client_options options = { .certificate_file = "device.crt",
                                              .key_file = "device.key",
                                              .ca_file = "ca.crt" };

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                struct tls_context *context = NULL;
                struct tls *tls = NULL;
                struct sockaddr_in address;
                char at[32], suite[40];

                close(listen_somewhere(&address)); /* a free port */
                snprintf(at, sizeof(at), "%u", ntohs(address.sin_port));
                snprintf(suite, sizeof(suite), "%s", suites[i][1]);
                struct child server = start((char *[]){ "openssl", "s_server", "-accept", at, "-CAfile", "ca.crt",
                                                        "-cert", "relay.crt", "-key", "relay.key", "-ciphersuites",
                                                        suite, "-Verify", "1", "-num_tickets", "4", NULL });
                expect(server, "ACCEPT");
                int fd = socket(AF_INET, SOCK_STREAM, 0);
                assert_int_equal(connect(fd, (void *)&address, sizeof(address)), 0);
                not_blocking(fd);
                assert_int_equal(tls_client_context_new(&context, &options), 0);
                assert_int_equal(tls_new(&tls, context, fd, "127.0.0.1"), 0);
                shake(tls, fd);
                expect(server, "CIPHER is");
                talk(tls, fd, server);
                tls_free(tls);
                tls_context_free(context);
                end(server);
                close(fd);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(wolfssl_client),
                cmocka_unit_test(chain_of_a_boot_stage),
                cmocka_unit_test(guests_leave_nothing_behind),
                cmocka_unit_test(data_right_behind_the_handshake),
                cmocka_unit_test(much_data),
                cmocka_unit_test(rubbish_ends_the_session),
                cmocka_unit_test(torn_record),
                cmocka_unit_test(openssl_client),
                cmocka_unit_test(small_records),
                cmocka_unit_test(openssl_server),
        };
        return cmocka_run_group_tests_name("tls_peers", tests, setup, scratch_teardown);
}
