/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate at the hub, what happens by itself; see manager_gate.h. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hub/manager_internal.h"
#include "util/cleanup.h"

/* ---- what tickets and commands ask */
static uint64_t now_s(void *context)
{
        return ((struct manager *)context)->broker->time;
}

static uint64_t now_ms(void *context)
{
        return ((struct manager *)context)->broker->now_ms;
}

static const struct device *registered(const struct manager *m, const char *name)
{
        const struct device *d = registry_find(&m->registry, span_of_string(name));

        return d && d->registration == REGISTRATION_REGISTERED ? d : NULL;
}

static bool device_of(void *context, const char *name, uint8_t class_id[CLASS_ID_SIZE])
{
        const struct device *d = registered(context, name);

        if (d)
                memcpy(class_id, d->class_id, CLASS_ID_SIZE);
        return d;
}

static bool device_checks(void *context, const char *name)
{
        const struct device *d = registered(context, name);

        return d && !d->relay_checks;
}

static const struct site_policy *policy_of(void *context)
{
        return updater_policy(((struct manager *)context)->updater);
}

static const struct vendor_keys *vendor_of(void *context)
{
        return updater_vendor(((struct manager *)context)->updater);
}

static uint64_t approval_epoch(void *context)
{
        return updater_approval_epoch(((struct manager *)context)->updater);
}

static struct decision verdict_of(void *context, const char *device, const uint8_t digest[SHA256_SIZE])
{
        return updater_verdict(((struct manager *)context)->updater, device, digest);
}

/* ---- tickets */
static void answer(void *context, enum tickets_way way, const char *device, struct span ticket)
{
        struct manager *m = context;
        char topic[TOPIC_MAX];
        int result;

        topic_device(topic, m->conf->site, device, "gate/ticket");
        result = way == TICKETS_LOCAL ? broker_publish_brief(m->broker, topic, ticket, TICKET_AGE_MAX_S)
                                      : broker_send_up_brief(m->broker, topic, ticket, TICKET_AGE_MAX_S);
        if (result < 0)
                log_warning("a ticket for %s was not sent: %s", device, errno_string(result));
}

/* What cannot leave now is worth nothing later: the device asks again. */
static bool forward(void *context, const char *device, struct span request)
{
        struct manager *m = context;
        char topic[TOPIC_MAX];

        if (!m->cloud || !m->uplink_up)
                return false;
        topic_device(topic, m->conf->site, device, "gate/request");
        return broker_send_up_brief(m->broker, topic, request, TICKET_AGE_MAX_S) == 0;
}

static void make_tickets(struct manager *m)
{
        const struct tickets_host host = {
                .context = m,
                .now_s = now_s,
                .now_ms = now_ms,
                .time_trusted = manager_time_is_trusted,
                .device = device_of,
                .policy = policy_of,
                .approval_epoch = approval_epoch,
                .verdict = verdict_of,
                .answer = answer,
                .forward = forward,
                .alert = manager_alert,
                .audit = manager_audit,
        };

        tickets_init(&m->gate.tickets, m->conf->site, &m->gate.key, &host);
}

/* ---- commands */
static int hand(void *context, const char *device, struct span command, uint64_t expiry)
{
        struct manager *m = context;
        char topic[TOPIC_MAX];
        int result;

        topic_device(topic, m->conf->site, device, "commands");
        /* the command may start in the second of its expiry, a message may not */
        result = broker_hand(m->broker, device, topic, command, expiry < UINT64_MAX ? expiry + 1 : expiry);
        return result == BROKER_ABSENT ? COMMANDS_ABSENT : result == BROKER_UNSURE ? COMMANDS_UNSURE : result;
}

static void ended(void *context, const struct command_end_view *end)
{
        struct manager *m = context;

        if (m->listener.command_ended)
                m->listener.command_ended(m->listener.context, end);
}

static int load_commands(struct manager *m)
{
        const struct commands_host host = {
                .context = m,
                .now_s = now_s,
                .time_trusted = manager_time_is_trusted,
                .device = device_of,
                .checks = device_checks,
                .policy = policy_of,
                .vendor = vendor_of,
                .hand = hand,
                .ended = ended,
                .alert = manager_alert,
                .audit = manager_audit,
        };

        return commands_load(&m->gate.commands, m->store, &host);
}

enum reason manager_gate_command(void *context, const struct link *link, const struct topic_parts *parts,
                                 struct span payload)
{
        struct manager *m = context;
        char actor[sizeof(AUDIT_ACTOR_APPLICATION) + IDENTITY_SIZE], device[IDENTITY_MAX + 1];
        struct command_origin origin = { .actor = actor, .device = device };

        snprintf(actor, sizeof(actor), AUDIT_ACTOR_APPLICATION, link->identity);
        if (!span_to_string(parts->device, device, sizeof(device)))
                return REASON_TOPIC;
        return commands_take(&m->gate.commands, &origin, payload, NULL);
}

void manager_gate_subscribed(void *context, const struct link *link)
{
        commands_subscribed(&((struct manager *)context)->gate.commands, link->identity);
}

void manager_gate_delivered(void *context, const struct link *link, const struct message *message)
{
        struct manager *m = context;
        struct topic_parts parts;

        if (topic_parse(message->topic, &parts) == TOPIC_DEVICE && span_equal_string(parts.rest, "commands"))
                commands_delivered(&m->gate.commands, link->identity, message->payload);
}

/* ---- what devices say */
void manager_gate_published(struct manager *m, const char *device, struct span rest, struct span payload)
{
        if (span_equal_string(rest, "gate/request"))
                tickets_request(&m->gate.tickets, TICKETS_LOCAL, device, payload);
        else if (span_equal_string(rest, "commands/result"))
                commands_result(&m->gate.commands, device, payload);
        else if (span_equal_string(rest, "updates/refused"))
                reports_refused(&m->gate.reports, device, payload, false);
        else if (span_equal_string(rest, "updates/status"))
                reports_status(&m->gate.reports, device, payload);
}

/* ---- what the cloud says */
enum reason manager_gate_message(struct manager *m, enum access_uplink kind, const struct topic_parts *parts,
                                 struct span payload, bool again)
{
        char device[IDENTITY_MAX + 1];
        struct command_origin origin = { .actor = AUDIT_ACTOR_UPLINK, .device = device, .again = again };

        if (!span_to_string(parts->device, device, sizeof(device)))
                return REASON_TOPIC;
        if (kind == ACCESS_UPLINK_COMMAND)
                return commands_take(&m->gate.commands, &origin, payload, NULL);
        if (kind == ACCESS_UPLINK_GATE_REQUEST)
                tickets_request(&m->gate.tickets, TICKETS_UPLINK, device, payload);
        else if (kind == ACCESS_UPLINK_REPORT && registered(m, device))
                reports_refused(&m->gate.reports, device, payload, true);
        else if (kind == ACCESS_UPLINK_TICKET)
                tickets_pass(&m->gate.tickets, device, payload);
        return REASON_NONE;
}

/* ---- checkpoints */
/* A stand-alone gate leaves the site's own topic at the cloud to the relay. */
static void publish_checkpoint(struct manager *m)
{
        char topic[TOPIC_MAX], rest[sizeof("audit/checkpoint/") + IDENTITY_SIZE] = "audit/checkpoint";
        struct span sign1 = checkpoints_last(&m->gate.checkpoints);

        if (broker_publish(m->broker, topic_site(topic, m->conf->site, rest), sign1, true) < 0)
                log_warning("audit/checkpoint was not stored");
        if (m->gate.only)
                snprintf(rest, sizeof(rest), "audit/checkpoint/%s", m->conf->identity);
        if (broker_send_up(m->broker, topic_site(topic, m->conf->site, rest), sign1, true) < 0)
                log_warning("audit/checkpoint does not go to the cloud: the outbox is full");
}

static int make_checkpoint(struct manager *m)
{
        int result = checkpoints_make(&m->gate.checkpoints, &m->audit.head, m->broker->time);

        if (result < 0 && !m->gate.store_failed)
                log_warning("no checkpoint of the audit log: %s", errno_string(result));
        m->gate.store_failed = result < 0;
        return result;
}

void manager_gate_audited(struct manager *m)
{
        if (m->gate.ready && checkpoints_are_due(&m->gate.checkpoints, &m->audit.head, m->broker->time))
                (void)make_checkpoint(m);
}

/* The log goes on; that it was broken is its next record. */
static void tell_broken(struct manager *m)
{
        if (!*m->gate.broken)
                return;
        manager_alert(m, "", REASON_AUDIT_BROKEN, m->gate.broken);
        manager_audit(m, AUDIT_ACTOR_RELAY, AUDIT_LOG_BROKEN, m->conf->identity, m->gate.broken);
        if (m->gate.begins_anew && checkpoints_restart(&m->gate.checkpoints) < 0)
                log_warning("the checkpoints of the broken audit log were not removed; they will be told again");
        (void)make_checkpoint(m);
        m->gate.broken[0] = '\0';
}

static int verify_log(struct manager *m)
{
        int result = 0;

        m->gate.begins_anew = !checkpoints_verify(&m->gate.checkpoints, &m->audit, m->gate.broken,
                                                  sizeof(m->gate.broken), &result);
        if (!m->gate.begins_anew)
                m->gate.broken[0] = '\0';
        if (result == 0 && m->audit.has_gaps && !*m->gate.broken)
                snprintf(m->gate.broken, sizeof(m->gate.broken), "the audit log is broken: records are missing");
        return result;
}

/* ---- life */
int manager_gate_load(struct manager *m, char *error, size_t error_size)
{
        struct manager_gate *gate = &m->gate;
        int result = gate_key_load(&gate->key, m->conf->gate_key, error, error_size);

        if (result < 0)
                return result;
        make_tickets(m);
        gate->reports = (struct reports){ .host = { m, now_s, manager_alert } };
        result = load_commands(m);
        if (result == 0)
                result = checkpoints_load(&gate->checkpoints, m->store, m->conf->site, m->conf->identity, &gate->key);
        if (result == 0)
                result = verify_log(m);
        if (result < 0)
                snprintf(error, error_size, "commands or checkpoints in the store: %s", errno_string(result));
        gate->ready = result == 0;
        return result;
}

void manager_gate_release(struct manager *m)
{
        tickets_release(&m->gate.tickets);
        commands_release(&m->gate.commands);
        gate_key_wipe(&m->gate.key);
}

void manager_gate_start(struct manager *m)
{
        tell_broken(m);
}

/* In one commit with the records it speaks of. */
void manager_gate_stop(struct manager *m)
{
        if (make_checkpoint(m) != 0)
                return;
        publish_checkpoint(m);
        m->gate.checkpoints.untold = false;
}

void manager_gate_tick(struct manager *m)
{
        commands_tick(&m->gate.commands);
        manager_gate_audited(m);
}

void manager_gate_sealed(struct manager *m, uint64_t commit)
{
        commands_sealed(&m->gate.commands, commit);
        checkpoints_sealed(&m->gate.checkpoints, commit);
}

void manager_gate_durable(struct manager *m, uint64_t commit)
{
        commands_durable(&m->gate.commands, commit);
        if (checkpoints_durable(&m->gate.checkpoints, commit))
                publish_checkpoint(m);
}
