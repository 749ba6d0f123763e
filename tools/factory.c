/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwtool factory: the list of devices a vendor made and of images they were shipped with, as a site imports it. */

#include "relay/factory.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/describe.h"
#include "cli/io.h"
#include "cli/keys.h"
#include "cli/output.h"
#include "factory.h"
#include "fwtool.h"
#include "image.h"
#include "util/cleanup.h"

#define FACTORY_FILE_MAX   (16u * 1024 * 1024)
#define FACTORY_DEVICE_MAX 256u /* bytes one device takes at most */

const struct cli_option fwtool_factory_add_options[] = {
        { "list", 0, "FILE", "the list; made if it is not there" },
        { "identity", 0, "NAME", "the device" },
        { "certificate", 0, "FILE", "its certificate, or public identity key" },
        { "domain", 0, "NAME", "the vendor's DNS name" },
        { "class", 0, "NAME", "class of the device" },
        { "attestation", 0, "claimed|attested",
          "it proves itself by DICE-1: from a boot stage without (claimed) or with isolation (attested)" },
        { "relay-checks", 0, NULL, "the device cannot check updates itself; the relay's word is the only one" },
        { 0 },
};
const struct cli_option fwtool_factory_add_image_options[] = {
        { "list", 0, "FILE", "the list" },
        { 0 },
};
static const char *const attestations[] = {
        [FACTORY_NO_ATTESTATION] = "none",
        [FACTORY_CLAIMED] = "claimed",
        [FACTORY_ATTESTED] = "attested",
};
static const struct output_column device_columns[] = {
        { "identity", "DEVICE", OUTPUT_TEXT },         { "key_id", "KEY ID", OUTPUT_TEXT },
        { "fingerprint", "FINGERPRINT", OUTPUT_TEXT }, { "class_id", "CLASS", OUTPUT_TEXT },
        { "checks", "CHECKED BY", OUTPUT_TEXT },       { "attestation", "ATTESTATION", OUTPUT_TEXT },
};
static const struct output_column image_columns[] = { { "image", "IMAGE", OUTPUT_TEXT } };

static int load(struct cli *cli, const char *path, uint8_t **bytes, struct factory_list *list)
{
        size_t size;
        int r = cli_read(cli, path, FACTORY_FILE_MAX, bytes, &size);

        if (r != CLI_OK)
                return r;
        r = factory_list_decode(span_of(*bytes, size), list);
        return r == RELAY_OK ? CLI_OK
                             : cli_fail(cli, CLI_FAILED, "%s: no factory list (%s)", path, relay_result_string(r));
}

static json_t *describe(const struct factory_device *device)
{
        char fingerprint[2 * SHA256_SIZE + 1];

        return json_pack("{s:s, s:o, s:s, s:o, s:s, s:s}", "identity", device->identity, "key_id",
                         describe_public_key(&device->key), "fingerprint",
                         cli_fingerprint_hex(&device->key, fingerprint), "class_id",
                         json_hex(device->class_id, CLASS_ID_SIZE), "checks", device->relay_checks ? "relay" : "device",
                         "attestation", attestations[device->attestation]);
}

static int show(struct cli *cli, const char *only)
{
        _cleanup_free_ uint8_t *bytes = NULL;
        const char *path = cli_argument(cli, 0);
        json_t *rows = json_array();
        struct factory_device device;
        struct factory_list list;
        int r = load(cli, path, &bytes, &list);

        while (r == CLI_OK && factory_list_next(&list, &device))
                if (!only || strcmp(only, device.identity) == 0)
                        json_array_append_new(rows, describe(&device));
        if (r == CLI_OK && only && json_array_size(rows) == 0)
                r = cli_fail(cli, CLI_FAILED, "%s has no device '%s'; 'fwtool factory list %s' shows what it has", path,
                             only, path);
        if (r == CLI_OK)
                r = output_table(cli, rows, device_columns, sizeof(device_columns) / sizeof(*device_columns),
                                 "no devices");
        json_decref(rows);
        return r;
}

int fwtool_factory_list_command(struct cli *cli)
{
        return show(cli, NULL);
}

int fwtool_factory_show(struct cli *cli)
{
        return show(cli, cli_argument(cli, 1));
}

int fwtool_factory_images(struct cli *cli)
{
        _cleanup_free_ uint8_t *bytes = NULL;
        json_t *rows = json_array();
        struct factory_list list;
        uint8_t digest[SHA256_SIZE];
        int r = load(cli, cli_argument(cli, 0), &bytes, &list);

        while (r == CLI_OK && factory_list_next_image(&list, digest))
                json_array_append_new(rows, json_pack("{s:o}", "image", json_hex(digest, sizeof(digest))));
        if (r == CLI_OK)
                r = output_table(cli, rows, image_columns, sizeof(image_columns) / sizeof(*image_columns), "no images");
        json_decref(rows);
        return r;
}

static int take_attestation(struct cli *cli, enum factory_attestation *level)
{
        const char *text = cli_value(cli, "attestation");

        for (size_t i = FACTORY_CLAIMED; text && i <= FACTORY_ATTESTED; i++) {
                if (strcmp(text, attestations[i]) == 0) {
                        *level = (enum factory_attestation)i;
                        return CLI_OK;
                }
        }
        return text ? cli_fail(cli, CLI_USAGE, "--attestation '%s': claimed or attested is needed; without it: none",
                               text)
                    : CLI_OK;
}

int factory_take_device(struct cli *cli, struct factory_device *device, uint8_t vendor_id[VENDOR_ID_SIZE])
{
        const char *identity, *domain, *class;
        int r;

        if ((r = cli_need(cli, "identity", &identity)) != CLI_OK || (r = cli_need(cli, "domain", &domain)) != CLI_OK ||
            (r = cli_need(cli, "class", &class)) != CLI_OK)
                return r;
        if (!identity_is_device(span_of_string(identity)))
                return cli_fail(cli, CLI_USAGE, "--identity '%s': 1 to %d of a-z, 0-9 and '-' are allowed", identity,
                                IDENTITY_MAX);
        span_to_string(span_of_string(identity), device->identity, sizeof(device->identity));
        if (manifest_vendor_id(domain, vendor_id) != RELAY_OK ||
            manifest_class_id(vendor_id, class, device->class_id) != RELAY_OK)
                return cli_fail(cli, CLI_USAGE, "--domain '%s' and --class '%s' give no ids", domain, class);
        return CLI_OK;
}

/* the list as it is, and what is to be added; either may be missing */
struct change {
        struct factory_list old;
        const struct factory_device *device;
        const uint8_t *image;
};

/* The devices already listed go to w; one that is the new one, or has its key, is an error. */
static int copy_devices(struct cli *cli, struct change *change, struct writer *w)
{
        const struct factory_device *added = change->device;
        struct factory_device device;

        while (factory_list_next(&change->old, &device)) {
                if (added && strcmp(device.identity, added->identity) == 0)
                        return cli_fail(cli, CLI_FAILED, "%s is in the list already", added->identity);
                if (added && key_equal(&device.key, &added->key))
                        return cli_fail(cli, CLI_FAILED, "%s has this key already; every device needs its own",
                                        device.identity);
                factory_put_device(w, &device);
        }
        if (added)
                factory_put_device(w, added);
        return CLI_OK;
}

static int copy_images(struct cli *cli, struct change *change, struct writer *w)
{
        size_t count = change->old.image_count + (change->image != NULL);
        uint8_t digest[SHA256_SIZE];

        if (count > 0)
                factory_put_images(w, count);
        while (factory_list_next_image(&change->old, digest)) {
                if (change->image && memcmp(digest, change->image, SHA256_SIZE) == 0)
                        return cli_fail(cli, CLI_FAILED, "this image is in the list already");
                factory_put_image(w, digest);
        }
        if (change->image)
                factory_put_image(w, change->image);
        return CLI_OK;
}

static int write_list(struct cli *cli, const char *path, struct change *change, const uint8_t vendor_id[VENDOR_ID_SIZE],
                      bool keep)
{
        size_t devices = change->old.count + (change->device != NULL),
               images = change->old.image_count + (change->image != NULL),
               room = 128 + devices * FACTORY_DEVICE_MAX + images * (SHA256_SIZE + 2);
        _cleanup_free_ uint8_t *out = malloc(room);
        struct writer w;
        int r;

        if (!out)
                return cli_errno(cli, -ENOMEM, path);
        writer_init(&w, out, room);
        factory_put_list(&w, vendor_id, devices, images);
        if ((r = copy_devices(cli, change, &w)) != CLI_OK || (r = copy_images(cli, change, &w)) != CLI_OK)
                return r;
        r = writer_finish(&w);
        if (r != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "%s: cannot write the list: %s", path, relay_result_string(r));
        return keep ? cli_replace(cli, path, writer_span(&w), 0644) : CLI_OK;
}

int factory_add_device(struct cli *cli, const char *path, const struct factory_device *device,
                       const uint8_t vendor_id[VENDOR_ID_SIZE], bool keep, size_t *count)
{
        _cleanup_free_ uint8_t *bytes = NULL;
        struct change change = { .device = device };
        int r;

        if (access(path, F_OK) == 0 && (r = load(cli, path, &bytes, &change.old)) != CLI_OK)
                return r;
        if (bytes && memcmp(change.old.vendor_id, vendor_id, VENDOR_ID_SIZE) != 0)
                return cli_fail(cli, CLI_FAILED, "%s is another vendor's list", path);
        *count = change.old.count + 1;
        return write_list(cli, path, &change, vendor_id, keep);
}

int fwtool_factory_add(struct cli *cli)
{
        struct factory_device device = { 0 };
        uint8_t vendor_id[VENDOR_ID_SIZE];
        const char *path, *key;
        json_t *object;
        size_t count;
        int r;

        if ((r = cli_need(cli, "list", &path)) != CLI_OK || (r = cli_need(cli, "certificate", &key)) != CLI_OK ||
            (r = factory_take_device(cli, &device, vendor_id)) != CLI_OK ||
            (r = take_attestation(cli, &device.attestation)) != CLI_OK ||
            (r = cli_public_load(cli, key, &device.key)) != CLI_OK)
                return r;
        device.relay_checks = cli_flag(cli, "relay-checks");
        if ((r = factory_add_device(cli, path, &device, vendor_id, true, &count)) != CLI_OK)
                return r;
        object = describe(&device);
        r = output_done(cli, object, "%s: %zu devices", path, count);
        json_decref(object);
        return r;
}

int fwtool_factory_add_image(struct cli *cli)
{
        _cleanup_(image_file_done) struct image_file image = { 0 };
        _cleanup_free_ uint8_t *bytes = NULL;
        struct change change = { .image = image.digest };
        const char *path;
        json_t *object;
        int r;

        if ((r = cli_need(cli, "list", &path)) != CLI_OK ||
            (r = image_file_load(cli, cli_argument(cli, 0), &image)) != CLI_OK)
                return r;
        if (access(path, F_OK) != 0)
                return cli_fail(cli, CLI_FAILED,
                                "%s: no such list; a list begins with its first device: 'fwtool device create' or "
                                "'fwtool factory add'",
                                path);
        if ((r = load(cli, path, &bytes, &change.old)) != CLI_OK ||
            (r = write_list(cli, path, &change, change.old.vendor_id, true)) != CLI_OK)
                return r;
        object = json_pack("{s:o, s:I}", "image", json_hex(image.digest, SHA256_SIZE), "images",
                           (json_int_t)change.old.image_count + 1);
        r = output_done(cli, object, "%s: %zu images", path, change.old.image_count + 1);
        json_decref(object);
        return r;
}
