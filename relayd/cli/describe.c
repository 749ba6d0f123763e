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
static const struct output_column policy_fields[] = {
        { "site", "Site", OUTPUT_TEXT },
        { "epoch", "Epoch", OUTPUT_TEXT },
        { "approvers", "Approvers", OUTPUT_LIST },
        { "threshold", "Needed (k)", OUTPUT_TEXT },
        { "gates", "Gate keys", OUTPUT_LIST },
        { "endpoints", "Endpoints", OUTPUT_COUNT },
        { "mode", "Mode", OUTPUT_TEXT },
        { "ticket_needed", "Ticket needed", OUTPUT_YES_NO },
        { "patience", "Patience (s)", OUTPUT_TEXT },
        { "signed_by", "Signed by", OUTPUT_LIST },
        { "digest", "Policy digest", OUTPUT_TEXT },
};
static const struct output_column endpoint_columns[] = {
        { "kind", "ENDPOINT", OUTPUT_TEXT }, { "host", "HOST", OUTPUT_TEXT },       { "port", "PORT", OUTPUT_TEXT },
        { "pin", "PIN", OUTPUT_TEXT },       { "devices", "DEVICES", OUTPUT_LIST },
};

json_t *describe_public_key(const struct public_key *key)
{
        char id[2 * KEY_ID_SIZE + 1];

        return json_string(cli_key_id_hex(key, id));
}

static json_t *describe_keys(const struct public_key *keys, size_t count)
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

static json_t *describe_endpoint(const struct site_policy *p, const struct site_endpoint *e)
{
        json_t *devices = json_array();
        json_t *object;

        for (size_t i = 0; i < e->device_count; i++)
                json_array_append_new(devices, json_string(p->devices[e->device_first + i]));
        object = json_pack("{s:s, s:s, s:i, s:o, s:o}", "kind", e->kind == ENDPOINT_RELAY ? "relay" : "cloud", "host",
                           e->host, "port", (int)e->port, "pin", json_hex(e->pin, SHA256_SIZE), "devices", devices);
        if (e->has_backup_pin)
                json_object_set_new(object, "backup_pin", json_hex(e->backup_pin, SHA256_SIZE));
        return object;
}

json_t *describe_policy(const struct site_policy *p)
{
        json_t *endpoints = json_array(), *gates = json_array();
        json_t *object;

        for (size_t i = 0; i < p->endpoint_count; i++)
                json_array_append_new(endpoints, describe_endpoint(p, &p->endpoints[i]));
        for (size_t i = 0; i < p->gate_count; i++)
                json_array_append_new(gates, describe_public_key(&p->gates[i].key));
        object = json_pack("{s:s, s:I, s:o, s:I, s:o, s:o, s:s, s:b, s:I, s:o}", "site", p->site, "epoch",
                           (json_int_t)p->epoch, "approvers", describe_keys(p->approvers, p->approver_count),
                           "threshold", (json_int_t)p->threshold, "gates", gates, "endpoints", endpoints, "mode",
                           p->mode == SITE_RELAY_ONLY ? "relay-only" : "normal", "ticket_needed", p->ticket_needed,
                           "patience", (json_int_t)p->patience_s, "digest", json_hex(p->digest, SHA256_SIZE));
        if (p->has_predecessor)
                json_object_set_new(object, "predecessor", json_hex(p->predecessor, SHA256_SIZE));
        return object;
}

int show_manifest(struct cli *cli, const json_t *manifest)
{
        return output_record(cli, manifest, manifest_fields, COUNT(manifest_fields));
}

int show_vendor_keys(struct cli *cli, const json_t *keys)
{
        return output_record(cli, keys, vendor_fields, COUNT(vendor_fields));
}

int show_policy(struct cli *cli, const json_t *policy)
{
        int r = output_record(cli, policy, policy_fields, COUNT(policy_fields));

        if (r != CLI_OK || cli->json)
                return r;
        return output_table(cli, json_object_get(policy, "endpoints"), endpoint_columns, COUNT(endpoint_columns),
                            "no endpoints");
}
