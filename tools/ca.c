/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwtool ca: a factory's certificate authority, and certificates of devices, relays, vendors and brokers. */

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "ca.h"
#include "cli/io.h"
#include "cli/keys.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "fwtool.h"
#include "relay/topic.h"
#include "util/cleanup.h"
#include "util/files.h"

#define CERTIFICATE_MAX 4096
#define CA_DAYS         7300u
#define LEAF_DAYS       3650u

const struct cli_option fwtool_ca_create_options[] = {
        { "name", 0, "TEXT", "name of the authority" },
        { "days", 0, "NUMBER", "how long it is valid (default 7300)" },
        { "output", 'o', "DIR", "folder for ca.key and ca.crt" },
        { 0 },
};
const struct cli_option fwtool_ca_issue_options[] = {
        { "ca", 0, "DIR", "folder of the authority" },
        { "identity", 0, "NAME", "device-1, relay.s1, vendor.acme; a host name with --server" },
        { "organisation", 0, "TEXT", "O of the subject (default relayd)" },
        { "device", 0, NULL, "a device certificate, for the identity key (--public) of a device with DICE" },
        { "server", 0, NULL, "a server's certificate" },
        { "client", 0, NULL, "a client's certificate (the default without --server)" },
        { "dns", 0, "NAME", "host name or address of the server" },
        { "public", 0, "FILE", "for this public key, instead of a new one" },
        { "days", 0, "NUMBER", "how long it is valid (default 3650)" },
        { "output", 'o', "PREFIX", "PREFIX.crt, PREFIX.key, PREFIX.pub" },
        { 0 },
};
static const struct output_column certificate_fields[] = {
        { "certificate", "Certificate", OUTPUT_TEXT },
        { "key", "Key", OUTPUT_TEXT },
        { "identity", "Identity", OUTPUT_TEXT },
        { "pin", "Pin (SHA-256 of the key)", OUTPUT_TEXT },
};

static int take_days(struct cli *cli, uint32_t preset, uint32_t *days)
{
        const char *text = cli_value(cli, "days");
        uint64_t value = preset;

        if (text && !parse_number(text, 1, CA_DAYS_MAX, &value))
                return cli_fail(cli, CLI_USAGE, "--days '%s': a number from 1 to %u is needed", text, CA_DAYS_MAX);
        *days = (uint32_t)value;
        return CLI_OK;
}

int ca_take_days(struct cli *cli, uint32_t *days)
{
        return take_days(cli, LEAF_DAYS, days);
}

static int show_certificate(struct cli *cli, const char *path, const char *key, const char *identity,
                            const struct public_key *public_key)
{
        char pin[2 * SHA256_SIZE + 1];
        json_t *object = json_pack("{s:s, s:s, s:s}", "certificate", path, "identity", identity, "pin",
                                   cli_fingerprint_hex(public_key, pin));
        int r;

        if (key)
                json_object_set_new(object, "key", json_string(key));
        r = output_record(cli, object, certificate_fields, sizeof(certificate_fields) / sizeof(*certificate_fields));
        json_decref(object);
        return r;
}

static int save_certificate(struct cli *cli, const char *path, const struct x509_request *request, struct span issuer,
                            const uint8_t seed[ED25519_SEED_SIZE])
{
        uint8_t der[CERTIFICATE_MAX];
        struct writer w;
        int r;

        writer_init(&w, der, sizeof(der));
        r = x509_make(&w, request, issuer, seed);
        if (r < 0)
                return cli_fail(cli, CLI_FAILED, "%s: cannot make the certificate of '%s': %s", path,
                                request->common_name, strerror(-r));
        r = x509_save_pem(path, writer_span(&w), 0644);
        if (r == -EEXIST)
                return cli_fail(cli, CLI_FAILED, "%s exists; it is never overwritten", path);
        return r < 0 ? cli_errno(cli, r, path) : CLI_OK;
}

int fwtool_ca_create(struct cli *cli)
{
        _cleanup_(cli_key_wipe) struct cli_key key = { 0 };
        _cleanup_free_ char *key_path = NULL, *path = NULL;
        struct x509_request request = { .ca = true };
        const char *folder;
        int r;

        if ((r = cli_need(cli, "name", &request.common_name)) != CLI_OK ||
            (r = cli_need(cli, "output", &folder)) != CLI_OK || (r = take_days(cli, CA_DAYS, &request.days)) != CLI_OK)
                return r;
        key_path = cli_path(folder, "ca.key");
        path = cli_path(folder, "ca.crt");
        if (!key_path || !path)
                return cli_errno(cli, -ENOMEM, folder);
        if ((r = file_make_folders(folder, 0700)) < 0)
                return cli_errno(cli, r, folder);
        if ((r = cli_key_create(cli, key_path, NULL, NULL)) != CLI_OK ||
            (r = cli_key_load(cli, key_path, &key)) != CLI_OK)
                return r;
        request.key = key.public_key;
        r = save_certificate(cli, path, &request, SPAN_EMPTY, key.seed);
        return r == CLI_OK ? show_certificate(cli, path, key_path, request.common_name, &request.key) : r;
}

/* the leaf's key: a new one beside the certificate, or somebody's public key */
static int take_key(struct cli *cli, const char *key_path, struct public_key *key)
{
        const char *public_file = cli_value(cli, "public");

        return public_file ? cli_public_load(cli, public_file, key) : cli_key_create(cli, key_path, NULL, key);
}

int ca_issue(struct cli *cli, const char *folder, const char *path, const struct x509_request *request)
{
        _cleanup_(cli_key_wipe) struct cli_key key = { 0 };
        _cleanup_free_ char *key_path = cli_path(folder, "ca.key"), *ca_path = cli_path(folder, "ca.crt");
        _cleanup_free_ uint8_t *der = NULL;
        size_t size;
        int r;

        if (!key_path || !ca_path)
                return cli_errno(cli, -ENOMEM, folder);
        if ((r = cli_key_load(cli, key_path, &key)) != CLI_OK)
                return r;
        if ((r = x509_load_pem(ca_path, &der, &size)) < 0)
                return cli_errno(cli, r, ca_path);
        return save_certificate(cli, path, request, span_of(der, size), key.seed);
}

/* The identity key is the boot stage's: no file has its private half. */
static int check_device(struct cli *cli, const struct x509_request *request)
{
        if (!request->device)
                return CLI_OK;
        if (request->for_server || cli_value(cli, "dns"))
                return cli_fail(cli, CLI_USAGE, "--device is no server's certificate: leave out --server and --dns");
        if (!identity_is_device(span_of_string(request->common_name)))
                return cli_fail(cli, CLI_USAGE, "--identity '%s': a device is named by 1 to %d of a-z, 0-9 and '-'",
                                request->common_name, IDENTITY_MAX);
        if (!cli_value(cli, "public"))
                return cli_fail(cli, CLI_USAGE,
                                "--device needs --public FILE, the identity key's public half; 'fwtool device create' "
                                "makes a device with its secret");
        return CLI_OK;
}

static int take_request(struct cli *cli, struct x509_request *request)
{
        struct span name;
        int r = cli_need(cli, "identity", &request->common_name);

        if (r != CLI_OK || (r = take_days(cli, LEAF_DAYS, &request->days)) != CLI_OK)
                return r;
        request->organisation = cli_value(cli, "organisation");
        if (!request->organisation)
                request->organisation = "relayd";
        request->dns_name = cli_value(cli, "dns");
        request->device = cli_flag(cli, "device");
        request->for_server = cli_flag(cli, "server");
        request->for_client = !request->device && (!request->for_server || cli_flag(cli, "client"));
        name = span_of_string(request->common_name);
        if (request->for_client && !identity_is_device(name) && !identity_is_dotted(name))
                return cli_fail(cli, CLI_USAGE,
                                "--identity '%s': a device is named by 1 to %d of a-z, 0-9 and '-'; others by such "
                                "names joined with dots (relay.s1, vendor.acme)",
                                request->common_name, IDENTITY_MAX);
        return check_device(cli, request);
}

int fwtool_ca_issue(struct cli *cli)
{
        _cleanup_free_ char *key_path = NULL, *path = NULL;
        struct x509_request request = { 0 };
        const char *folder, *prefix;
        int r;

        if ((r = cli_need(cli, "ca", &folder)) != CLI_OK || (r = cli_need(cli, "output", &prefix)) != CLI_OK ||
            (r = take_request(cli, &request)) != CLI_OK)
                return r;
        if (asprintf(&key_path, "%s.key", prefix) < 0 || asprintf(&path, "%s.crt", prefix) < 0)
                return cli_errno(cli, -ENOMEM, prefix);
        if ((r = take_key(cli, key_path, &request.key)) != CLI_OK ||
            (r = ca_issue(cli, folder, path, &request)) != CLI_OK)
                return r;
        return show_certificate(cli, path, cli_value(cli, "public") ? NULL : key_path, request.common_name,
                                &request.key);
}
