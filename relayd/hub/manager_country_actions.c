/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The country policy at the hub: what is asked for and shown; see manager.h. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hub/country_settings.h"
#include "hub/manager_internal.h"

/* ---- set */
/* The first rule that would refuse the address by the next policy and does not by the present one. */
static bool cuts_off(const struct manager *m, const struct country_policy *next, const struct address *address,
                     uint16_t admin_port, struct country_answer *out)
{
        const struct countries *c = &m->country.countries;
        const struct {
                enum country_direction direction;
                uint16_t port;
        } ways[] = { { COUNTRY_INBOUND, 0 }, { COUNTRY_ADMIN, admin_port } };

        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
                struct country_answer now = countries_judge(c, countries_policy(c), ways[i].direction, ways[i].port,
                                                            address);
                *out = countries_judge(c, next, ways[i].direction, ways[i].port, address);
                if (out->decision.verdict != VERDICT_ALLOW && now.decision.verdict == VERDICT_ALLOW)
                        return true;
        }
        return false;
}

static int check_caller(const struct manager *m, const struct country_caller *who, const struct country_policy *next,
                        struct refusal *refusal)
{
        char text[ADDRESS_TEXT_SIZE], code[COUNTRY_TEXT_SIZE], key[COUNTRY_KEY_MAX];
        struct country_answer answer;
        struct address address;

        for (size_t i = 0; i < 2 && !who->force; i++) {
                if (!who->addresses[i] || !address_parse(&address, who->addresses[i]) ||
                    !cuts_off(m, next, &address, who->port, &answer))
                        continue;
                return refusal_set(
                        refusal, REASON_LOCK_OUT,
                        "it would refuse your own address %s (%s, %s); add its country or exempt its network",
                        address_format(&address, text), country_code_text(answer.country, code),
                        country_answer_key(&answer, key));
        }
        return 0;
}

static int apply_changes(const struct manager *m, const struct country_change *changes, size_t count,
                         struct country_policy *next, struct refusal *refusal)
{
        char error[COUNTRY_ERROR_MAX] = "";

        for (size_t i = 0; i < count; i++)
                if (country_settings_apply(next, changes[i].name, changes[i].value, error) < 0)
                        return refusal_set(refusal, REASON_MALFORMED, "%.250s", error);
        if (next->lockdown && m->conf->lockdown != CONF_LOCKDOWN_ALLOWED)
                return refusal_set(
                        refusal, REASON_NOT_AUTHORISED,
                        "lockdown is not allowed here: set lockdown = allowed in [firewall] of relayd.conf, and "
                        "--lockdown allowed of relay-guardd");
        return 0;
}

/* "inbound=allow FI; exempt=+203.0.113.0/24; on trial for 60 s" */
static void audit_change(struct manager *m, const struct country_caller *who, const struct country_change *changes,
                         size_t count, uint32_t confirm_s)
{
        char detail[VIEW_TEXT_MAX];
        size_t at = 0;

        detail[0] = 0;
        for (size_t i = 0; i < count && at < sizeof(detail) - 1; i++) {
                int n = snprintf(detail + at, sizeof(detail) - at, "%s%s=%s", i ? "; " : "", changes[i].name,
                                 changes[i].value);
                at += n < 0 ? 0 : (size_t)n;
        }
        if (confirm_s > 0 && at < sizeof(detail) - 1)
                snprintf(detail + at, sizeof(detail) - at, "; on trial for %u s", confirm_s);
        manager_audit(m, who->caller, AUDIT_COUNTRY_CHANGED, who->force ? "forced" : "", detail);
}

int manager_set_country(struct manager *m, const struct country_caller *who, const struct country_change *changes,
                        size_t count, uint32_t confirm_s, struct refusal *refusal)
{
        struct countries *c = &m->country.countries;
        struct country_policy next = *countries_policy(c);
        int result;

        manager_refresh(m);
        if (confirm_s > COUNTRIES_CONFIRM_MAX)
                return refusal_set(refusal, REASON_TOO_LARGE, "%u s to confirm: at most %d are possible", confirm_s,
                                   COUNTRIES_CONFIRM_MAX);
        result = apply_changes(m, changes, count, &next, refusal);
        if (result == 0)
                result = check_caller(m, who, &next, refusal);
        if (result != 0)
                return result;
        result = countries_set(c, &next, confirm_s, manager_country_boot_ms(), m->broker->time);
        if (result == -EBUSY)
                return refusal_set(refusal, REASON_NO_CONFIRMATION,
                                   "a policy is on trial; 'relayctl country confirm' it, or let its time pass, first");
        if (result == -EINVAL)
                return refusal_set(refusal, REASON_MALFORMED, "the policy would not be valid");
        if (result < 0)
                return result;
        audit_change(m, who, changes, count, confirm_s);
        manager_country_changed(m);
        return 0;
}

int manager_confirm_country(struct manager *m, const char *caller, struct refusal *refusal)
{
        struct countries *c = &m->country.countries;
        struct guard_message message = { .type = GUARD_CONFIRM, .confirm = c->pending_token };
        int result;

        manager_refresh(m);
        if (countries_is_over(c, manager_country_boot_ms()))
                manager_country_give_up(m, AUDIT_ACTOR_RELAY);
        result = countries_confirm(c);
        if (result == -ENOENT)
                return refusal_set(refusal, REASON_NOT_PENDING,
                                   "no policy is on trial; its time may be over ('relayctl country show')");
        if (result < 0)
                return result;
        guard_peer_send(m->country.guard, &message);
        manager_audit(m, caller, AUDIT_COUNTRY_CONFIRMED, "", "");
        manager_changed(m, MANAGER_CHANGE_MANAGER, "");
        return 0;
}

/* ---- shown */
static void explain(const struct country_answer *answer, const char *address, struct country_test_view *out)
{
        const char *verdict = out->allowed ? "allowed" : "refused";
        char network[NETWORK_TEXT_SIZE];

        switch (answer->by) {
        case COUNTRY_BY_LOOPBACK:
        case COUNTRY_BY_LOCAL:
        case COUNTRY_BY_EXEMPT:
                snprintf(out->sentence, sizeof(out->sentence), "%s is %s: it lies in %s, which is %s", address, verdict,
                         network_format(&answer->network, network),
                         answer->by == COUNTRY_BY_EXEMPT ? "an exempt network" : "not judged by country");
                break;
        case COUNTRY_BY_NO_LOCKDOWN:
                snprintf(out->sentence, sizeof(out->sentence), "%s is %s: lockdown is off", address, verdict);
                break;
        case COUNTRY_BY_CLOSED_PORT:
                snprintf(out->sentence, sizeof(out->sentence), "%s is %s: lockdown keeps port %u closed", address,
                         verdict, answer->port);
                break;
        case COUNTRY_BY_OFF:
                snprintf(out->sentence, sizeof(out->sentence), "%s is %s: there is no rule for %s", address, verdict,
                         country_direction_name(answer->direction));
                break;
        case COUNTRY_BY_NO_DATABASE:
                snprintf(out->sentence, sizeof(out->sentence), "%s is %s: there is no country database to judge it by",
                         address, verdict);
                break;
        case COUNTRY_BY_UNKNOWN:
                snprintf(out->sentence, sizeof(out->sentence),
                         "%s is %s: the database does not know its country, and the rule for %s says what then",
                         address, verdict, country_direction_name(answer->direction));
                break;
        case COUNTRY_BY_LIST:
                snprintf(out->sentence, sizeof(out->sentence), "%s is %s: it is in %s (%s), and %s is %s the %s list",
                         address, verdict, out->country, out->name, out->country,
                         out->allowed == (answer->mode == COUNTRY_ALLOW) ? "on" : "not on",
                         answer->mode == COUNTRY_ALLOW ? "allow" : "deny");
                break;
        }
}

int manager_test_address(struct manager *m, const char *address, const char *direction, uint16_t port,
                         struct country_test_view *out, struct refusal *refusal)
{
        const struct countries *c = &m->country.countries;
        enum country_direction way = country_direction_from_name(direction);
        char text[ADDRESS_TEXT_SIZE], code[COUNTRY_TEXT_SIZE];
        struct country_answer answer;
        struct address parsed;

        if (!address_parse(&parsed, address))
                return refusal_set(refusal, REASON_MALFORMED,
                                   "\"%.60s\" is no address; 203.0.113.9 and 2001:db8::1 are, names are not", address);
        if (way == COUNTRY_DIRECTIONS)
                return refusal_set(refusal, REASON_MALFORMED, "\"%.40s\" is no direction: inbound, uplink or admin",
                                   direction);
        answer = countries_judge(c, countries_policy(c), way, port, &parsed);
        *out = (struct country_test_view){ .allowed = answer.decision.verdict == VERDICT_ALLOW,
                                           .name = country_code_name(answer.country),
                                           .reason = reason_name(answer.decision.reason) };
        if (!out->name)
                out->name = "";
        snprintf(out->country, sizeof(out->country), "%s", country_code_text(answer.country, code));
        country_answer_key(&answer, out->rule);
        explain(&answer, address_format(&parsed, text), out);
        return 0;
}

int manager_walk_country(struct manager *m, bool pending, int (*fn)(void *context, const char *name, const char *value),
                         void *context)
{
        const struct countries *c = &m->country.countries;

        if (pending && !c->pending_token)
                return 0;
        return country_settings_walk(pending ? &c->pending : &c->committed, fn, context);
}

int manager_walk_firewall(struct manager *m, bool countries,
                          int (*fn)(void *context, const char *name, uint64_t packets), void *context)
{
        const struct manager_country *mc = &m->country;
        size_t count = countries ? mc->refused_count : mc->counter_count;
        int result = 0;

        for (size_t i = 0; i < count && result == 0; i++)
                result = countries ? fn(context, mc->refused[i].country, mc->refused[i].refused)
                                   : fn(context, mc->counters[i].name, mc->counters[i].packets);
        return result;
}

static const char *state_name(enum guard_state state)
{
        switch (state) {
        case GUARD_ABSENT:
                return "absent";
        case GUARD_APPLYING:
                return "applying";
        case GUARD_IN_FORCE:
                return "in-force";
        case GUARD_FAILED:
                return "failed";
        }
        return "absent";
}

static void list_ports(const struct country_policy *policy, char out[COUNTRY_OPEN_PORTS_SIZE])
{
        size_t at = 0;

        for (size_t i = 0; i < policy->lockdown_port_count && at + 8 < COUNTRY_OPEN_PORTS_SIZE; i++)
                at += (size_t)snprintf(out + at, COUNTRY_OPEN_PORTS_SIZE - at, "%s%u", i ? " " : "",
                                       policy->lockdown_ports[i]);
}

void manager_country_view(const struct manager *m, struct country_view *out)
{
        const struct manager_country *mc = &m->country;
        const struct countries *c = &mc->countries;
        const struct country_policy *policy = countries_policy(c);
        bool active = countries_active(c), kernel = mc->state == GUARD_IN_FORCE;

        *out = (struct country_view){
                .enforced = !active  ? COUNTRY_ENFORCED_OFF
                            : kernel ? COUNTRY_ENFORCED_KERNEL
                                     : COUNTRY_ENFORCED_HUB,
                .guard = state_name(mc->state),
                .guard_error = mc->error,
                .pending_until = c->pending_token ? c->until : 0,
                .database = c->database ? c->info.source : "",
                .database_date = c->database && c->info.date > 0 ? (uint64_t)c->info.date : 0,
                .database_error = c->error,
                .intervals4 = mc->intervals4,
                .intervals6 = mc->intervals6,
                .load_microseconds = mc->microseconds,
                .refused = mc->bursts.total,
                .restored = mc->restored,
                .lockdown = policy->lockdown,
        };
        if (policy->lockdown)
                list_ports(policy, out->open_ports);
}
