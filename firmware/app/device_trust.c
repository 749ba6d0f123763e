/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device engine: site policies, vendor key sets and revocations. The boot stage judges them; here they are fetched,
 * handed over, put into force, and the refused ones told.
 */

#include "app/device_internal.h"

#include <string.h>

#include "app/json.h"
#include "relay/cose.h"

#define REPORT_PAUSE_MS 1000 /* whoever floods us with objects does not make us flood others */

static const char *object_name(enum port_boot_object object)
{
        static const char *const names[] = {
                [PORT_BOOT_POLICY] = "policy",
                [PORT_BOOT_VENDOR] = "vendor-keys",
                [PORT_BOOT_REVOCATION] = "revocation",
        };
        return names[object];
}

int device_load_trust(struct device *d)
{
        const struct port_boot *boot = d->config.boot;

        int r = boot->status(boot->context, &d->boot);
        return r < 0 ? r : boot->trusted(boot->context, &d->policy, &d->vendor);
}

/* ---- the chain */

static void topic_of_epoch(const struct device *d, char out[TOPIC_MAX], const char *what, uint64_t epoch)
{
        char rest[32];
        struct writer w;

        writer_init(&w, rest, sizeof(rest) - 1);
        writer_bytes(&w, span_of_string(what));
        json_digits(&w, epoch);
        rest[writer_span(&w).size] = '\0';
        topic_site(out, d->policy.site, rest);
}

/* Of the own epoch, too: another object under the same number is a fork, and to be told. */
void device_follow_chain(struct device *d)
{
        char topics[5][TOPIC_MAX];

        if (d->chain_asked || !d->config.boot->accept || !device_has_room(d, sizeof(topics)))
                return;
        topic_of_epoch(d, topics[0], "policy/", d->policy.epoch);
        topic_of_epoch(d, topics[1], "policy/", d->policy.epoch + 1);
        topic_of_epoch(d, topics[2], "vendor/", d->vendor.epoch);
        topic_of_epoch(d, topics[3], "vendor/", d->vendor.epoch + 1);
        topic_site(topics[4], d->policy.site, "revocations");
        d->chain_asked = device_subscribe(&d->links[d->active].client, topics, 5);
}

/* the digest people compare: of the payload; of all bytes if that is not to be found */
static void digest_of(struct span object, uint8_t digest[SHA256_SIZE])
{
        struct cose_set set;
        struct span payload = cose_set_decode(object, &set) == RELAY_OK ? set.payload : object;

        if (crypto_sha256(payload, digest) != RELAY_OK)
                memset(digest, 0, SHA256_SIZE);
}

static bool is_held(const struct device *d, enum port_boot_object object, const uint8_t digest[SHA256_SIZE])
{
        switch (object) {
        case PORT_BOOT_POLICY:
                return memcmp(digest, d->policy.digest, SHA256_SIZE) == 0;
        case PORT_BOOT_VENDOR:
                return memcmp(digest, d->vendor.digest, SHA256_SIZE) == 0;
        case PORT_BOOT_REVOCATION:
                return false;
        }
        return false;
}

/* It was refused, but what it built upon came meanwhile. */
static void withdraw_report(struct device *d, const uint8_t digest[SHA256_SIZE])
{
        for (unsigned i = 0; i < DEVICE_REPORTS; i++)
                if (memcmp(d->reports[i].digest, digest, SHA256_SIZE) == 0)
                        d->reports[i].object = NULL;
}

static int offer_to_boot_stage(struct device *d, enum port_boot_object object, struct span bytes)
{
        const struct port_boot *boot = d->config.boot;
        uint8_t digest[SHA256_SIZE];
        enum reason refusal;

        digest_of(bytes, digest);
        if (is_held(d, object, digest))
                return 0;
        int r = boot->accept(boot->context, object, bytes, &refusal);
        if (r < 0)
                return r;
        if (refusal == REASON_NONE) {
                device_log(d, PORT_LOG_INFO, "accepted: ", object_name(object));
                withdraw_report(d, digest);
                d->trust_changed = true;
                return device_load_trust(d);
        }
        /* the revocation in force comes again with each session, and a later policy may have gone beyond it */
        if (object == PORT_BOOT_REVOCATION && refusal == REASON_OLD_EPOCH)
                return 0;
        device_log(d, PORT_LOG_WARNING, "refused: ", reason_name(refusal));
        /* a vendor key set may come before the policy whose approvers signed it: told only if it is not accepted soon
         */
        device_report(d, object_name(object), refusal, bytes, d->config.gate_timing.patience_ms / 3);
        return 0;
}

static bool starts_with(struct span text, struct span prefix)
{
        return span_equal(span_slice(text, 0, prefix.size), prefix);
}

int device_take_object(struct device *d, struct span rest, struct span payload)
{
        if (payload.size == 0 || !d->config.boot->accept)
                return 0;
        if (starts_with(rest, SPAN_LITERAL("policy/")))
                return offer_to_boot_stage(d, PORT_BOOT_POLICY, payload);
        if (starts_with(rest, SPAN_LITERAL("vendor/")))
                return offer_to_boot_stage(d, PORT_BOOT_VENDOR, payload);
        if (span_equal_string(rest, "revocations"))
                return offer_to_boot_stage(d, PORT_BOOT_REVOCATION, payload);
        return 0;
}

/* ---- into force */

static bool is_same_endpoint(const struct site_endpoint *a, const struct site_endpoint *b)
{
        return a->kind == b->kind && a->port == b->port && a->has_backup_pin == b->has_backup_pin &&
               memcmp(a->pin, b->pin, SHA256_SIZE) == 0 &&
               (!a->has_backup_pin || memcmp(a->backup_pin, b->backup_pin, SHA256_SIZE) == 0) &&
               span_equal(span_of_string(a->host), span_of_string(b->host));
}

/* The session stays if the policy still has its endpoint, with the same pins; everything else begins anew. */
static void apply_endpoints(struct device *d)
{
        enum endpoint_kind kinds[SITE_ENDPOINTS_MAX];
        uint64_t now = device_now(d);
        unsigned active = d->active, stays = FAILOVER_NONE;
        size_t count = device_choose_endpoints(d, kinds);

        for (size_t i = 0; i < count && active != FAILOVER_NONE; i++)
                if (is_same_endpoint(d->endpoints[i], &d->links[active].endpoint))
                        stays = (unsigned)i;
        for (unsigned i = 0; i < PORT_LINKS; i++)
                if (i != active || stays == FAILOVER_NONE)
                        device_leave_link(d, i);
        failover_init(&d->failover, &d->config.timing, kinds, count, d->policy.patience_s, d->failover.random, now);
        if (stays == FAILOVER_NONE)
                return;
        failover_adopt(&d->failover, active, stays, now);
        d->links[active].watch_asked = false; /* what it said of its uplink is to be heard again */
}

int device_apply_trust(struct device *d)
{
        if (!d->trust_changed)
                return 0;
        d->trust_changed = false;
        apply_endpoints(d);
        gate_trust(&d->gate, d->boot.approval_epoch, d->boot.time_floor, device_now(d));
        if (d->config.update)
                update_trust(d->config.update, &d->boot, device_now(d));
        /* the next epochs, and offers that the old keys did not verify */
        d->chain_asked = d->topics_asked = false;
        return 0;
}

/* ---- reports */

static bool was_reported(const struct device *d, const uint8_t digest[SHA256_SIZE])
{
        for (unsigned i = 0; i < DEVICE_REPORTED; i++)
                if (i < d->reported_count && memcmp(d->reported[i], digest, SHA256_SIZE) == 0)
                        return true;
        for (unsigned i = 0; i < DEVICE_REPORTS; i++)
                if (d->reports[i].object && memcmp(d->reports[i].digest, digest, SHA256_SIZE) == 0)
                        return true;
        return false;
}

void device_report(struct device *d, const char *object, enum reason reason, struct span bytes, uint32_t patience_ms)
{
        struct device_report report = { object, reason, { 0 }, device_now(d) + patience_ms };

        digest_of(bytes, report.digest);
        if (was_reported(d, report.digest))
                return;
        for (unsigned i = 0; i < DEVICE_REPORTS; i++)
                if (!d->reports[i].object) {
                        d->reports[i] = report;
                        return;
                }
}

static bool send_report(struct device *d, const struct device_report *report)
{
        uint8_t json[256];
        struct writer w;

        writer_init(&w, json, sizeof(json));
        json_open(&w);
        json_string(&w, "object", span_of_string(report->object));
        json_string(&w, "reason", span_of_string(reason_name(report->reason)));
        json_hex(&w, "detail", SPAN_OF(report->digest));
        json_close(&w);
        return device_tell(d, &d->links[d->active].client, "updates/refused", false, writer_span(&w), NULL) == RELAY_OK;
}

void device_send_reports(struct device *d)
{
        uint64_t now = device_now(d);

        for (unsigned i = 0; i < DEVICE_REPORTS; i++) {
                struct device_report *report = &d->reports[i];
                if (!report->object || now < report->due_ms || now < d->report_ms ||
                    !device_has_room(d, 256 + TOPIC_MAX) || !send_report(d, report))
                        continue;
                memcpy(d->reported[d->reported_count++ % DEVICE_REPORTED], report->digest, SHA256_SIZE);
                report->object = NULL;
                d->report_ms = now + REPORT_PAUSE_MS;
        }
}

uint64_t device_reports_deadline(const struct device *d)
{
        uint64_t best = UINT64_MAX;

        for (unsigned i = 0; i < DEVICE_REPORTS; i++)
                if (d->reports[i].object)
                        best = device_earlier(best, d->reports[i].due_ms);
        if (best != UINT64_MAX && best < d->report_ms)
                best = d->report_ms;
        return best > device_now(d) ? best : UINT64_MAX; /* what is due waits for a session, or for room */
}
