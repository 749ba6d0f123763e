/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/internal.h"
#include "bus/nodes.h"
#include "relay/key.h"
#include "util/cleanup.h"

bool update_path(char *out, const char *digest_hex)
{
        return snprintf(out, BUS_PATH_SIZE, "%s/%s", BUS_PATH_UPDATES, digest_hex) < BUS_PATH_SIZE;
}

static bool find_view(struct bus *bus, const char *path, struct manager_update *view)
{
        static const char prefix[] = BUS_PATH_UPDATES "/";
        uint8_t digest[SHA256_SIZE];

        return strncmp(path, prefix, sizeof(prefix) - 1) == 0 &&
               span_from_hex(span_of_string(path + sizeof(prefix) - 1), digest, sizeof(digest)) &&
               manager_find_update(bus->manager, digest, view);
}

int update_find(sd_bus *connection, const char *path, const char *interface, void *context, void **found,
                sd_bus_error *error)
{
        struct manager_update view;

        (void)connection;
        (void)interface;
        (void)error;
        if (!find_view(context, path, &view))
                return 0;
        *found = context;
        return 1;
}

static int add_node(void *context, const struct manager_update *update)
{
        char path[BUS_PATH_SIZE], hex[2 * SHA256_SIZE + 1];

        return update_path(path, span_to_hex(SPAN_OF(update->digest), hex, sizeof(hex))) ? nodes_add(context, path) : 0;
}

int update_enumerate(sd_bus *connection, const char *prefix, void *context, char ***nodes, sd_bus_error *error)
{
        struct bus *bus = context;
        struct nodes list = { 0 };

        (void)connection;
        (void)prefix;
        (void)error;
        int r = manager_walk_updates(bus->manager, add_node, &list);
        return nodes_finish(&list, r, nodes);
}

static const struct property properties[] = {
        { "Digest", PROPERTY_DIGEST_HEX, offsetof(struct manager_update, digest) },
        { "Version", PROPERTY_SPAN, offsetof(struct manager_update, version) },
        { "Urgency", PROPERTY_SPAN, offsetof(struct manager_update, urgency) },
        { "Description", PROPERTY_SPAN, offsetof(struct manager_update, description) },
        { "Sequence", PROPERTY_U64, offsetof(struct manager_update, sequence) },
        { "ImageDigest", PROPERTY_DIGEST_HEX, offsetof(struct manager_update, image_digest) },
        { "ImageSize", PROPERTY_U32, offsetof(struct manager_update, image_size) },
        { "State", PROPERTY_TEXT, offsetof(struct manager_update, state) },
        { "Rule", PROPERTY_CHARS, offsetof(struct manager_update, rule) },
        { "DeniedBecause", PROPERTY_TEXT, offsetof(struct manager_update, why) },
        { "Received", PROPERTY_U64, offsetof(struct manager_update, received) },
        { "Needed", PROPERTY_U32, offsetof(struct manager_update, needed) },
        { "BlocksCached", PROPERTY_U32, offsetof(struct manager_update, blocks_cached) },
        { "Blocks", PROPERTY_U32, offsetof(struct manager_update, blocks) },
        { NULL },
};

static int get(sd_bus *connection, const char *path, const char *interface, const char *property, sd_bus_message *reply,
               void *context, sd_bus_error *error)
{
        struct manager_update view;

        (void)connection;
        (void)interface;
        (void)error;
        return find_view(context, path, &view) ? property_append(reply, properties, property, &view) : -ENOENT;
}

static int get_approvals(sd_bus *connection, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *context, sd_bus_error *error)
{
        struct manager_update view;
        char hex[2 * KEY_ID_SIZE + 1];

        (void)connection;
        (void)interface;
        (void)property;
        (void)error;
        if (!find_view(context, path, &view))
                return -ENOENT;
        int r = sd_bus_message_open_container(reply, 'a', "s");
        for (uint32_t i = 0; i < view.approval_count && r >= 0; i++)
                r = sd_bus_message_append(reply, "s", span_to_hex(SPAN_OF(view.approvals[i]), hex, sizeof(hex)));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_devices(sd_bus *connection, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        struct manager_update view;
        struct manager_update_device device;

        (void)connection;
        (void)interface;
        (void)property;
        (void)error;
        if (!find_view(bus, path, &view))
                return -ENOENT;
        int r = sd_bus_message_open_container(reply, 'a', "(ss)");
        for (size_t i = 0; r >= 0 && manager_update_device_at(bus->manager, view.digest, i, &device); i++)
                r = sd_bus_message_append(reply, "(ss)", device.device, device.waits_for);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_manifest(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct manager_update view;
        sd_bus_message *reply = NULL;

        if (!find_view(context, sd_bus_message_get_path(message), &view))
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "UnknownUpdate",
                                        "this update is not known any more; relayctl updates list shows what is");
        int r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = sd_bus_message_append_array(reply, 'y', view.envelope.data, view.envelope.size);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

static int get_notes(sd_bus *connection, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *context, sd_bus_error *error)
{
        _cleanup_free_ char *notes = NULL;
        struct manager_update view;

        (void)connection;
        (void)interface;
        (void)property;
        (void)error;
        if (!find_view(context, path, &view))
                return -ENOENT;
        if (view.notes.size == 0)
                return sd_bus_message_append(reply, "s", "");
        notes = strndup((const char *)view.notes.data, view.notes.size);
        return notes ? sd_bus_message_append(reply, "s", notes) : -ENOMEM;
}

#define CONSTANT(name, type)         SD_BUS_PROPERTY(name, type, get, 0, SD_BUS_VTABLE_PROPERTY_CONST)
#define CHANGING(name, type, getter) SD_BUS_PROPERTY(name, type, getter, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
const sd_bus_vtable update_vtable[] = {
        SD_BUS_VTABLE_START(0),
        CONSTANT("Digest", "s"),
        CONSTANT("Version", "s"),
        CONSTANT("Urgency", "s"),
        CONSTANT("Description", "s"),
        CONSTANT("Sequence", "t"),
        CONSTANT("ImageDigest", "s"),
        CONSTANT("ImageSize", "u"),
        CHANGING("State", "s", get),
        CHANGING("Received", "t", get),
        CHANGING("Rule", "s", get),
        CHANGING("DeniedBecause", "s", get),
        CHANGING("Approvals", "as", get_approvals),
        CHANGING("Needed", "u", get),
        CHANGING("BlocksCached", "u", get),
        CONSTANT("Blocks", "u"),
        CHANGING("Devices", "a(ss)", get_devices),
        CHANGING("ReleaseNotes", "s", get_notes),
        SD_BUS_METHOD_WITH_ARGS("GetManifest", SD_BUS_NO_ARGS, SD_BUS_RESULT("ay", envelope), get_manifest,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};
const char *const update_changing[] = { "State",  "Received",     "Rule",    "DeniedBecause", "Approvals",
                                        "Needed", "BlocksCached", "Devices", "ReleaseNotes",  NULL };
