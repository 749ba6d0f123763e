/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager's methods about commands and checkpoints, and the signal of what became of a command. */

#include "bus/internal.h"

static int read_bytes(sd_bus_message *message, struct span *out)
{
        const void *data = NULL;
        size_t size = 0;
        int r = sd_bus_message_read_array(message, 'y', &data, &size);

        if (r >= 0)
                *out = span_of(data, size);
        return r;
}

int command_send(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        struct span command;
        uint64_t counter = 0;
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = read_bytes(message, &command);
        if (r >= 0)
                r = bus_answer(manager_send_command(bus->manager, caller, command, &counter, &refusal), &refusal,
                               error);
        return r < 0 ? r : bus_reply_when_durable(bus, message, "t", counter);
}

int command_counter(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        const char *device, *hex;
        uint8_t id[KEY_ID_SIZE];
        int r = sd_bus_message_read(message, "ss", &device, &hex);

        if (r < 0)
                return r;
        if (!span_from_hex(span_of_string(hex), id, sizeof(id)))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                         "'%s' is no key id: 16 hexadecimal digits, as relayctl keys show prints them",
                                         hex);
        return sd_bus_reply_method_return(message, "t", manager_command_counter(bus->manager, device, id));
}

void command_ended(void *context, const struct command_end_view *end)
{
        struct bus *bus = context;
        char id[2 * KEY_ID_SIZE + 1];
        sd_bus_message *signal = NULL;
        int r = bus->bus ? sd_bus_message_new_signal(bus->bus, &signal, BUS_PATH, BUS_MANAGER, "CommandResult") : -1;

        if (r >= 0)
                r = sd_bus_message_append(signal, "sstss", end->device,
                                          span_to_hex(SPAN_OF(end->key_id), id, sizeof(id)), end->counter, end->result,
                                          end->reason);
        if (r >= 0)
                r = sd_bus_message_append_array(signal, 'y', end->value.data, end->value.size);
        if (r >= 0)
                (void)sd_bus_send(NULL, signal, NULL);
        sd_bus_message_unref(signal);
}

int checkpoint_get(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;

        (void)error;
        return bus_reply_bytes_when_durable(bus, message, manager_checkpoint(bus->manager));
}

int checkpoint_make(sd_bus_message *message, void *context, sd_bus_error *error)
{
        struct bus *bus = context;
        char caller[BUS_CALLER_SIZE];
        struct refusal refusal = { 0 };
        struct span checkpoint = SPAN_EMPTY;
        int r = bus_authorise(bus, message, caller, error);

        if (r >= 0)
                r = bus_answer(manager_make_checkpoint(bus->manager, &checkpoint, &refusal), &refusal, error);
        return r < 0 ? r : bus_reply_bytes_when_durable(bus, message, checkpoint);
}
