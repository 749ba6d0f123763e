/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the files of the bus share: bus.c is the connection, *_object.c are the objects. */

#include <systemd/sd-bus.h>

#include "bus/bus.h"
#include "bus/names.h"

#define BUS_PATH_SIZE 256

/* an answer that waits for its commit */
#define REPLY_UNSEALED UINT64_MAX
struct held_reply {
        sd_bus_message *reply;
        uint64_t commit;
};

struct bus {
        sd_event *event;
        sd_bus *bus;
        char *address;
        struct manager *manager;
        sd_event_source *retry;
        char **known; /* object paths that were told, sorted */
        size_t known_count, known_room;
        struct held_reply *held; /* in the order of their calls, so also of their commits */
        size_t held_count, held_room;
};

/* methods of the manager about countries; country_object.c */
int country_set(sd_bus_message *message, void *context, sd_bus_error *error);
int country_confirm(sd_bus_message *message, void *context, sd_bus_error *error);
int country_test(sd_bus_message *message, void *context, sd_bus_error *error);
int country_get(sd_bus_message *message, void *context, sd_bus_error *error);
int country_counters(sd_bus_message *message, void *context, sd_bus_error *error);
int country_reload(sd_bus_message *message, void *context, sd_bus_error *error);
/* methods of the manager for sites without a cloud; airgap_object.c */
int airgap_import_update(sd_bus_message *message, void *context, sd_bus_error *error);
int airgap_import_image(sd_bus_message *message, void *context, sd_bus_error *error);
int airgap_read_checkpoints(sd_bus_message *message, void *context, sd_bus_error *error);
int airgap_read_events(sd_bus_message *message, void *context, sd_bus_error *error);
int airgap_drop_events(sd_bus_message *message, void *context, sd_bus_error *error);
/* methods of the manager about commands and checkpoints, and manager_listener.command_ended; command_object.c */
int command_send(sd_bus_message *message, void *context, sd_bus_error *error);
int command_counter(sd_bus_message *message, void *context, sd_bus_error *error);
void command_ended(void *bus, const struct command_end_view *end);
int checkpoint_get(sd_bus_message *message, void *context, sd_bus_error *error);
int checkpoint_make(sd_bus_message *message, void *context, sd_bus_error *error);
/* methods of the manager about what the site trusts; trust_object.c */
int trust_import_site_policy(sd_bus_message *message, void *context, sd_bus_error *error);
int trust_import_vendor_keys(sd_bus_message *message, void *context, sd_bus_error *error);
int trust_revoke(sd_bus_message *message, void *context, sd_bus_error *error);
int trust_get_site_policy(sd_bus_message *message, void *context, sd_bus_error *error);
int trust_get_vendor_keys(sd_bus_message *message, void *context, sd_bus_error *error);
int trust_get_site_policy_at(sd_bus_message *message, void *context, sd_bus_error *error);
int trust_get_vendor_keys_at(sd_bus_message *message, void *context, sd_bus_error *error);
int trust_get_revocation(sd_bus_message *message, void *context, sd_bus_error *error);
int trust_set_gate(sd_bus_message *message, void *context, sd_bus_error *error);
int trust_reset_gate(sd_bus_message *message, void *context, sd_bus_error *error);
int trust_get_gate(sd_bus_message *message, void *context, sd_bus_error *error);
/* methods of the manager about devices' proofs and the images they may run; identity_object.c */
int identity_release(sd_bus_message *message, void *context, sd_bus_error *error);
int identity_rotate(sd_bus_message *message, void *context, sd_bus_error *error);
int identity_add_image(sd_bus_message *message, void *context, sd_bus_error *error);
int identity_forget_image(sd_bus_message *message, void *context, sd_bus_error *error);
int identity_list_images(sd_bus_message *message, void *context, sd_bus_error *error);
extern const sd_bus_vtable manager_vtable[], device_vtable[], update_vtable[];
/* fallback finders: 1 and *found, 0 if there is no such object */
int device_find(sd_bus *connection, const char *path, const char *interface, void *context, void **found,
                sd_bus_error *error);
int update_find(sd_bus *connection, const char *path, const char *interface, void *context, void **found,
                sd_bus_error *error);
int device_enumerate(sd_bus *connection, const char *prefix, void *context, char ***nodes, sd_bus_error *error);
int update_enumerate(sd_bus *connection, const char *prefix, void *context, char ***nodes, sd_bus_error *error);
/* into a string of BUS_PATH_SIZE bytes; false if it does not fit */
bool device_path(char *out, const char *identity);
bool update_path(char *out, const char *digest_hex);
/* names for PropertiesChanged; NULL-terminated */
extern const char *const manager_changing[], *const device_changing[], *const update_changing[];

/* May the sender change anything? 0 and caller ("uid:1000"), else an error is set and returned. */
#define BUS_CALLER_SIZE 32
int bus_authorise(struct bus *bus, sd_bus_message *message, char caller[BUS_CALLER_SIZE], sd_bus_error *error);
/* The next argument, an array of bytes; valid as long as the message. */
int bus_read_bytes(sd_bus_message *message, struct span *out);
/* From an action's answer (hub/manager.h): 0, or the error for the caller is set and returned. */
int bus_answer(int result, const struct refusal *refusal, sd_bus_error *error);

/* The answer of an action: goes when what the action changed is on disk. types, values: as sd_bus_message_append().
 * 1, or negative errno. */
int bus_reply_when_durable(struct bus *bus, sd_bus_message *message, const char *types, ...);
/* The same with one array of bytes. */
int bus_reply_bytes_when_durable(struct bus *bus, sd_bus_message *message, struct span bytes);
/* manager_listener.sealed, .durable */
void replies_sealed(void *bus, uint64_t commit);
void replies_durable(void *bus, uint64_t durable);
void replies_drop(struct bus *bus); /* the bus is gone, and so are the callers */

/* ---- properties from views */
enum property_kind {
        PROPERTY_TEXT,         /* const char * */
        PROPERTY_CHARS,        /* char[] */
        PROPERTY_SPAN,         /* struct span of text */
        PROPERTY_U32,          /* uint32_t */
        PROPERTY_U64,          /* uint64_t */
        PROPERTY_BOOL,         /* bool */
        PROPERTY_DIGEST,       /* uint8_t[32] as bytes */
        PROPERTY_DIGEST_HEX,   /* uint8_t[32] as text */
        PROPERTY_REGISTRATION, /* enum registration */
        PROPERTY_UPLINK,       /* enum uplink_view_state */
        PROPERTY_GATE,         /* bool: "open", "closed" */
        PROPERTY_ENFORCED,     /* enum country_enforced */
};
struct property {
        const char *name;
        enum property_kind kind;
        size_t offset; /* in the view */
};
/* properties: ends with a NULL name. -ENOENT if the name is not in the table */
int property_append(sd_bus_message *reply, const struct property *properties, const char *name, const void *view);
