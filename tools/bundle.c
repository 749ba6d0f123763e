/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwtool bundle: manifest, image and release notes in one file, for sites without a cloud. */

#include "relay/bundle.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/io.h"
#include "cli/output.h"
#include "cli/updatefile.h"
#include "fwtool.h"
#include "relay/image.h"
#include "util/cleanup.h"

const struct cli_option fwtool_bundle_options[] = {
        { "manifest", 0, "FILE", "the signed manifest" },
        { "image", 0, "FILE", "the image it describes" },
        { "notes", 0, "FILE", "release notes, text (not signed)" },
        { "vendor-keys", 0, "FILE", "check both signatures with this vendor key set" },
        { 0 },
};

struct parts {
        uint8_t *envelope, *image, *notes;
        struct manifest_unverified manifest;
        size_t image_size, notes_size;
};

static void parts_done(struct parts *parts)
{
        free(parts->envelope);
        free(parts->image);
        free(parts->notes);
}

static int load(struct cli *cli, struct parts *parts)
{
        const char *manifest, *image, *notes = cli_value(cli, "notes");
        int r;

        if ((r = cli_need(cli, "manifest", &manifest)) != CLI_OK || (r = cli_need(cli, "image", &image)) != CLI_OK ||
            (r = fwtool_manifest_load(cli, manifest, &parts->envelope, &parts->manifest)) != CLI_OK ||
            (r = cli_read(cli, image, IMAGE_SIZE_MAX, &parts->image, &parts->image_size)) != CLI_OK)
                return r;
        if (parts->manifest.signature_count < 2)
                cli_error(cli, "warning: %s has %zu of 2 signatures; no relay will take it", manifest,
                          parts->manifest.signature_count);
        return notes ? cli_read(cli, notes, UPDATE_FILE_NOTES_MAX, &parts->notes, &parts->notes_size) : CLI_OK;
}

static int write_file(struct cli *cli, const char *path, const struct parts *parts)
{
        _cleanup_free_ uint8_t *out = malloc(UPDATE_FILE_HEAD_MAX + parts->image_size);
        struct writer w;

        if (!out)
                return cli_errno(cli, -ENOMEM, path);
        writer_init(&w, out, UPDATE_FILE_HEAD_MAX + parts->image_size);
        if (update_file_encode_head(&w, parts->manifest.envelope, span_of(parts->notes, parts->notes_size),
                                    (uint32_t)parts->image_size) != RELAY_OK)
                return cli_fail(cli, CLI_FAILED,
                                "the release notes are no text (UTF-8 without control characters), or the image is "
                                "empty");
        writer_bytes(&w, span_of(parts->image, parts->image_size));
        return cli_create(cli, path, writer_span(&w), 0644);
}

/* What was written is read as a site will read it. */
static int check_file(struct cli *cli, const char *path)
{
        _cleanup_(update_source_done) struct update_source source = UPDATE_SOURCE_NONE;
        const char *keys = cli_value(cli, "vendor-keys");
        struct vendor_keys vendor;
        int r = update_source_open(cli, path, &source);

        if (r != CLI_OK || !keys)
                return r == CLI_OK ? update_source_check_image(cli, &source) : r;
        if ((r = fwtool_vendor_keys_load(cli, keys, &vendor)) != CLI_OK)
                return r;
        return update_source_verify(cli, &source, &vendor);
}

int fwtool_bundle(struct cli *cli)
{
        _cleanup_(parts_done) struct parts parts = { 0 };
        const char *path = cli_argument(cli, 0);
        char digest[2 * SHA256_SIZE + 1];
        size_t length = strlen(path), suffix = strlen(UPDATE_FILE_SUFFIX);
        json_t *object;
        int r;

        if (length <= suffix || strcmp(path + length - suffix, UPDATE_FILE_SUFFIX) != 0)
                return cli_fail(cli, CLI_USAGE, "%s: the name of an update file ends with " UPDATE_FILE_SUFFIX, path);
        if ((r = load(cli, &parts)) != CLI_OK || (r = write_file(cli, path, &parts)) != CLI_OK)
                return r;
        if ((r = check_file(cli, path)) != CLI_OK) {
                (void)remove(path);
                return r;
        }
        object = json_pack("{s:s, s:s, s:I}", "file", path, "digest",
                           span_to_hex(SPAN_OF(parts.manifest.digest), digest, sizeof(digest)), "image_size",
                           (json_int_t)parts.image_size);
        r = output_done(cli, object, "%s: manifest %s\nAt a site: relayctl updates import %s", path, digest, path);
        json_decref(object);
        return r;
}
