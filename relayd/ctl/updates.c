/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl updates: what waits for the site's people, and what each device waits for. */

#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bus/names.h"
#include "cli/describe.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/prompt.h"
#include "ctl/bus.h"
#include "util/cleanup.h"

#define ID_LEAST     4 /* digits of a digest that may stand for it */
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

const struct cli_option ctl_updates_deny_options[] = {
        { "why", 0, "TEXT", "the reason, for the audit log and the vendor" },
        { "yes", 'y', NULL, "do not ask" },
        { 0 },
};
static const struct output_column list_columns[] = {
        { "Digest", "UPDATE", OUTPUT_SHORT },    { "Version", "VERSION", OUTPUT_TEXT },
        { "Urgency", "URGENCY", OUTPUT_WORD },   { "State", "STATE", OUTPUT_WORD },
        { "Approved", "APPROVED", OUTPUT_TEXT }, { "Devices", "DEVICES", OUTPUT_COUNT },
        { "Age", "WAITS", OUTPUT_TEXT },         { "Description", "WHAT CHANGES", OUTPUT_TEXT },
};
static const struct output_column show_fields[] = {
        { "Version", "Version", OUTPUT_TEXT },
        { "Urgency", "Urgency", OUTPUT_WORD },
        { "Description", "What changes", OUTPUT_TEXT },
        { "State", "State", OUTPUT_WORD },
        { "Approved", "Approved", OUTPUT_TEXT },
        { "Approvals", "Approved by", OUTPUT_LIST },
        { "Missing", "Not yet by", OUTPUT_LIST },
        { "Rule", "Rule", OUTPUT_TEXT },
        { "DeniedBecause", "Denied because", OUTPUT_TEXT },
        { "Received", "Received", OUTPUT_TIME },
        { "Age", "Waits", OUTPUT_TEXT },
        { "Sequence", "Sequence", OUTPUT_TEXT },
        { "Digest", "Manifest digest", OUTPUT_TEXT },
        { "ImageDigest", "Image digest", OUTPUT_TEXT },
        { "ImageSize", "Image size", OUTPUT_BYTES },
        { "Cached", "Image in cache", OUTPUT_TEXT },
};
static const struct output_column device_columns[] = {
        { "device", "DEVICE", OUTPUT_TEXT },
        { "waits_for", "WAITS FOR", OUTPUT_WORD },
};

static json_int_t number(const json_t *object, const char *key)
{
        return json_integer_value(json_object_get(object, key));
}

/* How long people have let it wait: "5 min", "3 h", "12 d"; nothing once it is decided. */
static void add_age(json_t *update)
{
        const char *state = json_string_value(json_object_get(update, "State"));
        json_int_t received = number(update, "Received"), age = (json_int_t)time(NULL) - received;

        if (!state || strcmp(state, "pending") != 0 || received <= 0 || age < 0)
                return;
        if (age < 2 * 3600)
                json_object_set_new(update, "Age", json_sprintf("%lld min", (long long)age / 60));
        else if (age < 2 * 86400)
                json_object_set_new(update, "Age", json_sprintf("%lld h", (long long)age / 3600));
        else
                json_object_set_new(update, "Age", json_sprintf("%lld d", (long long)age / 86400));
}

/* what only people see: "1 of 2" */
static void add_words(json_t *update)
{
        add_age(update);
        json_object_set_new(update, "Approved",
                            json_sprintf("%zu of %d", json_array_size(json_object_get(update, "Approvals")),
                                         (int)number(update, "Needed")));
        json_object_set_new(
                update, "Cached",
                json_sprintf("%d of %d blocks", (int)number(update, "BlocksCached"), (int)number(update, "Blocks")));
}

static int fetch(struct cli *cli, sd_bus *bus, json_t **rows)
{
        json_t *row;
        size_t i;
        int r = ctl_objects(cli, bus, BUS_UPDATE, "Sequence", rows);

        if (r == CLI_OK && !cli->json)
                json_array_foreach(*rows, i, row) add_words(row);
        return r;
}

static int list(struct cli *cli, sd_bus *bus)
{
        _cleanup_json_ json_t *rows = NULL;
        int r = fetch(cli, bus, &rows);

        return r == CLI_OK ? output_table(cli, rows, list_columns, COUNT(list_columns), "no updates") : r;
}

int ctl_updates_list(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = ctl_connect(cli, &bus);

        return r == CLI_OK ? list(cli, bus) : r;
}

static bool matches(const json_t *update, const char *id)
{
        const char *digest = json_string_value(json_object_get(update, "Digest"));
        const char *version = json_string_value(json_object_get(update, "Version"));

        uint8_t bytes[SHA256_SIZE];

        /* what a relay calls a digest is printed and asked about: let it be one */
        if (!digest || !parse_hex(digest, bytes, sizeof(bytes)))
                return false;
        if (version && strcmp(version, id) == 0)
                return true;
        return strlen(id) >= ID_LEAST && strncasecmp(digest, id, strlen(id)) == 0;
}

int ctl_find_update(struct cli *cli, sd_bus *bus, const char *id, json_t **update)
{
        _cleanup_json_ json_t *rows = NULL;
        json_t *row, *found = NULL;
        size_t i, count = 0;
        int r = fetch(cli, bus, &rows);

        if (r != CLI_OK)
                return r;
        json_array_foreach(rows, i, row) if (matches(row, id))
        {
                found = row;
                count++;
        }
        if (count == 0)
                return cli_refuse(cli, REASON_UNKNOWN_UPDATE, "'%s'; 'relayctl updates' lists them", id);
        if (count > 1)
                return cli_fail(cli, CLI_USAGE,
                                "'%s' fits %zu updates; give more digits of the digest ('relayctl updates' "
                                "lists them)",
                                id, count);
        *update = json_incref(found);
        return CLI_OK;
}

/* approvers of the policy whose key id is not among the approvals */
static void add_missing(struct cli *cli, sd_bus *bus, json_t *update)
{
        _cleanup_free_ uint8_t *bytes = NULL;
        json_t *missing, *approvals = json_object_get(update, "Approvals");
        struct site_policy policy;
        struct cose_set set;
        size_t size = 0;

        if (ctl_fetch_bytes(cli, bus, BUS_PATH, BUS_MANAGER, "GetSitePolicy", &bytes, &size) != CLI_OK ||
            cose_set_decode(span_of(bytes, size), &set) != RELAY_OK ||
            site_policy_decode(set.payload, &policy) != RELAY_OK)
                return;
        missing = json_array();
        for (size_t a = 0; a < policy.approver_count; a++) {
                json_t *id = describe_public_key(&policy.approvers[a]), *approval;
                bool has = false;
                size_t i;

                json_array_foreach(approvals, i, approval) has = has || json_equal(id, approval);
                if (!has)
                        json_array_append(missing, id);
                json_decref(id);
        }
        json_object_set_new(update, "Missing", missing);
}

static int show_devices(struct cli *cli, const json_t *update)
{
        _cleanup_json_ json_t *rows = json_array();
        json_t *pair;
        size_t i;

        json_array_foreach(json_object_get(update, "Devices"), i, pair)
                json_array_append_new(rows, json_pack("{s:O?, s:O?}", "device", json_array_get(pair, 0), "waits_for",
                                                      json_array_get(pair, 1)));
        return output_table(cli, rows, device_columns, COUNT(device_columns), "offered to no device");
}

/* line by line, each without what would write on the terminal */
static int show_notes(const json_t *update)
{
        const char *notes = json_string_value(json_object_get(update, "ReleaseNotes"));

        if (!notes || !*notes)
                return CLI_OK;
        puts("\nRelease notes of the update file (nobody signed them):");
        for (const char *end; *notes; notes = *end ? end + 1 : end) {
                _cleanup_free_ char *line = NULL, *clean = NULL;

                end = strchrnul(notes, '\n');
                line = strndup(notes, (size_t)(end - notes));
                clean = line ? output_clean(line) : NULL;
                printf("    %s\n", clean ? clean : "?");
        }
        return CLI_OK;
}

static bool is_offered(const json_t *update, const char *name)
{
        json_t *pair;
        size_t i;

        json_array_foreach(json_object_get(update, "Devices"), i, pair)
        {
                const char *device = json_string_value(json_array_get(pair, 0));

                if (device && strcmp(device, name) == 0)
                        return true;
        }
        return false;
}

/* Devices that install whatever the relay shows them are named: for them it is the only one that checks. */
static int show_unchecked(struct cli *cli, sd_bus *bus, const json_t *update)
{
        _cleanup_json_ json_t *rows = NULL, *names = json_array();
        _cleanup_free_ char *text = NULL;
        json_t *row;
        size_t i;
        int r = ctl_objects(cli, bus, BUS_DEVICE, "Identity", &rows);

        if (r != CLI_OK)
                return r;
        json_array_foreach(rows, i, row)
        {
                const char *name = json_string_value(json_object_get(row, "Identity"));
                const char *who = json_string_value(json_object_get(row, "UpdateChecks"));

                if (name && is_offered(update, name) && !(who && strcmp(who, "device") == 0))
                        json_array_append_new(names, json_string(name));
        }
        if (json_array_size(names) == 0)
                return CLI_OK;
        text = output_text(names, OUTPUT_LIST);
        printf("\nCannot check updates, the relay's word is the only one: %s\n", text ? text : "?");
        return CLI_OK;
}

int ctl_updates_show(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *update = NULL;
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK ||
            (r = ctl_find_update(cli, bus, cli_argument(cli, 0), &update)) != CLI_OK)
                return r;
        add_missing(cli, bus, update);
        if ((r = output_record(cli, update, show_fields, COUNT(show_fields))) != CLI_OK || cli->json)
                return r;
        r = show_devices(cli, update);
        if (r == CLI_OK)
                r = show_unchecked(cli, bus, update);
        return r == CLI_OK ? show_notes(update) : r;
}

int ctl_updates_deny(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *update = NULL, *object = NULL;
        const char *why = cli_value(cli, "why"), *digest;
        char question[120];
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK ||
            (r = ctl_find_update(cli, bus, cli_argument(cli, 0), &update)) != CLI_OK)
                return r;
        digest = json_string_value(json_object_get(update, "Digest"));
        snprintf(question, sizeof(question), "Deny update %.12s? No device of this relay will be shown it.", digest);
        if ((r = prompt_confirm_person(cli, question)) != CLI_OK ||
            (r = ctl_call(cli, bus, "DenyUpdate", NULL, "ss", digest, why ? why : "")) != CLI_OK)
                return r;
        object = json_pack("{s:s, s:s}", "digest", digest, "state", "denied");
        return output_done(cli, object, "denied: %s", digest);
}

static int on_change(sd_bus_message *m, void *context, sd_bus_error *error)
{
        bool *changed = context;

        (void)m;
        (void)error;
        *changed = true;
        return 0;
}

/* What changed arrives in bursts: everything queued is taken before the table is shown again. */
static int wait_change(sd_bus *bus, bool *changed)
{
        int r;

        *changed = false;
        for (;;) {
                r = sd_bus_process(bus, NULL);
                if (r < 0)
                        return r;
                if (r == 0 && *changed)
                        return 0;
                if (r == 0 && (r = sd_bus_wait(bus, UINT64_MAX)) < 0)
                        return r;
        }
}

int ctl_updates_watch(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        bool changed = false;
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK)
                return r;
        if ((r = sd_bus_match_signal(bus, NULL, BUS_NAME, NULL, NULL, NULL, on_change, &changed)) < 0)
                return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
        for (;;) {
                if ((r = list(cli, bus)) != CLI_OK)
                        return r;
                fflush(stdout);
                if ((r = wait_change(bus, &changed)) < 0)
                        return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
                if (!cli->json)
                        putchar('\n');
        }
}
