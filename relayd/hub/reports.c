/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What devices say that they refused; see reports.h. */

#include <stdio.h>

#include "hub/flat_json.h"
#include "hub/reports.h"
#include "hub/views.h"

static bool is_known_object(struct span name)
{
        static const char *const objects[] = { "policy", "vendor-keys", "revocation", "ticket", "command" };

        for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
                if (span_equal_string(name, objects[i]))
                        return true;
        return false;
}

/* MALFORMED: of a later version, or nonsense */
static enum reason reason_of(struct span name)
{
        char text[40];
        enum reason reason = span_to_string(name, text, sizeof(text)) ? reason_from_name(text) : REASON_COUNT;

        return reason == REASON_COUNT ? REASON_MALFORMED : reason;
}

/* The hour's list is of the words that matter, so that the same refusal with other progress is the same. */
static bool is_news(struct reports *r, const char *device, const char *text, bool cloud)
{
        uint8_t digest[SHA256_SIZE] = { 0 };

        (void)crypto_sha256(span_of_string(text), digest);
        switch (refusals_note(cloud ? &r->told_by_cloud : &r->told, device, digest, r->host.now_s(r->host.context))) {
        case REFUSALS_TELL:
                return true;
        case REFUSALS_FLOOD:
                r->host.alert(
                        r->host.context, "", REASON_QUOTA,
                        cloud ? "the cloud says of devices that they refuse more than is told each; the next hour "
                                "brings a new count"
                              : "devices refuse more than is told each; the next hour brings a new count");
                return false;
        case REFUSALS_QUIET:
                break;
        }
        return false;
}

void reports_refused(struct reports *r, const char *device, struct span payload, bool cloud)
{
        struct span object, detail;
        char text[VIEW_TEXT_MAX];
        struct flat_json json;
        enum reason reason;

        if (flat_json_decode(payload, &json) != RELAY_OK)
                return;
        object = flat_json_string(&json, "object");
        if (!is_known_object(object))
                return;
        reason = reason_of(flat_json_string(&json, "reason"));
        detail = span_slice(flat_json_string(&json, "detail"), 0, 2 * SHA256_SIZE);
        snprintf(text, sizeof(text), "%sthe device refused a %.*s%s (%.*s): %s", cloud ? "by the cloud's word, " : "",
                 (int)object.size, (const char *)object.data, cloud ? " on its direct way" : "", (int)detail.size,
                 (const char *)detail.data, reason_explanation(reason));
        if (is_news(r, device, text, cloud))
                r->host.alert(r->host.context, device, reason, text);
}

/* Somebody's doing: not the hour, the application, a gate, or what runs there already. */
static bool is_suspicious(enum reason reason)
{
        switch ((int)reason) {
        case REASON_MALFORMED:
        case REASON_UNSUPPORTED_MANIFEST:
        case REASON_ORGANISATION_SIGNATURE:
        case REASON_DEVELOPER_SIGNATURE:
        case REASON_BAD_SIGNATURE:
        case REASON_WRONG_VENDOR:
        case REASON_WRONG_CLASS:
        case REASON_WRONG_SITE:
        case REASON_TOO_LARGE:
        case REASON_NOT_APPROVED:
        case REASON_OUT_OF_SCOPE:
        case REASON_REVOKED_EPOCH:
        case REASON_BLOCK_LIST_DIGEST:
        case REASON_BLOCK_DIGEST:
        case REASON_IMAGE_DIGEST:
        case REASON_TRIES_EXHAUSTED:
        case REASON_NOT_CONFIRMED:
                return true;
        }
        return false;
}

void reports_status(struct reports *r, const char *device, struct span payload)
{
        char text[VIEW_TEXT_MAX];
        struct flat_json json;
        enum reason reason;
        struct span digest;

        if (flat_json_decode(payload, &json) != RELAY_OK ||
            !span_equal_string(flat_json_string(&json, "state"), "refused"))
                return;
        reason = reason_of(flat_json_string(&json, "reason"));
        if (!is_suspicious(reason))
                return;
        digest = span_slice(flat_json_string(&json, "manifest"), 0, 2 * SHA256_SIZE);
        snprintf(text, sizeof(text), "the device refused update %.*s: %s", (int)digest.size, (const char *)digest.data,
                 reason_explanation(reason));
        if (is_news(r, device, text, false))
                r->host.alert(r->host.context, device, reason, text);
}
