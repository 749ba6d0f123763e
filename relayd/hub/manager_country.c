/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The country policy at the hub: what happens by itself; see manager_country.h. */

#include "hub/manager_country.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <systemd/sd-id128.h>

#include "hub/manager_internal.h"
#include "util/cleanup.h"
#include "util/time.h"

#define COUNT_TICKS      10 /* seconds between questions for the kernel's counters */
#define CHECK_TICKS      60 /* seconds between looks at the database's age */
#define GUARD_GONE_TICKS 10 /* seconds that a guard may take to come back */
#define DAY_S            UINT64_C(86400)
#define SUBJECT_SIZE     160

uint64_t manager_country_boot_ms(void)
{
        struct timespec now;

        clock_gettime(CLOCK_BOOTTIME, &now);
        return (uint64_t)now.tv_sec * TIME_MS_PER_S + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- refusals */
/* "203.0.113.9 (RU, Russia)" */
static const char *subject(const struct address *address, country_code country, char out[SUBJECT_SIZE])
{
        char text[ADDRESS_TEXT_SIZE], code[COUNTRY_TEXT_SIZE];
        const char *name = country_code_name(country);

        snprintf(out, SUBJECT_SIZE, "%s (%s%s%s)", address_format(address, text), country_code_text(country, code),
                 name ? ", " : "", name ? name : "");
        return out;
}

/* Anybody can cause refusals: told in bursts, whoever refused. */
static void note_refused(struct manager *m, enum country_direction direction, uint16_t port,
                         const struct address *address, country_code country, enum reason reason, uint64_t count,
                         const char *who)
{
        uint64_t tell = bursts_note(&m->country.bursts, direction, country, count, m->broker->time);
        char text[SUBJECT_SIZE], code[COUNTRY_TEXT_SIZE], detail[VIEW_TEXT_MAX];

        if (tell == 0)
                return;
        snprintf(detail, sizeof(detail),
                 "a connection %s %s %s port %u was refused by the %s; %" PRIu64
                 " of this country since the last alert",
                 direction == COUNTRY_UPLINK ? "to" : "from", subject(address, country, text),
                 direction == COUNTRY_UPLINK ? "at" : "to", port, who, tell);
        manager_alert(m, "", reason, detail);
        manager_audit(m, AUDIT_ACTOR_RELAY, AUDIT_COUNTRY_REFUSED, country_code_text(country, code), detail);
}

bool manager_country_admits(struct manager *m, const struct channel_open *open, struct admission *out)
{
        const struct countries *c = &m->country.countries;
        struct country_answer answer;
        struct address address;

        if (!countries_active(c))
                return true;
        if (!address_parse_endpoint(&address, NULL, open->peer)) {
                out->decision = DECISION_DENY(REASON_UNKNOWN_COUNTRY);
                return false;
        }
        answer = countries_judge(c, countries_policy(c), COUNTRY_INBOUND, open->port, &address);
        if (answer.decision.verdict == VERDICT_ALLOW)
                return true;
        out->decision = answer.decision;
        note_refused(m, COUNTRY_INBOUND, open->port, &address, answer.country, answer.decision.reason, 1, "hub");
        return false;
}

bool manager_country_allows(void *context, const struct sockaddr *name, char why[200])
{
        struct manager *m = context;
        const struct countries *c = &m->country.countries;
        char text[SUBJECT_SIZE], key[COUNTRY_KEY_MAX];
        struct country_answer answer;
        struct address address;

        if (!countries_active(c))
                return true;
        if (!address_from_sockaddr(&address, name)) {
                snprintf(why, 200, "an address that is neither IPv4 nor IPv6");
                return false;
        }
        answer = countries_judge(c, countries_policy(c), COUNTRY_UPLINK, 0, &address);
        if (answer.decision.verdict == VERDICT_ALLOW)
                return true;
        snprintf(why, 200, "%s is refused by the country policy (%s)", subject(&address, answer.country, text),
                 country_answer_key(&answer, key));
        note_refused(m, COUNTRY_UPLINK, m->conf->uplink_port, &address, answer.country, answer.decision.reason, 1,
                     "hub");
        return false;
}

/* ---- towards the guard */
static void send_policy(struct manager *m, const struct country_policy *policy, uint64_t token, uint32_t confirm_s)
{
        struct guard_message message = { .type = GUARD_POLICY, .policy = { token, SPAN_EMPTY, confirm_s } };
        uint8_t record[COUNTRY_RECORD_MAX];
        size_t size;
        int result;

        if (country_policy_encode(policy, record, sizeof(record), &size) != 0)
                return;
        message.policy.policy = span_of(record, size);
        result = guard_peer_send(m->country.guard, &message);
        if (result < 0)
                log_error("the country policy was not sent to relay-guardd: %s", errno_string(result));
        else
                m->country.state = GUARD_APPLYING;
}

static void send_plain(struct manager *m, enum guard_type type, uint64_t token)
{
        struct guard_message message = { .type = type, .confirm = token };

        guard_peer_send(m->country.guard, &message);
}

static void tell_guard(struct manager *m)
{
        const struct countries *c = &m->country.countries;
        struct guard_message uplink = { .type = GUARD_UPLINK, .air_gapped = m->conf->uplink == CONF_UPLINK_NONE };

        if (!guard_peer_connected(m->country.guard))
                return;
        guard_peer_send(m->country.guard, &uplink);
        send_policy(m, &c->committed, c->token, 0);
        if (c->pending_token)
                send_policy(m, &c->pending, c->pending_token, countries_seconds_left(c, manager_country_boot_ms()));
}

/* ---- judged again */
static void recheck_session(void *context, struct front_session *session)
{
        struct manager *m = context;
        const struct countries *c = &m->country.countries;
        struct country_answer answer;
        struct address address;

        if (!address_parse_endpoint(&address, NULL, span_of_string(session->peer)))
                return;
        answer = countries_judge(c, countries_policy(c), COUNTRY_INBOUND, session->port, &address);
        if (answer.decision.verdict == VERDICT_ALLOW)
                return;
        note_refused(m, COUNTRY_INBOUND, session->port, &address, answer.country, answer.decision.reason, 1, "hub");
        broker_close(m->broker, &session->link, MQTT_NOT_AUTHORIZED, true);
}

static void judge_again(struct manager *m)
{
        if (m->frontends)
                frontends_walk(m->frontends, recheck_session, m);
        if (m->cloud)
                uplink_check_address(cloud_uplink(m->cloud));
        manager_changed(m, MANAGER_CHANGE_MANAGER, "");
}

static void check_age(struct manager *m);

void manager_country_changed(struct manager *m)
{
        tell_guard(m);
        judge_again(m);
        check_age(m);
}

void manager_country_give_up(struct manager *m, const char *actor)
{
        int result = countries_give_up(&m->country.countries);

        if (result < 0) {
                if (result != -ENOENT)
                        log_error("the country policy on trial cannot be given up: %s", errno_string(result));
                return;
        }
        manager_audit(m, actor, AUDIT_COUNTRY_GIVEN_UP, "", "not confirmed in time");
        manager_alert(m, "", REASON_NO_CONFIRMATION,
                      "the country policy on trial was not confirmed; the one before it is in force again");
        manager_country_changed(m);
}

/* ---- what the guard says */
static void on_result(struct manager *m, uint32_t result, struct span sentence)
{
        struct manager_country *mc = &m->country;
        char before[sizeof(mc->error)], detail[VIEW_TEXT_MAX];

        memcpy(before, mc->error, sizeof(before));
        if (result == 0 || !span_to_string(span_slice(sentence, 0, GUARD_SENTENCE_MAX), mc->error, sizeof(mc->error)))
                mc->error[0] = 0;
        if (result != 0 && !mc->error[0])
                snprintf(mc->error, sizeof(mc->error), "%s", errno_string((int)result));
        mc->state = result == 0 ? GUARD_IN_FORCE : GUARD_FAILED;
        manager_changed(m, MANAGER_CHANGE_MANAGER, "");
        if (result == 0 || strcmp(before, mc->error) == 0 || !countries_active(&mc->countries))
                return;
        snprintf(detail, sizeof(detail), "relay-guardd: %.200s", mc->error);
        manager_alert(m, "", REASON_FIREWALL_FAILED, detail);
}

static void on_applied(struct manager *m, const struct guard_applied *applied)
{
        struct manager_country *mc = &m->country;

        /* the answer to an older one: another is on its way */
        if (applied->token != countries_token(&mc->countries) && applied->result == 0)
                return;
        mc->intervals4 = applied->intervals4;
        mc->intervals6 = applied->intervals6;
        mc->microseconds = applied->microseconds;
        on_result(m, applied->result, applied->sentence);
}

static void on_refused(struct manager *m, const struct guard_refused *refused)
{
        country_code country = country_code_from_letters(refused->country[0], refused->country[1]);
        enum reason reason = country == COUNTRY_UNKNOWN ? REASON_UNKNOWN_COUNTRY : REASON_COUNTRY;
        struct address address;

        if (refused->direction < COUNTRY_DIRECTIONS && address_from_bytes(&address, refused->address))
                note_refused(m, (enum country_direction)refused->direction, refused->port, &address, country, reason,
                             refused->count, "kernel");
}

static void on_restored(struct manager *m, uint64_t times)
{
        char detail[VIEW_TEXT_MAX];

        /* the guard counts since its own start */
        m->country.restored += times > m->country.restored_told ? times - m->country.restored_told : 0;
        m->country.restored_told = times;
        snprintf(detail, sizeof(detail), "the table inet relayd was removed or changed; restored (%" PRIu64 " times)",
                 m->country.restored);
        manager_alert(m, "", REASON_FIREWALL_CHANGED, detail);
        manager_audit(m, AUDIT_ACTOR_RELAY, AUDIT_FIREWALL_RESTORED, "inet relayd", detail);
        manager_changed(m, MANAGER_CHANGE_MANAGER, "");
}

static void on_counters(struct manager *m, const struct guard_counters *counters)
{
        struct manager_country *mc = &m->country;

        mc->counter_count = counters->count;
        for (size_t i = 0; i < counters->count; i++) {
                span_to_string(span_slice(counters->counters[i].name, 0, GUARD_COUNTER_NAME - 1), mc->counters[i].name,
                               GUARD_COUNTER_NAME);
                mc->counters[i].packets = counters->counters[i].packets;
        }
        mc->refused_count = counters->country_count;
        memcpy(mc->refused, counters->countries, sizeof(mc->refused));
}

static void on_link(struct manager *m, const struct guard_link *link)
{
        char interface[GUARD_INTERFACE_MAX + 1];

        if (!m->cloud)
                return;
        if (link->kind == GUARD_LINK_INTERFACE && !link->up &&
            span_to_string(link->interface, interface, sizeof(interface)))
                uplink_link_lost(cloud_uplink(m->cloud), interface);
        uplink_check_way(cloud_uplink(m->cloud));
}

static void on_said(void *context, const struct guard_message *message)
{
        struct manager *m = context;

        switch (message->type) {
        case GUARD_READY:
                m->country.restored_told = 0;
                m->country.gone_ticks = 0;
                on_result(m, message->ready.result, message->ready.sentence);
                log_info("relay-guardd is there%s%s", *m->country.error ? ": " : "", m->country.error);
                tell_guard(m);
                break;
        case GUARD_APPLIED:
                on_applied(m, &message->applied);
                break;
        case GUARD_ROLLED_BACK:
                if (message->rolled_back.token == m->country.countries.pending_token)
                        manager_country_give_up(m, AUDIT_ACTOR_RELAY);
                break;
        case GUARD_RESTORED:
                on_restored(m, message->restored);
                break;
        case GUARD_REFUSED:
                on_refused(m, &message->refused);
                break;
        case GUARD_COUNTERS:
                on_counters(m, &message->counters);
                break;
        case GUARD_LINK:
                on_link(m, &message->link);
                break;
        case GUARD_POLICY:
        case GUARD_CONFIRM:
        case GUARD_UPLINK:
        case GUARD_RELOAD:
        case GUARD_COUNT:
                break;
        }
}

static void on_gone(void *context, int error)
{
        struct manager *m = context;

        m->country.state = GUARD_ABSENT;
        m->country.error[0] = 0;
        m->country.gone_ticks = 1;
        log_warning("relay-guardd is gone: %s; the kernel keeps its rules, the hub enforces, too", errno_string(error));
        manager_changed(m, MANAGER_CHANGE_MANAGER, "");
}

/* A restart of the guard is no matter; one that stays away leaves nobody to put the kernel's table right. */
static void check_guard(struct manager *m)
{
        struct manager_country *mc = &m->country;

        if (mc->gone_ticks == 0 || mc->gone_ticks++ < GUARD_GONE_TICKS)
                return;
        mc->gone_ticks = 0;
        if (countries_active(&mc->countries))
                manager_alert(
                        m, "", REASON_FIREWALL_FAILED,
                        "relay-guardd has been gone for a while: nobody restores the kernel's table or counts; the "
                        "relay refuses sessions itself ('systemctl status relay-guardd')");
}

/* ---- the database */
static void check_age(struct manager *m)
{
        struct manager_country *mc = &m->country;
        const struct countries *c = &mc->countries;
        uint64_t age_max = m->conf->country_age_max_s, now = m->broker->time;
        bool active = countries_active(c), missing = active && !c->database;
        bool old = active && c->database && age_max > 0 && c->info.date > 0 && manager_time_is_trusted(m) &&
                   now > (uint64_t)c->info.date + age_max;
        char detail[VIEW_TEXT_MAX];

        if ((!missing && !old) || (mc->told_s && now < mc->told_s + DAY_S))
                return;
        mc->told_s = now;
        if (missing)
                snprintf(detail, sizeof(detail), "%.120s: %.80s; addresses that a rule would judge are refused",
                         c->path, *c->error ? c->error : "missing");
        else
                snprintf(detail, sizeof(detail), "%s is %" PRIu64 " days old; 'relayctl country update'",
                         c->info.source, (now - (uint64_t)c->info.date) / DAY_S);
        manager_alert(m, "", missing ? REASON_NO_COUNTRY_DATABASE : REASON_OLD_COUNTRY_DATABASE, detail);
}

/* 0: another one is in use; 1: the same; -errno: it cannot be used */
static int reopen(struct manager *m)
{
        struct countries *c = &m->country.countries;
        int result = countries_reopen(c);
        char detail[VIEW_TEXT_MAX];

        if (result == -ENOENT && !c->database)
                return result;
        if (result < 0) {
                snprintf(detail, sizeof(detail), "%.100s cannot be used: %.80s; the one before stays", c->path,
                         c->error);
                manager_alert(m, "", REASON_NO_COUNTRY_DATABASE, detail);
                return result;
        }
        if (result == 0) {
                m->country.told_s = 0;
                snprintf(detail, sizeof(detail), "%s, %u ranges IPv4, %u IPv6", c->info.source, c->info.ranges4,
                         c->info.ranges6);
                manager_audit(m, AUDIT_ACTOR_RELAY, AUDIT_COUNTRY_DATABASE, c->path, detail);
                send_plain(m, GUARD_RELOAD, 0);
                judge_again(m);
        }
        return result;
}

int manager_reload_country(struct manager *m, const char *caller, struct refusal *refusal)
{
        (void)caller;
        manager_refresh(m);
        if (reopen(m) >= 0)
                return 0;
        refusal->reason = REASON_NO_COUNTRY_DATABASE;
        snprintf(refusal->text, sizeof(refusal->text), "%.100s cannot be used: %.120s", m->country.countries.path,
                 m->country.countries.error);
        return MANAGER_REFUSED;
}

static int on_folder(sd_event_source *source, const struct inotify_event *event, void *context)
{
        struct manager *m = context;
        const char *name = strrchr(m->country.countries.path, '/');

        (void)source;
        if (event->len == 0 || !name || strcmp(event->name, name + 1) != 0)
                return 0;
        manager_refresh(m);
        reopen(m);
        return 0;
}

/* The folder may not be there yet: looked for again with the age. */
static void watch_folder(struct manager *m)
{
        struct manager_country *mc = &m->country;
        char folder[PATH_MAX];
        char *end;

        if (mc->watch)
                return;
        snprintf(folder, sizeof(folder), "%s", mc->countries.path);
        end = strrchr(folder, '/');
        if (!end || end == folder)
                return;
        *end = 0;
        if (sd_event_add_inotify(m->event, &mc->watch, folder, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR, on_folder,
                                 m) >= 0)
                reopen(m);
}

/* ---- life */
int manager_country_load(struct manager *m)
{
        struct countries_boot boot = { 0 };
        const char *given = getenv("RELAYD_BOOT_ID");
        sd_id128_t id;

        /* The unit hides /proc and tells it instead. Where boots cannot be told apart, a restart of the hub counts as
         * one: trials end then. */
        boot.known = (given && sd_id128_from_string(given, &id) >= 0) || sd_id128_get_boot(&id) >= 0;
        if (boot.known)
                memcpy(boot.id, id.bytes, sizeof(boot.id));
        return countries_load(&m->country.countries, m->store, m->conf->country_database, &boot,
                              manager_country_boot_ms(), &m->country.gave_up_at_start);
}

int manager_country_listen(struct manager *m, uid_t uid)
{
        const struct guard_host host = { m, manager_refresh, on_said, on_gone };
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/guard.channel", m->conf->runtime) < 0)
                return -ENOMEM;
        return guard_peer_new(&m->country.guard, m->event, path, uid, &host);
}

void manager_country_start(struct manager *m)
{
        watch_folder(m);
        if (!m->country.watch)
                countries_reopen(&m->country.countries);
        if (m->country.gave_up_at_start) {
                manager_audit(m, AUDIT_ACTOR_RELAY, AUDIT_COUNTRY_GIVEN_UP, "", "not confirmed before a restart");
                manager_alert(m, "", REASON_NO_CONFIRMATION,
                              "the country policy on trial was not confirmed before a restart; the one before it is "
                              "in force");
        }
        check_age(m);
}

void manager_country_release(struct manager *m)
{
        m->country.watch = sd_event_source_disable_unref(m->country.watch);
        m->country.guard = guard_peer_free(m->country.guard);
        countries_release(&m->country.countries);
}

void manager_country_tick(struct manager *m)
{
        struct manager_country *mc = &m->country;

        if (countries_is_over(&mc->countries, manager_country_boot_ms()))
                manager_country_give_up(m, AUDIT_ACTOR_RELAY);
        check_guard(m);
        mc->ticks++;
        if (mc->ticks % COUNT_TICKS == 0)
                send_plain(m, GUARD_COUNT, 0);
        if (mc->ticks % CHECK_TICKS == 0) {
                watch_folder(m);
                check_age(m);
        }
}
