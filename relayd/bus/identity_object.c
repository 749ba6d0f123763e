/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager's methods about who the devices are, and which images they may run. */

#include "bus/internal.h"

int identity_release(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        const char *identity;
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = sd_bus_message_read(message, "s", &identity);
        if (r >= 0)
                r = bus_answer(manager_release_device(bus->manager, caller, identity, &refusal), &refusal, error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "");
}

int identity_rotate(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE], device[IDENTITY_MAX + 1] = "";
        struct refusal refusal = { 0 };
        struct span rotation;
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = bus_read_bytes(message, &rotation);
        if (r >= 0)
                r = bus_answer(manager_rotate_device(bus->manager, caller, rotation, device, &refusal), &refusal,
                               error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "s", device);
}

int identity_add_image(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE], digest[2 * SHA256_SIZE + 1] = "";
        struct refusal refusal = { 0 };
        struct span envelope;
        bool added = false;
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = bus_read_bytes(message, &envelope);
        if (r >= 0)
                r = bus_answer(manager_add_image(bus->manager, caller, envelope, digest, &added, &refusal), &refusal,
                               error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "sb", digest, added);
}

int identity_forget_image(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        uint8_t digest[SHA256_SIZE];
        const char *hex = "";
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = sd_bus_message_read(message, "s", &hex);
        if (r >= 0 && !span_from_hex(span_of_string(hex), digest, sizeof(digest)))
                r = sd_bus_error_setf(error, BUS_ERROR_PREFIX "UnknownImage",
                                      "'%.80s' is no image digest: 64 hexadecimal digits, as relayctl images --json "
                                      "shows them",
                                      hex);
        if (r >= 0)
                r = bus_answer(manager_forget_image(bus->manager, caller, digest, &refusal), &refusal, error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "");
}

static int add_one(void *context, const struct image_view *image)
{
        int r = sd_bus_message_append(context, "(ssstts)", image->image, image_source_name(image->source),
                                      image->version, image->sequence, image->time, image->manifest);

        return r < 0 ? r : 0;
}

int identity_list_images(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(message, &reply);

        (void)error;
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ssstts)");
        if (r >= 0)
                r = manager_walk_images(bus->manager, add_one, reply);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}
