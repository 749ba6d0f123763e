/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The posix port's channel between application and boot stage: what arrives, and what nobody may ask there. */
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trust_lab.h"

#include "ports/common/boot_server.h"
#include "ports/posix/boot_posix.h"

static struct boot_server server;
static uint8_t message[BOOT_MESSAGE_MAX];

static size_t ask(uint8_t byte, struct span argument)
{
        message[0] = byte;
        if (argument.size > 0)
                memmove(message + 1, argument.data, argument.size);
        return boot_server_answer(&server, 1 + argument.size);
}

static void serve_forever(int fd)
{
        for (;;) {
                ssize_t n = recv(fd, message, sizeof(message), 0);
                if (n <= 0)
                        _exit(0);
                size_t size = boot_server_answer(&server, (size_t)n);
                if (send(fd, message, size, MSG_NOSIGNAL) < 0)
                        _exit(1);
        }
}

static void test_application_talks_to_boot_stage(void **state)
{
        static struct boot_client client;
        static struct site_policy policy;
        static struct vendor_keys vendor;
        struct site_policy next = rotated();
        enum reason refusal = REASON_COUNT;
        int pair[2];

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                close(pair[0]);
                serve_forever(pair[1]);
        }
        close(pair[1]);
        assert_int_equal(boot_posix_open(&client, pair[0]), 0);
        const struct port_boot *boot = &client.boot;
        assert_int_equal(boot->trusted(boot->context, &policy, &vendor), 0);
        assert_memory_equal(policy.digest, device.boot.policy.digest, SHA256_SIZE);
        assert_memory_equal(vendor.digest, device.boot.vendor.digest, SHA256_SIZE);

        struct span set = made_policy_set(&next, all_four, 1);
        assert_int_equal(boot->accept(boot->context, PORT_BOOT_POLICY, set, &refusal), 0);
        assert_int_equal(refusal, REASON_UNDER_SIGNED);
        set = made_policy_set(&next, all_four, 4);
        assert_int_equal(boot->accept(boot->context, PORT_BOOT_POLICY, set, &refusal), 0);
        assert_int_equal(refusal, REASON_NONE);
        assert_int_equal(boot->trusted(boot->context, &policy, &vendor), 0);
        assert_int_equal(policy.epoch, 2);
        assert_int_equal(boot->status(boot->context, &status), 0);
        assert_int_equal(status.policy_epoch, 2);
        assert_memory_equal(status.confirmed_manifest, status.manifest, SHA256_SIZE); /* what runs was confirmed */
        assert_int_equal(status.vendor_epoch, 1);

        static uint8_t large[SITE_POLICY_MAX + 1];
        assert_int_equal(boot->accept(boot->context, PORT_BOOT_POLICY, SPAN_OF(large), &refusal), 0);
        assert_int_equal(refusal, REASON_TOO_LARGE);
        close(pair[0]);
        assert_int_equal(waitpid(child, NULL, 0), child);
}

/* The largest objects there can be pass the channel: their signed sets do not exceed what their payloads may. */
static void test_room_for_the_largest_objects(void **state)
{
        (void)state;
        assert_true(VENDOR_KEYS_SET_MAX <= SITE_POLICY_MAX);
        assert_true(2 + SITE_POLICY_MAX <= BOOT_MESSAGE_MAX);
        assert_true(1 + TRUST_OBJECT_MAX <= BOOT_MESSAGE_MAX);
        assert_true(1 + ATTEST_STATEMENT_MAX <= BOOT_MESSAGE_MAX);
}

static void test_nothing_asked_here_claims_or_unclaims(void **state)
{
        struct site_policy first_policy = made_policy();
        static uint8_t bytes[SITE_POLICY_MAX + 1];
        enum reason reason;

        (void)state;
        struct span set = made_policy_set(&first_policy, old_pair, 2);
        memcpy(bytes + 1, set.data, set.size);
        for (unsigned claimed = 0; claimed < 2; claimed++) {
                for (unsigned byte = 0; byte < 256; byte++) {
                        for (bytes[0] = 0; bytes[0] < 4; bytes[0]++)
                                (void)ask((uint8_t)byte, span_of(bytes, 1 + set.size));
                        (void)ask((uint8_t)byte, set);
                        (void)ask((uint8_t)byte, SPAN_EMPTY);
                        assert_int_equal(device.boot.record.claimed, claimed == 0);
                }
                made_unclaimed_device(&device, &first);
                assert_int_equal(boot_open(&device.boot, &device.board, &reason), 0);
        }
}

static void test_bad_requests(void **state)
{
        (void)state;
        assert_int_equal(boot_server_answer(&server, 0), 1);
        assert_int_equal(message[0], 1);
        assert_int_equal(ask(BOOT_REQUEST_ACCEPT, SPAN_EMPTY), 1);
        assert_int_equal(message[0], 1);
        assert_int_equal(ask(BOOT_REQUEST_ACCEPT, SPAN_LITERAL("\x03rubbish")), 1);
        assert_int_equal(ask('?', SPAN_EMPTY), 1);
        assert_true(ask(BOOT_REQUEST_ACCEPT, SPAN_LITERAL("\x02rubbish")) > 1);
        assert_int_equal(message[0], 0);
}

/* The key signs what a TLS 1.3 client signs, and nothing else that an application might like to have signed. */
static void test_what_is_signed(void **state)
{
        static const struct {
                const char *name;
                size_t spaces;
                const char *context;
                size_t zero, hash;
                bool signs;
        } rows[] = {
                { "client, SHA-256", 64, "TLS 1.3, client CertificateVerify", 1, 32, true },
                { "client, SHA-384", 64, "TLS 1.3, client CertificateVerify", 1, 48, true },
                { "server", 64, "TLS 1.3, server CertificateVerify", 1, 32, false },
                { "another word", 64, "TLS 1.3, Client CertificateVerify", 1, 32, false },
                { "one space less", 63, "TLS 1.3, client CertificateVerify", 1, 33, false },
                { "a space missing", 63, "TLS 1.3, client CertificateVerify", 1, 32, false },
                { "no zero", 64, "TLS 1.3, client CertificateVerify", 0, 33, false },
                { "hash too short", 64, "TLS 1.3, client CertificateVerify", 1, 31, false },
                { "hash too long", 64, "TLS 1.3, client CertificateVerify", 1, 49, false },
                { "no hash", 64, "TLS 1.3, client CertificateVerify", 1, 0, false },
                { "as long as may be", 64, "TLS 1.3, client CertificateVerify", 1, PORT_SIGN_MAX - 98, false },
                { "a COSE structure", 0, "\x84jSignature1", 0, 120, false },
                { "nothing", 0, "", 0, 0, false },
        };
        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                uint8_t content[PORT_SIGN_MAX];
                struct writer w;
                writer_init(&w, content, sizeof(content));
                for (size_t n = 0; n < rows[i].spaces; n++)
                        writer_u8(&w, ' ');
                writer_bytes(&w, span_of_string(rows[i].context));
                for (size_t n = 0; n < rows[i].zero; n++)
                        writer_u8(&w, 0);
                for (size_t n = 0; n < rows[i].hash; n++)
                        writer_u8(&w, (uint8_t)(0xa0 + n));
                assert_int_equal(writer_finish(&w), RELAY_OK);
                if (ask(BOOT_REQUEST_SIGN, writer_span(&w)) != (rows[i].signs ? 1u + SIGNATURE_SIZE : 1u))
                        fail_msg("%s", rows[i].name);
                assert_int_equal(message[0], rows[i].signs ? 0 : 1);
                if (rows[i].signs)
                        assert_int_equal(crypto_verify(&device.boot.keys.key, writer_span(&w), message + 1), RELAY_OK);
        }
}

static int setup_server(void **state)
{
        int r = setup(state);

        memset(&server, 0, sizeof(server));
        server.message = message;
        boot_server_init(&server, &device.boot);
        return r;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_application_talks_to_boot_stage, setup_server),
                cmocka_unit_test_setup(test_room_for_the_largest_objects, setup_server),
                cmocka_unit_test_setup(test_nothing_asked_here_claims_or_unclaims, setup_server),
                cmocka_unit_test_setup(test_bad_requests, setup_server),
                cmocka_unit_test_setup(test_what_is_signed, setup_server),
        };
        return cmocka_run_group_tests_name("boot_channel", tests, NULL, NULL);
}
