/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager's methods for sites without a cloud: what goes in and out by files. */

#include <stdlib.h>

#include "bus/internal.h"
#include "util/array.h"
#include "util/cleanup.h"

#define EVENTS_MAX       10000          /* in one answer */
#define EVENTS_BYTES_MAX (1024u * 1024) /* of payload in one answer; a larger one still passes alone */
#define CHECKPOINTS_MAX  1000           /* in one answer */
#define EVENT_FIELDS     "tsstbttay"    /* number, device, name, time, keyed, boot, seq, payload */

/* ---- events */
struct list {
        sd_bus_message *reply;
        uint32_t left;
        size_t bytes;
};

static int append_event(sd_bus_message *reply, const struct event_view *event, const char *name)
{
        int r = sd_bus_message_open_container(reply, 'r', EVENT_FIELDS);

        if (r >= 0)
                r = sd_bus_message_append(reply, "tsstbtt", event->number, event->device, name, event->time,
                                          (int)event->keyed, (uint64_t)event->boot, event->seq);
        if (r >= 0)
                r = sd_bus_message_append_array(reply, 'y', event->payload.data, event->payload.size);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int add_event(void *context, const struct event_view *event)
{
        struct list *list = context;
        char name[TOPIC_MAX];
        int r;

        if (list->left == 0 || list->bytes >= EVENTS_BYTES_MAX)
                return 1;
        list->left--;
        list->bytes += event->payload.size;
        r = append_event(list->reply, event, span_to_string(event->name, name, sizeof(name)) ? name : "?");
        return r < 0 ? r : 0;
}

int airgap_read_events(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        struct list list = { 0 };
        uint64_t from, next = 0;
        int r = sd_bus_message_read(message, "tu", &from, &list.left);

        (void)error;
        if (r < 0)
                return r;
        list.left = list.left < EVENTS_MAX ? list.left : EVENTS_MAX;
        r = sd_bus_message_new_method_return(message, &list.reply);
        if (r >= 0)
                r = sd_bus_message_open_container(list.reply, 'a', "(" EVENT_FIELDS ")");
        if (r >= 0)
                r = manager_walk_events(bus->manager, from, add_event, &list, &next);
        if (r >= 0)
                r = sd_bus_message_close_container(list.reply);
        if (r >= 0)
                r = sd_bus_message_append(list.reply, "t", next);
        if (r >= 0)
                r = sd_bus_send(NULL, list.reply, NULL);
        sd_bus_message_unref(list.reply);
        return r;
}

/* ---- checkpoints */
static int add_checkpoint(void *context, uint64_t records, struct span checkpoint)
{
        struct list *list = context;
        int r;

        if (list->left-- == 0)
                return 1;
        r = sd_bus_message_open_container(list->reply, 'r', "tay");
        if (r >= 0)
                r = sd_bus_message_append(list->reply, "t", records);
        if (r >= 0)
                r = sd_bus_message_append_array(list->reply, 'y', checkpoint.data, checkpoint.size);
        if (r >= 0)
                r = sd_bus_message_close_container(list->reply);
        return r < 0 ? r : 0;
}

int airgap_read_checkpoints(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        struct list list = { 0 };
        uint64_t from;
        int r = sd_bus_message_read(message, "tu", &from, &list.left);

        (void)error;
        if (r < 0)
                return r;
        list.left = list.left < CHECKPOINTS_MAX ? list.left : CHECKPOINTS_MAX;
        r = sd_bus_message_new_method_return(message, &list.reply);
        if (r >= 0)
                r = sd_bus_message_open_container(list.reply, 'a', "(tay)");
        if (r >= 0)
                r = manager_walk_checkpoints(bus->manager, from, add_checkpoint, &list);
        if (r >= 0)
                r = sd_bus_message_close_container(list.reply);
        if (r >= 0)
                r = sd_bus_send(NULL, list.reply, NULL);
        sd_bus_message_unref(list.reply);
        return r;
}

int airgap_drop_events(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        uint64_t through;
        uint32_t dropped = 0;
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = sd_bus_message_read(message, "t", &through);
        if (r >= 0)
                r = bus_answer(manager_drop_events(bus->manager, caller, through, &dropped, &refusal), &refusal, error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "u", dropped);
}

/* ---- updates */
static int read_bytes(sd_bus_message *message, struct span *out)
{
        const void *data = NULL;
        size_t size = 0;
        int r = sd_bus_message_read_array(message, 'y', &data, &size);

        if (r >= 0)
                *out = span_of(data, size);
        return r;
}

/* names: the strings are the message's, the array is the caller's to free */
static int read_names(sd_bus_message *message, const char ***names, size_t *count)
{
        size_t room = 0;
        const char *name;
        int r = sd_bus_message_enter_container(message, 'a', "s");

        while (r >= 0 && (r = sd_bus_message_read_basic(message, 's', &name)) > 0) {
                if (array_reserve(*names, *count, room) < 0)
                        return -ENOMEM;
                (*names)[(*count)++] = name;
        }
        return r < 0 ? r : sd_bus_message_exit_container(message);
}

int airgap_import_update(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        _cleanup_free_ const char **names = NULL;
        char caller[BUS_CALLER_SIZE], hex[2 * SHA256_SIZE + 1];
        struct update_import import = { 0 };
        struct refusal refusal = { 0 };
        uint8_t digest[SHA256_SIZE];
        uint32_t next = 0, blocks = 0;
        const char *notes = "";
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = read_bytes(message, &import.envelope);
        if (r >= 0)
                r = read_bytes(message, &import.list);
        if (r >= 0)
                r = sd_bus_message_read(message, "s", &notes);
        if (r >= 0)
                r = read_names(message, &names, &import.device_count);
        import.notes = span_of_string(notes);
        import.devices = names;
        if (r >= 0)
                r = bus_answer(manager_import_update(bus->manager, caller, &import, digest, &next, &blocks, &refusal),
                               &refusal, error);
        return r < 0 ? r
                     : bus_reply_when_durable(bus, message, "suu", span_to_hex(SPAN_OF(digest), hex, sizeof(hex)), next,
                                              blocks);
}

int airgap_import_image(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        uint8_t digest[SHA256_SIZE];
        uint32_t first = 0, next = 0, blocks = 0;
        const char *hex = "";
        struct span bytes;
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = sd_bus_message_read(message, "su", &hex, &first);
        if (r >= 0)
                r = read_bytes(message, &bytes);
        if (r >= 0 && !span_from_hex(span_of_string(hex), digest, sizeof(digest)))
                r = sd_bus_error_setf(error, BUS_ERROR_PREFIX "UnknownUpdate",
                                      "'%s' is no manifest digest: 64 hexadecimal digits are needed", hex);
        if (r >= 0)
                r = bus_answer(manager_import_image(bus->manager, digest, first, bytes, &next, &blocks, &refusal),
                               &refusal, error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "uu", next, blocks);
}
