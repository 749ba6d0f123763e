/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/update.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- what people have to do first comes first */

static const char *const waits[UPDATE_WAIT_COUNT] = {
        [UPDATE_WAIT_NOTHING] = "installed", [UPDATE_WAIT_DENIED] = "denied",
        [UPDATE_WAIT_APPROVAL] = "approval", [UPDATE_WAIT_GATE] = "gate",
        [UPDATE_WAIT_IMAGE] = "image",       [UPDATE_WAIT_DEVICE] = "offline",
        [UPDATE_WAIT_ANSWER] = "offered",    [UPDATE_WAIT_APPLICATION] = "application-busy",
        [UPDATE_WAIT_FETCHING] = "fetching", [UPDATE_WAIT_TRYING] = "trying",
        [UPDATE_WAIT_REFUSED] = "refused",
};

static const char *const statuses[] = {
        [UPDATE_STATUS_NONE] = "none",           [UPDATE_STATUS_IDLE] = "idle",
        [UPDATE_STATUS_REFUSED] = "refused",     [UPDATE_STATUS_WAITING] = "waiting",
        [UPDATE_STATUS_FETCHING] = "fetching",   [UPDATE_STATUS_TRYING] = "trying",
        [UPDATE_STATUS_CONFIRMED] = "confirmed",
};

static enum update_wait device_wait(const struct update_facts *facts)
{
        if (!facts->device_online)
                return UPDATE_WAIT_DEVICE;
        switch (facts->status) {
        case UPDATE_STATUS_NONE:
        case UPDATE_STATUS_IDLE:
                return UPDATE_WAIT_ANSWER;
        case UPDATE_STATUS_REFUSED:
                return UPDATE_WAIT_REFUSED;
        case UPDATE_STATUS_WAITING:
                return UPDATE_WAIT_APPLICATION;
        case UPDATE_STATUS_FETCHING:
                return UPDATE_WAIT_FETCHING;
        case UPDATE_STATUS_TRYING:
                return UPDATE_WAIT_TRYING;
        case UPDATE_STATUS_CONFIRMED:
                return UPDATE_WAIT_NOTHING;
        }
        return UPDATE_WAIT_ANSWER;
}

enum update_wait update_wait(const struct update_facts *facts)
{
        if (facts->status == UPDATE_STATUS_CONFIRMED)
                return UPDATE_WAIT_NOTHING;
        if (facts->status == UPDATE_STATUS_TRYING) /* it restarts now, so being away is no news */
                return UPDATE_WAIT_TRYING;
        if (facts->denied)
                return UPDATE_WAIT_DENIED;
        if (facts->approval.verdict != VERDICT_ALLOW)
                return UPDATE_WAIT_APPROVAL;
        if (facts->gate.verdict != VERDICT_ALLOW)
                return UPDATE_WAIT_GATE;
        if (!facts->image_complete)
                return UPDATE_WAIT_IMAGE;
        return device_wait(facts);
}

const char *update_wait_name(enum update_wait wait)
{
        return wait < UPDATE_WAIT_COUNT ? waits[wait] : "unknown";
}

enum update_status update_status_from_name(struct span name)
{
        for (size_t i = 1; i < sizeof(statuses) / sizeof(statuses[0]); i++)
                if (span_equal_string(name, statuses[i]))
                        return (enum update_status)i;
        return UPDATE_STATUS_NONE;
}

const char *update_status_name(enum update_status status)
{
        return (size_t)status < sizeof(statuses) / sizeof(statuses[0]) ? statuses[status] : "none";
}

/* ---- rules */

static struct decision decide_rule(const struct site_rule *rule, const struct rule_facts *facts)
{
        bool timed = rule->wait_s > 0 || rule->window_count > 0;

        if (!facts->is_gate || !timed)
                return DECISION_ALLOW;
        if (!facts->time_known || (rule->window_count > 0 && !facts->minute_known))
                return DECISION_DENY(REASON_NO_TRUSTED_TIME);
        if (rule->wait_s > 0 &&
            (facts->received == 0 || facts->now < facts->received || facts->now - facts->received < rule->wait_s))
                return DECISION_DENY(REASON_RULE_WAITS);
        if (!site_windows_cover(rule->windows, rule->window_count, facts->minute))
                return DECISION_DENY(REASON_RULE_WAITS);
        return DECISION_ALLOW;
}

struct decision rule_decide(const struct site_policy *policy, const struct rule_facts *facts, int *rule)
{
        struct decision decision = DECISION_DENY(REASON_NOT_APPROVED);

        *rule = -1;
        for (int i = site_policy_rule(policy, 0, facts->urgency, facts->device, facts->class_id); i >= 0;
             i = site_policy_rule(policy, (size_t)i + 1, facts->urgency, facts->device, facts->class_id)) {
                struct decision next = decide_rule(&policy->rules[i], facts);
                if (*rule < 0 || next.verdict == VERDICT_ALLOW) {
                        decision = next;
                        *rule = i;
                }
                if (next.verdict == VERDICT_ALLOW)
                        break;
        }
        return decision;
}

/* ---- approvals */

static bool lists_device(const struct approval *approval, const char *device)
{
        for (size_t i = 0; i < approval->device_count; i++)
                if (strcmp(approval->devices[i], device) == 0)
                        return true;
        return false;
}

/* Both are for one manifest, so for devices of one class: a class is more than any list of devices. */
static bool scope_covers(const struct approval *a, const struct approval *b)
{
        switch (a->scope) {
        case SCOPE_SITE:
                return true;
        case SCOPE_CLASS:
                return b->scope == SCOPE_DEVICES ||
                       (b->scope == SCOPE_CLASS && memcmp(a->class_id, b->class_id, CLASS_ID_SIZE) == 0);
        case SCOPE_DEVICES:
                if (b->scope != SCOPE_DEVICES)
                        return false;
                for (size_t i = 0; i < b->device_count; i++)
                        if (!lists_device(a, b->devices[i]))
                                return false;
                return true;
        }
        return false;
}

static bool covers(const struct approval *a, const struct approval *b)
{
        uint64_t a_from = a->has_not_before ? a->not_before : 0, b_from = b->has_not_before ? b->not_before : 0;
        uint64_t a_to = a->has_not_after ? a->not_after : UINT64_MAX,
                 b_to = b->has_not_after ? b->not_after : UINT64_MAX;

        return scope_covers(a, b) && a_from <= b_from && a_to >= b_to && a->epoch >= b->epoch;
}

bool approval_widens(const struct approval *next, const struct approval *before)
{
        return covers(next, before) && !covers(before, next);
}

/* ---- the answer */

#define DETAIL_MAX 250

static size_t escape(const char *text, char *out, size_t size)
{
        size_t at = 0, cut = 0; /* cut: behind the last whole character */

        for (size_t i = 0; text[i] && at + 3 < size; i++) {
                unsigned char c = (unsigned char)text[i];
                if (c < 0x80 || c >= 0xC0)
                        cut = at;
                if (c == '"' || c == '\\')
                        out[at++] = '\\';
                out[at++] = (char)(c < 0x20 || c == 0x7F ? ' ' : c);
                if (!text[i + 1])
                        cut = at;
        }
        out[cut] = '\0';
        return cut;
}

size_t update_answer_json(const struct update_answer *answer, char out[UPDATE_ANSWER_MAX])
{
        char detail[DETAIL_MAX + 1], urgency[DETAIL_MAX + 1];

        escape(answer->detail, detail, sizeof(detail));
        if (!span_to_string(answer->urgency, urgency, sizeof(urgency)))
                urgency[0] = '\0';
        int size = snprintf(
                out, UPDATE_ANSWER_MAX,
                "{\"state\":\"%s\",\"reason\":\"%s\",\"detail\":\"%s\",\"urgency\":\"%s\",\"since\":%" PRIu64
                ",\"approved\":%" PRIu32 ",\"needed\":%" PRIu32 "}",
                answer->state, answer->reason, detail, urgency, answer->since, answer->approved, answer->needed);
        return size > 0 && size < UPDATE_ANSWER_MAX ? (size_t)size : 0;
}
