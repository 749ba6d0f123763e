/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Topic rules of devices, applications and the uplink. */

#include "policy/access.h"

#include "relay/approval.h"
#include "relay/command.h"
#include "relay/image.h"
#include "relay/manifest.h"
#include "relay/revocation.h"
#include "relay/ticket.h"

#define REPORT_MAX     1024                /* of JSON */
#define LIST_PIECE_MAX (128 * SHA256_SIZE) /* digests of one block list piece */

#define GATE_REQUEST "gate/request"

/* below sites/<site>/devices/<device>/; a trailing slash stands for "and something below" */
static const char *const device_writes[] = {
        "events/",         "events1/",       "state/relay",     "state/direct",
        "commands/result", "updates/status", "updates/refused", GATE_REQUEST,
};
/* below sites/<site>/ */
static const char *const device_reads[] = {
        "relay/state", "policy/+", "revocations", "approvals/#", "vendor/+", "audit/checkpoint",
};
/* the same in quarantine: what an update needs, and that there is a device */
static const char *const quarantine_writes[] = { "state/relay", "updates/status", "updates/refused", GATE_REQUEST };
static const char *const quarantine_own_reads[] = { "updates/offer", "gate/ticket" };
static const char *const quarantine_reads[] = { "relay/state", "policy/+", "revocations", "approvals/#", "vendor/+" };
/* site-wide topics whose content only the relay or a verified object may set; with everything below them */
static const char *const reserved[] = {
        "relay", "policy", "revocations", "approvals", "vendor", "audit", "alerts", "devices", "updates",
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static bool starts_with(struct span s, struct span prefix)
{
        return s.size >= prefix.size && span_equal(span_slice(s, 0, prefix.size), prefix);
}

static bool is_at_or_below(struct span topic, struct span level)
{
        return starts_with(topic, level) && (topic.size == level.size || topic.data[level.size] == '/');
}

static struct decision decide(bool allowed)
{
        return allowed ? DECISION_ALLOW : DECISION_DENY(REASON_TOPIC);
}

static bool is_among(struct span rest, const char *const *list, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                struct span allowed = span_of_string(list[i]);
                bool prefix = allowed.data[allowed.size - 1] == '/';
                if (prefix ? rest.size > allowed.size && starts_with(rest, allowed) : span_equal(rest, allowed))
                        return true;
        }
        return false;
}

static struct decision device_may_write(const struct access_subject *subject, struct span rest)
{
        if (subject->gate_only)
                return decide(span_equal_string(rest, GATE_REQUEST));
        if (!is_among(rest, device_writes, COUNT(device_writes)))
                return decide(false);
        if (subject->quarantine && !is_among(rest, quarantine_writes, COUNT(quarantine_writes)))
                return DECISION_DENY(REASON_QUARANTINED);
        return DECISION_ALLOW;
}

static bool site_topic_is_reserved(struct span rest)
{
        for (size_t i = 0; i < COUNT(reserved); i++)
                if (is_at_or_below(rest, span_of_string(reserved[i])))
                        return true;
        return false;
}

/* what no role can give */
static bool application_may_ever_write(const char *site, struct span topic)
{
        struct topic_parts parts;
        switch (topic_parse(topic, &parts)) {
        case TOPIC_DEVICE:
                return span_equal_string(parts.site, site) &&
                       (span_equal_string(parts.rest, "commands") || span_equal_string(parts.rest, "gate/ticket"));
        case TOPIC_SITE:
                return span_equal_string(parts.site, site) && !site_topic_is_reserved(parts.rest);
        case TOPIC_IMAGE_BLOCK:
        case TOPIC_IMAGE_LIST:
                return false;
        case TOPIC_FOREIGN:
                /* half-formed names of our own tree are nobody's */
                return !is_at_or_below(topic, SPAN_LITERAL("sites")) &&
                       !is_at_or_below(topic, SPAN_LITERAL("images")) && topic.data[0] != '$';
        }
        return false;
}

struct decision access_publish(const struct access_subject *subject, struct span topic)
{
        if (!topic_name_is_valid(topic))
                return decide(false);
        if (!subject->role) {
                struct topic_parts parts;
                if (topic_parse(topic, &parts) != TOPIC_DEVICE || !span_equal_string(parts.site, subject->site) ||
                    !span_equal_string(parts.device, subject->identity))
                        return decide(false);
                return device_may_write(subject, parts.rest);
        }
        if (subject->gate_only || !application_may_ever_write(subject->site, topic))
                return decide(false);
        for (size_t i = 0; i < subject->role->write_count; i++)
                if (topic_matches(span_of_string(subject->role->write[i]), topic))
                        return decide(true);
        return decide(false);
}

struct decision access_will(const struct access_subject *subject, struct span topic)
{
        struct topic_parts parts;

        if (subject->role && topic_parse(topic, &parts) == TOPIC_DEVICE)
                return decide(false);
        return access_publish(subject, topic);
}

static bool covers_one(const char *const *list, size_t count, const struct access_subject *subject, bool own,
                       struct span filter)
{
        char outer[TOPIC_MAX];

        for (size_t i = 0; i < count; i++) {
                const char *topic = own ? topic_device(outer, subject->site, subject->identity, list[i])
                                        : topic_site(outer, subject->site, list[i]);
                if (topic_filter_covers(span_of_string(topic), filter))
                        return true;
        }
        return false;
}

static struct decision device_may_read(const struct access_subject *subject, struct span filter)
{
        static const char *const all[] = { "#" };
        struct topic_parts parts;
        enum topic_kind kind = topic_parse(filter, &parts);

        if (kind == TOPIC_IMAGE_BLOCK || kind == TOPIC_IMAGE_LIST)
                return DECISION_ALLOW;
        if (!covers_one(all, COUNT(all), subject, true, filter) &&
            !covers_one(device_reads, COUNT(device_reads), subject, false, filter))
                return decide(false);
        if (subject->quarantine &&
            !covers_one(quarantine_own_reads, COUNT(quarantine_own_reads), subject, true, filter) &&
            !covers_one(quarantine_reads, COUNT(quarantine_reads), subject, false, filter))
                return DECISION_DENY(REASON_QUARANTINED);
        return DECISION_ALLOW;
}

struct decision access_subscribe(const struct access_subject *subject, struct span filter)
{
        if (!topic_filter_is_valid(filter) || starts_with(filter, SPAN_LITERAL("$share/")))
                return decide(false);
        if (!subject->role)
                return device_may_read(subject, filter);
        for (size_t i = 0; i < subject->role->read_count; i++)
                if (topic_filter_covers(span_of_string(subject->role->read[i]), filter))
                        return decide(true);
        return decide(false);
}

static bool is_number(struct span s)
{
        if (s.size == 0 || s.size > 19 || s.data[0] == '0')
                return false;
        for (size_t i = 0; i < s.size; i++)
                if (s.data[i] < '0' || s.data[i] > '9')
                        return false;
        return true;
}

static bool is_hex(struct span s, size_t digits)
{
        if (s.size != digits)
                return false;
        for (size_t i = 0; i < s.size; i++)
                if (!((s.data[i] >= '0' && s.data[i] <= '9') || (s.data[i] >= 'a' && s.data[i] <= 'f')))
                        return false;
        return true;
}

static struct span after(struct span s, struct span prefix)
{
        return starts_with(s, prefix) ? span_slice(s, prefix.size, s.size - prefix.size) : SPAN_EMPTY;
}

static enum access_uplink site_kind(struct span rest)
{
        struct span name = after(rest, SPAN_LITERAL("approvals/"));
        if (name.size == 2 * SHA256_SIZE + 1 + 2 * KEY_ID_SIZE && name.data[2 * SHA256_SIZE] == '/' &&
            is_hex(span_slice(name, 0, 2 * SHA256_SIZE), 2 * SHA256_SIZE) &&
            is_hex(span_slice(name, 2 * SHA256_SIZE + 1, 2 * KEY_ID_SIZE), 2 * KEY_ID_SIZE))
                return ACCESS_UPLINK_APPROVAL;
        if (is_number(after(rest, SPAN_LITERAL("policy/"))))
                return ACCESS_UPLINK_POLICY;
        if (is_number(after(rest, SPAN_LITERAL("vendor/"))))
                return ACCESS_UPLINK_VENDOR;
        return span_equal_string(rest, "revocations") ? ACCESS_UPLINK_REVOCATION : ACCESS_UPLINK_REFUSED;
}

static enum access_uplink kind_of(const char *site, struct span topic, struct topic_parts *parts)
{
        switch (topic_parse(topic, parts)) {
        case TOPIC_IMAGE_BLOCK:
                return ACCESS_UPLINK_IMAGE_BLOCK;
        case TOPIC_IMAGE_LIST:
                return ACCESS_UPLINK_IMAGE_LIST;
        case TOPIC_DEVICE:
                if (!span_equal_string(parts->site, site))
                        return ACCESS_UPLINK_REFUSED;
                if (span_equal_string(parts->rest, "updates/offer"))
                        return ACCESS_UPLINK_OFFER;
                if (span_equal_string(parts->rest, GATE_REQUEST))
                        return ACCESS_UPLINK_GATE_REQUEST;
                if (span_equal_string(parts->rest, "updates/refused"))
                        return ACCESS_UPLINK_REPORT;
                if (span_equal_string(parts->rest, "state/direct"))
                        return ACCESS_UPLINK_STATE;
                if (span_equal_string(parts->rest, "gate/ticket"))
                        return ACCESS_UPLINK_TICKET;
                return span_equal_string(parts->rest, "commands") ? ACCESS_UPLINK_COMMAND : ACCESS_UPLINK_REFUSED;
        case TOPIC_SITE:
                return span_equal_string(parts->site, site) ? site_kind(parts->rest) : ACCESS_UPLINK_REFUSED;
        case TOPIC_FOREIGN:
                break;
        }
        return ACCESS_UPLINK_REFUSED;
}

size_t access_uplink_max(enum access_uplink kind)
{
        switch (kind) {
        case ACCESS_UPLINK_REFUSED:
                return 0;
        case ACCESS_UPLINK_OFFER:
                return MANIFEST_MAX;
        case ACCESS_UPLINK_COMMAND:
                return COMMAND_MAX;
        case ACCESS_UPLINK_APPROVAL:
                return APPROVAL_MAX;
        case ACCESS_UPLINK_POLICY:
                return SITE_POLICY_MAX;
        case ACCESS_UPLINK_REVOCATION:
                return REVOCATION_MAX;
        case ACCESS_UPLINK_VENDOR:
                return VENDOR_KEYS_SET_MAX;
        case ACCESS_UPLINK_IMAGE_BLOCK:
                return IMAGE_BLOCK_SIZE;
        case ACCESS_UPLINK_IMAGE_LIST:
                return LIST_PIECE_MAX;
        case ACCESS_UPLINK_GATE_REQUEST:
                return GATE_REQUEST_MAX;
        case ACCESS_UPLINK_TICKET:
                return TICKET_MAX;
        case ACCESS_UPLINK_REPORT:
        case ACCESS_UPLINK_STATE:
                return REPORT_MAX;
        }
        return 0;
}

enum access_uplink access_uplink(const char *site, struct span topic, size_t payload_size, struct topic_parts *parts)
{
        struct topic_parts own;
        enum access_uplink kind = kind_of(site, topic, parts ? parts : &own);
        if (payload_size == 0 || payload_size > access_uplink_max(kind))
                return ACCESS_UPLINK_REFUSED;
        return kind;
}
