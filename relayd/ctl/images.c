/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl images: which images devices may run, beside those of updates that are still to come. */

#include "ctl/ctl.h"

#include <string.h>

#include "cli/io.h"
#include "cli/output.h"
#include "cli/prompt.h"
#include "ctl/bus.h"
#include "relay/manifest.h"
#include "util/cleanup.h"

#define DIGITS_MIN 4

const struct cli_option ctl_images_remove_options[] = { { "yes", 'y', NULL, "do not ask" }, { 0 } };

static const struct output_column columns[] = {
        { "Image", "IMAGE", OUTPUT_SHORT },    { "Source", "KNOWN BY", OUTPUT_TEXT },
        { "Version", "VERSION", OUTPUT_TEXT }, { "Sequence", "SEQUENCE", OUTPUT_TEXT },
        { "Since", "SINCE", OUTPUT_TIME },
};

static json_t *read_image(sd_bus_message *reply)
{
        const char *image, *source, *version, *manifest;
        uint64_t sequence, since;

        if (sd_bus_message_read(reply, "(ssstts)", &image, &source, &version, &sequence, &since, &manifest) <= 0)
                return NULL;
        return json_pack("{s:s, s:s, s:o, s:I, s:I, s:s}", "Image", image, "Source", source, "Version",
                         json_text(version, strlen(version)), "Sequence", (json_int_t)sequence, "Since",
                         (json_int_t)since, "Manifest", manifest);
}

static int fetch(struct cli *cli, sd_bus *bus, json_t **rows)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        json_t *row;
        int r = ctl_call(cli, bus, "ListImages", &reply, "");

        if (r != CLI_OK)
                return r;
        if ((r = sd_bus_message_enter_container(reply, 'a', "(ssstts)")) < 0)
                return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
        *rows = json_array();
        while ((row = read_image(reply)))
                json_array_append_new(*rows, row);
        return CLI_OK;
}

int ctl_images_list(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *rows = NULL;
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = fetch(cli, bus, &rows)) != CLI_OK)
                return r;
        return output_table(cli, rows, columns, sizeof(columns) / sizeof(*columns),
                            "no images are known; those of approved updates, of factory lists and of 'relayctl images "
                            "add MANIFEST' are");
}

int ctl_images_add(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_json_ json_t *object = NULL;
        _cleanup_free_ uint8_t *bytes = NULL;
        const char *path = cli_argument(cli, 0), *image = "";
        struct manifest_unverified manifest;
        int added = 0, r;
        size_t size;

        if ((r = cli_read(cli, path, MANIFEST_MAX, &bytes, &size)) != CLI_OK)
                return r;
        if (manifest_decode(span_of(bytes, size), &manifest) != REASON_NONE)
                return cli_fail(cli, CLI_FAILED, "%s: no manifest of an update (fwtool manifest show tells what it is)",
                                path);
        if ((r = ctl_connect(cli, &bus)) != CLI_OK ||
            (r = ctl_call_bytes(cli, bus, "AddImage", span_of(bytes, size), &reply)) != CLI_OK)
                return r;
        if ((r = sd_bus_message_read(reply, "sb", &image, &added)) < 0)
                return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
        object = json_pack("{s:s, s:b}", "image", image, "added", added);
        return output_done(cli, object, added ? "image %s is known now: devices may run it" : "image %s was known",
                           image);
}

/* The one whose digest begins so. */
static int find(struct cli *cli, const json_t *rows, const char *digits, const char **image)
{
        const json_t *row;
        size_t i, found = 0;

        json_array_foreach(rows, i, row)
        {
                const char *digest = json_string_value(json_object_get(row, "Image"));

                if (!digest || strlen(digits) < DIGITS_MIN || strncmp(digest, digits, strlen(digits)) != 0)
                        continue;
                *image = digest;
                found++;
        }
        if (found == 1)
                return CLI_OK;
        return cli_refuse(cli, REASON_UNKNOWN_IMAGE,
                          found ? "'%s' begins the digest of more than one image; give more digits"
                                : "'%s': no known image's digest begins so (four digits or more); 'relayctl images' "
                                  "lists them",
                          digits);
}

int ctl_images_remove(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *rows = NULL, *object = NULL;
        const char *image = "";
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = fetch(cli, bus, &rows)) != CLI_OK ||
            (r = find(cli, rows, cli_argument(cli, 0), &image)) != CLI_OK ||
            (r = prompt_confirm_person(
                     cli, "Forget this image? Devices that run it and prove so go into quarantine.")) != CLI_OK ||
            (r = ctl_call(cli, bus, "ForgetImage", NULL, "s", image)) != CLI_OK)
                return r;
        object = json_pack("{s:s, s:s}", "image", image, "done", "removed");
        return output_done(cli, object, "image %s: removed", image);
}
