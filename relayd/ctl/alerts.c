/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl alerts and monitor: what the relay has to tell, before and as it happens. */

#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/names.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "ctl/bus.h"

const struct cli_option ctl_alerts_options[] = {
        { "from", 0, "NUMBER", "first alert to show (default 1)" },
        { "follow", 'f', NULL, "stay and show new ones as they come" },
        { 0 },
};
static const struct output_column columns[] = {
        { "number", "NO.", OUTPUT_TEXT },    { "time", "TIME", OUTPUT_TIME },     { "device", "DEVICE", OUTPUT_TEXT },
        { "reason", "REASON", OUTPUT_TEXT }, { "detail", "DETAIL", OUTPUT_TEXT },
};

/* (ttsss) -> object */
static json_t *alert_object(const json_t *fields)
{
        json_t *object = json_object();

        for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
                json_object_set(object, columns[i].key, json_array_get(fields, i));
        return object;
}

/* What was not shown yet, as rows. error: as of sd_bus_call(); nothing is printed. */
static int fetch(sd_bus *bus, uint64_t from, json_t **rows, sd_bus_error *error)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_json_ json_t *raw = NULL;
        json_t *row;
        size_t i;
        int r = sd_bus_call_method(bus, BUS_NAME, BUS_PATH, BUS_MANAGER, "ListAlerts", error, &reply, "t", from);

        if (r < 0)
                return r;
        raw = ctl_json(reply);
        *rows = json_array();
        json_array_foreach(raw, i, row) json_array_append_new(*rows, alert_object(row));
        return 0;
}

static void print_row(const struct cli *cli, const json_t *row)
{
        if (cli->json) {
                json_dumpf(row, stdout, JSON_COMPACT);
                putchar('\n');
                return;
        }
        for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
                char *text = output_text(json_object_get(row, columns[i].key), columns[i].format);

                printf("%s%s", i > 0 ? "  " : "", text ? text : "?");
                free(text);
        }
        putchar('\n');
}

/* ---- staying */
struct follow {
        struct cli *cli;
        uint64_t next; /* number of the first alert that was not shown */
        bool look;     /* there may be something new */
        bool restarted;
};

static uint64_t number_of(const json_t *row)
{
        return (uint64_t)json_integer_value(json_object_get(row, "number"));
}

static int on_alert(sd_bus_message *m, void *context, sd_bus_error *error)
{
        struct follow *f = context;

        (void)m;
        (void)error;
        f->look = true;
        return 0;
}

/* The relay came (again): its signals of the meantime are lost, its list is not. */
static int on_owner(sd_bus_message *m, void *context, sd_bus_error *error)
{
        struct follow *f = context;
        const char *name, *before, *now;

        (void)error;
        if (sd_bus_message_read(m, "sss", &name, &before, &now) >= 0 && *now)
                f->look = f->restarted = true;
        return 0;
}

/* Everything by its number, from the relay's list: a signal only says that there is something. */
static int catch_up(struct follow *f, sd_bus *bus)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_json_ json_t *rows = NULL;
        json_t *row;
        size_t i;
        /* the last one shown comes again if it is still the same log; a store made anew counts from 1 */
        int r = fetch(bus, f->restarted && f->next > 1 ? f->next - 1 : f->next, &rows, &error);

        sd_bus_error_free(&error);
        if (r < 0) {
                f->look = false; /* it is gone again; its coming back is told */
                return r == -ECONNRESET || r == -ENOTCONN ? r : 0;
        }
        if (f->restarted && f->next > 1 && json_array_size(rows) == 0) {
                f->next = 1;
                return 0;
        }
        f->look = f->restarted = false;
        json_array_foreach(rows, i, row)
        {
                if (number_of(row) < f->next)
                        continue;
                print_row(f->cli, row);
                f->next = number_of(row) + 1;
        }
        fflush(stdout);
        return 0;
}

/* Until the bus goes away or somebody presses ^C. */
static int stay(struct follow *f, sd_bus *bus)
{
        for (;;) {
                int r = sd_bus_process(bus, NULL);

                if (r == 0 && f->look)
                        r = catch_up(f, bus);
                else if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
                if (r < 0)
                        return ctl_failure(f->cli, r, &SD_BUS_ERROR_NULL);
        }
}

static int listen_to_alerts(struct follow *f, sd_bus *bus)
{
        int r = sd_bus_match_signal(bus, NULL, BUS_NAME, BUS_PATH, BUS_MANAGER, "AlertRaised", on_alert, f);

        if (r >= 0)
                r = sd_bus_add_match(bus, NULL,
                                     "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                     "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" BUS_NAME "'",
                                     on_owner, f);
        return r < 0 ? ctl_failure(f->cli, r, &SD_BUS_ERROR_NULL) : CLI_OK;
}

static int show_first(struct follow *f, sd_bus *bus)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_json_ json_t *rows = NULL;
        bool lines = f->cli->json && cli_flag(f->cli, "follow");
        json_t *row;
        size_t i;
        int r = fetch(bus, f->next, &rows, &error);

        r = r < 0 ? ctl_failure(f->cli, r, &error) : CLI_OK;
        sd_bus_error_free(&error);
        if (r != CLI_OK)
                return r;
        json_array_foreach(rows, i, row)
        {
                if (lines)
                        print_row(f->cli, row);
                f->next = number_of(row) + 1;
        }
        if (!lines)
                r = output_table(f->cli, rows, columns, sizeof(columns) / sizeof(*columns), "no alerts");
        fflush(stdout);
        return r;
}

int ctl_alerts(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        struct follow f = { .cli = cli, .next = 1 };
        const char *first = cli_value(cli, "from");
        int r;

        if (first && !parse_number(first, 0, INT64_MAX, &f.next))
                return cli_fail(cli, CLI_USAGE, "--from '%s': the number of an alert is needed", first);
        if ((r = ctl_connect(cli, &bus)) != CLI_OK)
                return r;
        if (cli_flag(cli, "follow") && (r = listen_to_alerts(&f, bus)) != CLI_OK)
                return r;
        if ((r = show_first(&f, bus)) != CLI_OK || !cli_flag(cli, "follow"))
                return r;
        return stay(&f, bus);
}

/* ---- everything */
static int on_signal(sd_bus_message *m, void *context, sd_bus_error *error)
{
        _cleanup_json_ json_t *values = json_array();
        json_t *value;
        char *text;

        (void)context;
        (void)error;
        while ((value = ctl_json(m)))
                json_array_append_new(values, value);
        text = json_dumps(values, JSON_COMPACT);
        printf("%s %s %s\n", sd_bus_message_get_path(m), sd_bus_message_get_member(m), text ? text : "");
        fflush(stdout);
        free(text);
        return 0;
}

int ctl_monitor(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = ctl_connect(cli, &bus);

        if (r != CLI_OK)
                return r;
        r = sd_bus_match_signal(bus, NULL, BUS_NAME, NULL, NULL, NULL, on_signal, cli);
        if (r < 0)
                return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
        for (;;) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
                if (r < 0)
                        return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
        }
}
