/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl devices: who is registered here, and who waits to be. */

#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

#include "bus/names.h"
#include "cli/io.h"
#include "cli/output.h"
#include "cli/prompt.h"
#include "ctl/bus.h"
#include "relay/attest.h"
#include "relay/factory.h"
#include "util/cleanup.h"

#define FACTORY_FILE_MAX (16u * 1024 * 1024)
#define COUNT(array)     (sizeof(array) / sizeof(*(array)))

const struct cli_option ctl_devices_revoke_options[] = {
        { "why", 0, "TEXT", "the reason, for the audit log" },
        { "yes", 'y', NULL, "do not ask" },
        { 0 },
};

static const struct output_column list_columns[] = {
        { "Identity", "DEVICE", OUTPUT_TEXT },    { "Registration", "REGISTRATION", OUTPUT_WORD },
        { "Presence", "PRESENCE", OUTPUT_WORD },  { "FirmwareVersion", "VERSION", OUTPUT_TEXT },
        { "UpdateState", "UPDATE", OUTPUT_WORD }, { "UpdateReason", "REASON", OUTPUT_REASON },
        { "Trust", "TRUST", OUTPUT_WORD },        { "Quarantine", "QUARANTINE", OUTPUT_REASON },
        { "Peer", "ADDRESS", OUTPUT_TEXT },
};
static const struct output_column show_fields[] = {
        { "Identity", "Device", OUTPUT_TEXT },
        { "Registration", "Registration", OUTPUT_WORD },
        { "Presence", "Presence", OUTPUT_WORD },
        { "Since", "Since", OUTPUT_TIME },
        { "Peer", "Address", OUTPUT_TEXT },
        { "FirmwareVersion", "Version", OUTPUT_TEXT },
        { "ImageDigest", "Image digest", OUTPUT_TEXT },
        { "Boot", "Boot", OUTPUT_TEXT },
        { "Fingerprint", "Fingerprint", OUTPUT_TEXT },
        { "Trust", "Trust", OUTPUT_WORD },
        { "Meaning", "That means", OUTPUT_TEXT },
        { "Quarantine", "Quarantine", OUTPUT_REASON },
        { "WayOut", "What to do", OUTPUT_TEXT },
        { "ProvedImage", "Proved to run", OUTPUT_TEXT },
        { "ProvedTime", "Proved at", OUTPUT_TIME },
        { "Rotation", "Key rotations", OUTPUT_TEXT },
        { "Checks", "Updates are checked", OUTPUT_TEXT },
        { "UpdateState", "Update", OUTPUT_WORD },
        { "UpdateProgress", "Progress (%)", OUTPUT_TEXT },
        { "UpdateReason", "Reason", OUTPUT_REASON },
};

/* in plain words, for people */
static const char *checks(const json_t *device)
{
        const char *who = json_string_value(json_object_get(device, "UpdateChecks"));

        return who && strcmp(who, "device") == 0
                       ? "by the device itself, and by the relay"
                       : "by the relay only: this device cannot check, the relay's word is the only one";
}

struct meaning {
        const char *word; /* NULL: the name of the reason */
        enum reason reason;
        const char *sentence;
};

static const char *find(const struct meaning *table, size_t count, const json_t *device, const char *key)
{
        const char *word = json_string_value(json_object_get(device, key));

        for (size_t i = 0; word && i < count; i++)
                if (strcmp(table[i].word ? table[i].word : reason_name(table[i].reason), word) == 0)
                        return table[i].sentence;
        return "";
}

static const char *meaning_of(const json_t *device)
{
        static const struct meaning table[] = {
                { "front-end", REASON_NONE, "the TLS certificate was its own; what runs on it is its own word" },
                { "claimed", REASON_NONE,
                  "it proved who it is, and says what runs; its application could lie, no boot stage is isolated from "
                  "it" },
                { "attested", REASON_NONE,
                  "it proved who it is, and that it started a known image; its boot stage is isolated" },
                { NULL, REASON_RECOVERY, "it proved who it is, has no image left to run, and fetches one" },
                { NULL, REASON_UNKNOWN_IMAGE,
                  "it proved who it is, and runs an image that nobody approved or made known here" },
        };

        return find(table, COUNT(table), device, "Trust");
}

static const char *way_out_of(const json_t *device)
{
        static const struct meaning table[] = {
                { NULL, REASON_UNKNOWN_IMAGE,
                  "approve an update for it, which it then installs by itself; if the image is a good one, 'relayctl "
                  "images add MANIFEST'" },
                { NULL, REASON_RECOVERY,
                  "nothing if an update that it had is still approved; else approve one for it" },
                { NULL, REASON_CLONED_DEVICE,
                  "find out which of the two is yours, take the other one away, then 'relayctl devices release "
                  "DEVICE'; if its secret is out, revoke it" },
        };
        const char *sentence = find(table, COUNT(table), device, "Quarantine");

        return *sentence ? sentence : "nothing";
}

static int fetch(struct cli *cli, sd_bus *bus, json_t **rows)
{
        json_t *row;
        size_t i;
        int r = ctl_objects(cli, bus, BUS_DEVICE, "Identity", rows);

        if (r != CLI_OK || cli->json)
                return r;
        json_array_foreach(*rows, i, row)
        {
                json_object_set_new(row, "Presence",
                                    json_string(json_is_true(json_object_get(row, "Online")) ? "online" : "offline"));
                json_object_set_new(row, "Checks", json_string(checks(row)));
                json_object_set_new(row, "Meaning", json_string(meaning_of(row)));
                json_object_set_new(row, "WayOut", json_string(way_out_of(row)));
        }
        return CLI_OK;
}

int ctl_devices_list(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *rows = NULL;
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = fetch(cli, bus, &rows)) != CLI_OK)
                return r;
        return output_table(cli, rows, list_columns, COUNT(list_columns),
                            "no devices; 'relayctl devices import LIST' takes the vendor's factory list");
}

int ctl_devices_show(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *rows = NULL;
        const char *identity = cli_argument(cli, 0);
        json_t *row;
        size_t i;
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = fetch(cli, bus, &rows)) != CLI_OK)
                return r;
        json_array_foreach(rows, i, row)
        {
                const char *name = json_string_value(json_object_get(row, "Identity"));

                if (name && strcmp(name, identity) == 0)
                        return output_record(cli, row, show_fields, COUNT(show_fields));
        }
        return cli_refuse(cli, REASON_UNKNOWN_DEVICE, "'%s'; 'relayctl devices' lists them", identity);
}

int ctl_devices_import(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_json_ json_t *object = NULL;
        _cleanup_free_ uint8_t *bytes = NULL;
        const char *path = cli_argument(cli, 0);
        struct factory_list list;
        uint32_t added = 0, known = 0;
        size_t size;
        int r = cli_read(cli, path, FACTORY_FILE_MAX, &bytes, &size);

        if (r != CLI_OK)
                return r;
        r = factory_list_decode(span_of(bytes, size), &list);
        if (r != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "%s: no factory list (%s)", path, relay_result_string(r));
        if ((r = ctl_connect(cli, &bus)) != CLI_OK ||
            (r = ctl_call_bytes(cli, bus, "ImportDevices", span_of(bytes, size), &reply)) != CLI_OK)
                return r;
        if ((r = sd_bus_message_read(reply, "uu", &added, &known)) < 0)
                return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
        object = json_pack("{s:I, s:I}", "added", (json_int_t)added, "known", (json_int_t)known);
        return output_done(cli, object, "%u devices added, %u were known", added, known);
}

static int act(struct cli *cli, const char *method, const char *types, const char *identity, const char *why,
               const char *done)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *object = json_pack("{s:s, s:s}", "device", identity, "done", done);
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK ||
            (r = ctl_call(cli, bus, method, NULL, types, identity, why)) != CLI_OK)
                return r;
        return output_done(cli, object, "%s: %s", identity, done);
}

int ctl_devices_admit(struct cli *cli)
{
        return act(cli, "AdmitDevice", "s", cli_argument(cli, 0), NULL, "admitted");
}

const struct cli_option ctl_devices_release_options[] = { { "yes", 'y', NULL, "do not ask" }, { 0 } };

int ctl_devices_release(struct cli *cli)
{
        const char *identity = cli_argument(cli, 0);
        char question[200];
        int r;

        snprintf(question, sizeof(question),
                 "Release %.64s? If the second device is still there, it may be the one that comes first.", identity);
        if ((r = prompt_confirm_person(cli, question)) != CLI_OK)
                return r;
        return act(cli, "ReleaseDevice", "s", identity, NULL, "released");
}

int ctl_devices_rotate(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_json_ json_t *object = NULL;
        _cleanup_free_ uint8_t *bytes = NULL;
        const char *path = cli_argument(cli, 0), *identity = "";
        size_t size;
        int r;

        if ((r = cli_read(cli, path, ROTATION_MAX, &bytes, &size)) != CLI_OK ||
            (r = ctl_connect(cli, &bus)) != CLI_OK ||
            (r = ctl_call_bytes(cli, bus, "RotateDevice", span_of(bytes, size), &reply)) != CLI_OK)
                return r;
        if ((r = sd_bus_message_read(reply, "s", &identity)) < 0)
                return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
        object = json_pack("{s:s, s:s}", "device", identity, "done", "rotated");
        return output_done(cli, object, "%s: its next identity key is registered", identity);
}

int ctl_devices_revoke(struct cli *cli)
{
        const char *identity = cli_argument(cli, 0), *why = cli_value(cli, "why");
        char question[160];
        int r;

        snprintf(question, sizeof(question), "Revoke %.64s? Its sessions end, and it cannot come back with this key.",
                 identity);
        if ((r = prompt_confirm_person(cli, question)) != CLI_OK)
                return r;
        return act(cli, "RevokeDevice", "ss", identity, why ? why : "", "revoked");
}
