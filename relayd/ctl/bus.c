/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The relay over D-Bus: connection, calls, properties, failures. */

#include "ctl/bus.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bus/names.h"
#include "cli/output.h"
#include "util/cleanup.h"

static int open_address(const char *address, sd_bus **ret)
{
        sd_bus *bus = NULL;
        int r = sd_bus_new(&bus);

        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, 1);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0) {
                sd_bus_unref(bus);
                return r;
        }
        *ret = bus;
        return 0;
}

int ctl_connect(struct cli *cli, sd_bus **ret)
{
        const char *address = cli_value(cli, "bus"), *host = cli_value(cli, "host");
        int r;

        if (address && host)
                return cli_fail(cli, CLI_USAGE, "--bus and --host exclude each other");
        if (address)
                r = open_address(address, ret);
        else if (host)
                r = sd_bus_open_system_remote(ret, host);
        else
                r = sd_bus_open_system(ret);
        if (r < 0)
                return cli_fail(cli, CLI_UNREACHABLE, "cannot reach the bus%s%s: %s; %s", address || host ? " " : "",
                                address ? address
                                : host  ? host
                                        : "",
                                strerror(-r),
                                address ? "is this the address of relayd.conf, [bus]?"
                                        : "run this on the gateway, or name it with -H HOST");
        return CLI_OK;
}

static bool error_is(const sd_bus_error *error, const char *const *names)
{
        for (; *names; names++)
                if (sd_bus_error_has_name(error, *names))
                        return true;
        return false;
}

/* Its own text cleaned: a relay that was taken over must not write on the approver's terminal. */
static int print_cleaned(struct cli *cli, int code, const char *before, const char *message)
{
        _cleanup_free_ char *clean = output_clean(message ? message : "no explanation");

        return cli_fail(cli, code, "%s%s", before, clean ? clean : "");
}

int ctl_failure(struct cli *cli, int r, const sd_bus_error *error)
{
        static const char *const absent[] = { "org.freedesktop.DBus.Error.ServiceUnknown",
                                              "org.freedesktop.DBus.Error.NameHasNoOwner",
                                              "org.freedesktop.DBus.Error.Disconnected",
                                              "org.freedesktop.DBus.Error.NoServer", NULL };
        static const char *const denied[] = { "org.freedesktop.DBus.Error.AccessDenied",
                                              "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", NULL };
        static const char *const slow[] = { "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Timeout",
                                            NULL };
        char reason[80], before[120];

        if (error->name && strncmp(error->name, BUS_ERROR_PREFIX, strlen(BUS_ERROR_PREFIX)) == 0) {
                ctl_kebab(error->name + strlen(BUS_ERROR_PREFIX), reason, sizeof(reason));
                snprintf(before, sizeof(before), "refused: %s: ", reason);
                return print_cleaned(cli, CLI_REFUSED, before, error->message);
        }
        if (error_is(error, denied))
                return print_cleaned(cli, CLI_REFUSED, "refused: not-authorised: ", error->message);
        if (error_is(error, absent) || r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE || r == -ECONNREFUSED ||
            r == -ENOENT)
                return cli_fail(cli, CLI_UNREACHABLE,
                                "relayd does not answer on the bus; is it running? ('systemctl status relayd')");
        if (error_is(error, slow) || r == -ETIMEDOUT)
                return cli_fail(cli, CLI_UNREACHABLE, "relayd does not answer in time");
        return print_cleaned(cli, CLI_FAILED, "relayd: ", error->message ? error->message : strerror(-r));
}

static int call(struct cli *cli, sd_bus *bus, sd_bus_message *m, sd_bus_message **reply)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call(bus, m, 0, &error, reply);
        int code = r < 0 ? ctl_failure(cli, r, &error) : CLI_OK;

        sd_bus_error_free(&error);
        return code;
}

static int new_call(struct cli *cli, sd_bus *bus, sd_bus_message **m, const char *path, const char *interface,
                    const char *method)
{
        int r = sd_bus_message_new_method_call(bus, m, BUS_NAME, path, interface, method);

        return r < 0 ? ctl_failure(cli, r, &SD_BUS_ERROR_NULL) : CLI_OK;
}

int ctl_new_call(struct cli *cli, sd_bus *bus, sd_bus_message **m, const char *method)
{
        return new_call(cli, bus, m, BUS_PATH, BUS_MANAGER, method);
}

int ctl_send(struct cli *cli, sd_bus *bus, sd_bus_message *m, sd_bus_message **reply)
{
        return call(cli, bus, m, reply);
}

int ctl_call(struct cli *cli, sd_bus *bus, const char *method, sd_bus_message **reply, const char *types, ...)
{
        _cleanup_message_ sd_bus_message *m = NULL;
        va_list list;
        int r = new_call(cli, bus, &m, BUS_PATH, BUS_MANAGER, method);

        if (r != CLI_OK)
                return r;
        va_start(list, types);
        r = sd_bus_message_appendv(m, types, list);
        va_end(list);
        return r < 0 ? ctl_failure(cli, r, &SD_BUS_ERROR_NULL) : call(cli, bus, m, reply);
}

int ctl_call_bytes(struct cli *cli, sd_bus *bus, const char *method, struct span bytes, sd_bus_message **reply)
{
        _cleanup_message_ sd_bus_message *m = NULL;
        int r = new_call(cli, bus, &m, BUS_PATH, BUS_MANAGER, method);

        if (r != CLI_OK)
                return r;
        r = sd_bus_message_append_array(m, 'y', bytes.data, bytes.size);
        return r < 0 ? ctl_failure(cli, r, &SD_BUS_ERROR_NULL) : call(cli, bus, m, reply);
}

int ctl_set_gate(struct cli *cli, sd_bus *bus, const char *scope, const char *state, uint64_t until,
                 const char *const *windows)
{
        _cleanup_message_ sd_bus_message *m = NULL;
        int r = new_call(cli, bus, &m, BUS_PATH, BUS_MANAGER, "SetGate");

        if (r != CLI_OK)
                return r;
        if ((r = sd_bus_message_append(m, "sst", scope, state, until)) < 0 ||
            (r = sd_bus_message_append_strv(m, (char **)(uintptr_t)windows)) < 0)
                return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
        return call(cli, bus, m, NULL);
}

static int take_bytes(struct cli *cli, sd_bus_message *reply, const char *method, uint8_t **data, size_t *size)
{
        const void *bytes = NULL;
        int r = sd_bus_message_read_array(reply, 'y', &bytes, size);

        if (r < 0)
                return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
        *data = malloc(*size + 1);
        if (!*data)
                return cli_errno(cli, -ENOMEM, method);
        if (*size > 0)
                memcpy(*data, bytes, *size);
        return CLI_OK;
}

int ctl_fetch_bytes(struct cli *cli, sd_bus *bus, const char *path, const char *interface, const char *method,
                    uint8_t **data, size_t *size)
{
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        int r;

        if ((r = new_call(cli, bus, &m, path, interface, method)) != CLI_OK ||
            (r = call(cli, bus, m, &reply)) != CLI_OK)
                return r;
        return take_bytes(cli, reply, method, data, size);
}

int ctl_fetch_bytes_if_any(struct cli *cli, sd_bus *bus, const char *method, uint8_t **data, size_t *size)
{
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int code, r = new_call(cli, bus, &m, BUS_PATH, BUS_MANAGER, method);

        if (r != CLI_OK)
                return r;
        r = sd_bus_call(bus, m, 0, &error, &reply);
        if (r >= 0) {
                code = take_bytes(cli, reply, method, data, size);
        } else if (sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_METHOD)) {
                *size = 0;
                code = CLI_OK;
        } else {
                code = ctl_failure(cli, r, &error);
        }
        sd_bus_error_free(&error);
        return code;
}

int ctl_fetch_bytes_at(struct cli *cli, sd_bus *bus, const char *method, uint64_t epoch, uint8_t **data, size_t *size)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r = ctl_call(cli, bus, method, &reply, "t", epoch);

        return r == CLI_OK ? take_bytes(cli, reply, method, data, size) : r;
}

int ctl_manager(struct cli *cli, sd_bus *bus, json_t **object)
{
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        int r = new_call(cli, bus, &m, BUS_PATH, "org.freedesktop.DBus.Properties", "GetAll");

        if (r != CLI_OK)
                return r;
        if (sd_bus_message_append(m, "s", BUS_MANAGER) < 0 || (r = call(cli, bus, m, &reply)) != CLI_OK)
                return r == CLI_OK ? CLI_FAILED : r;
        *object = ctl_json(reply);
        return *object ? CLI_OK : cli_fail(cli, CLI_FAILED, "relayd's answer breaks its own interface");
}

static int compare_rows(const void *a, const void *b, void *context)
{
        const json_t *const *x = a, *const *y = b;
        const json_t *p = json_object_get(*x, context), *q = json_object_get(*y, context);

        if (json_is_integer(p) && json_is_integer(q))
                return (json_integer_value(p) > json_integer_value(q)) -
                       (json_integer_value(p) < json_integer_value(q));
        /* device-2 before device-10 */
        return json_is_string(p) && json_is_string(q) ? strverscmp(json_string_value(p), json_string_value(q)) : 0;
}

static int sort_rows(json_t **array, const char *key)
{
        size_t count = json_array_size(*array);
        json_t **rows = calloc(count + 1, sizeof(*rows)), *sorted = json_array();

        if (!rows || !sorted) {
                free(rows);
                json_decref(sorted);
                return -ENOMEM;
        }
        for (size_t i = 0; i < count; i++)
                rows[i] = json_array_get(*array, i);
        qsort_r(rows, count, sizeof(*rows), compare_rows, (void *)(uintptr_t)key);
        for (size_t i = 0; i < count; i++)
                json_array_append(sorted, rows[i]);
        free(rows);
        json_decref(*array);
        *array = sorted;
        return 0;
}

int ctl_objects(struct cli *cli, sd_bus *bus, const char *interface, const char *key, json_t **array)
{
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_json_ json_t *objects = NULL;
        json_t *rows, *interfaces;
        const char *path;
        int r = new_call(cli, bus, &m, BUS_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");

        if (r != CLI_OK || (r = call(cli, bus, m, &reply)) != CLI_OK)
                return r;
        objects = ctl_json(reply);
        if (!objects)
                return cli_fail(cli, CLI_FAILED, "relayd's answer breaks its own interface");
        rows = json_array();
        json_object_foreach(objects, path, interfaces)
        {
                json_t *properties = json_object_get(interfaces, interface);

                if (!properties)
                        continue;
                json_object_set_new(properties, "Path", json_string(path));
                json_array_append(rows, properties);
        }
        if (sort_rows(&rows, key) < 0) {
                json_decref(rows);
                return cli_errno(cli, -ENOMEM, "list");
        }
        *array = rows;
        return CLI_OK;
}
