/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl audit log: the relay's log of who did what. */

#include "audit/audit.h"

#include "cli/output.h"
#include "cli/parse.h"
#include "ctl/auditlog.h"
#include "ctl/bus.h"
#include "ctl/ctl.h"
#include "util/cleanup.h"

#define PAGE 200u /* records asked for at once */

const struct cli_option ctl_audit_log_options[] = {
        { "from", 0, "NUMBER", "first record to show (default 1)" },
        { 0 },
};
static const struct output_column columns[] = {
        { "number", "NO.", OUTPUT_TEXT },     { "time", "TIME", OUTPUT_TIME },     { "actor", "WHO", OUTPUT_TEXT },
        { "action", "WHAT", OUTPUT_TEXT },    { "object", "OBJECT", OUTPUT_TEXT }, { "detail", "DETAIL", OUTPUT_TEXT },
        { "digest", "DIGEST", OUTPUT_SHORT },
};

int audit_walk(struct cli *cli, sd_bus *bus, uint64_t from, int (*fn)(void *context, struct span record), void *context)
{
        for (;;) {
                _cleanup_message_ sd_bus_message *reply = NULL;
                uint32_t count = 0;
                uint64_t number = 0;
                int r = ctl_call(cli, bus, "ReadAudit", &reply, "tu", from, PAGE);

                if (r != CLI_OK)
                        return r;
                if ((r = sd_bus_message_enter_container(reply, 'a', "(tay)")) < 0)
                        return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
                while ((r = sd_bus_message_enter_container(reply, 'r', "tay")) > 0) {
                        const void *bytes = NULL;
                        size_t size = 0;

                        if ((r = sd_bus_message_read(reply, "t", &number)) < 0 ||
                            (r = sd_bus_message_read_array(reply, 'y', &bytes, &size)) < 0 ||
                            (r = sd_bus_message_exit_container(reply)) < 0)
                                break;
                        if (fn(context, span_of(bytes, size)) != 0)
                                return CLI_OK;
                        count++;
                }
                if (r < 0)
                        return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
                if (count < PAGE || number < from)
                        return CLI_OK;
                from = number + 1;
        }
}

static int add_row(void *context, struct span encoded)
{
        struct audit_record record;
        json_t *row;

        if (audit_decode(encoded, &record) != RELAY_OK) {
                json_array_append_new(context, json_pack("{s:s}", "action", "(no record: 'relayctl audit verify')"));
                return 0;
        }
        row = json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "number", (json_int_t)record.number, "time",
                        (json_int_t)record.time, "actor", json_text(record.actor.data, record.actor.size), "action",
                        json_text(record.action.data, record.action.size), "object",
                        json_text(record.object.data, record.object.size), "detail",
                        json_text(record.detail.data, record.detail.size));
        if (record.digest)
                json_object_set_new(row, "digest", json_hex(record.digest, SHA256_SIZE));
        json_array_append_new(context, row);
        return 0;
}

int ctl_audit_log(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *rows = json_array();
        const char *first = cli_value(cli, "from");
        uint64_t from = 1;
        int r;

        if (first && !parse_number(first, 1, INT64_MAX, &from))
                return cli_fail(cli, CLI_USAGE, "--from '%s': the number of a record is needed", first);
        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = audit_walk(cli, bus, from, add_row, rows)) != CLI_OK)
                return r;
        return output_table(cli, rows, columns, sizeof(columns) / sizeof(*columns), "the log is empty");
}
