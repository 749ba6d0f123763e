/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwtool vendor-keys: the set of keys whose signatures make a manifest. */

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/describe.h"
#include "cli/output.h"
#include "cli/prompt.h"
#include "cli/signedset.h"
#include "fwtool.h"
#include "util/cleanup.h"

const struct cli_option fwtool_vendor_keys_create_options[] = {
        { "domain", 0, "NAME", "the vendor's DNS name; the vendor id comes from it" },
        { "organisation", 0, "FILE", "public key of a release manager (may be repeated)" },
        { "developer", 0, "FILE", "public key of a build owner (may be repeated)" },
        { "command", 0, "FILE", "public key of vendor operations (may be repeated)" },
        { "after", 0, "FILE", "the set this one follows; roles that are not given keep their keys" },
        { "output", 'o', "FILE", "where the set goes" },
        { 0 },
};
const struct cli_option fwtool_vendor_keys_sign_options[] = {
        CLI_SIGNER_OPTIONS("an organisation or developer key of the set; of the one it follows, if it does"),
        { "after", 0, "FILE", "the set it follows" },
        { "yes", 'y', NULL, "do not ask" },
        { 0 },
};

/* one role's keys; those that are there stay if none is given */
static int take_role(struct cli *cli, const char *role, size_t least, struct public_key *keys, size_t *count)
{
        if (*count > 0 && cli_value_count(cli, role) == 0)
                return CLI_OK;
        return cli_public_load_all(cli, role, least, VENDOR_KEYS_MAX, keys, count);
}

static int take_keys(struct cli *cli, struct vendor_keys *keys)
{
        int r = take_role(cli, "organisation", 1, keys->organisation, &keys->organisation_count);

        if (r == CLI_OK)
                r = take_role(cli, "developer", 1, keys->developer, &keys->developer_count);
        return r == CLI_OK ? take_role(cli, "command", 0, keys->command, &keys->command_count) : r;
}

/* the set without what signing adds; decoding finds a key that stands in two roles */
static int encode_checked(struct cli *cli, const struct vendor_keys *keys, struct writer *w,
                          struct vendor_keys *checked)
{
        int r = vendor_keys_encode(w, keys);

        if (r == RELAY_OK)
                r = writer_finish(w);
        if (r == RELAY_OK)
                r = vendor_keys_decode(writer_span(w), checked);
        if (r == RELAY_E_RANGE)
                return cli_fail(cli, CLI_FAILED, "one key stands in two places; every role needs keys of its own");
        return r == RELAY_OK ? CLI_OK
                             : cli_fail(cli, CLI_FAILED, "cannot make the key set: %s", relay_result_string(r));
}

static int show_set(struct cli *cli, const struct vendor_keys *keys, const struct signed_set *set)
{
        json_t *object = describe_vendor_keys(keys), *signers = json_array();
        const struct public_key *const roles[] = { keys->organisation, keys->developer };
        const size_t counts[] = { keys->organisation_count, keys->developer_count };
        int r;

        for (size_t role = 0; set && role < 2; role++)
                for (size_t i = 0; i < counts[role]; i++)
                        if (signed_set_has(set, VENDOR_KEYS_AAD, &roles[role][i]))
                                json_array_append_new(signers, describe_public_key(&roles[role][i]));
        json_object_set_new(object, "signed_by", signers);
        r = show_vendor_keys(cli, object);
        json_decref(object);
        return r;
}

static int load_set(struct cli *cli, const char *path, struct signed_set *set, struct vendor_keys *keys)
{
        int r = signed_set_load(cli, path, set);

        if (r == CLI_OK && vendor_keys_decode(set->set.payload, keys) != RELAY_OK)
                r = cli_fail(cli, CLI_FAILED, "%s: no vendor key set", path);
        return r;
}

int fwtool_vendor_keys_load(struct cli *cli, const char *path, struct vendor_keys *out)
{
        _cleanup_(signed_set_done) struct signed_set set = { 0 };

        return load_set(cli, path, &set, out);
}

int fwtool_vendor_keys_show(struct cli *cli)
{
        _cleanup_(signed_set_done) struct signed_set set = { 0 };
        struct vendor_keys keys;
        int r = load_set(cli, cli_argument(cli, 0), &set, &keys);

        return r == CLI_OK ? show_set(cli, &keys, &set) : r;
}

/* What a set starts from: nothing but the vendor's name, or the set that it follows. */
static int start_set(struct cli *cli, struct vendor_keys *keys)
{
        const char *domain = cli_value(cli, "domain"), *after = cli_value(cli, "after");
        int r;

        if (!after) {
                keys->epoch = 1;
                if ((r = cli_need(cli, "domain", &domain)) != CLI_OK)
                        return r;
                return manifest_vendor_id(domain, keys->vendor_id) == RELAY_OK
                               ? CLI_OK
                               : cli_fail(cli, CLI_USAGE, "--domain '%s' gives no vendor id; a DNS name is needed",
                                          domain);
        }
        if (domain)
                return cli_fail(cli, CLI_USAGE, "--domain and --after exclude each other: a vendor keeps its id");
        if ((r = fwtool_vendor_keys_load(cli, after, keys)) != CLI_OK)
                return r;
        keys->epoch++;
        keys->has_predecessor = true;
        memcpy(keys->predecessor, keys->digest, SHA256_SIZE);
        return CLI_OK;
}

int fwtool_vendor_keys_create(struct cli *cli)
{
        struct vendor_keys keys = { 0 }, checked;
        uint8_t payload[SIGNED_SET_MAX];
        const char *output;
        struct writer w;
        int r;

        if ((r = cli_need(cli, "output", &output)) != CLI_OK || (r = start_set(cli, &keys)) != CLI_OK ||
            (r = take_keys(cli, &keys)) != CLI_OK)
                return r;
        writer_init(&w, payload, sizeof(payload));
        if ((r = encode_checked(cli, &keys, &w, &checked)) != CLI_OK ||
            (r = signed_set_create(cli, output, writer_span(&w))) != CLI_OK)
                return r;
        r = show_set(cli, &checked, NULL);
        if (cli->json)
                return r;
        if (keys.has_predecessor)
                printf("Next, both roles sign with their old keys: fwtool vendor-keys sign %s --after %s --key KEY\n"
                       "Then each site's approvers: relayctl vendor-keys sign\n",
                       output, cli_value(cli, "after"));
        else
                printf("Next, both roles sign: fwtool vendor-keys sign %s --key KEY\n", output);
        return r;
}

/* Whose signatures count: the set's own keys, or those of the set that it follows. */
static int load_signers(struct cli *cli, const char *path, const struct vendor_keys *keys,
                        struct public_key out[2 * VENDOR_KEYS_MAX], size_t *count)
{
        const char *after = cli_value(cli, "after");
        struct vendor_keys before;
        int r;

        if (keys->has_predecessor && !after)
                return cli_fail(cli, CLI_USAGE, "%s follows another set, whose keys sign it: add --after FILE", path);
        if (after) {
                if ((r = fwtool_vendor_keys_load(cli, after, &before)) != CLI_OK)
                        return r;
                if (!keys->has_predecessor || memcmp(before.digest, keys->predecessor, SHA256_SIZE) != 0)
                        return cli_fail(cli, CLI_FAILED, "%s does not follow %s", path, after);
                keys = &before;
        }
        memcpy(out, keys->organisation, keys->organisation_count * sizeof(*out));
        memcpy(out + keys->organisation_count, keys->developer, keys->developer_count * sizeof(*out));
        *count = keys->organisation_count + keys->developer_count;
        return CLI_OK;
}

int fwtool_vendor_keys_sign(struct cli *cli)
{
        _cleanup_(signed_set_done) struct signed_set set = { 0 };
        _cleanup_(cli_signer_close) struct cli_signer signer = { 0 };
        struct public_key signers[2 * VENDOR_KEYS_MAX];
        struct vendor_keys keys;
        const char *path = cli_argument(cli, 0);
        size_t count = 0;
        int r;

        if ((r = load_set(cli, path, &set, &keys)) != CLI_OK ||
            (r = load_signers(cli, path, &keys, signers, &count)) != CLI_OK ||
            (r = cli_signer_open(cli, signers, count, "the set's", &signer)) != CLI_OK ||
            (r = show_set(cli, &keys, &set)) != CLI_OK ||
            (r = prompt_confirm(cli, "Sign this vendor key set?")) != CLI_OK)
                return r;
        return signed_set_sign(cli, path, &set, VENDOR_KEYS_AAD, &signer, signers, count, "organisation or developer");
}
