/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls/x509_device: chains of a boot stage's leaf and a device certificate, by us and by thieves of an identity key */
#include "scratch.h"

#include <errno.h>
#include <time.h>

#include "relay/dice.h"
#include "tls/keyfile.h"
#include "tls/x509.h"

static const uint8_t ca_seed[ED25519_SEED_SIZE] = { 1 }, uds[DICE_SECRET_SIZE] = { 4 };

static struct span load(const char *path)
{
        static uint8_t kept[8][4096];
        static unsigned next;
        uint8_t *der = NULL, *to = kept[next++ % 8];
        size_t size = 0;

        if (x509_load_pem(path, &der, &size) != 0)
                fail_msg("%s cannot be loaded", path);
        assert_true(size <= sizeof(kept[0]));
        memcpy(to, der, size);
        free(der);
        return span_of(to, size);
}

/* device.sh makes the files; what a hub may conclude from each chain, and whether a factory CA stands behind it */
static void hostile_chains(void **state)
{
        static const struct {
                const char *chain[4];
                int device;   /* of x509_device_chain() */
                bool trusted; /* by x509_trust_verify(), the factory CA being known */
        } rows[] = {
                { { "leaf.crt", "dev.crt" }, 0, true },
                { { "leaf.crt", "dev.crt", "root.crt" }, 0, true },
                { { "leaf2.crt", "dev2.crt" }, 0, true },
                { { "other.crt", "dev.crt" }, -EKEYREJECTED, false },   /* another device's name */
                { { "case.crt", "dev.crt" }, -EKEYREJECTED, false },    /* in other case */
                { { "second.crt", "dev.crt" }, -EKEYREJECTED, false },  /* a second name behind its own */
                { { "before.crt", "dev.crt" }, -EKEYREJECTED, false },  /* or in front of it */
                { { "below.crt", "dev.crt" }, -EKEYREJECTED, false },   /* inside its constraint, and not its name */
                { { "bare.crt", "dev.crt" }, -EKEYREJECTED, false },    /* without O */
                { { "dotted.crt", "dev.crt" }, -EKEYREJECTED, false },  /* not even a device */
                { { "stolen.crt", "dev2.crt" }, -EKEYREJECTED, false }, /* device-1 by device-2's key */
                { { "stolen.crt", "dev.crt" }, -EKEYREJECTED, false },  /* with the other certificate */
                { { "forged.crt", "dev.crt" }, -EKEYREJECTED, false },  /* with the right issuer's name */
                { { "leaf.crt", "dev2.crt" }, -EKEYREJECTED, false },   /* another device's certificate */
                { { "inner.crt", "dev.crt" }, -EKEYREJECTED, false },   /* a CA below it */
                { { "server.crt", "dev.crt" }, -EKEYREJECTED, false },  /* no client */
                { { "leaf.crt", "free.crt" }, -EKEYREJECTED, false },   /* no constraint */
                { { "other.crt", "free.crt" }, -EKEYREJECTED, false },  /* which would let this pass */
                { { "leaf.crt", "wide.crt" }, -EKEYREJECTED, false },   /* a constraint to all of O=A */
                { { "other.crt", "wide.crt" }, -EKEYREJECTED, false },  /* the same */
                { { "leaf.crt", "wrong.crt" }, -EKEYREJECTED, false },  /* to another name */
                { { "other.crt", "wrong.crt" }, -EKEYREJECTED, false }, /* the same */
                { { "leaf.crt", "long.crt" }, -EKEYREJECTED, false },   /* no path length */
                { { "leaf.crt", "two.crt" }, -EKEYREJECTED, false },    /* to two names */
                { { "same.crt", "dev.crt" }, -EKEYREJECTED, true },     /* the identity key itself: no boot stage */
                { { "deep.crt", "inner.crt", "dev.crt" }, 0, false },   /* a key that is nobody's */
                { { "leaf.crt" }, -ENOENT, false },
                { { "dev.crt", "root.crt" }, -ENOENT, false },       /* the CA's own, as a client */
                { { "ordinary.crt", "line.crt" }, -ENOENT, true },   /* an ordinary intermediate */
                { { "served.crt", "servers.crt" }, -ENOENT, false }, /* of an authority for servers only */
                { { "byacme.crt", "acme.crt" }, -ENOENT, false },    /* a root may be called like a device */
        };
        struct x509_trust *trust = NULL;

        (void)state;
        assert_int_equal(shell("bash " DEVICE_SCRIPT), 0);
        assert_int_equal(x509_trust_new(&trust), 0);
        assert_int_equal(x509_trust_add_file(trust, "root.crt"), 0);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct x509_device device;
                struct span chain[4];
                size_t count = 0;

                for (; count < 4 && rows[i].chain[count]; count++)
                        chain[count] = load(rows[i].chain[count]);
                int got = x509_device_chain(chain, count, &device);
                if (got != rows[i].device)
                        fail_msg("row %zu (%s): %d", i, rows[i].chain[0], got);
                if ((x509_trust_verify(trust, chain, count, true) == 0) != rows[i].trusted)
                        fail_msg("row %zu (%s) was expected to be %s", i, rows[i].chain[0],
                                 rows[i].trusted ? "trusted" : "refused");
        }
        assert_int_equal(x509_trust_add_file(trust, "acme.crt"), 0);
        struct span named[2] = { load("byacme.crt"), load("byline2.crt") }, line[2] = { named[1], load("line2.crt") };
        assert_int_equal(x509_trust_verify(trust, named, 1, true), 0);
        assert_int_equal(x509_trust_verify(trust, line, 2, true), -EKEYREJECTED);
        x509_trust_free(trust);
}

struct made {
        uint8_t ca[2048], device[2048], leaf[DICE_CERTIFICATE_MAX], seed[ED25519_SEED_SIZE];
        struct span chain[2];
        struct public_key identity, application;
};

static struct span write_pem(const char *path, struct writer *w)
{
        assert_int_equal(x509_save_pem(path, writer_span(w), 0644), 0);
        return writer_span(w);
}

static void make_chain(struct made *m)
{
        struct dice_measurement measurement = { .mode = DICE_MODE_NORMAL, .sequence = 3 };
        struct x509_request ca = { .common_name = "factory.acme", .organisation = "Acme", .ca = true, .days = 9000 },
                            device = {
                                    .common_name = "device-1", .organisation = "Acme", .device = true, .days = 9000
                            };
        uint8_t cdi[DICE_SECRET_SIZE], application[ED25519_SEED_SIZE];
        struct writer w;

        assert_int_equal(dice_key_seed(uds, m->seed), RELAY_OK);
        assert_int_equal(crypto_ed25519_public(m->seed, &m->identity), RELAY_OK);
        assert_int_equal(dice_cdi_attest(uds, &measurement, cdi), RELAY_OK);
        assert_int_equal(dice_key_seed(cdi, application), RELAY_OK);
        assert_int_equal(crypto_ed25519_public(application, &m->application), RELAY_OK);
        assert_int_equal(crypto_ed25519_public(ca_seed, &ca.key), RELAY_OK);
        writer_init(&w, m->ca, sizeof(m->ca));
        assert_int_equal(x509_make(&w, &ca, SPAN_EMPTY, ca_seed), 0);
        struct span factory = write_pem("ca.crt", &w);
        device.key = m->identity;
        writer_init(&w, m->device, sizeof(m->device));
        assert_int_equal(x509_make(&w, &device, factory, ca_seed), 0);
        m->chain[1] = write_pem("device.crt", &w);
        writer_init(&w, m->leaf, sizeof(m->leaf));
        assert_int_equal(dice_write_leaf(&w, m->seed, m->chain[1], &m->application, &measurement), RELAY_OK);
        m->chain[0] = write_pem("leaf.crt", &w);
}

static void ours_both_ways(void **state)
{
        struct x509_trust *trust = NULL;
        struct x509_device device;
        struct made m;

        (void)state;
        make_chain(&m);
        assert_int_equal(x509_device_chain(m.chain, 2, &device), 0);
        assert_string_equal(device.identity, "device-1");
        assert_true(key_equal(&device.identity_key, &m.identity));
        assert_true(key_equal(&device.key, &m.application));
        assert_true(device.not_after > (uint64_t)time(NULL) + 8999 * UINT64_C(86400) - 3600);
        assert_int_equal(x509_trust_new(&trust), 0);
        assert_int_equal(x509_trust_add_file(trust, "ca.crt"), 0);
        assert_int_equal(x509_trust_verify(trust, m.chain, 2, true), 0);
        x509_trust_free(trust);
        for (size_t byte = 0; byte < m.chain[0].size; byte += 7) {
                m.leaf[byte] ^= 4;
                assert_true(x509_device_chain(m.chain, 2, &device) < 0);
                m.leaf[byte] ^= 4;
        }
        assert_int_equal(x509_device_chain(m.chain, 0, &device), -ENOENT);
}

static void ours_under_openssl(void **state)
{
        struct made m;

        (void)state;
        make_chain(&m);
        assert_int_equal(shell("openssl verify -x509_strict -purpose sslclient -CAfile ca.crt -untrusted device.crt"
                               " leaf.crt"),
                         0);
        assert_int_equal(shell("openssl x509 -in device.crt -noout -text"), 0);
        assert_true(out_has("CA:TRUE, pathlen:0"));
        assert_true(out_has("X509v3 Name Constraints: critical"));
        assert_true(out_has("DirName:O = Acme, CN = device-1"));
        assert_false(out_has("CRL Sign"));
        assert_true(out_has("TLS Web Client Authentication"));
        assert_int_equal(shell("openssl x509 -in leaf.crt -noout -text"), 0);
        assert_true(out_has("CA:FALSE"));
        assert_true(out_has("TLS Web Client Authentication"));
        assert_true(out_has("1.3.6.1.4.1.11129.2.1.24"));
        assert_false(out_has("1.3.6.1.4.1.11129.2.1.24: critical"));
}

/* The name is right, the constraint holds, and a host name is in it: the purpose forbids it. */
static void no_server_by_a_device(void **state)
{
        struct x509_request posing = {
                .common_name = "device-1", .organisation = "Acme", .dns_name = "cloud.acme", .days = 1
        };
        uint8_t der[2048];
        struct writer w;
        struct made m;

        (void)state;
        make_chain(&m);
        for (int server = 0; server < 2; server++) {
                posing.for_server = server;
                posing.for_client = !server;
                posing.key = m.application;
                writer_init(&w, der, sizeof(der));
                assert_int_equal(x509_make(&w, &posing, m.chain[1], m.seed), 0);
                write_pem(server ? "server.crt" : "client.crt", &w);
        }
        assert_int_equal(shell("openssl verify -purpose sslclient -CAfile ca.crt -untrusted device.crt client.crt"), 0);
        assert_int_not_equal(
                shell("openssl verify -purpose sslserver -CAfile ca.crt -untrusted device.crt server.crt 2>&1"), 0);
        assert_true(out_has("certificate purpose"));
}

static void requests_refused(void **state)
{
        struct x509_request request = { .common_name = "relay.s1", .device = true, .days = 1 };
        uint8_t der[2048];
        struct writer w;

        (void)state;
        assert_int_equal(crypto_ed25519_public(ca_seed, &request.key), RELAY_OK);
        writer_init(&w, der, sizeof(der));
        assert_int_equal(x509_make(&w, &request, SPAN_EMPTY, ca_seed), -EINVAL);
        request.common_name = "Device-1";
        assert_int_equal(x509_make(&w, &request, SPAN_EMPTY, ca_seed), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(hostile_chains, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(ours_both_ways, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(ours_under_openssl, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(no_server_by_a_device, scratch_setup, scratch_teardown),
                cmocka_unit_test(requests_refused),
        };
        return cmocka_run_group_tests_name("x509_device", tests, NULL, NULL);
}
