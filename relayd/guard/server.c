/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/server.h"

#include <string.h>

#include "channel/peer.h"
#include "channel/socket.h"
#include "guard/confirm.h"
#include "guard/droplog.h"
#include "guard/engine.h"
#include "guard/links.h"
#include "guard/message.h"
#include "guard/permit.h"
#include "guard/reports.h"
#include "guard/watch.h"
#include "util/log.h"
#include "util/time.h"

#define RECONNECT_US     (UINT64_C(1000) * 1000)
#define RESTORE_PAUSE_MS 200 /* between two restorations, against somebody who flushes in a loop */

struct server {
        sd_event *event;
        const struct server_options *options;

        struct nf_socket *kernel;
        struct engine *engine;
        struct watch *watch;
        struct droplog *droplog;
        struct reports *reports;
        struct links *links;
        int kernel_error; /* why the kernel cannot be used; 0: it can */

        struct country *country;
        struct confirm confirm;
        bool air_gapped, uncertain;

        struct channel_peer *peer;
        bool ready;
        sd_event_source *reconnect, *deadline, *restore;
        uint64_t restored, restored_ms;
        struct log_rate log_rate;
};

/* ---- to the hub */

static void send_message(const struct guard_message *message, void *context)
{
        struct server *s = context;
        uint8_t bytes[GUARD_MESSAGE_MAX];
        struct writer w;

        if (!s->ready)
                return;
        writer_init(&w, bytes, sizeof(bytes));
        int r = guard_message_encode(&w, message);
        struct channel_message packet = { .type = CHANNEL_PACKET, .session = GUARD_SESSION, .packet = writer_span(&w) };
        if (r == RELAY_OK)
                r = channel_send(s->peer, &packet);
        if (r != 0)
                log_warning("a message of type %d did not reach the hub: %d", (int)message->type, r);
}

static struct span text_span(const char *text)
{
        return span_of(text, strlen(text));
}

static uint32_t result_number(int error)
{
        return error < 0 ? (uint32_t)-error : 0;
}

static void kernel_sentence(const struct server *s, char *out, size_t size)
{
        struct nf_failure none = { 0 };

        out[0] = '\0';
        if (s->kernel_error < 0)
                nf_failure_text(s->kernel_error, &none, out, size);
}

static uint64_t database_date(const struct server *s)
{
        struct country_info info;

        if (!s->country)
                return 0;
        country_info(s->country, &info);
        return info.date > 0 ? (uint64_t)info.date : 0;
}

static void send_ready(struct server *s)
{
        struct guard_message m = { .type = GUARD_READY };
        char sentence[GUARD_SENTENCE_MAX];

        kernel_sentence(s, sentence, sizeof(sentence));
        m.ready.result = result_number(s->kernel_error);
        m.ready.sentence = text_span(sentence);
        m.ready.database_date = database_date(s);
        m.ready.active_token = confirm_active_token(&s->confirm);
        m.ready.pending_token = s->confirm.pending_token;
        m.ready.seconds_left = confirm_seconds_left(&s->confirm, time_monotonic_ms());
        send_message(&m, s);
}

static void send_applied(struct server *s, uint64_t token, int error, const char *sentence,
                         const struct engine_result *result)
{
        struct guard_message m = { .type = GUARD_APPLIED };

        m.applied.token = token;
        m.applied.result = result_number(error);
        m.applied.sentence = text_span(sentence);
        m.applied.microseconds = result->microseconds;
        m.applied.intervals4 = result->counts.intervals4;
        m.applied.intervals6 = result->counts.intervals6;
        m.applied.bytes = result->bytes;
        send_message(&m, s);
}

/* ---- to the kernel */

static int apply(struct server *s, const struct country_policy *policy, const struct country *country,
                 struct engine_result *result, char *sentence, size_t size)
{
        struct ruleset wanted = { &s->options->rules, policy, country, s->air_gapped };
        const struct nf_transport *transport;

        *result = (struct engine_result){ 0 };
        sentence[0] = '\0';
        if (s->kernel_error < 0) {
                kernel_sentence(s, sentence, size);
                return s->kernel_error;
        }
        transport = nf_socket_transport(s->kernel);
        watch_pause(s->watch, transport);
        int r = engine_apply(s->engine, &wanted, result);
        if (!watch_resume(s->watch, transport, result->transactions))
                s->uncertain = true;
        if (r < 0)
                nf_failure_text(r, &result->failure, sentence, size);
        else if (!country)
                snprintf(sentence, size,
                         "no address database at %s: only exempt networks pass where a country rule holds; "
                         "run relay-country compile",
                         s->options->database);
        if (s->uncertain)
                sd_event_source_set_enabled(s->restore, SD_EVENT_ONESHOT);
        return r;
}

/* What should be in force, with the database as it is. */
static int apply_active(struct server *s, struct engine_result *result, char *sentence, size_t size)
{
        const struct country_policy *policy = confirm_active(&s->confirm);

        *result = (struct engine_result){ 0 };
        sentence[0] = '\0';
        return policy ? apply(s, policy, s->country, result, sentence, size) : 0;
}

static void apply_and_log(struct server *s, const char *why)
{
        struct engine_result result;
        char sentence[GUARD_SENTENCE_MAX];

        int r = apply_active(s, &result, sentence, sizeof(sentence));
        if (r < 0)
                log_error("%s: %s", why, sentence);
}

static int on_restore(sd_event_source *source, uint64_t now, void *context)
{
        struct server *s = context;

        (void)source, (void)now;
        s->uncertain = false;
        engine_distrust(s->engine);
        apply_and_log(s, "cannot restore the table " RULESET_TABLE);
        s->restored_ms = time_monotonic_ms();
        return 0;
}

static void schedule_restore(struct server *s)
{
        uint64_t since = time_monotonic_ms() - s->restored_ms;
        uint64_t wait = since >= RESTORE_PAUSE_MS ? 0 : RESTORE_PAUSE_MS - since;

        sd_event_source_set_time_relative(s->restore, wait * TIME_US_PER_MS);
        sd_event_source_set_enabled(s->restore, SD_EVENT_ONESHOT);
}

static void on_foreign_change(bool certain, void *context)
{
        struct server *s = context;
        struct guard_message m = { .type = GUARD_RESTORED };
        uint32_t dropped;

        if (!confirm_active(&s->confirm))
                return;
        schedule_restore(s);
        if (!certain && nf_table_exists(nf_socket_transport(s->kernel), RULESET_TABLE) != -ENOENT)
                return;
        m.restored = ++s->restored;
        if (log_rate_allow(&s->log_rate, time_monotonic_ms(), &dropped))
                log_warning("somebody changed the table %s: it is restored (%llu times so far)", RULESET_TABLE,
                            (unsigned long long)s->restored);
        send_message(&m, s);
}

/* ---- policies on trial */

static int on_deadline(sd_event_source *source, uint64_t now, void *context)
{
        struct server *s = context;
        struct guard_message m = { .type = GUARD_ROLLED_BACK };

        (void)source, (void)now;
        m.rolled_back.token = confirm_expire(&s->confirm, time_monotonic_ms());
        if (!m.rolled_back.token)
                return 0;
        log_notice("policy %llu was not confirmed: back to %llu", (unsigned long long)m.rolled_back.token,
                   (unsigned long long)s->confirm.committed_token);
        if (confirm_active(&s->confirm)) {
                apply_and_log(s, "cannot go back to the policy before");
        } else { /* there was none before */
                static const struct country_policy off;
                struct engine_result result;
                char sentence[GUARD_SENTENCE_MAX];
                if (apply(s, &off, s->country, &result, sentence, sizeof(sentence)) < 0)
                        log_error("cannot open what was closed on trial: %s", sentence);
        }
        m.rolled_back.active_token = confirm_active_token(&s->confirm);
        send_message(&m, s);
        return 0;
}

static void arm_deadline(struct server *s)
{
        if (s->confirm.pending_token)
                sd_event_source_set_time(s->deadline, s->confirm.deadline_ms * TIME_US_PER_MS);
        sd_event_source_set_enabled(s->deadline, s->confirm.pending_token ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static void take_policy(struct server *s, const struct guard_policy *m)
{
        struct country_policy policy;
        struct confirm trial = s->confirm;
        struct engine_result result = { 0 };
        char sentence[GUARD_SENTENCE_MAX] = "";

        int r = country_policy_decode(&policy, m->policy) == RELAY_OK ? 0 : -EINVAL;
        if (r < 0)
                snprintf(sentence, sizeof(sentence), "the policy is not well-formed");
        else
                r = permit_policy(s->options, &policy, sentence, sizeof(sentence));
        if (r == 0)
                r = apply(s, &policy, s->country, &result, sentence, sizeof(sentence));
        if (r == 0) {
                confirm_offer(&trial, m->token, &policy, m->confirm_seconds, time_monotonic_ms());
                s->confirm = trial;
                arm_deadline(s);
        } else {
                log_error("policy %llu is not in force: %s", (unsigned long long)m->token, sentence);
        }
        send_applied(s, m->token, r, sentence, &result);
}

static void take_confirm(struct server *s, uint64_t token)
{
        if (confirm_accept(&s->confirm, token) < 0)
                log_warning("policy %llu cannot be confirmed: it is not pending", (unsigned long long)token);
        arm_deadline(s);
}

static void take_uplink(struct server *s, bool air_gapped)
{
        if (s->air_gapped == air_gapped)
                return;
        s->air_gapped = air_gapped;
        apply_and_log(s, "cannot change what the hub may connect to");
}

/* The last good database stays if the new one is no good. */
static void take_reload(struct server *s)
{
        _cleanup_(country_freep) struct country *country = NULL;
        const struct country_policy *policy = confirm_active(&s->confirm);
        struct engine_result result = { 0 };
        char sentence[GUARD_SENTENCE_MAX] = "", error[COUNTRY_ERROR_MAX] = "";

        int r = country_open(&country, s->options->database, error);
        if (r < 0)
                snprintf(sentence, sizeof(sentence), "%s: %s; the last good one stays in use", s->options->database,
                         error[0] ? error : errno_string(r));
        else if (policy)
                r = apply(s, policy, country, &result, sentence, sizeof(sentence));
        if (r == 0) {
                struct country *old = s->country;
                s->country = country;
                country = old;
        } else {
                log_error("the address database is not in use: %s", sentence);
        }
        send_applied(s, confirm_active_token(&s->confirm), r, sentence, &result);
}

/* ---- what the kernel tells */

static void on_refused(const struct droplog_packet *packet, void *context)
{
        struct server *s = context;

        reports_note(s->reports, packet, country_lookup(s->country, &packet->address));
}

static void on_link(const struct links_change *change, void *context)
{
        static const enum guard_link_kind kinds[] = { [LINKS_INTERFACE] = GUARD_LINK_INTERFACE,
                                                      [LINKS_ADDRESS] = GUARD_LINK_ADDRESS,
                                                      [LINKS_ROUTE] = GUARD_LINK_ROUTE };
        struct guard_message m = { .type = GUARD_LINK };

        m.link.kind = kinds[change->kind];
        m.link.interface = text_span(change->interface);
        m.link.up = change->up;
        m.link.default_route4 = change->default_route4;
        m.link.default_route6 = change->default_route6;
        send_message(&m, context);
}

/* ---- the channel */

static void on_ready(struct channel_peer *peer, void *context)
{
        struct server *s = context;

        (void)peer;
        s->ready = true;
        send_ready(s);
}

static void send_counters(struct server *s)
{
        bool has_table = s->kernel_error == 0 && confirm_active(&s->confirm);

        reports_counters(s->reports, has_table ? nf_socket_transport(s->kernel) : NULL);
}

/* What only the guard says is wrong from the hub: it is dropped. */
static int take_message(struct server *s, const struct guard_message *m)
{
        switch (m->type) {
        case GUARD_POLICY:
                take_policy(s, &m->policy);
                return 0;
        case GUARD_CONFIRM:
                take_confirm(s, m->confirm);
                return 0;
        case GUARD_UPLINK:
                take_uplink(s, m->air_gapped);
                return 0;
        case GUARD_RELOAD:
                take_reload(s);
                return 0;
        case GUARD_COUNT:
                send_counters(s);
                return 0;
        case GUARD_READY:
        case GUARD_APPLIED:
        case GUARD_ROLLED_BACK:
        case GUARD_RESTORED:
        case GUARD_REFUSED:
        case GUARD_COUNTERS:
        case GUARD_LINK:
                break;
        }
        return -EPROTO;
}

static int on_message(struct channel_peer *peer, const struct channel_message *packet, void *context)
{
        struct guard_message m;

        (void)peer;
        if (packet->type == CHANNEL_STOP)
                return -ECONNRESET;
        if (packet->type != CHANNEL_PACKET || packet->session != GUARD_SESSION ||
            guard_message_decode(packet->packet, &m) != RELAY_OK)
                return -EPROTO;
        return take_message(context, &m);
}

static void connect_later(struct server *s)
{
        sd_event_source_set_time_relative(s->reconnect, RECONNECT_US);
        sd_event_source_set_enabled(s->reconnect, SD_EVENT_ONESHOT);
}

static void on_closed(struct channel_peer *peer, int error, void *context)
{
        struct server *s = context;

        if (s->ready)
                log_warning("the hub is gone (%s): its rules stay in force", errno_string(error));
        s->ready = false;
        s->peer = channel_peer_free(peer);
        connect_later(s);
}

static const struct channel_handlers handlers = { .ready = on_ready, .message = on_message, .closed = on_closed };

static int try_connect(struct server *s)
{
        _cleanup_close_ int fd = channel_socket_connect(s->options->channel, false);

        if (fd < 0)
                return fd;
        int r = channel_socket_check_peer(fd, s->options->rules.hub_uid, NULL);
        return r < 0 ? r : channel_adopt(&s->peer, s->event, steal_fd(&fd), &handlers, s);
}

static int on_reconnect(sd_event_source *source, uint64_t now, void *context)
{
        struct server *s = context;
        uint32_t dropped;

        (void)source, (void)now;
        int r = try_connect(s);
        if (r == 0)
                return 0;
        if (r != -ENOENT && r != -ECONNREFUSED && log_rate_allow(&s->log_rate, time_monotonic_ms(), &dropped))
                log_warning("%s: %s", s->options->channel,
                            r == -EACCES ? "not the hub at the other end; check --hub-user" : errno_string(r));
        connect_later(s);
        return 0;
}

/* ---- all together */

static int open_kernel(struct server *s)
{
        uint32_t generation;
        char sentence[GUARD_SENTENCE_MAX];

        int r = nf_socket_new(&s->kernel);
        if (r == 0)
                r = nf_generation(nf_socket_transport(s->kernel), &generation);
        if (r == 0)
                r = engine_new(&s->engine, nf_socket_transport(s->kernel));
        if (r == 0)
                r = watch_new(&s->watch, s->event, RULESET_TABLE, on_foreign_change, s);
        s->kernel_error = r;
        if (r < 0) {
                kernel_sentence(s, sentence, sizeof(sentence));
                log_error("%s", sentence);
                return 0; /* the hub hears of it, and enforces by itself */
        }
        r = droplog_new(&s->droplog, s->event, s->options->rules.log_group, on_refused, s);
        if (r < 0)
                log_warning("nflog group %u: %s; refused packets are counted but not reported one by one",
                            s->options->rules.log_group,
                            r == -EBUSY ? "another program reads it, choose another --log-group" : errno_string(r));
        return 0;
}

static void open_database(struct server *s)
{
        char error[COUNTRY_ERROR_MAX] = "";

        int r = country_open(&s->country, s->options->database, error);
        if (r < 0)
                log_warning("%s: %s; only exempt networks pass where a country rule holds", s->options->database,
                            error[0] ? error : errno_string(r));
}

static int add_timer(struct server *s, sd_event_source **source, sd_event_time_handler_t handler, int enabled)
{
        int r = sd_event_add_time(s->event, source, CLOCK_MONOTONIC, 0, 1, handler, s);

        if (r >= 0)
                r = sd_event_source_set_enabled(*source, enabled);
        return r < 0 ? r : 0;
}

static int start(struct server *s)
{
        int r = add_timer(s, &s->reconnect, on_reconnect, SD_EVENT_ONESHOT);

        if (r == 0)
                r = add_timer(s, &s->deadline, on_deadline, SD_EVENT_OFF);
        if (r == 0)
                r = reports_new(&s->reports, s->event, send_message, s);
        if (r == 0)
                r = add_timer(s, &s->restore, on_restore, SD_EVENT_OFF);
        if (r == 0)
                r = open_kernel(s);
        if (r == 0)
                r = links_new(&s->links, s->event, on_link, s);
        return r;
}

int server_new(struct server **ret, sd_event *event, const struct server_options *options)
{
        struct server *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->options = options;
        s->log_rate = (struct log_rate){ .burst = 5, .interval_ms = 60000 };
        open_database(s);
        int r = start(s);
        if (r < 0) {
                log_error("cannot start: %s", errno_string(r));
                server_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

struct server *server_free(struct server *s)
{
        if (!s)
                return NULL;
        channel_peer_free(s->peer);
        sd_event_source_disable_unref(s->reconnect);
        sd_event_source_disable_unref(s->deadline);
        sd_event_source_disable_unref(s->restore);
        links_free(s->links);
        droplog_free(s->droplog);
        reports_free(s->reports);
        watch_free(s->watch);
        engine_free(s->engine);
        nf_socket_free(s->kernel);
        country_free(s->country);
        sd_event_unref(s->event);
        free(s);
        return NULL;
}
