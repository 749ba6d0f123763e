/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl gate: the site's standing answer to "may devices update now?", for all, a class, or one device. */

#include "ctl/ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/output.h"
#include "cli/parse.h"
#include "ctl/bus.h"
#include "ctl/policyspec.h"
#include "util/week.h"

#define SCOPE_SIZE  80
#define WINDOWS_MAX 16

#define SCOPE_OPTIONS                                                                                                 \
        { "class", 0, "CLASS", "for a class of devices: its name or id" }, { "device", 0, "NAME", "for one device" }, \
        {                                                                                                             \
                "domain", 0, "NAME", "the vendor's DNS name, where a class is named (default: the relay's vendor)"    \
        }

const struct cli_option ctl_gate_open_options[] = {
        { "for", 0, "DURATION", "closes by itself after 90s, 10m, 2h, 7d (default: stays open)" },
        SCOPE_OPTIONS,
        { 0 },
};
const struct cli_option ctl_gate_scope_options[] = { SCOPE_OPTIONS, { 0 } };
static const struct output_column columns[] = {
        { "scope", "FOR", OUTPUT_TEXT },
        { "state", "GATE", OUTPUT_WORD },
        { "until", "UNTIL", OUTPUT_TIME },
        { "windows", "WINDOWS", OUTPUT_LIST },
};

/* "site", "class:<id>", "device:<name>" */
static int take_scope(struct cli *cli, sd_bus *bus, char scope[SCOPE_SIZE])
{
        const char *class = cli_value(cli, "class"), *device = cli_value(cli, "device");
        char hex[2 * CLASS_ID_SIZE + 1];
        uint8_t id[CLASS_ID_SIZE];
        int r;

        if (class && device)
                return cli_fail(cli, CLI_USAGE, "--class and --device exclude each other");
        if (device && !identity_is_device(span_of_string(device)))
                return cli_fail(cli, CLI_USAGE, "--device '%s' is no device's name", device);
        if (class && (r = policy_class_id(cli, bus, class, id)) != CLI_OK)
                return r;
        if (class)
                snprintf(scope, SCOPE_SIZE, "class:%s", span_to_hex(SPAN_OF(id), hex, sizeof(hex)));
        else
                snprintf(scope, SCOPE_SIZE, "%s%s", device ? "device:" : "site", device ? device : "");
        return CLI_OK;
}

static int fetch(struct cli *cli, sd_bus *bus, json_t **rows)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_json_ json_t *raw = NULL;
        json_t *row;
        size_t i;
        int r = ctl_call(cli, bus, "GetGate", &reply, "");

        if (r != CLI_OK)
                return r;
        raw = ctl_json(reply);
        if (!raw)
                return cli_fail(cli, CLI_FAILED, "relayd's answer breaks its own interface");
        *rows = json_array();
        json_array_foreach(raw, i, row)
                json_array_append_new(*rows, json_pack("{s:O?, s:O?, s:O?, s:O?}", "scope", json_array_get(row, 0),
                                                       "state", json_array_get(row, 1), "until", json_array_get(row, 2),
                                                       "windows", json_array_get(row, 3)));
        return CLI_OK;
}

/* What is set here may open nothing, and then nobody should wait for it. */
static int tell_whose(struct cli *cli, sd_bus *bus)
{
        _cleanup_json_ json_t *manager = NULL;
        int r = ctl_manager(cli, bus, &manager);

        if (r == CLI_OK && json_is_false(json_object_get(manager, "GateAnswers")))
                puts("This relay is not the gate of its site policy: what is set here opens nothing. Ask the gate "
                     "itself; "
                     "relayctl approvers show says which one it is.");
        return r;
}

static int show(struct cli *cli, sd_bus *bus)
{
        _cleanup_json_ json_t *rows = NULL;
        int r = fetch(cli, bus, &rows);

        if (r == CLI_OK)
                r = output_table(cli, rows, columns, sizeof(columns) / sizeof(*columns),
                                 "The gate is closed: nothing opens it.");
        return r == CLI_OK && !cli->json ? tell_whose(cli, bus) : r;
}

int ctl_gate_show(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = ctl_connect(cli, &bus);

        return r == CLI_OK ? show(cli, bus) : r;
}

static int set(struct cli *cli, sd_bus *bus, const char *scope, const char *state, uint64_t until,
               const json_t *windows)
{
        const char *texts[WINDOWS_MAX + 1] = { NULL };
        size_t count = json_array_size(windows);

        if (strcmp(scope, "site") == 0 && strcmp(state, "open") == 0)
                return ctl_call(cli, bus, "OpenGate", NULL, "t", until);
        if (strcmp(scope, "site") == 0 && strcmp(state, "closed") == 0)
                return ctl_call(cli, bus, "CloseGate", NULL, "");
        for (size_t i = 0; i < count && i < WINDOWS_MAX; i++)
                texts[i] = json_string_value(json_array_get(windows, i));
        return ctl_set_gate(cli, bus, scope, state, until, texts);
}

int ctl_gate_open(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        const char *duration = cli_value(cli, "for");
        char scope[SCOPE_SIZE];
        uint64_t seconds = 0;
        int r;

        if (duration && !parse_duration(duration, &seconds))
                return cli_fail(cli, CLI_USAGE, "--for '%s': a duration such as 90s, 10m, 2h or 7d is needed",
                                duration);
        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = take_scope(cli, bus, scope)) != CLI_OK ||
            (r = set(cli, bus, scope, "open", duration ? (uint64_t)time(NULL) + seconds : 0, NULL)) != CLI_OK)
                return r;
        return show(cli, bus);
}

int ctl_gate_close(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        char scope[SCOPE_SIZE];
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = take_scope(cli, bus, scope)) != CLI_OK ||
            (r = set(cli, bus, scope, "closed", 0, NULL)) != CLI_OK)
                return r;
        return show(cli, bus);
}

int ctl_gate_reset(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        char scope[SCOPE_SIZE];
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = take_scope(cli, bus, scope)) != CLI_OK ||
            (r = ctl_call(cli, bus, "ResetGate", NULL, "s", scope)) != CLI_OK)
                return r;
        return show(cli, bus);
}

/* The windows that hold for this scope now; an empty array if its gate has another state. */
static json_t *windows_of(const json_t *rows, const char *scope)
{
        const json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                const char *its = json_string_value(json_object_get(row, "scope"));
                const char *state = json_string_value(json_object_get(row, "state"));

                if (its && state && strcmp(its, scope) == 0 && strcmp(state, "windows") == 0)
                        return json_deep_copy(json_object_get(row, "windows"));
        }
        return json_array();
}

static bool find_text(const json_t *array, const char *text, size_t *place)
{
        const json_t *item;
        size_t i;

        json_array_foreach(array, i, item) if (json_is_string(item) && strcmp(json_string_value(item), text) == 0)
        {
                *place = i;
                return true;
        }
        return false;
}

static int change(struct cli *cli, json_t *windows, bool add)
{
        const char *text = cli_argument(cli, 1);
        struct week_window parsed[WEEK_DAYS];
        size_t count = week_parse(text, parsed), place;

        if (count == 0)
                return cli_fail(cli, CLI_USAGE,
                                "'%s' is no window; one is written 'Sun 02:00-04:00', 'Mon-Fri 22:00-05:00' or "
                                "'daily 03:00-04:00'",
                                text);
        for (size_t i = 0; i < count; i++) {
                char one[WEEK_TEXT_SIZE];
                bool is_there = find_text(windows, week_format(&parsed[i], one), &place);

                if (!add && !is_there)
                        return cli_fail(cli, CLI_FAILED, "'%s' is no window of this gate; 'relayctl gate' shows them",
                                        one);
                if (!add)
                        json_array_remove(windows, place);
                else if (!is_there)
                        json_array_append_new(windows, json_string(one));
        }
        if (json_array_size(windows) > WINDOWS_MAX)
                return cli_fail(cli, CLI_USAGE, "a gate has at most %d windows; each day of '%s' is one", WINDOWS_MAX,
                                text);
        return CLI_OK;
}

int ctl_gate_window(struct cli *cli)
{
        _cleanup_json_ json_t *rows = NULL, *windows = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        const char *verb = cli_argument(cli, 0);
        bool add = strcmp(verb, "add") == 0;
        char scope[SCOPE_SIZE];
        int r;

        if (!add && strcmp(verb, "remove") != 0)
                return cli_fail(cli, CLI_USAGE, "usage: relayctl gate window add|remove WINDOW");
        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = take_scope(cli, bus, scope)) != CLI_OK ||
            (r = fetch(cli, bus, &rows)) != CLI_OK)
                return r;
        windows = windows_of(rows, scope);
        if ((r = change(cli, windows, add)) != CLI_OK)
                return r;
        /* without its last window the gate is simply closed */
        r = set(cli, bus, scope, json_array_size(windows) > 0 ? "windows" : "closed", 0, windows);
        return r == CLI_OK ? show(cli, bus) : r;
}
