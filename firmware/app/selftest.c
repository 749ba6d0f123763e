/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The self-test of a board's ports. */

#include "app/selftest.h"

#include <string.h>

#define SPINS     50000000u /* looks at the clock until it has to have moved */
#define PATIENCE  5000u     /* milliseconds for something in the network */
#define ECHO_SIZE 1500u     /* bytes: more than one segment */

struct run {
        const struct selftest *test;
        unsigned failed;
};

static void tell(struct run *run, bool good, const char *text)
{
        const struct port_log *log = run->test->log;
        char line[120];
        struct writer w;

        run->failed += !good;
        if (!log)
                return;
        writer_init(&w, line, sizeof(line) - 1);
        writer_bytes(&w, span_of_string(good ? "selftest: ok " : "selftest: FAILED "));
        writer_bytes(&w, span_slice(span_of_string(text), 0, 90));
        line[writer_span(&w).size] = '\0';
        log->line(log->context, good ? PORT_LOG_INFO : PORT_LOG_ERROR, line);
}

/* ---- flash: NOR rules, bounds, neighbours */

static bool holds(const struct flash_area *area, uint32_t offset, uint8_t expected, uint32_t size)
{
        uint8_t bytes[64];

        for (uint32_t at = 0; at < size; at += sizeof(bytes)) {
                uint32_t n = size - at < sizeof(bytes) ? size - at : (uint32_t)sizeof(bytes);
                if (flash_area_read(area, offset + at, bytes, n) != 0)
                        return false;
                for (uint32_t i = 0; i < n; i++)
                        if (bytes[i] != expected)
                                return false;
        }
        return true;
}

static bool program(const struct flash_area *area, uint32_t offset, uint8_t byte, size_t size)
{
        uint8_t bytes[64];

        memset(bytes, byte, sizeof(bytes));
        return flash_area_program(area, offset, span_of(bytes, size)) == 0;
}

static void test_flash(struct run *run, const struct flash_area *area)
{
        const struct port_flash *flash = area->flash;
        uint32_t sector = flash->sector_size, begin = area->first * sector, whole = flash->sector_count * sector;
        uint8_t byte = 0;

        tell(run, sector >= 4096 && (sector & (sector - 1)) == 0 && area->count >= 2,
             "flash: sectors of a power of two, from 4096");
        tell(run, flash_area_erase(area, 0) == 0 && flash_area_erase(area, 1) == 0 && holds(area, 0, 0xff, 2 * sector),
             "flash: erased is all ones");
        tell(run, program(area, 64, 0x5a, 64) && holds(area, 64, 0x5a, 64), "flash: what is programmed is read");
        tell(run, holds(area, 0, 0xff, 64) && holds(area, 128, 0xff, 2 * sector - 128),
             "flash: nothing beside it changes");
        tell(run, program(area, 64, 0x33, 64) && holds(area, 64, 0x12, 64),
             "flash: programming again only clears bits");
        tell(run,
             program(area, 67, 0x00, 1) && holds(area, 67, 0x00, 1) && holds(area, 68, 0x12, 60) &&
                     holds(area, 64, 0x12, 3),
             "flash: a single byte at any place");
        tell(run,
             program(area, 2 * sector - 1, 0x77, 1) && flash_area_erase(area, 0) == 0 && holds(area, 0, 0xff, sector) &&
                     holds(area, 2 * sector - 1, 0x77, 1),
             "flash: an erase ends at its sector");
        tell(run,
             flash->program(flash->context, begin + sector - 1, SPAN_LITERAL("ab")) == RELAY_E_RANGE &&
                     holds(area, sector - 1, 0xff, 2),
             "flash: a program across a sector's end is refused");
        tell(run,
             flash->read(flash->context, whole, &byte, 1) == RELAY_E_RANGE &&
                     flash->program(flash->context, whole, SPAN_LITERAL("a")) == RELAY_E_RANGE,
             "flash: what lies beyond its end is refused");
}

/* ---- clock, entropy */

static uint64_t now(const struct run *run)
{
        return run->test->clock->now_ms(run->test->clock->context);
}

static void test_clock(struct run *run)
{
        uint64_t begin = now(run), last = begin;
        bool falls = false;

        for (uint32_t i = 0; i < SPINS && last - begin < 20 && !falls; i++) {
                uint64_t next = now(run);
                falls = next < last;
                last = next;
        }
        tell(run, !falls, "clock: never goes back");
        tell(run, last - begin >= 20, "clock: goes on");
}

/* ---- boot stage, secret */

static bool is_same(const struct port_boot_status *a, const struct port_boot_status *b)
{
        return a->boot == b->boot && a->slot == b->slot && a->floor == b->floor && a->policy_epoch == b->policy_epoch &&
               memcmp(a->image, b->image, SHA256_SIZE) == 0;
}

static void test_boot(struct run *run, const struct port_boot *boot)
{
        struct port_boot_status before = { 0 }, after = { 0 };
        enum reason refusal = REASON_NONE;

        tell(run, boot->status(boot->context, &before) == 0 && before.boot > 0 && before.slot <= 1,
             "boot: tells its status");
        if (boot->accept)
                tell(run,
                     boot->accept(boot->context, PORT_BOOT_POLICY, SPAN_LITERAL("garbage"), &refusal) == 0 &&
                             refusal != REASON_NONE,
                     "boot: believes no garbage");
        tell(run, boot->status(boot->context, &after) == 0 && is_same(&before, &after), "boot: and stays as it was");
}

/* what a TLS 1.3 client signs (RFC 8446 section 4.4.3), of a transcript of zeros */
static struct span certificate_verify(uint8_t out[PORT_SIGN_MAX])
{
        struct writer w;

        memset(out, ' ', 64);
        writer_init(&w, out + 64, PORT_SIGN_MAX - 64);
        writer_bytes(&w, SPAN_LITERAL("TLS 1.3, client CertificateVerify"));
        for (unsigned i = 0; i < 1 + SHA256_SIZE; i++)
                writer_u8(&w, 0);
        return span_of(out, 64 + writer_span(&w).size);
}

static bool attests(const struct port_secret *secret)
{
        struct attest_challenge challenge = { .nonce = { 1, 2, 3 }, .relay = { 4, 5, 6 } };
        uint8_t bytes[ATTEST_STATEMENT_MAX];
        struct attest_statement statement;
        size_t size;

        return secret->attest(secret->context, &challenge, bytes, sizeof(bytes), &size) == 0 &&
               attest_decode(span_of(bytes, size), &statement) == RELAY_OK &&
               memcmp(statement.challenge.nonce, challenge.nonce, sizeof(challenge.nonce)) == 0 &&
               memcmp(statement.challenge.relay, challenge.relay, sizeof(challenge.relay)) == 0 && statement.boot > 0;
}

static void test_secret(struct run *run, const struct port_secret *secret)
{
        uint8_t message[PORT_SIGN_MAX], signature[SIGNATURE_SIZE];
        struct span verify = certificate_verify(message);

        tell(run,
             secret->sign(secret->context, verify, signature) == 0 &&
                     crypto_verify(&secret->key, verify, signature) == RELAY_OK,
             "secret: signs for TLS, and its public half fits");
        message[64] ^= 1;
        tell(run,
             secret->sign(secret->context, verify, signature) != 0 &&
                     secret->sign(secret->context, SPAN_LITERAL("anything"), signature) != 0,
             "secret: signs nothing else");
        if (secret->attest)
                tell(run, attests(secret), "secret: proves this device for a challenge");
}

/* ---- network */

static bool wait_for(const struct run *run, uint64_t since)
{
        if (run->test->idle)
                run->test->idle(run->test->context);
        return now(run) - since < PATIENCE;
}

static int open_link(const struct run *run, unsigned link, uint16_t port)
{
        const struct port_net *net = run->test->net;
        uint64_t since = now(run);

        int r = net->open(net->context, link, run->test->echo_host, port);
        while (r == 0 && (r = net->connected(net->context, link)) == PORT_WANT && wait_for(run, since))
                r = 0;
        return r;
}

static uint8_t pattern(unsigned link, uint32_t at)
{
        return (uint8_t)(at * 31u + at / 256u + link * 101u);
}

/* sends and receives at the same time, as the link likes; how many bytes came back right */
static uint32_t echo(const struct run *run, unsigned link)
{
        const struct port_net *net = run->test->net;
        uint32_t sent = 0, received = 0;
        uint64_t since = now(run);
        uint8_t bytes[200];
        size_t done = 0;

        while (received < ECHO_SIZE && wait_for(run, since)) {
                size_t n = ECHO_SIZE - sent < sizeof(bytes) ? ECHO_SIZE - sent : sizeof(bytes);
                for (size_t i = 0; i < n; i++)
                        bytes[i] = pattern(link, sent + (uint32_t)i);
                if (n > 0 && net->send(net->context, link, span_of(bytes, n), &done) == 0)
                        sent += (uint32_t)done;
                if (net->receive(net->context, link, bytes, sizeof(bytes), &done) != 0)
                        continue;
                for (size_t i = 0; i < done; i++, received++)
                        if (bytes[i] != pattern(link, received))
                                return received;
        }
        return received;
}

static void test_net(struct run *run, const struct port_net *net)
{
        size_t done = 0;
        uint8_t byte;

        int refused = open_link(run, 0, run->test->closed_port);
        tell(run, refused < 0, "net: a closed port is an error, soon");
        net->close(net->context, 0);
        bool open = open_link(run, 0, run->test->echo_port) == 0 && open_link(run, 1, run->test->echo_port) == 0;
        tell(run, open, "net: two links at one time");
        if (open) {
                tell(run, net->receive(net->context, 0, &byte, 1, &done) == PORT_WANT,
                     "net: nothing there is no reason to wait");
                tell(run, echo(run, 1) == ECHO_SIZE && echo(run, 0) == ECHO_SIZE,
                     "net: what is sent comes back, each link its own");
        }
        for (unsigned i = 0; i < PORT_LINKS; i++) {
                net->close(net->context, i);
                net->close(net->context, i); /* a closed link stays closed */
        }
        tell(run, open_link(run, 0, run->test->echo_port) == 0, "net: a link opens again");
        net->close(net->context, 0);
}

unsigned selftest_run(const struct selftest *test)
{
        struct run run = { .test = test };

        if (test->scratch)
                test_flash(&run, test->scratch);
        if (test->clock)
                test_clock(&run);
        if (test->entropy)
                tell(&run, entropy_check(test->entropy) == 0, "entropy: alive");
        if (test->watchdog) {
                test->watchdog->feed(test->watchdog->context);
                tell(&run, true, "watchdog: fed (that it bites is seen by not feeding it)");
        }
        if (test->boot)
                test_boot(&run, test->boot);
        if (test->secret)
                test_secret(&run, test->secret);
        if (test->net && test->clock && test->echo_host)
                test_net(&run, test->net);
        return run.failed;
}
