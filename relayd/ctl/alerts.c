/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl alerts and monitor: what the relay has to tell, before and as it happens. */

#include "ctl/ctl.h"

#include <stdio.h>

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

static int list(struct cli *cli, sd_bus *bus, uint64_t from)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_json_ json_t *raw = NULL, *rows = json_array();
        json_t *row;
        size_t i;
        int r = ctl_call(cli, bus, "ListAlerts", &reply, "t", from);

        if (r != CLI_OK)
                return r;
        raw = ctl_json(reply);
        json_array_foreach(raw, i, row) json_array_append_new(rows, alert_object(row));
        return output_table(cli, rows, columns, sizeof(columns) / sizeof(*columns), "no alerts");
}

static int on_alert(sd_bus_message *m, void *context, sd_bus_error *error)
{
        _cleanup_json_ json_t *fields = json_array(), *row = NULL;
        struct cli *cli = context;
        json_t *value;

        (void)error;
        while ((value = ctl_json(m)))
                json_array_append_new(fields, value);
        row = alert_object(fields);
        if (cli->json) {
                json_dumpf(row, stdout, JSON_COMPACT);
                putchar('\n');
        } else {
                for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
                        char *text = output_text(json_object_get(row, columns[i].key), columns[i].format);

                        printf("%s%s", i > 0 ? "  " : "", text ? text : "?");
                        free(text);
                }
                putchar('\n');
        }
        fflush(stdout);
        return 0;
}

/* Until the bus goes away or somebody presses ^C. */
static int follow(struct cli *cli, sd_bus *bus)
{
        int r;

        for (;;) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
                if (r < 0)
                        return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
        }
}

int ctl_alerts(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        const char *first = cli_value(cli, "from");
        uint64_t from = 1;
        int r;

        if (first && !parse_number(first, 0, INT64_MAX, &from))
                return cli_fail(cli, CLI_USAGE, "--from '%s': the number of an alert is needed", first);
        if ((r = ctl_connect(cli, &bus)) != CLI_OK)
                return r;
        if (cli_flag(cli, "follow") &&
            (r = sd_bus_match_signal(bus, NULL, BUS_NAME, BUS_PATH, BUS_MANAGER, "AlertRaised", on_alert, cli)) < 0)
                return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
        if ((r = list(cli, bus, from)) != CLI_OK || !cli_flag(cli, "follow"))
                return r;
        fflush(stdout);
        return follow(cli, bus);
}

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
        return r < 0 ? ctl_failure(cli, r, &SD_BUS_ERROR_NULL) : follow(cli, bus);
}
