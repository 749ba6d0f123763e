/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwtool device: the factory's one step for a device with DICE: secret, identity key, device certificate, list entry.
 */

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ca.h"
#include "cli/io.h"
#include "cli/keys.h"
#include "cli/output.h"
#include "factory.h"
#include "fwtool.h"
#include "relay/dice.h"
#include "tls/keyfile.h"
#include "util/cleanup.h"

const struct cli_option fwtool_device_create_options[] = {
        { "ca", 0, "DIR", "folder of the factory's authority" },
        { "list", 0, "FILE", "factory list that the device is added to; made if it is not there" },
        { "identity", 0, "NAME", "the device" },
        { "domain", 0, "NAME", "the vendor's DNS name" },
        { "class", 0, "NAME", "class of the device" },
        { "isolated", 0, NULL, "its boot stage is isolated (attested); else what it says of itself is only claimed" },
        { "organisation", 0, "TEXT", "O of the subject (default relayd)" },
        { "days", 0, "NUMBER", "how long its certificate is valid (default 3650)" },
        { "output", 'o', "PREFIX", "PREFIX.secret, PREFIX.crt, PREFIX.pub" },
        { 0 },
};
static const struct output_column device_fields[] = {
        { "identity", "Identity", OUTPUT_TEXT },
        { "secret", "Secret", OUTPUT_TEXT },
        { "certificate", "Device certificate", OUTPUT_TEXT },
        { "public", "Identity key", OUTPUT_TEXT },
        { "fingerprint", "Its fingerprint", OUTPUT_TEXT },
        { "attestation", "Attestation", OUTPUT_TEXT },
        { "list", "Factory list", OUTPUT_TEXT },
};

struct made {
        char *secret_path, *certificate_path, *public_path;
        uint8_t secret[DICE_SECRET_SIZE];
        struct factory_device device;
        uint8_t vendor_id[VENDOR_ID_SIZE];
};

static void made_done(struct made *made)
{
        crypto_wipe(made->secret, sizeof(made->secret));
        free(made->secret_path);
        free(made->certificate_path);
        free(made->public_path);
}

static int make_secret(struct cli *cli, struct made *made)
{
        uint8_t seed[ED25519_SEED_SIZE];
        bool done = crypto_random(made->secret, sizeof(made->secret)) == RELAY_OK &&
                    dice_key_seed(made->secret, seed) == RELAY_OK &&
                    crypto_ed25519_public(seed, &made->device.key) == RELAY_OK;

        crypto_wipe(seed, sizeof(seed));
        return done ? CLI_OK
                    : cli_fail(cli, CLI_FAILED, "no random numbers for the secret of %s", made->device.identity);
}

/* nothing is written if something of it could not be */
static int check_files(struct cli *cli, const struct made *made)
{
        const char *const paths[] = { made->secret_path, made->certificate_path, made->public_path };

        for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
                if (access(paths[i], F_OK) == 0)
                        return cli_fail(cli, CLI_FAILED, "%s exists; it is never overwritten: choose another PREFIX",
                                        paths[i]);
        return CLI_OK;
}

static int write_files(struct cli *cli, const struct made *made, const char *folder, const struct x509_request *request)
{
        int r = cli_create(cli, made->secret_path, SPAN_OF(made->secret), 0600);

        if (r != CLI_OK)
                return r;
        r = ca_issue(cli, folder, made->certificate_path, request);
        if (r == CLI_OK && (r = keyfile_save_public(made->public_path, &made->device.key)) < 0)
                r = cli_errno(cli, r, made->public_path);
        return r;
}

static int show(struct cli *cli, const struct made *made, const char *list)
{
        char fingerprint[2 * SHA256_SIZE + 1];
        json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "identity", made->device.identity, "secret",
                                   made->secret_path, "certificate", made->certificate_path, "public",
                                   made->public_path, "fingerprint",
                                   cli_fingerprint_hex(&made->device.key, fingerprint), "attestation",
                                   made->device.attestation == FACTORY_ATTESTED ? "attested" : "claimed", "list", list);
        int r = output_record(cli, object, device_fields, sizeof(device_fields) / sizeof(*device_fields));

        json_decref(object);
        fprintf(stderr, "Put %s into the device, then destroy this copy (shred -u %s): whoever has it is the device.\n",
                made->secret_path, made->secret_path);
        return r;
}

static int create(struct cli *cli, struct made *made, const char *list, const char *folder)
{
        struct x509_request request = { .common_name = made->device.identity, .device = true };
        size_t count;
        int r;

        request.organisation = cli_value(cli, "organisation") ? cli_value(cli, "organisation") : "relayd";
        if ((r = ca_take_days(cli, &request.days)) != CLI_OK || (r = check_files(cli, made)) != CLI_OK ||
            (r = make_secret(cli, made)) != CLI_OK ||
            (r = factory_add_device(cli, list, &made->device, made->vendor_id, false, &count)) != CLI_OK)
                return r;
        request.key = made->device.key;
        if ((r = write_files(cli, made, folder, &request)) != CLI_OK ||
            (r = factory_add_device(cli, list, &made->device, made->vendor_id, true, &count)) != CLI_OK) {
                (void)unlink(made->secret_path);
                (void)unlink(made->certificate_path);
                (void)unlink(made->public_path);
                return r;
        }
        return show(cli, made, list);
}

int fwtool_device_create(struct cli *cli)
{
        _cleanup_(made_done) struct made made = { 0 };
        const char *folder, *list, *prefix;
        int r;

        if ((r = cli_need(cli, "ca", &folder)) != CLI_OK || (r = cli_need(cli, "list", &list)) != CLI_OK ||
            (r = cli_need(cli, "output", &prefix)) != CLI_OK ||
            (r = factory_take_device(cli, &made.device, made.vendor_id)) != CLI_OK)
                return r;
        made.device.attestation = cli_flag(cli, "isolated") ? FACTORY_ATTESTED : FACTORY_CLAIMED;
        if (asprintf(&made.secret_path, "%s.secret", prefix) < 0 ||
            asprintf(&made.certificate_path, "%s.crt", prefix) < 0 || asprintf(&made.public_path, "%s.pub", prefix) < 0)
                return cli_errno(cli, -ENOMEM, prefix);
        return create(cli, &made, list, folder);
}
