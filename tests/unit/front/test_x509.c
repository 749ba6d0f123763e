/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls/x509: identities, certificates of ours under openssl's eyes, chains good and bad */
#include "scratch.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

#include "tls/certificate.h"
#include "tls/keyfile.h"
#include "tls/x509.h"
#include "util/cleanup.h"

static const uint8_t ca_seed[ED25519_SEED_SIZE] = { 1 }, leaf_seed[ED25519_SEED_SIZE] = { 2 },
                     other_seed[ED25519_SEED_SIZE] = { 3 };

static struct public_key public_of(const uint8_t *seed)
{
        struct public_key key;
        assert_int_equal(crypto_ed25519_public(seed, &key), RELAY_OK);
        return key;
}

static struct span make(uint8_t out[2048], const struct x509_request *request, struct span issuer, const uint8_t *seed)
{
        struct writer w;
        writer_init(&w, out, 2048);
        assert_int_equal(x509_make(&w, request, issuer, seed), 0);
        return writer_span(&w);
}

static struct span load(const char *path)
{
        static uint8_t kept[8][4096];
        static unsigned next;
        uint8_t *der = NULL, *to = kept[next++ % 8];
        size_t size = 0;

        assert_int_equal(x509_load_pem(path, &der, &size), 0);
        assert_true(size <= sizeof(kept[0]));
        memcpy(to, der, size);
        free(der);
        return span_of(to, size);
}

static void ours_under_openssl(void **state)
{
        uint8_t ca_der[2048], leaf_der[2048];

        (void)state;
        struct x509_request ca = {
                .common_name = "factory.acme", .organisation = "Acme & Söhne", .ca = true, .days = 9000
        };
        ca.key = public_of(ca_seed);
        struct span ca_span = make(ca_der, &ca, SPAN_EMPTY, ca_seed);
        assert_int_equal(x509_save_pem("ca.crt", ca_span, 0644), 0);
        assert_int_equal(x509_save_pem("ca.crt", ca_span, 0644), -EEXIST);
        assert_int_equal(shell("openssl x509 -in ca.crt -noout -text"), 0);
        assert_true(out_has("CA:TRUE"));
        assert_true(out_has("Certificate Sign, CRL Sign"));

        struct x509_request leaf = {
                .common_name = "relay.s1", .dns_name = "127.0.0.1", .days = 30, .for_server = true
        };
        leaf.key = public_of(leaf_seed);
        struct span leaf_span = make(leaf_der, &leaf, ca_span, ca_seed);
        assert_int_equal(x509_save_pem("leaf.crt", leaf_span, 0600), 0);
        assert_int_equal(shell("openssl x509 -in leaf.crt -noout -text"), 0);
        assert_true(out_has("IP Address:127.0.0.1"));
        assert_true(out_has("TLS Web Server Authentication"));
        assert_true(out_has("Digital Signature"));
        assert_true(out_has("CA:FALSE"));
        assert_true(out_has("X509v3 Authority Key Identifier"));
        assert_int_equal(
                shell("openssl verify -x509_strict -purpose sslserver -verify_ip 127.0.0.1 -CAfile ca.crt leaf.crt"),
                0);
        assert_int_not_equal(shell("openssl verify -purpose sslclient -CAfile ca.crt leaf.crt"), 0);

        struct x509_facts facts;
        assert_int_equal(x509_parse(leaf_span, &facts), 0);
        assert_string_equal(facts.identity, "relay.s1");
        assert_true(key_equal(&facts.key, &leaf.key));
        assert_false(facts.is_ca);
        assert_true(facts.not_before <= (uint64_t)time(NULL));
        assert_true(facts.not_after > (uint64_t)time(NULL) + 29 * 86400);
        uint8_t fingerprint[SHA256_SIZE];
        assert_int_equal(key_fingerprint(&leaf.key, fingerprint), RELAY_OK);
        assert_memory_equal(fingerprint, facts.fingerprint, SHA256_SIZE);
}

static void requests_refused(void **state)
{
        uint8_t der[2048], small[100];
        struct writer w;
        struct x509_request request = { .common_name = "device-1", .days = 30, .key = public_of(leaf_seed) };
        struct x509_request ca = { .common_name = "factory.acme", .ca = true, .days = 30, .key = public_of(ca_seed) };
        struct span ca_span = make(der, &ca, SPAN_EMPTY, ca_seed);

        (void)state;
        writer_init(&w, small, sizeof(small));
        assert_int_equal(x509_make(&w, &request, ca_span, ca_seed), -ENOBUFS);
        writer_init(&w, small, sizeof(small));
        assert_int_equal(x509_make(&w, &request, ca_span, other_seed), -EINVAL); /* not the issuer's seed */
        assert_int_equal(x509_make(&w, &request, SPAN_EMPTY, ca_seed), -EINVAL); /* self-signed by another */
        assert_int_equal(x509_make(&w, &request, SPAN_LITERAL("junk"), ca_seed), -EBADMSG);
        request.days = 0;
        assert_int_equal(x509_make(&w, &request, ca_span, ca_seed), -EINVAL);
        request.days = 1;
        request.common_name = "";
        assert_int_equal(x509_make(&w, &request, ca_span, ca_seed), -EINVAL);
}

static void identity_rule(void **state)
{
        static const struct {
                const char *subject, *identity;
        } rows[] = {
                { "/O=Acme/CN=device-1", "device-1" },
                { "/CN=device-1", "device-1" },
                { "/CN=relay.s1", "relay.s1" },
                { "/CN=app.dashboard/O=late", "app.dashboard" },
                { "/O=Acme", "" },
                { "/CN=device-1/CN=device-2", "" },
                { "/CN=device-1/CN=device-1", "" },
                { "/CN=device-1+CN=device-2", "" },
                { "/CN=device-1/O=x/CN=vendor.acme", "" },
                { "/CN=Device-1", "" },
                { "/CN=device_1", "" },
                { "/CN=device 1", "" },
                { "/CN=device-1 ", "" },
                { "/CN=.relay", "" },
                { "/CN=relay.", "" },
                { "/CN=relay..s1", "" },
                { "/CN=devic\xc3\xa9", "" },
                { "/CN=aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd", "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd" },
                { "/CN=aaaaaaaaaabbbbbbbbbbccccccccccdddddddddde", "" },
                { "/CN=+", "" },
                { "/emailAddress=device-1@example.org/CN=device-1", "device-1" },
        };
        char command[512];

        (void)state;
        assert_int_equal(shell("openssl genpkey -algorithm ed25519 -out key"), 0);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct x509_facts facts;
                snprintf(command, sizeof(command),
                         "openssl req -x509 -utf8 -multivalue-rdn -key key -subj '%s' -out c.crt", rows[i].subject);
                assert_int_equal(shell(command), 0);
                assert_int_equal(x509_parse(load("c.crt"), &facts), 0);
                if (strcmp(facts.identity, rows[i].identity) != 0)
                        fail_msg("%s gave \"%s\", not \"%s\"", rows[i].subject, facts.identity, rows[i].identity);
        }
}

static void foreign_certificates(void **state)
{
        struct x509_facts facts;

        (void)state;
        assert_int_equal(shell("openssl req -x509 -newkey rsa:2048 -nodes -keyout rk -subj /CN=device-1 -out rsa.crt"),
                         0);
        assert_int_equal(x509_parse(load("rsa.crt"), &facts), 0);
        assert_int_equal(facts.key.type, KEY_NONE);
        assert_true(facts.is_ca);

        assert_int_equal(shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ek"
                               " -subj /CN=device-1 -days 20000 -out ec.crt"),
                         0);
        assert_int_equal(x509_parse(load("ec.crt"), &facts), 0);
        assert_int_equal(facts.key.type, KEY_P256);
        assert_true(facts.not_after > UINT64_C(2524608000)); /* past 2050: GeneralizedTime */
}

static void no_cut_or_tail_passes(void **state)
{
        uint8_t der[2048];
        struct x509_request request = {
                .common_name = "device-1", .days = 30, .key = public_of(leaf_seed), .dns_name = "x"
        };
        struct span whole = make(der, &request, SPAN_EMPTY, leaf_seed);
        struct x509_facts facts;

        (void)state;
        for (size_t size = 0; size < whole.size; size++)
                assert_int_equal(x509_parse(span_slice(whole, 0, size), &facts), -EBADMSG);
        der[whole.size] = 0;
        assert_int_equal(x509_parse(span_of(der, whole.size + 1), &facts), -EBADMSG);
}

/* factory.sh makes the files; each row is a chain, leaf first, and what must be said about it */
static void chains(void **state)
{
        static const struct {
                const char *anchor, *chain[5];
                bool check_time, good;
        } rows[] = {
                { "root.crt", { "direct.crt" }, true, true },
                { "root.crt", { "leaf.crt", "mid.crt" }, true, true },
                { "root.crt", { "leaf.crt", "mid.crt", "root.crt" }, true, true },
                { "mid.crt", { "leaf.crt" }, true, true },
                { "ec.crt", { "ecleaf.crt" }, true, true },
                { "root.crt", { "own.crt", "dev.crt" }, true, true },
                { "root.crt", { "leaf.crt" }, true, false },                           /* intermediate missing */
                { "root.crt", { "mid.crt", "leaf.crt" }, true, false },                /* a CA is no client */
                { "root.crt", { "leaf.crt", "dev.crt" }, true, false },                /* not its issuer */
                { "root.crt", { "toodeep.crt", "deep.crt", "mid.crt" }, true, false }, /* path length */
                { "root.crt", { "foreign.crt", "dev.crt" }, true, false },             /* name constraint */
                { "root.crt", { "byleaf.crt", "leaf.crt", "mid.crt" }, true, false },  /* no CA */
                { "root.crt", { "critical.crt" }, true, false },                       /* unknown critical extension */
                { "root.crt", { "expired.crt" }, true, false },
                { "root.crt", { "expired.crt" }, false, true },
                { "root.crt", { "bynosign.crt", "nosign.crt" }, true, false }, /* CA that may not sign */
                { "root.crt", { "stranger.crt" }, true, false },               /* same name, another key */
                { "root.crt", { "bydns.crt", "dns.crt" }, true, false },       /* constraint we do not know */
                { "root.crt", { "root.crt" }, true, false },                   /* nor is the anchor itself */
                { "root.crt", { "devca.crt", "dev.crt" }, true, false },       /* nor a CA of one device */
                { "root.crt", { "server.crt" }, true, false },                 /* for servers only */
                { "root.crt", { "client.crt" }, true, true },
                { "root.crt", { "any.crt" }, true, true },
                { "root.crt", { "nodigital.crt" }, true, false }, /* may not sign a handshake */
                { "mid.crt", { "direct.crt" }, true, false },
        };

        (void)state;
        assert_int_equal(shell("bash " FACTORY_SCRIPT), 0);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct x509_trust *trust = NULL;
                struct span chain[5];
                size_t count = 0;

                assert_int_equal(x509_trust_new(&trust), 0);
                assert_int_equal(x509_trust_add_file(trust, rows[i].anchor), 0);
                for (; rows[i].chain[count]; count++)
                        chain[count] = load(rows[i].chain[count]);
                int expected = rows[i].good ? 0 : -EKEYREJECTED;
                if (x509_trust_verify(trust, chain, count, rows[i].check_time) != expected)
                        fail_msg("row %zu (%s) was expected to be %s", i, rows[i].chain[0],
                                 rows[i].good ? "good" : "refused");
                assert_int_equal(x509_trust_verify(trust, chain, 0, false), -EKEYREJECTED);
                x509_trust_free(trust);
        }
        struct x509_trust *trust = NULL;
        assert_int_equal(x509_trust_new(&trust), 0);
        assert_int_equal(x509_trust_add_file(trust, "leaf.crt"), -EBADMSG);
        assert_int_equal(x509_trust_add_file(trust, "root.key"), -EBADMSG);
        assert_int_equal(x509_trust_add_file(trust, FACTORY_SCRIPT), -EBADMSG);
        assert_int_equal(x509_trust_add_file(trust, "absent"), -ENOENT);
        assert_int_equal(shell("cat other.crt root.crt >both.crt"), 0);
        assert_int_equal(x509_trust_add_file(trust, "both.crt"), 0);
        struct span direct = load("direct.crt");
        assert_int_equal(x509_trust_verify(trust, &direct, 1, true), 0);

        /* every flipped bit of a good certificate breaks it */
        uint8_t copy[4096];
        for (size_t byte = 0; byte < direct.size; byte += 3) {
                struct span flipped = span_of(copy, direct.size);
                memcpy(copy, direct.data, direct.size);
                copy[byte] ^= 0x10;
                assert_int_equal(x509_trust_verify(trust, &flipped, 1, true), -EKEYREJECTED);
        }
        x509_trust_free(trust);
        assert_null(x509_trust_free(NULL));
}

static void host_names(void **state)
{
        static const struct {
                const char *entry, *host;
                bool matches;
        } rows[] = {
                { "broker.example.org", "broker.example.org", true },
                { "broker.example.org", "BROKER.example.ORG", true },
                { "broker.example.org", "example.org", false },
                { "broker.example.org", "broker.example.org.evil.test", false },
                { "*.example.org", "broker.example.org", true },
                { "*.example.org", "a.broker.example.org", false },
                { "*.example.org", "example.org", false },
                { "*.example.org", ".example.org", false },
                { "127.0.0.1", "127.0.0.1", true },
                { "127.0.0.1", "127.0.0.2", false },
                { "::1", "::1", true },
                { "::1", "0:0:0:0:0:0:0:1", true },
                { "::1", "127.0.0.1", false },
                { NULL, "relay.s1", false }, /* the CN is no host name */
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                uint8_t der[2048];
                struct certificate c;
                struct x509_request request = { .common_name = "relay.s1", .dns_name = rows[i].entry, .days = 1 };
                request.key = public_of(leaf_seed);
                assert_int_equal(certificate_parse(make(der, &request, SPAN_EMPTY, leaf_seed), &c), RELAY_OK);
                assert_int_equal(certificate_names_host(&c, rows[i].host), rows[i].matches);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(ours_under_openssl, scratch_setup, scratch_teardown),
                cmocka_unit_test(requests_refused),
                cmocka_unit_test_setup_teardown(identity_rule, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(foreign_certificates, scratch_setup, scratch_teardown),
                cmocka_unit_test(no_cut_or_tail_passes),
                cmocka_unit_test_setup_teardown(chains, scratch_setup, scratch_teardown),
                cmocka_unit_test(host_names),
        };
        return cmocka_run_group_tests_name("x509", tests, NULL, NULL);
}
