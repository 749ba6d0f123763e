/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwtool publish: an image as retained blocks on any MQTT 5 broker, then the offers; and taking them back. */

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/broker.h"
#include "cli/io.h"
#include "cli/output.h"
#include "fwtool.h"
#include "image.h"
#include "relay/topic.h"
#include "util/cleanup.h"

const struct cli_option fwtool_publish_options[] = {
        { "manifest", 0, "FILE", "the signed manifest" },
        { "image", 0, "FILE", "the image it describes" },
        { "site", 0, "NAME", "site of the devices" },
        { "device", 0, "NAME", "who is offered the update (may be repeated)" },
        { "images-only", 0, NULL, "publish the image, no offers" },
        { "offers-only", 0, NULL, "publish the offers, no image" },
        CLI_BROKER_OPTIONS,
        { 0 },
};
const struct cli_option fwtool_unpublish_options[] = {
        { "manifest", 0, "FILE", "the manifest" },
        { "site", 0, "NAME", "site of the devices" },
        { "device", 0, "NAME", "whose offer is taken back (may be repeated)" },
        { "images-only", 0, NULL, "clear the image, no offers" },
        { "offers-only", 0, NULL, "clear the offers, not the image" },
        CLI_BROKER_OPTIONS,
        { 0 },
};

/* messages with the topics they point to */
struct batch {
        struct simple_message *messages;
        char (*topics)[TOPIC_MAX];
        size_t count, room;
};

static void batch_done(struct batch *batch)
{
        free(batch->messages);
        free(batch->topics);
}

static bool batch_make(struct batch *batch, size_t room)
{
        batch->messages = calloc(room, sizeof(*batch->messages));
        batch->topics = calloc(room, sizeof(*batch->topics));
        batch->room = room;
        return batch->messages && batch->topics;
}

/* where the next message's topic is to be written */
static char *batch_add(struct batch *batch, struct span payload)
{
        char *topic = batch->topics[batch->count];

        batch->messages[batch->count++] = (struct simple_message){ .topic = topic, .payload = payload, .retain = true };
        return topic;
}

static void add_offers(struct cli *cli, struct batch *batch, struct span envelope)
{
        for (size_t i = 0; i < cli_value_count(cli, "device"); i++)
                topic_device(batch_add(batch, envelope), cli_value(cli, "site"), cli_value_at(cli, "device", i),
                             "updates/offer");
}

static int check_devices(struct cli *cli)
{
        const char *site;
        int r;

        if (cli_flag(cli, "images-only"))
                return CLI_OK;
        if ((r = cli_need(cli, "site", &site)) != CLI_OK)
                return r;
        if (!identity_is_device(span_of_string(site)))
                return cli_fail(cli, CLI_USAGE, "--site '%s': 1 to %d of a-z, 0-9 and '-' are allowed", site, SITE_MAX);
        if (cli_value_count(cli, "device") == 0)
                return cli_fail(cli, CLI_USAGE,
                                "--device NAME is missing: who is offered the update; or --images-only");
        for (size_t i = 0; i < cli_value_count(cli, "device"); i++)
                if (!identity_is_device(span_of_string(cli_value_at(cli, "device", i))))
                        return cli_fail(cli, CLI_USAGE, "--device '%s': 1 to %d of a-z, 0-9 and '-' are allowed",
                                        cli_value_at(cli, "device", i), IDENTITY_MAX);
        return CLI_OK;
}

static int send_batch(struct cli *cli, struct simple *client, const struct batch *batch, const char *label)
{
        return cli_broker_publish(cli, client, batch->messages, batch->count, label);
}

static int send_offers(struct cli *cli, struct simple *client, struct span envelope, const char *label)
{
        _cleanup_(batch_done) struct batch batch = { 0 };

        if (cli_flag(cli, "images-only"))
                return CLI_OK;
        if (!batch_make(&batch, cli_value_count(cli, "device")))
                return cli_errno(cli, -ENOMEM, label);
        add_offers(cli, &batch, envelope);
        return send_batch(cli, client, &batch, label);
}

static int send_image(struct cli *cli, struct simple *client, const struct image_file *image)
{
        _cleanup_(batch_done) struct batch batch = { 0 };

        if (cli_flag(cli, "offers-only") || image->size == 0)
                return CLI_OK;
        if (!batch_make(&batch, (size_t)image->blocks + image->list_pieces))
                return cli_errno(cli, -ENOMEM, "image");
        for (uint32_t i = 0; i < image->blocks; i++)
                topic_image_block(batch_add(&batch, image_file_block(image, i)), image->digest, i);
        for (uint32_t i = 0; i < image->list_pieces; i++)
                topic_image_list(batch_add(&batch, image_file_list_piece(image, i)), image->digest, i);
        return send_batch(cli, client, &batch, "image");
}

static int clear_image(struct cli *cli, struct simple *client, const struct manifest_fields *fields)
{
        uint32_t blocks = image_block_count(fields->image_size), pieces = image_list_count(fields->image_size);
        _cleanup_(batch_done) struct batch batch = { 0 };

        if (cli_flag(cli, "offers-only") || blocks == 0)
                return CLI_OK;
        if (!batch_make(&batch, (size_t)blocks + pieces))
                return cli_errno(cli, -ENOMEM, "image");
        for (uint32_t i = 0; i < pieces; i++)
                topic_image_list(batch_add(&batch, SPAN_EMPTY), fields->image_digest, i);
        for (uint32_t i = 0; i < blocks; i++)
                topic_image_block(batch_add(&batch, SPAN_EMPTY), fields->image_digest, i);
        return send_batch(cli, client, &batch, "clearing the image");
}

static int check_image(struct cli *cli, const struct manifest_unverified *manifest, struct image_file *image)
{
        const char *path;
        int r;

        if (cli_flag(cli, "offers-only"))
                return CLI_OK;
        if ((r = cli_need(cli, "image", &path)) != CLI_OK || (r = image_file_load(cli, path, image)) != CLI_OK)
                return r;
        if (image->size != manifest->fields.image_size ||
            memcmp(image->digest, manifest->fields.image_digest, SHA256_SIZE) != 0 ||
            memcmp(image->list_digest, manifest->fields.block_list_digest, SHA256_SIZE) != 0)
                return cli_refuse(cli, REASON_IMAGE_DIGEST,
                                  "%s is not the image of this manifest; nothing was published", path);
        return CLI_OK;
}

static int report(struct cli *cli, const struct manifest_unverified *manifest, const char *what)
{
        size_t devices = cli_flag(cli, "images-only") ? 0 : cli_value_count(cli, "device");
        char digest[2 * SHA256_SIZE + 1];
        json_t *object;
        int r;

        span_to_hex(SPAN_OF(manifest->digest), digest, sizeof(digest));
        object = json_pack("{s:s, s:I, s:I}", "digest", digest, "devices", (json_int_t)devices, "image_size",
                           (json_int_t)manifest->fields.image_size);
        r = output_done(cli, object, "%s %s (%zu devices)", what, digest, devices);
        json_decref(object);
        return r;
}

int fwtool_publish(struct cli *cli)
{
        _cleanup_(image_file_done) struct image_file image = { 0 };
        _cleanup_(simple_closep) struct simple *client = NULL;
        _cleanup_free_ uint8_t *envelope = NULL;
        struct manifest_unverified manifest;
        const char *path;
        int r;

        if ((r = cli_need(cli, "manifest", &path)) != CLI_OK || (r = check_devices(cli)) != CLI_OK ||
            (r = fwtool_manifest_load(cli, path, &envelope, &manifest)) != CLI_OK ||
            (r = check_image(cli, &manifest, &image)) != CLI_OK)
                return r;
        if (manifest.signature_count < 2)
                cli_error(cli, "warning: %s has %zu of 2 signatures; no device will take it", path,
                          manifest.signature_count);
        if ((r = cli_broker_open(cli, &client)) != CLI_OK || (r = send_image(cli, client, &image)) != CLI_OK ||
            (r = send_offers(cli, client, manifest.envelope, "offers")) != CLI_OK)
                return r;
        return report(cli, &manifest, "published");
}

int fwtool_unpublish(struct cli *cli)
{
        _cleanup_(simple_closep) struct simple *client = NULL;
        _cleanup_free_ uint8_t *envelope = NULL;
        struct manifest_unverified manifest;
        const char *path;
        int r;

        if ((r = cli_need(cli, "manifest", &path)) != CLI_OK || (r = check_devices(cli)) != CLI_OK ||
            (r = fwtool_manifest_load(cli, path, &envelope, &manifest)) != CLI_OK ||
            (r = cli_broker_open(cli, &client)) != CLI_OK ||
            (r = send_offers(cli, client, SPAN_EMPTY, "clearing offers")) != CLI_OK ||
            (r = clear_image(cli, client, &manifest.fields)) != CLI_OK)
                return r;
        return report(cli, &manifest, "cleared");
}
