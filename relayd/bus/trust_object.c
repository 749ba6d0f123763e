/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager's methods about what the site trusts, and about its gate for each scope. */

#include <inttypes.h>
#include <stdlib.h>

#include "bus/internal.h"

#define WINDOWS_MAX 64 /* in one call; how many are taken is the hub's business */

/* ---- policies, vendor keys, revocations */

typedef int (*import_fn)(struct manager *m, const char *caller, struct span set, struct refusal *refusal);

static int import_set(sd_bus_message *message, struct bus *bus, import_fn import, sd_bus_error *error)
{
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        struct span set;
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = bus_read_bytes(message, &set);
        if (r >= 0)
                r = bus_answer(import(bus->manager, caller, set, &refusal), &refusal, error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "");
}

int trust_import_site_policy(sd_bus_message *message, void *context, sd_bus_error *error)
{
        return import_set(message, context, manager_import_site_policy, error);
}

int trust_import_vendor_keys(sd_bus_message *message, void *context, sd_bus_error *error)
{
        return import_set(message, context, manager_import_vendor_keys, error);
}

int trust_revoke(sd_bus_message *message, void *context, sd_bus_error *error)
{
        return import_set(message, context, manager_revoke_approvals, error);
}

static int reply_bytes(sd_bus_message *message, struct span bytes)
{
        sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(message, &reply);

        if (r >= 0)
                r = sd_bus_message_append_array(reply, 'y', bytes.data, bytes.size);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

static int reply_site_policy(sd_bus_message *message, struct bus *bus, uint64_t epoch, sd_bus_error *error)
{
        struct span set = manager_site_policy(bus->manager, epoch);

        if (set.size > 0)
                return reply_bytes(message, set);
        if (epoch == 0)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "PolicyInvalid",
                                        "this relay has no site policy yet; relayctl setup imports the first one");
        return sd_bus_error_setf(error, BUS_ERROR_PREFIX "PolicyGap",
                                 "this relay has no site policy of epoch %" PRIu64 "; PolicyEpoch says the newest",
                                 epoch);
}

static int reply_vendor_keys(sd_bus_message *message, struct bus *bus, uint64_t epoch, sd_bus_error *error)
{
        struct span set = manager_vendor_keys(bus->manager, epoch);

        if (set.size > 0)
                return reply_bytes(message, set);
        if (epoch == 0)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "VendorKeysInvalid",
                                        "this relay has no vendor key set yet; relayctl setup imports the first one");
        return sd_bus_error_setf(
                error, BUS_ERROR_PREFIX "VendorKeysGap",
                "this relay has no vendor key set of epoch %" PRIu64 "; GetVendorKeys gives the newest", epoch);
}

int trust_get_site_policy(sd_bus_message *message, void *context, sd_bus_error *error)
{
        return reply_site_policy(message, context, 0, error);
}

int trust_get_vendor_keys(sd_bus_message *message, void *context, sd_bus_error *error)
{
        return reply_vendor_keys(message, context, 0, error);
}

int trust_get_site_policy_at(sd_bus_message *message, void *context, sd_bus_error *error)
{
        uint64_t epoch;
        int r = sd_bus_message_read(message, "t", &epoch);

        return r < 0 ? r : reply_site_policy(message, context, epoch, error);
}

int trust_get_vendor_keys_at(sd_bus_message *message, void *context, sd_bus_error *error)
{
        uint64_t epoch;
        int r = sd_bus_message_read(message, "t", &epoch);

        return r < 0 ? r : reply_vendor_keys(message, context, epoch, error);
}

/* empty: nothing was revoked yet, but by the policy itself */
int trust_get_revocation(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;

        (void)error;
        return reply_bytes(message, manager_revocation(bus->manager));
}

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
