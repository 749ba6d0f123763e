/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate's answers; see tickets.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/tickets.h"

#define HOUR_MS  3600000u
#define SWEEP_MS 1000
#define KINDS    2 /* time, verdict */

static const struct quota_rule uplink_rule = { .per_second = TICKETS_UPLINK_RATE, .burst = TICKETS_UPLINK_BURST };

/* what went up and was not answered yet */
struct outstanding {
        uint64_t sent_ms; /* 0: none */
        unsigned answers; /* passed on; each gate may give one */
        uint8_t nonce[TICKET_NONCE_SIZE];
};

struct asker {
        struct table_entry entry;
        char device[IDENTITY_MAX + 1];
        uint64_t answered_ms[TICKETS_WAYS][KINDS]; /* 0: never */
        struct outstanding forwarded[KINDS];
        bool was_closed; /* and this is what was told of it */
        enum reason closed_reason;
        uint8_t closed_digest[SHA256_SIZE];
};

void tickets_init(struct tickets *t, const char *site, const struct gate_key *key, const struct tickets_host *host)
{
        *t = (struct tickets){ .site = site, .key = key, .host = *host };
        quota_fill(&t->uplink, &uplink_rule, host->now_ms(host->context));
}

static void forget(struct tickets *t, struct asker *asker)
{
        table_remove(&t->devices, &asker->entry);
        free(asker);
}

void tickets_release(struct tickets *t)
{
        for (struct table_entry *e = table_next(&t->devices, NULL); e; e = table_next(&t->devices, NULL))
                forget(t, container_of(e, struct asker, entry));
        table_release(&t->devices);
}

/* ---- who asked lately */
static bool asker_equal(const struct table_entry *entry, const void *key)
{
        return strcmp(container_of(entry, const struct asker, entry)->device, key) == 0;
}

static struct asker *find_asker(const struct tickets *t, const char *device)
{
        struct table_entry *e = table_find(&t->devices, table_hash(span_of_string(device)), asker_equal, device);

        return e ? container_of(e, struct asker, entry) : NULL;
}

static bool is_recent(uint64_t then_ms, uint64_t now_ms, uint64_t interval_ms)
{
        return then_ms != 0 && now_ms - then_ms < interval_ms;
}

static bool is_idle(const struct asker *asker, uint64_t now_ms)
{
        for (int kind = 0; kind < KINDS; kind++)
                if (is_recent(asker->answered_ms[TICKETS_LOCAL][kind], now_ms, TICKETS_INTERVAL_MS) ||
                    is_recent(asker->answered_ms[TICKETS_UPLINK][kind], now_ms, TICKETS_INTERVAL_MS) ||
                    is_recent(asker->forwarded[kind].sent_ms, now_ms, TICKET_AGE_MAX_S * 1000))
                        return false;
        return true;
}

/* What was told of an idle one is forgotten with it; then it is told once more. */
static void sweep(struct tickets *t, uint64_t now_ms)
{
        if (is_recent(t->swept_ms, now_ms, SWEEP_MS))
                return;
        t->swept_ms = now_ms;
        for (struct table_entry *e = table_next(&t->devices, NULL), *next; e; e = next) {
                struct asker *asker = container_of(e, struct asker, entry);

                next = table_next(&t->devices, e);
                if (is_idle(asker, now_ms))
                        forget(t, asker);
        }
}

static struct asker *make_asker(struct tickets *t, const char *device, uint64_t now_ms)
{
        struct asker *asker = find_asker(t, device);

        if (asker)
                return asker;
        if (t->devices.count >= TICKETS_DEVICES_MAX)
                sweep(t, now_ms);
        if (t->devices.count >= TICKETS_DEVICES_MAX)
                return NULL;
        asker = calloc(1, sizeof(*asker));
        if (!asker)
                return NULL;
        snprintf(asker->device, sizeof(asker->device), "%s", device);
        if (table_insert(&t->devices, &asker->entry, table_hash(span_of_string(device))) == 0)
                return asker;
        free(asker);
        return NULL;
}

/* Is this one too many? If not, it is counted. */
static bool is_over_quota(struct tickets *t, struct asker *asker, enum tickets_way way, int kind, uint64_t now_ms)
{
        if (is_recent(asker->answered_ms[way][kind], now_ms, TICKETS_INTERVAL_MS))
                return true;
        if (way == TICKETS_UPLINK && quota_take(&t->uplink, &uplink_rule, now_ms).verdict != VERDICT_ALLOW)
                return true;
        asker->answered_ms[way][kind] = now_ms;
        return false;
}

/* ---- answers */
static bool may_tell(struct tickets *t, enum tickets_way way, uint64_t now_ms)
{
        if (!is_recent(t->told_since_ms[way], now_ms, HOUR_MS)) {
                t->told_since_ms[way] = now_ms;
                t->told[way] = 0;
        }
        if (t->told[way]++ == TICKETS_TOLD_MAX)
                t->host.alert(t->host.context, "", REASON_QUOTA,
                              way == TICKETS_UPLINK
                                      ? "the gate is asked by the cloud for more than is told to the audit log each; "
                                        "the next hour brings a new count"
                                      : "devices ask the gate for more than is told to the audit log each; the next "
                                        "hour brings a new count");
        return t->told[way] <= TICKETS_TOLD_MAX;
}

/* Each open answer to a session here, and each closed one that is another than the one before. By the uplink anybody
 * can ask who has the broker, and the audit log has no end: there open ones are counted, too. */
static void note(struct tickets *t, struct asker *asker, enum tickets_way way, const struct ticket *ticket)
{
        bool open = ticket->decision.verdict == VERDICT_ALLOW;
        char actor[sizeof(AUDIT_ACTOR_DEVICE) + IDENTITY_MAX], digest[2 * SHA256_SIZE + 1], detail[80];

        if (!open && asker->was_closed && asker->closed_reason == ticket->decision.reason &&
            memcmp(asker->closed_digest, ticket->manifest_digest, SHA256_SIZE) == 0)
                return;
        asker->was_closed = !open;
        asker->closed_reason = ticket->decision.reason;
        memcpy(asker->closed_digest, ticket->manifest_digest, SHA256_SIZE);
        if ((!open || way == TICKETS_UPLINK) && !may_tell(t, way, t->host.now_ms(t->host.context)))
                return;
        snprintf(actor, sizeof(actor), AUDIT_ACTOR_DEVICE, ticket->device);
        snprintf(detail, sizeof(detail), "%s%s", reason_name(ticket->decision.reason),
                 way == TICKETS_UPLINK ? ", asked by the uplink" : "");
        t->host.audit(t->host.context, actor, open ? AUDIT_TICKET_OPEN : AUDIT_TICKET_CLOSED,
                      span_to_hex(SPAN_OF(ticket->manifest_digest), digest, sizeof(digest)), detail);
}

static void fill(const struct tickets *t, const char *device, const struct gate_request *request,
                 const struct site_policy *policy, struct ticket *out)
{
        void *context = t->host.context;

        *out = (struct ticket){ .has_digest = request->has_digest,
                                .approval_epoch = t->host.approval_epoch(context),
                                .decision = DECISION_DENY(REASON_NONE),
                                .has_time = t->host.time_trusted(context) };
        snprintf(out->site, sizeof(out->site), "%s", t->site);
        snprintf(out->device, sizeof(out->device), "%s", device);
        memcpy(out->nonce, request->nonce, TICKET_NONCE_SIZE);
        memcpy(out->policy_digest, policy->digest, SHA256_SIZE);
        if (out->has_time)
                out->time = t->host.now_s(context);
        if (!request->has_digest)
                return;
        memcpy(out->manifest_digest, request->manifest_digest, SHA256_SIZE);
        out->decision = t->host.verdict(context, device, request->manifest_digest);
}

static enum tickets_result answer(struct tickets *t, struct asker *asker, enum tickets_way way,
                                  const struct gate_request *request, const struct site_policy *policy)
{
        struct signer signer = gate_key_signer(t->key);
        uint8_t bytes[TICKET_MAX];
        struct ticket ticket;
        struct writer w;

        fill(t, asker->device, request, policy, &ticket);
        writer_init(&w, bytes, sizeof(bytes));
        if (ticket_sign(&w, &ticket, &signer) != RELAY_OK)
                return TICKETS_FAILED;
        if (ticket.has_digest)
                note(t, asker, way, &ticket);
        t->answered++;
        t->host.answer(t->host.context, way, asker->device, writer_span(&w));
        return TICKETS_ANSWERED;
}

static enum tickets_result forward(struct tickets *t, struct asker *asker, const struct gate_request *request,
                                   struct span bytes, uint64_t now_ms)
{
        struct outstanding *forwarded = &asker->forwarded[request->has_digest];

        if (!t->host.forward(t->host.context, asker->device, bytes))
                return TICKETS_NOT_OURS;
        forwarded->sent_ms = now_ms;
        forwarded->answers = 0;
        memcpy(forwarded->nonce, request->nonce, TICKET_NONCE_SIZE);
        return TICKETS_FORWARDED;
}

/* Once an hour a device and way. */
static void tell_malformed(struct tickets *t, enum tickets_way way, const char *device)
{
        const uint8_t which[SHA256_SIZE] = { way };

        if (refusals_note(&t->malformed, device, which, t->host.now_s(t->host.context)) == REFUSALS_TELL)
                t->host.alert(t->host.context, device, REASON_MALFORMED,
                              way == TICKETS_UPLINK
                                      ? "a gate request in its name came by the cloud and breaks its format"
                                      : "a gate request breaks its format");
}

enum tickets_result tickets_request(struct tickets *t, enum tickets_way way, const char *device, struct span bytes)
{
        const struct site_policy *policy = t->host.policy(t->host.context);
        uint64_t now_ms = t->host.now_ms(t->host.context);
        uint8_t class_id[CLASS_ID_SIZE] = { 0 };
        struct gate_request request;
        struct asker *asker;
        bool ours;

        if (!t->host.device(t->host.context, device, class_id))
                return TICKETS_REFUSED;
        if (gate_request_decode(bytes, &request) != RELAY_OK) {
                tell_malformed(t, way, device);
                return TICKETS_REFUSED;
        }
        ours = t->key->there && policy && site_policy_is_gate(policy, &t->key->key, device, class_id);
        if (!ours && way == TICKETS_UPLINK)
                return TICKETS_NOT_OURS;
        asker = make_asker(t, device, now_ms);
        if (!asker || is_over_quota(t, asker, way, request.has_digest, now_ms)) {
                t->over_quota++;
                return TICKETS_QUOTA;
        }
        return ours ? answer(t, asker, way, &request, policy) : forward(t, asker, &request, bytes, now_ms);
}

bool tickets_pass(struct tickets *t, const char *device, struct span bytes)
{
        uint64_t now_ms = t->host.now_ms(t->host.context);
        struct asker *asker = find_asker(t, device);
        struct outstanding *forwarded;
        struct cose_sign1 sign1;
        struct ticket ticket;

        if (!asker || bytes.size > TICKET_MAX || cose_sign1_decode(bytes, &sign1) != RELAY_OK || sign1.detached ||
            ticket_decode(sign1.payload, &ticket) != RELAY_OK)
                return false;
        forwarded = &asker->forwarded[ticket.has_digest];
        if (!is_recent(forwarded->sent_ms, now_ms, TICKET_AGE_MAX_S * 1000) || forwarded->answers >= SITE_GATES_MAX ||
            memcmp(forwarded->nonce, ticket.nonce, TICKET_NONCE_SIZE) != 0 || strcmp(ticket.device, device) != 0)
                return false;
        forwarded->answers++;
        t->host.answer(t->host.context, TICKETS_LOCAL, device, bytes);
        return true;
}
