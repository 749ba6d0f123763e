/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwtool manifest: what an update is, signed in two steps by two people. */

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/describe.h"
#include "cli/io.h"
#include "cli/keys.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/prompt.h"
#include "fwtool.h"
#include "image.h"
#include "util/cleanup.h"

const struct cli_option fwtool_manifest_build_options[] = {
        { "image", 0, "FILE", "the image" },
        { "domain", 0, "NAME", "the vendor's DNS name" },
        { "class", 0, "NAME", "class of devices it is made for" },
        { "version", 0, "TEXT", "version, as people read it" },
        { "sequence", 0, "NUMBER", "must rise with each release" },
        { "urgency", 0, "TEXT", "security, routine, ... (default routine)" },
        { "description", 0, "TEXT", "what changes, for the people of the site" },
        { "output", 'o', "FILE", "where the manifest goes" },
        { 0 },
};
const struct cli_option fwtool_manifest_sign_options[] = {
        { "key", 0, "FILE", "your key" },
        { "passphrase-file", 0, "FILE", "the key's passphrase" },
        { "role", 0, "ROLE", "as whom you sign: organisation or developer" },
        { "vendor-keys", 0, "FILE", "check that the key has this role" },
        { "yes", 'y', NULL, "do not ask" },
        { 0 },
};
const struct cli_option fwtool_manifest_show_options[] = {
        { "vendor-keys", 0, "FILE", "check both signatures, too" },
        { 0 },
};

static int take_texts(struct cli *cli, struct manifest_fields *fields)
{
        const char *version, *sequence, *urgency = cli_value(cli, "urgency"), *text = cli_value(cli, "description");
        int r;

        if ((r = cli_need(cli, "version", &version)) != CLI_OK || (r = cli_need(cli, "sequence", &sequence)) != CLI_OK)
                return r;
        if (!parse_number(sequence, 1, UINT32_MAX, &fields->sequence))
                return cli_fail(cli, CLI_USAGE, "--sequence '%s': a number from 1 to %u is needed", sequence,
                                UINT32_MAX);
        fields->version = span_of_string(version);
        fields->urgency = span_of_string(urgency ? urgency : "routine");
        fields->description = span_of_string(text);
        if (fields->version.size == 0 || fields->version.size > MANIFEST_TEXT_MAX ||
            fields->urgency.size > MANIFEST_TEXT_MAX || fields->description.size > MANIFEST_TEXT_MAX)
                return cli_fail(cli, CLI_USAGE, "--version, --urgency and --description take at most %d bytes each",
                                MANIFEST_TEXT_MAX);
        return CLI_OK;
}

static int take_ids(struct cli *cli, struct manifest_fields *fields)
{
        const char *domain, *class;
        int r;

        if ((r = cli_need(cli, "domain", &domain)) != CLI_OK || (r = cli_need(cli, "class", &class)) != CLI_OK)
                return r;
        if (manifest_vendor_id(domain, fields->vendor_id) != RELAY_OK ||
            manifest_class_id(fields->vendor_id, class, fields->class_id) != RELAY_OK)
                return cli_fail(cli, CLI_USAGE, "--domain '%s' and --class '%s' give no ids", domain, class);
        return CLI_OK;
}

static int take_image(struct cli *cli, struct manifest_fields *fields)
{
        _cleanup_(image_file_done) struct image_file image = { 0 };
        const char *path;
        int r;

        if ((r = cli_need(cli, "image", &path)) != CLI_OK || (r = image_file_load(cli, path, &image)) != CLI_OK)
                return r;
        if (image.size == 0)
                return cli_fail(cli, CLI_FAILED, "%s is empty; there is nothing a device could run", path);
        fields->image_size = image.size;
        memcpy(fields->image_digest, image.digest, SHA256_SIZE);
        memcpy(fields->block_list_digest, image.list_digest, SHA256_SIZE);
        return CLI_OK;
}

static int show_envelope(struct cli *cli, const struct manifest_unverified *manifest)
{
        json_t *object = describe_manifest(manifest);
        int r = show_manifest(cli, object);

        json_decref(object);
        return r;
}

int fwtool_manifest_build(struct cli *cli)
{
        struct manifest_fields fields = { 0 };
        struct manifest_unverified built;
        uint8_t envelope[MANIFEST_MAX];
        const char *output;
        struct writer w;
        enum reason why;
        int r;

        if ((r = cli_need(cli, "output", &output)) != CLI_OK || (r = take_texts(cli, &fields)) != CLI_OK ||
            (r = take_ids(cli, &fields)) != CLI_OK || (r = take_image(cli, &fields)) != CLI_OK)
                return r;
        writer_init(&w, envelope, sizeof(envelope));
        r = manifest_encode(&w, &fields);
        if (r != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "cannot make the manifest: %s", relay_result_string(r));
        why = manifest_decode(writer_span(&w), &built);
        if (why != REASON_NONE)
                return cli_fail(cli, CLI_FAILED, "cannot make the manifest: %s", reason_explanation(why));
        r = cli_create(cli, output, writer_span(&w), 0644);
        return r == CLI_OK ? show_envelope(cli, &built) : r;
}

int fwtool_manifest_load(struct cli *cli, const char *path, uint8_t **envelope, struct manifest_unverified *out)
{
        size_t size;
        enum reason why;
        int r = cli_read(cli, path, MANIFEST_MAX, envelope, &size);

        if (r != CLI_OK)
                return r;
        why = manifest_decode(span_of(*envelope, size), out);
        return why == REASON_NONE ? CLI_OK : cli_refuse(cli, why, "%s", path);
}

/* With --vendor-keys: is this key one of the role's? */
static int check_role(struct cli *cli, const char *role, const struct public_key *key)
{
        const char *path = cli_value(cli, "vendor-keys");
        bool organisation = strcmp(role, "organisation") == 0;
        struct vendor_keys keys;
        int at, r;

        if (!organisation && strcmp(role, "developer") != 0)
                return cli_fail(cli, CLI_USAGE, "--role '%s': organisation or developer is allowed", role);
        if (!path)
                return CLI_OK;
        if ((r = fwtool_vendor_keys_load(cli, path, &keys)) != CLI_OK)
                return r;
        at = organisation ? key_find(keys.organisation, keys.organisation_count, key)
                          : key_find(keys.developer, keys.developer_count, key);
        return at >= 0 ? CLI_OK : cli_fail(cli, CLI_FAILED, "this key is no %s key of %s", role, path);
}

static bool has_signed(const struct manifest_unverified *manifest, const struct public_key *key)
{
        uint8_t scratch[512];

        for (size_t i = 0; i < manifest->signature_count; i++) {
                struct cose_sign1 sign1;

                if (cose_sign1_decode(manifest->signatures[i], &sign1) == RELAY_OK &&
                    cose_sign1_verify(&sign1, key, SPAN_EMPTY, manifest->suit_digest, scratch, sizeof(scratch)) ==
                            RELAY_OK)
                        return true;
        }
        return false;
}

static int add_signature(struct cli *cli, const char *path, const struct manifest_unverified *manifest,
                         struct cli_key *key)
{
        struct signer signer = cli_key_signer(key);
        uint8_t out[MANIFEST_MAX];
        struct writer w;
        int r;

        if (has_signed(manifest, &key->public_key))
                return cli_fail(cli, CLI_FAILED,
                                "%s is already signed by this key; the second signature is another "
                                "person's",
                                path);
        writer_init(&w, out, sizeof(out));
        r = manifest_add_signature(&w, manifest->envelope, &signer);
        if (r != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "%s: cannot sign: %s", path, relay_result_string(r));
        return cli_replace(cli, path, writer_span(&w), 0644);
}

int fwtool_manifest_sign(struct cli *cli)
{
        _cleanup_(cli_key_wipe) struct cli_key key = { 0 };
        _cleanup_free_ uint8_t *envelope = NULL;
        const char *path = cli_argument(cli, 0), *key_file, *role;
        struct manifest_unverified manifest;
        char question[80];
        int r;

        if ((r = cli_need(cli, "key", &key_file)) != CLI_OK || (r = cli_need(cli, "role", &role)) != CLI_OK ||
            (r = fwtool_manifest_load(cli, path, &envelope, &manifest)) != CLI_OK ||
            (r = cli_key_load(cli, key_file, &key)) != CLI_OK ||
            (r = check_role(cli, role, &key.public_key)) != CLI_OK || (r = show_envelope(cli, &manifest)) != CLI_OK)
                return r;
        snprintf(question, sizeof(question), "Sign this manifest digest as %s?", role);
        if ((r = prompt_confirm(cli, question)) != CLI_OK || (r = add_signature(cli, path, &manifest, &key)) != CLI_OK)
                return r;
        if (!cli->json)
                printf("Signed as %s.\n", role);
        return CLI_OK;
}

int fwtool_manifest_show(struct cli *cli)
{
        _cleanup_free_ uint8_t *envelope = NULL;
        const char *path = cli_argument(cli, 0), *keys_file = cli_value(cli, "vendor-keys");
        struct manifest_unverified manifest;
        struct manifest_verified verified;
        struct vendor_keys keys;
        enum reason why;
        int r;

        if ((r = fwtool_manifest_load(cli, path, &envelope, &manifest)) != CLI_OK ||
            (r = show_envelope(cli, &manifest)) != CLI_OK || !keys_file)
                return r;
        if ((r = fwtool_vendor_keys_load(cli, keys_file, &keys)) != CLI_OK)
                return r;
        why = manifest_verify(&manifest, &keys, &verified);
        if (why != REASON_NONE)
                return cli_refuse(cli, why, "%s under %s", path, keys_file);
        if (!cli->json)
                puts("Both signatures are valid.");
        return CLI_OK;
}
