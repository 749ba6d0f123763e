/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The relay over D-Bus, as relayctl sees it: values become JSON under their D-Bus names, byte arrays hexadecimal.
 * Every function prints its own failure and answers CLI_*.
 */

#include <jansson.h>
#include <systemd/sd-bus.h>

#include "cli/cli.h"
#include "relay/span.h"

/* --bus ADDRESS, -H HOST, or the system bus */
int ctl_connect(struct cli *cli, sd_bus **ret);
/* A method of the manager; reply may be NULL. types: sd-bus signature of the arguments that follow. */
int ctl_call(struct cli *cli, sd_bus *bus, const char *method, sd_bus_message **reply, const char *types, ...);
/* the same with one byte array as argument */
int ctl_call_bytes(struct cli *cli, sd_bus *bus, const char *method, struct span bytes, sd_bus_message **reply);
/* for arguments of other forms: makes a call of the manager, and sends it */
int ctl_new_call(struct cli *cli, sd_bus *bus, sd_bus_message **m, const char *method);
int ctl_send(struct cli *cli, sd_bus *bus, sd_bus_message *m, sd_bus_message **reply);
/* SetGate; windows: NULL-terminated */
int ctl_set_gate(struct cli *cli, sd_bus *bus, const char *scope, const char *state, uint64_t until,
                 const char *const *windows);
/* A method of any object without arguments that answers one byte array; *data is malloc'ed. */
int ctl_fetch_bytes(struct cli *cli, sd_bus *bus, const char *path, const char *interface, const char *method,
                    uint8_t **data, size_t *size);
/* a method of the manager that a relay of an earlier version does not have: *data stays NULL, *size 0 then */
int ctl_fetch_bytes_if_any(struct cli *cli, sd_bus *bus, const char *method, uint8_t **data, size_t *size);
/* a method of the manager that takes an epoch and answers one byte array */
int ctl_fetch_bytes_at(struct cli *cli, sd_bus *bus, const char *method, uint64_t epoch, uint8_t **data, size_t *size);
/* the manager's properties as an object */
int ctl_manager(struct cli *cli, sd_bus *bus, json_t **object);
/* every object with this interface, sorted by key; each has its D-Bus path under "Path" */
int ctl_objects(struct cli *cli, sd_bus *bus, const char *interface, const char *key, json_t **array);
/* Prints what the bus answered: CLI_REFUSED with the reason, CLI_UNREACHABLE, or CLI_FAILED. */
int ctl_failure(struct cli *cli, int r, const sd_bus_error *error);

/* json.c: the next complete value of a message; NULL at its end or if it breaks */
json_t *ctl_json(sd_bus_message *m);
/* "NotApproved" -> "not-approved"; out needs room for twice the size */
void ctl_kebab(const char *camel, char *out, size_t size);

static inline void json_decrefp_ctl(json_t **value)
{
        json_decref(*value);
}
#define _cleanup_json_    __attribute__((cleanup(json_decrefp_ctl)))
#define _cleanup_bus_     __attribute__((cleanup(sd_bus_flush_close_unrefp)))
#define _cleanup_message_ __attribute__((cleanup(sd_bus_message_unrefp)))

/* approvers.c: what setup and the import commands share */
int ctl_import_policy(struct cli *cli, sd_bus *bus, const char *path);
int ctl_import_vendor(struct cli *cli, sd_bus *bus, const char *path);
/* updates.c: the update with this version, or whose digest begins so; refuses none and several */
int ctl_find_update(struct cli *cli, sd_bus *bus, const char *id, json_t **update);
