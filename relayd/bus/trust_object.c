/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager's methods about what the site trusts, and about its gate for each scope. */

#include <stdlib.h>

#include "bus/internal.h"

#define WINDOWS_MAX 64 /* in one call; how many are taken is the hub's business */

/* ---- the gate's settings */

int trust_set_gate(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE], **windows = NULL;
        struct refusal refusal = { 0 };
        struct gate_change change = { 0 };
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = sd_bus_message_read(message, "sst", &change.scope, &change.state, &change.until);
        if (r >= 0)
                r = sd_bus_message_read_strv(message, &windows);
        while (r >= 0 && windows && windows[change.window_count])
                change.window_count++;
        if (r >= 0 && change.window_count > WINDOWS_MAX)
                r = sd_bus_error_setf(error, BUS_ERROR_PREFIX "TooLarge", "%zu windows; give %d at most",
                                      change.window_count, WINDOWS_MAX);
        change.windows = (const char *const *)windows;
        if (r >= 0)
                r = bus_answer(manager_set_gate(bus->manager, caller, &change, &refusal), &refusal, error);
        for (size_t i = 0; windows && windows[i]; i++)
                free(windows[i]);
        free(windows);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "");
}

int trust_reset_gate(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        const char *scope;
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = sd_bus_message_read(message, "s", &scope);
        if (r >= 0)
                r = bus_answer(manager_reset_gate(bus->manager, caller, scope, &refusal), &refusal, error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "");
}

static int add_setting(void *context, const struct gate_change *setting)
{
        sd_bus_message *reply = context;
        int r = sd_bus_message_open_container(reply, 'r', "sstas");

        if (r >= 0)
                r = sd_bus_message_append(reply, "sst", setting->scope, setting->state, setting->until);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; i < setting->window_count && r >= 0; i++)
                r = sd_bus_message_append(reply, "s", setting->windows[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : 0;
}

int trust_get_gate(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(message, &reply);

        (void)error;
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sstas)");
        if (r >= 0)
                r = manager_walk_gate(bus->manager, add_setting, reply);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}
