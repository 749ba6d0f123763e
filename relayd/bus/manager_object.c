/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "bus/internal.h"

#define ALERTS_MAX 1000 /* in one answer */
#define AUDIT_MAX  1000
#define WHY_MAX    120 /* bytes of a reason given by a person */

static const struct property properties[] = {
        { "Version", PROPERTY_TEXT, offsetof(struct manager_view, version) },
        { "Site", PROPERTY_TEXT, offsetof(struct manager_view, site) },
        { "Identity", PROPERTY_TEXT, offsetof(struct manager_view, identity) },
        { "UplinkState", PROPERTY_UPLINK, offsetof(struct manager_view, uplink) },
        { "UplinkSince", PROPERTY_U64, offsetof(struct manager_view, uplink_since) },
        { "UplinkError", PROPERTY_TEXT, offsetof(struct manager_view, uplink_error) },
        { "GateState", PROPERTY_GATE, offsetof(struct manager_view, gate.open) },
        { "GateUntil", PROPERTY_U64, offsetof(struct manager_view, gate.until) },
        { "GateAnswers", PROPERTY_BOOL, offsetof(struct manager_view, gate.answers) },
        { "PolicyEpoch", PROPERTY_U64, offsetof(struct manager_view, policy.epoch) },
        { "PolicyDigest", PROPERTY_DIGEST, offsetof(struct manager_view, policy.digest) },
        { "Threshold", PROPERTY_U32, offsetof(struct manager_view, policy.threshold) },
        { "ApprovalEpoch", PROPERTY_U64, offsetof(struct manager_view, policy.approval_epoch) },
        { "Sessions", PROPERTY_U32, offsetof(struct manager_view, sessions) },
        { "OutboxEvents", PROPERTY_U64, offsetof(struct manager_view, outbox_events) },
        { "OutboxBytes", PROPERTY_U64, offsetof(struct manager_view, outbox_bytes) },
        { "StoreUsed", PROPERTY_U64, offsetof(struct manager_view, store_used) },
        { "StoreMax", PROPERTY_U64, offsetof(struct manager_view, store_max) },
        { "EventsReceived", PROPERTY_U64, offsetof(struct manager_view, events_received) },
        { "EventsForwarded", PROPERTY_U64, offsetof(struct manager_view, events_forwarded) },
        { "EventsRepeated", PROPERTY_U64, offsetof(struct manager_view, events_repeated) },
        { "ImageBytesFetched", PROPERTY_U64, offsetof(struct manager_view, image_bytes_fetched) },
        { "ImageBytesServed", PROPERTY_U64, offsetof(struct manager_view, image_bytes_served) },
        { "CountryEnforced", PROPERTY_ENFORCED, offsetof(struct manager_view, country.enforced) },
        { "GuardState", PROPERTY_TEXT, offsetof(struct manager_view, country.guard) },
        { "GuardError", PROPERTY_TEXT, offsetof(struct manager_view, country.guard_error) },
        { "CountryPendingUntil", PROPERTY_U64, offsetof(struct manager_view, country.pending_until) },
        { "CountryDatabase", PROPERTY_TEXT, offsetof(struct manager_view, country.database) },
        { "CountryDatabaseDate", PROPERTY_U64, offsetof(struct manager_view, country.database_date) },
        { "CountryDatabaseError", PROPERTY_TEXT, offsetof(struct manager_view, country.database_error) },
        { "Lockdown", PROPERTY_BOOL, offsetof(struct manager_view, country.lockdown) },
        { "OpenPorts", PROPERTY_CHARS, offsetof(struct manager_view, country.open_ports) },
        { "FirewallIntervals4", PROPERTY_U32, offsetof(struct manager_view, country.intervals4) },
        { "FirewallIntervals6", PROPERTY_U32, offsetof(struct manager_view, country.intervals6) },
        { "FirewallMicroseconds", PROPERTY_U64, offsetof(struct manager_view, country.load_microseconds) },
        { "FirewallRestored", PROPERTY_U64, offsetof(struct manager_view, country.restored) },
        { "CountryRefused", PROPERTY_U64, offsetof(struct manager_view, country.refused) },
        { NULL },
};

static int get(sd_bus *connection, const char *path, const char *interface, const char *property, sd_bus_message *reply,
               void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        struct manager_view view = { 0 };

        (void)connection;
        (void)path;
        (void)interface;
        (void)error;
        manager_view(bus->manager, &view);
        return property_append(reply, properties, property, &view);
}

/* ---- actions */

int bus_read_bytes(sd_bus_message *message, struct span *out)
{
        const void *data = NULL;
        size_t size = 0;
        int r = sd_bus_message_read_array(message, 'y', &data, &size);

        if (r >= 0)
                *out = span_of(data, size);
        return r;
}

static int import_devices(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        struct span list;
        uint32_t added = 0, known = 0;
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = bus_read_bytes(message, &list);
        if (r >= 0)
                r = bus_answer(manager_import_devices(bus->manager, caller, list, &added, &known, &refusal), &refusal,
                               error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "uu", added, known);
}

static int admit_device(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        const char *identity;
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = sd_bus_message_read(message, "s", &identity);
        if (r >= 0)
                r = bus_answer(manager_admit_device(bus->manager, caller, identity, &refusal), &refusal, error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "");
}

static int check_why(const char *why, sd_bus_error *error)
{
        if (strlen(why) < WHY_MAX)
                return 0;
        return sd_bus_error_setf(error, BUS_ERROR_PREFIX "TooLarge", "the reason has %zu bytes; say it in less than %d",
                                 strlen(why), WHY_MAX);
}

static int revoke_device(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        const char *identity, *why;
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = sd_bus_message_read(message, "ss", &identity, &why);
        if (r >= 0)
                r = check_why(why, error);
        if (r >= 0)
                r = bus_answer(manager_revoke_device(bus->manager, caller, identity, why, &refusal), &refusal, error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "");
}

static int take_approval(sd_bus_message *message, struct bus *bus, const char *where, sd_bus_error *error)
{
        char uid[BUS_CALLER_SIZE], caller[2 * BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        struct span approval;
        uint32_t approved = 0, needed = 0;
        int r = bus_authorise(bus, message, uid, error);

        if (r >= 0)
                r = bus_read_bytes(message, &approval);
        if (r < 0)
                return r;
        snprintf(caller, sizeof(caller), "%s%s", uid, where);
        r = bus_answer(manager_approve(bus->manager, caller, approval, &approved, &needed, &refusal), &refusal, error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "uu", approved, needed);
}

static int approve(sd_bus_message *message, void *context, sd_bus_error *error)
{
        return take_approval(message, context, "", error);
}

static int approve_signed_here(sd_bus_message *message, void *context, sd_bus_error *error)
{
        return take_approval(message, context, ", signed on the gateway", error);
}

static int deny_update(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        uint8_t digest[SHA256_SIZE];
        const char *hex, *why;
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = sd_bus_message_read(message, "ss", &hex, &why);
        if (r >= 0)
                r = check_why(why, error);
        if (r >= 0 && !span_from_hex(span_of_string(hex), digest, sizeof(digest)))
                r = sd_bus_error_setf(error, BUS_ERROR_PREFIX "UnknownUpdate",
                                      "'%s' is no manifest digest: 64 hexadecimal digits, as relayctl updates list "
                                      "shows them",
                                      hex);
        if (r >= 0)
                r = bus_answer(manager_deny_update(bus->manager, caller, digest, why, &refusal), &refusal, error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "");
}

static int open_gate(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        uint64_t until;
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = sd_bus_message_read(message, "t", &until);
        if (r >= 0)
                r = bus_answer(manager_open_gate(bus->manager, caller, until, &refusal), &refusal, error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "");
}

static int close_gate(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = bus_answer(manager_close_gate(bus->manager, caller, &refusal), &refusal, error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "");
}

/* ---- lists */

struct list {
        sd_bus_message *reply;
        uint32_t left;
};

static int add_alert(void *context, const struct alert_view *alert)
{
        struct list *list = context;

        if (list->left-- == 0)
                return 1;
        int r = sd_bus_message_append(list->reply, "(ttsss)", alert->number, alert->time, alert->device, alert->reason,
                                      alert->detail);
        return r < 0 ? r : 0;
}

static int add_audit(void *context, uint64_t number, struct span record)
{
        struct list *list = context;
        int r = sd_bus_message_open_container(list->reply, 'r', "tay");

        if (r >= 0)
                r = sd_bus_message_append(list->reply, "t", number);
        if (r >= 0)
                r = sd_bus_message_append_array(list->reply, 'y', record.data, record.size);
        if (r >= 0)
                r = sd_bus_message_close_container(list->reply);
        return r < 0 ? r : 0;
}

/* Opens an array in a new reply; send_list() closes it, sends, and frees it in any case. */
static int begin_list(sd_bus_message *message, struct list *list, const char *contents)
{
        int r = sd_bus_message_new_method_return(message, &list->reply);

        return r < 0 ? r : sd_bus_message_open_container(list->reply, 'a', contents);
}

static int send_list(struct list *list, int r)
{
        if (r >= 0)
                r = sd_bus_message_close_container(list->reply);
        if (r >= 0)
                r = sd_bus_send(NULL, list->reply, NULL);
        sd_bus_message_unref(list->reply);
        return r;
}

static int list_alerts(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        struct list list = { .left = ALERTS_MAX };
        uint64_t from;
        int r = sd_bus_message_read(message, "t", &from);

        (void)error;
        if (r < 0)
                return r;
        r = begin_list(message, &list, "(ttsss)");
        if (r >= 0)
                r = manager_walk_alerts(bus->manager, from, add_alert, &list);
        return send_list(&list, r);
}

static int read_audit(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        struct list list = { 0 };
        uint64_t from;
        uint32_t max;
        int r = sd_bus_message_read(message, "tu", &from, &max);

        (void)error;
        if (r < 0)
                return r;
        r = begin_list(message, &list, "(tay)");
        if (r >= 0)
                r = manager_walk_audit(bus->manager, from, max < AUDIT_MAX ? max : AUDIT_MAX, add_audit, &list);
        return send_list(&list, r);
}

#define CONSTANT(name, type) SD_BUS_PROPERTY(name, type, get, 0, SD_BUS_VTABLE_PROPERTY_CONST)
#define CHANGING(name, type) SD_BUS_PROPERTY(name, type, get, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
#define COUNTER(name, type)  SD_BUS_PROPERTY(name, type, get, 0, 0)
/* sd-bus's own idea of privileges knows nothing of private buses: bus_authorise() decides, in every action */
const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        CONSTANT("Version", "s"),
        CONSTANT("Site", "s"),
        CONSTANT("Identity", "s"),
        CHANGING("UplinkState", "s"),
        CHANGING("UplinkSince", "t"),
        CHANGING("UplinkError", "s"),
        CHANGING("GateState", "s"),
        CHANGING("GateUntil", "t"),
        CHANGING("GateAnswers", "b"),
        CHANGING("PolicyEpoch", "t"),
        CHANGING("PolicyDigest", "ay"),
        CHANGING("Threshold", "u"),
        CHANGING("ApprovalEpoch", "t"),
        COUNTER("Sessions", "u"),
        COUNTER("OutboxEvents", "t"),
        COUNTER("OutboxBytes", "t"),
        COUNTER("StoreUsed", "t"),
        COUNTER("StoreMax", "t"),
        COUNTER("EventsReceived", "t"),
        COUNTER("EventsForwarded", "t"),
        COUNTER("EventsRepeated", "t"),
        COUNTER("ImageBytesFetched", "t"),
        COUNTER("ImageBytesServed", "t"),
        CHANGING("CountryEnforced", "s"),
        CHANGING("GuardState", "s"),
        CHANGING("GuardError", "s"),
        CHANGING("CountryPendingUntil", "t"),
        CHANGING("CountryDatabase", "s"),
        CHANGING("CountryDatabaseDate", "t"),
        CHANGING("CountryDatabaseError", "s"),
        CHANGING("Lockdown", "b"),
        CHANGING("OpenPorts", "s"),
        COUNTER("FirewallIntervals4", "u"),
        COUNTER("FirewallIntervals6", "u"),
        COUNTER("FirewallMicroseconds", "t"),
        COUNTER("FirewallRestored", "t"),
        COUNTER("CountryRefused", "t"),
        SD_BUS_METHOD_WITH_ARGS("ImportDevices", SD_BUS_ARGS("ay", list), SD_BUS_RESULT("u", added, "u", known),
                                import_devices, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AdmitDevice", SD_BUS_ARGS("s", identity), SD_BUS_NO_RESULT, admit_device,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RevokeDevice", SD_BUS_ARGS("s", identity, "s", why), SD_BUS_NO_RESULT, revoke_device,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReleaseDevice", SD_BUS_ARGS("s", identity), SD_BUS_NO_RESULT, identity_release,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RotateDevice", SD_BUS_ARGS("ay", rotation), SD_BUS_RESULT("s", identity),
                                identity_rotate, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListImages", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ssstts)", images), identity_list_images,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AddImage", SD_BUS_ARGS("ay", envelope), SD_BUS_RESULT("s", image, "b", added),
                                identity_add_image, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ForgetImage", SD_BUS_ARGS("s", image), SD_BUS_NO_RESULT, identity_forget_image,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ImportSitePolicy", SD_BUS_ARGS("ay", signed_set), SD_BUS_NO_RESULT,
                                trust_import_site_policy, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ImportVendorKeys", SD_BUS_ARGS("ay", signed_set), SD_BUS_NO_RESULT,
                                trust_import_vendor_keys, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetSitePolicy", SD_BUS_NO_ARGS, SD_BUS_RESULT("ay", signed_set), trust_get_site_policy,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetVendorKeys", SD_BUS_NO_ARGS, SD_BUS_RESULT("ay", signed_set), trust_get_vendor_keys,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetSitePolicyAt", SD_BUS_ARGS("t", epoch), SD_BUS_RESULT("ay", signed_set),
                                trust_get_site_policy_at, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetVendorKeysAt", SD_BUS_ARGS("t", epoch), SD_BUS_RESULT("ay", signed_set),
                                trust_get_vendor_keys_at, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Revoke", SD_BUS_ARGS("ay", signed_set), SD_BUS_NO_RESULT, trust_revoke,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetRevocation", SD_BUS_NO_ARGS, SD_BUS_RESULT("ay", signed_set), trust_get_revocation,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Approve", SD_BUS_ARGS("ay", approval), SD_BUS_RESULT("u", approved, "u", needed),
                                approve, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ApproveSignedHere", SD_BUS_ARGS("ay", approval),
                                SD_BUS_RESULT("u", approved, "u", needed), approve_signed_here,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DenyUpdate", SD_BUS_ARGS("s", digest, "s", why), SD_BUS_NO_RESULT, deny_update,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenGate", SD_BUS_ARGS("t", until), SD_BUS_NO_RESULT, open_gate,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CloseGate", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, close_gate, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetGate", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sstas)", settings), trust_get_gate,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetGate", SD_BUS_ARGS("s", scope, "s", state, "t", until, "as", windows),
                                SD_BUS_NO_RESULT, trust_set_gate, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ResetGate", SD_BUS_ARGS("s", scope), SD_BUS_NO_RESULT, trust_reset_gate,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListAlerts", SD_BUS_ARGS("t", from), SD_BUS_RESULT("a(ttsss)", alerts), list_alerts,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReadAudit", SD_BUS_ARGS("t", from, "u", max), SD_BUS_RESULT("a(tay)", records),
                                read_audit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                "SetCountryPolicy",
                SD_BUS_ARGS("a(ss)", changes, "u", confirm_seconds, "s", caller_address, "q", caller_port, "b", force),
                SD_BUS_NO_RESULT, country_set, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ConfirmCountryPolicy", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, country_confirm,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetCountryPolicy", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ss)", committed, "a(ss)", pending),
                                country_get, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                "TestAddress", SD_BUS_ARGS("s", address, "s", direction, "q", port),
                SD_BUS_RESULT("b", allowed, "s", country, "s", name, "s", reason, "s", rule, "s", sentence),
                country_test, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetFirewallCounters", SD_BUS_NO_ARGS,
                                SD_BUS_RESULT("a(st)", packets, "a(st)", refused_by_country), country_counters,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReloadCountryDatabase", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, country_reload,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ImportUpdate",
                                SD_BUS_ARGS("ay", envelope, "ay", block_list, "s", notes, "as", devices),
                                SD_BUS_RESULT("s", digest, "u", next_block, "u", blocks), airgap_import_update,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ImportImage", SD_BUS_ARGS("s", digest, "u", first_block, "ay", bytes),
                                SD_BUS_RESULT("u", next_block, "u", blocks), airgap_import_image,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReadCheckpoints", SD_BUS_ARGS("t", from, "u", max),
                                SD_BUS_RESULT("a(tay)", checkpoints), airgap_read_checkpoints,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReadEvents", SD_BUS_ARGS("t", from, "u", max),
                                SD_BUS_RESULT("a(tsstbttay)", events, "t", next), airgap_read_events,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DropEvents", SD_BUS_ARGS("t", through), SD_BUS_RESULT("u", dropped),
                                airgap_drop_events, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SendCommand", SD_BUS_ARGS("ay", command), SD_BUS_RESULT("t", counter), command_send,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CommandCounter", SD_BUS_ARGS("s", device, "s", key_id), SD_BUS_RESULT("t", counter),
                                command_counter, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetCheckpoint", SD_BUS_NO_ARGS, SD_BUS_RESULT("ay", checkpoint), checkpoint_get,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("MakeCheckpoint", SD_BUS_NO_ARGS, SD_BUS_RESULT("ay", checkpoint), checkpoint_make,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS(
                "CommandResult",
                SD_BUS_ARGS("s", device, "s", key_id, "t", counter, "s", result, "s", reason, "ay", value), 0),
        SD_BUS_SIGNAL_WITH_ARGS("AlertRaised",
                                SD_BUS_ARGS("t", number, "t", time, "s", device, "s", reason, "s", detail), 0),
        SD_BUS_VTABLE_END,
};
const char *const manager_changing[] = {
        "UplinkState",         "UplinkSince",          "UplinkError",  "GateState",           "GateUntil",
        "GateAnswers",         "PolicyEpoch",          "PolicyDigest", "Threshold",           "ApprovalEpoch",
        "CountryEnforced",     "GuardState",           "GuardError",   "CountryPendingUntil", "CountryDatabase",
        "CountryDatabaseDate", "CountryDatabaseError", "Lockdown",     "OpenPorts",           NULL,
};
