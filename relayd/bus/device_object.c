/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/internal.h"
#include "bus/nodes.h"
#include "util/cleanup.h"

bool device_path(char *out, const char *identity)
{
        _cleanup_free_ char *path = NULL;

        if (sd_bus_path_encode(BUS_PATH_DEVICES, identity, &path) < 0)
                return false;
        return snprintf(out, BUS_PATH_SIZE, "%s", path) < BUS_PATH_SIZE;
}

static bool find_view(struct bus *bus, const char *path, struct device_view *view)
{
        _cleanup_free_ char *identity = NULL;

        return sd_bus_path_decode(path, BUS_PATH_DEVICES, &identity) > 0 &&
               manager_find_device(bus->manager, identity, view);
}

int device_find(sd_bus *connection, const char *path, const char *interface, void *context, void **found,
                sd_bus_error *error)
{
        struct device_view view;

        (void)connection;
        (void)interface;
        (void)error;
        if (!find_view(context, path, &view))
                return 0;
        *found = context;
        return 1;
}

static int add_node(void *context, const struct device_view *device)
{
        char path[BUS_PATH_SIZE];

        return device_path(path, device->identity) ? nodes_add(context, path) : 0;
}

int device_enumerate(sd_bus *connection, const char *prefix, void *context, char ***nodes, sd_bus_error *error)
{
        struct bus *bus = context;
        struct nodes list = { 0 };

        (void)connection;
        (void)prefix;
        (void)error;
        int r = manager_walk_devices(bus->manager, add_node, &list);
        return nodes_finish(&list, r, nodes);
}

static const struct property properties[] = {
        { "Identity", PROPERTY_TEXT, offsetof(struct device_view, identity) },
        { "Registration", PROPERTY_REGISTRATION, offsetof(struct device_view, registration) },
        { "Online", PROPERTY_BOOL, offsetof(struct device_view, online) },
        { "Since", PROPERTY_U64, offsetof(struct device_view, since) },
        { "Peer", PROPERTY_TEXT, offsetof(struct device_view, peer) },
        { "FirmwareVersion", PROPERTY_TEXT, offsetof(struct device_view, version) },
        { "ImageDigest", PROPERTY_CHARS, offsetof(struct device_view, image_digest) },
        { "Boot", PROPERTY_U64, offsetof(struct device_view, boot) },
        { "Fingerprint", PROPERTY_CHARS, offsetof(struct device_view, fingerprint) },
        { "Trust", PROPERTY_TEXT, offsetof(struct device_view, trust) },
        { "Quarantine", PROPERTY_TEXT, offsetof(struct device_view, quarantine) },
        { "Attestation", PROPERTY_TEXT, offsetof(struct device_view, attestation) },
        { "ProvedImage", PROPERTY_CHARS, offsetof(struct device_view, proved_image) },
        { "ProvedSequence", PROPERTY_U64, offsetof(struct device_view, proved_sequence) },
        { "ProvedTime", PROPERTY_U64, offsetof(struct device_view, proved_time) },
        { "Rotation", PROPERTY_U32, offsetof(struct device_view, rotation) },
        { "UpdateChecks", PROPERTY_TEXT, offsetof(struct device_view, update_checks) },
        { "UpdateState", PROPERTY_TEXT, offsetof(struct device_view, update_state) },
        { "UpdateProgress", PROPERTY_U32, offsetof(struct device_view, update_progress) },
        { "UpdateReason", PROPERTY_TEXT, offsetof(struct device_view, update_reason) },
        { NULL },
};

static int get(sd_bus *connection, const char *path, const char *interface, const char *property, sd_bus_message *reply,
               void *context, sd_bus_error *error)
{
        struct device_view view;

        (void)connection;
        (void)interface;
        (void)error;
        return find_view(context, path, &view) ? property_append(reply, properties, property, &view) : -ENOENT;
}

#define CHANGING(name, type) SD_BUS_PROPERTY(name, type, get, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
const sd_bus_vtable device_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Identity", "s", get, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        CHANGING("Registration", "s"),
        CHANGING("Online", "b"),
        CHANGING("Since", "t"),
        CHANGING("Peer", "s"),
        CHANGING("FirmwareVersion", "s"),
        CHANGING("ImageDigest", "s"),
        CHANGING("Boot", "t"),
        CHANGING("Fingerprint", "s"),
        CHANGING("Trust", "s"),
        CHANGING("Quarantine", "s"),
        CHANGING("Attestation", "s"),
        CHANGING("ProvedImage", "s"),
        CHANGING("ProvedSequence", "t"),
        CHANGING("ProvedTime", "t"),
        CHANGING("Rotation", "u"),
        CHANGING("UpdateChecks", "s"),
        CHANGING("UpdateState", "s"),
        CHANGING("UpdateProgress", "u"),
        CHANGING("UpdateReason", "s"),
        SD_BUS_VTABLE_END,
};
const char *const device_changing[] = {
        "Registration", "Online",      "Since",          "Peer",         "FirmwareVersion",
        "ImageDigest",  "Boot",        "Fingerprint",    "Trust",        "Quarantine",
        "Attestation",  "ProvedImage", "ProvedSequence", "ProvedTime",   "Rotation",
        "UpdateChecks", "UpdateState", "UpdateProgress", "UpdateReason", NULL,
};
