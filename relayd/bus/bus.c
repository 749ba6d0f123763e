/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bus/bus.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/internal.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/time.h"

#define RETRY_US (5000 * TIME_US_PER_MS)

/* ---- errors and callers */

/* "not-approved" -> "org.relayd.Relay1.Error.NotApproved" */
static void error_name(enum reason reason, char *out, size_t size)
{
        const char *name = reason_name(reason);
        size_t at = (size_t)snprintf(out, size, "%s", BUS_ERROR_PREFIX);
        bool upper = true;

        for (; *name && at + 1 < size; name++) {
                if (*name != '-')
                        out[at++] = (char)(upper ? toupper((unsigned char)*name) : *name);
                upper = *name == '-';
        }
        out[at] = '\0';
}

int bus_answer(int result, const struct refusal *refusal, sd_bus_error *error)
{
        char name[96];

        if (result == 0)
                return 0;
        if (result == MANAGER_REFUSED) {
                error_name(refusal->reason, name, sizeof(name));
                return sd_bus_error_set(error, name, refusal->text);
        }
        if (result == -ENOSPC)
                return sd_bus_error_set(
                        error, BUS_ERROR_PREFIX "StoreFull",
                        "the relay's store is full; make it larger ([store] size_max) or let the uplink "
                        "empty the outbox");
        return sd_bus_error_setf(error, BUS_ERROR_PREFIX "StoreFailed",
                                 "the relay could not keep the change (%s); its journal says more", strerror(-result));
}

static bool may_change(const struct bus *bus, uid_t uid)
{
        return uid == geteuid() || (strcmp(bus->address, "system") == 0 && uid == 0);
}

int bus_authorise(struct bus *bus, sd_bus_message *message, char caller[BUS_CALLER_SIZE], sd_bus_error *error)
{
        sd_bus_creds *creds = NULL;
        uid_t uid = (uid_t)-1;
        int r = sd_bus_query_sender_creds(message, SD_BUS_CREDS_EUID, &creds);

        if (r >= 0)
                r = sd_bus_creds_get_euid(creds, &uid);
        sd_bus_creds_unref(creds);
        if (r < 0)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "NotAuthorised",
                                        "the bus does not say who you are, so nothing was changed");
        if (!may_change(bus, uid))
                return sd_bus_error_setf(error, BUS_ERROR_PREFIX "NotAuthorised",
                                         "uid %u may look but not change anything; call as uid %u%s", uid, geteuid(),
                                         strcmp(bus->address, "system") == 0 ? " or as root" : "");
        snprintf(caller, BUS_CALLER_SIZE, "uid:%u", uid);
        return 0;
}

/* ---- which objects were told */

static size_t known_place(const struct bus *bus, const char *path, bool *found)
{
        size_t low = 0, high = bus->known_count;

        *found = false;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = strcmp(bus->known[middle], path);
                if (order == 0)
                        *found = true;
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static int known_add(struct bus *bus, const char *path, size_t place)
{
        if (array_reserve(bus->known, bus->known_count, bus->known_room) < 0)
                return -ENOMEM;
        char *copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        memmove(&bus->known[place + 1], &bus->known[place], (bus->known_count - place) * sizeof(*bus->known));
        bus->known[place] = copy;
        bus->known_count++;
        return 0;
}

static void known_remove(struct bus *bus, size_t place)
{
        free(bus->known[place]);
        memmove(&bus->known[place], &bus->known[place + 1], (--bus->known_count - place) * sizeof(*bus->known));
}

/* A lost signal is not an error of the relay: whoever listens reads again when the name comes back. */
static void tell(struct bus *bus, const char *path, const char *interface, const char *const *names, bool exists)
{
        bool known;
        size_t place = known_place(bus, path, &known);

        if (exists && known) {
                (void)sd_bus_emit_properties_changed_strv(bus->bus, path, interface, (char **)names);
        } else if (exists) {
                if (known_add(bus, path, place) == 0)
                        (void)sd_bus_emit_interfaces_added(bus->bus, path, interface, NULL);
        } else if (known) {
                (void)sd_bus_emit_interfaces_removed(bus->bus, path, interface, NULL);
                known_remove(bus, place);
        }
}

static void on_changed(void *context, enum manager_change what, const char *key)
{
        struct bus *bus = context;
        struct device_view device;
        struct manager_update update;
        uint8_t digest[SHA256_SIZE];
        char path[BUS_PATH_SIZE];

        if (!bus->bus)
                return;
        switch (what) {
        case MANAGER_CHANGE_MANAGER:
                (void)sd_bus_emit_properties_changed_strv(bus->bus, BUS_PATH, BUS_MANAGER, (char **)manager_changing);
                break;
        case MANAGER_CHANGE_DEVICE:
                if (device_path(path, key))
                        tell(bus, path, BUS_DEVICE, device_changing, manager_find_device(bus->manager, key, &device));
                break;
        case MANAGER_CHANGE_UPDATE:
                if (update_path(path, key) && span_from_hex(span_of_string(key), digest, sizeof(digest)))
                        tell(bus, path, BUS_UPDATE, update_changing,
                             manager_find_update(bus->manager, digest, &update));
                break;
        }
}

static void on_alert(void *context, const struct alert_view *alert)
{
        struct bus *bus = context;

        if (bus->bus)
                (void)sd_bus_emit_signal(bus->bus, BUS_PATH, BUS_MANAGER, "AlertRaised", "ttsss", alert->number,
                                         alert->time, alert->device, alert->reason, alert->detail);
}

/* ---- what is there already counts as told */

static int know_device(void *context, const struct device_view *device)
{
        char path[BUS_PATH_SIZE];
        bool known;

        if (!device_path(path, device->identity))
                return 0;
        size_t place = known_place(context, path, &known);
        return known ? 0 : known_add(context, path, place);
}

static int know_update(void *context, const struct manager_update *update)
{
        char path[BUS_PATH_SIZE], hex[2 * SHA256_SIZE + 1];
        bool known;

        if (!update_path(path, span_to_hex(SPAN_OF(update->digest), hex, sizeof(hex))))
                return 0;
        size_t place = known_place(context, path, &known);
        return known ? 0 : known_add(context, path, place);
}

static void forget_known(struct bus *bus)
{
        for (size_t i = 0; i < bus->known_count; i++)
                free(bus->known[i]);
        bus->known_count = 0;
}

/* ---- the connection */

static int open_bus(struct bus *bus);

static int on_retry(sd_event_source *source, uint64_t usec, void *context)
{
        struct bus *bus = context;

        (void)source;
        (void)usec;
        bus->retry = sd_event_source_disable_unref(bus->retry);
        if (open_bus(bus) < 0)
                (void)sd_event_add_time_relative(bus->event, &bus->retry, CLOCK_MONOTONIC, RETRY_US, 0, on_retry, bus);
        return 0;
}

static void lose_bus(struct bus *bus)
{
        replies_drop(bus);
        bus->bus = sd_bus_close_unref(bus->bus);
        forget_known(bus);
        if (!bus->retry)
                (void)sd_event_add_time_relative(bus->event, &bus->retry, CLOCK_MONOTONIC, RETRY_US, 0, on_retry, bus);
}

static int on_disconnected(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;

        (void)message;
        (void)error;
        log_warning("the D-Bus connection to %s is lost; trying again every five seconds", bus->address);
        lose_bus(bus);
        return 0;
}

static int on_name(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        const sd_bus_error *failure = sd_bus_message_get_error(message);
        uint32_t answer = 0;

        (void)error;
        if (failure)
                log_error("the D-Bus name %s is refused on %s: %s; check the bus's policy", BUS_NAME, bus->address,
                          failure->message);
        else if (sd_bus_message_read(message, "u", &answer) >= 0 && answer != 1 && answer != 4)
                log_error("the D-Bus name %s on %s belongs to another process; is a second relayd running?", BUS_NAME,
                          bus->address);
        return 0;
}

static int add_objects(struct bus *bus)
{
        sd_bus *b = bus->bus;
        int r = sd_bus_add_object_manager(b, NULL, BUS_PATH);

        if (r >= 0)
                r = sd_bus_add_object_vtable(b, NULL, BUS_PATH, BUS_MANAGER, manager_vtable, bus);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(b, NULL, BUS_PATH_DEVICES, BUS_DEVICE, device_vtable, device_find, bus);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(b, NULL, BUS_PATH_UPDATES, BUS_UPDATE, update_vtable, update_find, bus);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(b, NULL, BUS_PATH_DEVICES, device_enumerate, bus);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(b, NULL, BUS_PATH_UPDATES, update_enumerate, bus);
        return r;
}

static int connect_bus(struct bus *bus)
{
        if (strcmp(bus->address, "system") == 0)
                return sd_bus_open_system(&bus->bus);
        int r = sd_bus_new(&bus->bus);
        if (r >= 0)
                r = sd_bus_set_address(bus->bus, bus->address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus->bus, true);
        /* the private bus's own rules let its user in; who may change what is decided here */
        if (r >= 0)
                r = sd_bus_set_trusted(bus->bus, false);
        return r < 0 ? r : sd_bus_start(bus->bus);
}

static int open_bus(struct bus *bus)
{
        int r = connect_bus(bus);

        if (r >= 0)
                r = add_objects(bus);
        if (r >= 0)
                r = sd_bus_match_signal(bus->bus, NULL, NULL, "/org/freedesktop/DBus/Local",
                                        "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, bus);
        if (r >= 0)
                r = sd_bus_request_name_async(bus->bus, NULL, BUS_NAME, 0, on_name, bus);
        if (r >= 0)
                r = sd_bus_attach_event(bus->bus, bus->event, 0);
        if (r >= 0)
                r = manager_walk_devices(bus->manager, know_device, bus);
        if (r >= 0)
                r = manager_walk_updates(bus->manager, know_update, bus);
        if (r < 0)
                bus->bus = sd_bus_close_unref(bus->bus);
        return r < 0 ? r : 0;
}

int bus_new(struct bus **ret, sd_event *event, const char *address, struct manager *manager)
{
        struct bus *bus = calloc(1, sizeof(*bus));
        const struct manager_listener listener = {
                .changed = on_changed,
                .alert = on_alert,
                .command_ended = command_ended,
                .sealed = replies_sealed,
                .durable = replies_durable,
                .context = bus,
        };

        if (!bus)
                return -ENOMEM;
        bus->event = sd_event_ref(event);
        bus->manager = manager;
        bus->address = strdup(address);
        int r = bus->address ? open_bus(bus) : -ENOMEM;
        if (r < 0) {
                bus_free(bus);
                return r;
        }
        manager_listen(manager, &listener);
        *ret = bus;
        return 0;
}

struct bus *bus_free(struct bus *bus)
{
        if (!bus)
                return NULL;
        manager_listen(bus->manager, NULL);
        sd_event_source_disable_unref(bus->retry);
        replies_drop(bus);
        free(bus->held);
        sd_bus_flush_close_unref(bus->bus);
        forget_known(bus);
        free(bus->known);
        sd_event_unref(bus->event);
        free(bus->address);
        free(bus);
        return NULL;
}
