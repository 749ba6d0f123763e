/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager's methods about countries and the firewall. */

#include <stdlib.h>
#include <systemd/sd-login.h>

#include "bus/internal.h"
#include "util/cleanup.h"

#define CHANGES_MAX 80

/* The address of a caller whose session came over the network, as logind knows it; NULL: none, or not known. */
static char *remote_host(sd_bus_message *message)
{
        sd_bus_creds *creds = NULL;
        const char *session;
        char *host = NULL;

        if (sd_bus_query_sender_creds(message, SD_BUS_CREDS_SESSION | SD_BUS_CREDS_AUGMENT, &creds) >= 0 &&
            sd_bus_creds_get_session(creds, &session) >= 0 && sd_session_get_remote_host(session, &host) < 0)
                host = NULL;
        sd_bus_creds_unref(creds);
        return host;
}

/* How many, or -errno */
static int read_changes(sd_bus_message *message, struct country_change changes[CHANGES_MAX], size_t *count,
                        sd_bus_error *error)
{
        int r = sd_bus_message_enter_container(message, 'a', "(ss)");

        *count = 0;
        while (r >= 0 && *count < CHANGES_MAX) {
                struct country_change *change = &changes[*count];
                r = sd_bus_message_read(message, "(ss)", &change->name, &change->value);
                if (r <= 0)
                        break;
                (*count)++;
        }
        if (r > 0)
                return sd_bus_error_setf(error, BUS_ERROR_PREFIX "TooLarge", "at most %d changes at a time",
                                         CHANGES_MAX - 1);
        return r < 0 ? r : sd_bus_message_exit_container(message);
}

int country_set(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        struct country_change changes[CHANGES_MAX];
        struct country_caller who = { 0 };
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        _cleanup_free_ char *remote = NULL;
        uint32_t confirm_s = 0;
        size_t count = 0;
        int force = 0;
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = read_changes(message, changes, &count, error);
        if (r >= 0)
                r = sd_bus_message_read(message, "usqb", &confirm_s, &who.addresses[0], &who.port, &force);
        if (r < 0)
                return r;
        remote = remote_host(message);
        who.addresses[1] = remote;
        who.caller = caller;
        who.force = force;
        r = bus_answer(manager_set_country(bus->manager, &who, changes, count, confirm_s, &refusal), &refusal, error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "");
}

int country_confirm(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = bus_answer(manager_confirm_country(bus->manager, caller, &refusal), &refusal, error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "");
}

int country_reload(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = bus_answer(manager_reload_country(bus->manager, caller, &refusal), &refusal, error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "");
}

int country_test(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        struct country_test_view view;
        struct refusal refusal = { 0 };
        const char *address, *direction;
        uint16_t port;
        int r = sd_bus_message_read(message, "ssq", &address, &direction, &port);

        if (r >= 0)
                r = bus_answer(manager_test_address(bus->manager, address, direction, port, &view, &refusal), &refusal,
                               error);
        return r < 0 ? r
                     : sd_bus_reply_method_return(message, "bsssss", (int)view.allowed, view.country, view.name,
                                                  view.reason, view.rule, view.sentence);
}

/* ---- lists in pairs */
static int add_setting(void *context, const char *name, const char *value)
{
        int r = sd_bus_message_append(context, "(ss)", name, value);

        return r < 0 ? r : 0;
}

static int add_counter(void *context, const char *name, uint64_t packets)
{
        int r = sd_bus_message_append(context, "(st)", name, packets);

        return r < 0 ? r : 0;
}

static int append_settings(struct bus *bus, sd_bus_message *reply, bool pending)
{
        int r = sd_bus_message_open_container(reply, 'a', "(ss)");

        if (r >= 0)
                r = manager_walk_country(bus->manager, pending, add_setting, reply);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_counters(struct bus *bus, sd_bus_message *reply, bool countries)
{
        int r = sd_bus_message_open_container(reply, 'a', "(st)");

        if (r >= 0)
                r = manager_walk_firewall(bus->manager, countries, add_counter, reply);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int reply_two(sd_bus_message *message, struct bus *bus,
                     int (*append)(struct bus *bus, sd_bus_message *reply, bool second))
{
        sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(message, &reply);

        if (r >= 0)
                r = append(bus, reply, false);
        if (r >= 0)
                r = append(bus, reply, true);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

int country_get(sd_bus_message *message, void *context, sd_bus_error *error)
{
        (void)error;
        return reply_two(message, context, append_settings);
}

int country_counters(sd_bus_message *message, void *context, sd_bus_error *error)
{
        (void)error;
        return reply_two(message, context, append_counters);
}
