/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl audit: the relay's log of who did what, and whether its chain holds. */

#include "audit/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/io.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "ctl/bus.h"
#include "ctl/ctl.h"
#include "ctl/trust.h"
#include "util/cleanup.h"
#include "util/files.h"

#define PAGE           200u /* records asked for at once */
#define HEAD_FILE_MAX  256u
#define HEAD_FILE_NAME "audit-head"

const struct cli_option ctl_audit_log_options[] = {
        { "from", 0, "NUMBER", "first record to show (default 1)" },
        { 0 },
};
const struct cli_option ctl_audit_verify_options[] = {
        { "trust", 0, "DIR", "folder of what was seen before (default ~/.config/relayd/trust)" },
        { 0 },
};
static const struct output_column columns[] = {
        { "number", "NO.", OUTPUT_TEXT },     { "time", "TIME", OUTPUT_TIME },     { "actor", "WHO", OUTPUT_TEXT },
        { "action", "WHAT", OUTPUT_TEXT },    { "object", "OBJECT", OUTPUT_TEXT }, { "detail", "DETAIL", OUTPUT_TEXT },
        { "digest", "DIGEST", OUTPUT_SHORT },
};

/* Calls fn for each record in order. fn: 0 to go on, 1 to stop. */
static int walk(struct cli *cli, sd_bus *bus, uint64_t from, int (*fn)(void *context, struct span record),
                void *context)
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
        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = walk(cli, bus, from, add_row, rows)) != CLI_OK)
                return r;
        return output_table(cli, rows, columns, sizeof(columns) / sizeof(*columns), "the log is empty");
}

static int verify_record(void *context, struct span encoded)
{
        return audit_verify_next(context, encoded) ? 0 : 1;
}

/* "<count> <hash>" */
static int load_head(struct cli *cli, const char *path, struct audit_head *head)
{
        _cleanup_free_ uint8_t *bytes = NULL;
        char *space;
        size_t size;
        int r;

        if (access(path, F_OK) != 0)
                return CLI_OK;
        if ((r = cli_read(cli, path, HEAD_FILE_MAX, &bytes, &size)) != CLI_OK)
                return r;
        space = strchr((char *)bytes, ' ');
        if (space)
                *space++ = '\0';
        if (!space || !parse_number((char *)bytes, 1, INT64_MAX, &head->count) ||
            !span_from_hex(span_of(space, strcspn(space, "\n")), head->hash, SHA256_SIZE))
                return cli_fail(cli, CLI_FAILED, "%s is damaged; remove it to start anew", path);
        return CLI_OK;
}

static int save_head(struct cli *cli, const char *path, const struct audit_head *head)
{
        char text[HEAD_FILE_MAX], hash[2 * SHA256_SIZE + 1];
        int size, r = trust_make_folder(cli, path);

        if (r != CLI_OK)
                return r;
        size = snprintf(text, sizeof(text), "%" PRIu64 " %s\n", head->count,
                        span_to_hex(SPAN_OF(head->hash), hash, sizeof(hash)));
        return cli_replace(cli, path, span_of(text, (size_t)size), 0600);
}

static int report(struct cli *cli, const struct audit_verifier *verifier, uint64_t before)
{
        char hash[2 * SHA256_SIZE + 1];
        _cleanup_json_ json_t *object = NULL;

        span_to_hex(SPAN_OF(verifier->head.hash), hash, sizeof(hash));
        object = json_pack("{s:b, s:I, s:s, s:I}", "intact", 1, "records", (json_int_t)verifier->head.count, "head",
                           hash, "seen_before", (json_int_t)before);
        return output_done(cli, object, "The log is intact: %" PRIu64 " records, head %s (seen before: %" PRIu64 ").",
                           verifier->head.count, hash, before);
}

int ctl_audit_verify(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *manager = NULL;
        _cleanup_free_ char *path = NULL;
        struct audit_head seen = { 0 };
        struct audit_verifier verifier;
        const char *site;
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = ctl_manager(cli, bus, &manager)) != CLI_OK)
                return r;
        site = json_string_value(json_object_get(manager, "Site"));
        if ((r = trust_path(cli, site ? site : "", HEAD_FILE_NAME, &path)) != CLI_OK ||
            (r = load_head(cli, path, &seen)) != CLI_OK)
                return r;
        audit_verify_start(&verifier, seen.count > 0 ? &seen : NULL);
        if ((r = walk(cli, bus, 1, verify_record, &verifier)) != CLI_OK)
                return r;
        if (!audit_verify_end(&verifier))
                return cli_fail(cli, CLI_FAILED, "the log is broken at record %" PRIu64 ": %s", verifier.number,
                                audit_break_explanation(verifier.what));
        if (verifier.head.count > 0 && (r = save_head(cli, path, &verifier.head)) != CLI_OK)
                return r;
        return report(cli, &verifier, seen.count);
}
