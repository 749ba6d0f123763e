/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signed objects as JSON and for people. */

#include "cli/describe.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/output.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct output_column manifest_fields[] = {
        { "version", "Version", OUTPUT_TEXT },         { "urgency", "Urgency", OUTPUT_WORD },
        { "description", "Description", OUTPUT_TEXT }, { "sequence", "Sequence", OUTPUT_TEXT },
        { "digest", "Manifest digest", OUTPUT_TEXT },  { "image_digest", "Image digest", OUTPUT_TEXT },
        { "image_size", "Image size", OUTPUT_BYTES },  { "block_list_digest", "Block list digest", OUTPUT_TEXT },
        { "vendor_id", "Vendor id", OUTPUT_TEXT },     { "class_id", "Class id", OUTPUT_TEXT },
        { "signatures", "Signatures", OUTPUT_LIST },
};
static const struct output_column vendor_fields[] = {
        { "vendor_id", "Vendor id", OUTPUT_TEXT },
        { "epoch", "Epoch", OUTPUT_TEXT },
        { "organisation", "Organisation", OUTPUT_LIST },
        { "developer", "Developer", OUTPUT_LIST },
        { "command", "Command", OUTPUT_LIST },
        { "signed_by", "Signed by", OUTPUT_LIST },
        { "digest", "Digest", OUTPUT_TEXT },
};
json_t *describe_public_key(const struct public_key *key)
{
        char id[2 * KEY_ID_SIZE + 1];

        return json_string(cli_key_id_hex(key, id));
}

json_t *describe_keys(const struct public_key *keys, size_t count)
{
        json_t *array = json_array();

        for (size_t i = 0; i < count; i++)
                json_array_append_new(array, describe_public_key(&keys[i]));
        return array;
}

static json_t *signature_key_ids(const struct span *signatures, size_t count)
{
        json_t *array = json_array();

        for (size_t i = 0; i < count; i++) {
                struct cose_sign1 sign1;

                if (cose_sign1_decode(signatures[i], &sign1) == RELAY_OK)
                        json_array_append_new(array, json_hex(sign1.key_id.data, sign1.key_id.size));
        }
        return array;
}

json_t *describe_manifest(const struct manifest_unverified *manifest)
{
        const struct manifest_fields *f = &manifest->fields;

        return json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "digest",
                         json_hex(manifest->digest, SHA256_SIZE), "version",
                         json_text(f->version.data, f->version.size), "urgency",
                         json_text(f->urgency.data, f->urgency.size), "sequence", (json_int_t)f->sequence,
                         "description", json_text(f->description.data, f->description.size), "image_digest",
                         json_hex(f->image_digest, SHA256_SIZE), "image_size", (json_int_t)f->image_size,
                         "block_list_digest", json_hex(f->block_list_digest, SHA256_SIZE), "vendor_id",
                         json_hex(f->vendor_id, VENDOR_ID_SIZE), "class_id", json_hex(f->class_id, CLASS_ID_SIZE),
                         "signatures", signature_key_ids(manifest->signatures, manifest->signature_count));
}

json_t *describe_vendor_keys(const struct vendor_keys *keys)
{
        return json_pack(
                "{s:o, s:I, s:o, s:o, s:o, s:o}", "vendor_id", json_hex(keys->vendor_id, VENDOR_ID_SIZE), "epoch",
                (json_int_t)keys->epoch, "organisation", describe_keys(keys->organisation, keys->organisation_count),
                "developer", describe_keys(keys->developer, keys->developer_count), "command",
                describe_keys(keys->command, keys->command_count), "digest", json_hex(keys->digest, SHA256_SIZE));
}

int show_manifest(struct cli *cli, const json_t *manifest)
{
        return output_record(cli, manifest, manifest_fields, COUNT(manifest_fields));
}

int show_vendor_keys(struct cli *cli, const json_t *keys)
{
        return output_record(cli, keys, vendor_fields, COUNT(vendor_fields));
}
