/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl updates approve: everything is verified here, on the approver's machine; only the approval leaves it. */

#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/describe.h"
#include "cli/io.h"
#include "cli/keys.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/prompt.h"
#include "ctl/bus.h"
#include "ctl/request.h"
#include "relay/approval.h"
#include "util/cleanup.h"

#define SIGN_OPTIONS                                                                                                \
        CLI_SIGNER_OPTIONS("your approver key"), TRUST_OPTIONS,                                                     \
                { "device", 0, "NAME", "approve for this device only (may be repeated; default: the whole site)" }, \
                { "class", 0, NULL, "approve for the class of devices that it is made for" },                       \
                { "not-before", 0, "TIME", "it counts from then on: 2h, 2026-12-24, '2026-12-24 18:00'" },          \
                { "not-after", 0, "TIME", "it ends by itself (devices then need trusted time)" },                   \
        {                                                                                                           \
                "yes", 'y', NULL, "do not ask; needs trust that was given or remembered"                            \
        }

const struct cli_option ctl_updates_approve_options[] = { SIGN_OPTIONS, { 0 } };
const struct cli_option ctl_sign_options[] = { SIGN_OPTIONS,
                                               { "output", 'o', "FILE", "where the approval goes" },
                                               { 0 } };

/* Both vendor signatures; and, if the relay was asked, that it hands out the update it lists. */
static int verify_manifest(struct cli *cli, struct request *request)
{
        const char *listed = json_string_value(json_object_get(request->update, "Digest"));
        struct manifest_unverified manifest;
        uint8_t wanted[SHA256_SIZE];
        enum reason why = manifest_decode(request->parts.envelope, &manifest);

        if (why == REASON_NONE)
                why = manifest_verify(&manifest, &request->trust.vendor, &request->manifest);
        if (why != REASON_NONE)
                return cli_refuse(cli, why, "update %.12s; checked on this machine",
                                  listed ? listed : "of this request");
        if (listed && (!parse_hex(listed, wanted, SHA256_SIZE) || memcmp(wanted, manifest.digest, SHA256_SIZE) != 0))
                return cli_refuse(cli, REASON_UNKNOWN_UPDATE, "the relay shows %.12s and hands out another manifest",
                                  listed);
        return CLI_OK;
}

static int take_key(struct cli *cli, struct request *request)
{
        const struct site_policy *policy = &request->trust.policy;
        char id[2 * KEY_ID_SIZE + 1];
        int r = cli_signer_open(cli, policy->approvers, policy->approver_count, "the site's approvers",
                                &request->signer);

        if (r != CLI_OK)
                return r;
        if (key_find(policy->approvers, policy->approver_count, &request->signer.key) < 0)
                return cli_refuse(cli, REASON_NOT_AN_APPROVER, "%s, key id %s, site %s", request->signer.what,
                                  cli_key_id_hex(&request->signer.key, id), policy->site);
        return CLI_OK;
}

static int take_scope(struct cli *cli, const struct manifest_fields *manifest, struct approval *approval)
{
        approval->device_count = cli_value_count(cli, "device");
        approval->scope = approval->device_count > 0 ? SCOPE_DEVICES : SCOPE_SITE;
        if (cli_flag(cli, "class")) {
                if (approval->device_count > 0)
                        return cli_fail(cli, CLI_USAGE, "--class and --device exclude each other");
                approval->scope = SCOPE_CLASS;
                memcpy(approval->class_id, manifest->class_id, CLASS_ID_SIZE);
        }
        if (approval->device_count > APPROVAL_DEVICES_MAX)
                return cli_fail(cli, CLI_USAGE, "--device: at most %d; approve for the whole site instead",
                                APPROVAL_DEVICES_MAX);
        for (size_t i = 0; i < approval->device_count; i++) {
                const char *device = cli_value_at(cli, "device", i);

                if (!identity_is_device(span_of_string(device)))
                        return cli_fail(cli, CLI_USAGE, "--device '%s' is no device's name", device);
                span_to_string(span_of_string(device), approval->devices[i], IDENTITY_MAX + 1);
        }
        return CLI_OK;
}

static int take_moment(struct cli *cli, const char *option, bool end, bool *has, uint64_t *out)
{
        const char *text = cli_value(cli, option);

        *has = text != NULL;
        if (text && !parse_moment(text, (uint64_t)time(NULL), end, out))
                return cli_fail(
                        cli, CLI_USAGE,
                        "--%s '%s': a duration such as 12h or 7d is needed, or a local time such as 2026-12-24 or "
                        "'2026-12-24 18:00'",
                        option, text);
        return CLI_OK;
}

static int take_window(struct cli *cli, struct approval *approval)
{
        uint64_t now = (uint64_t)time(NULL);
        int r;

        if ((r = take_moment(cli, "not-before", false, &approval->has_not_before, &approval->not_before)) != CLI_OK ||
            (r = take_moment(cli, "not-after", true, &approval->has_not_after, &approval->not_after)) != CLI_OK)
                return r;
        if (approval->has_not_after && approval->not_after < now)
                return cli_fail(cli, CLI_USAGE, "--not-after '%s' has passed already", cli_value(cli, "not-after"));
        if (approval->has_not_after && approval->has_not_before && approval->not_after < approval->not_before)
                return cli_fail(cli, CLI_USAGE, "--not-after lies before --not-before: it would never count");
        return CLI_OK;
}

static int make_approval(struct cli *cli, struct request *request)
{
        struct approval *approval = &request->approval;
        int r;

        memcpy(approval->site, request->trust.policy.site, sizeof(approval->site));
        memcpy(approval->manifest_digest, request->manifest.digest, SHA256_SIZE);
        approval->epoch = request->trust.approval_epoch;
        r = take_scope(cli, &request->manifest.fields, approval);
        return r == CLI_OK ? take_window(cli, approval) : r;
}

/* What people see comes from the manifest that was verified here; from the relay only who approved and whom it is for.
 */
static json_t *describe(const struct request *request)
{
        const struct manifest_fields *f = &request->manifest.fields;
        json_t *devices = request->update ? json_array() : NULL, *pair;
        size_t i;

        json_array_foreach(json_object_get(request->update, "Devices"), i, pair)
                json_array_append(devices, json_array_get(pair, 0));
        return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:o?, s:o, s:O?, s:o, s:o}", "site",
                         request->trust.policy.site, "version", json_text(f->version.data, f->version.size), "urgency",
                         json_text(f->urgency.data, f->urgency.size), "description",
                         json_text(f->description.data, f->description.size), "class_id",
                         json_hex(f->class_id, CLASS_ID_SIZE), "image_size", (json_int_t)f->image_size, "devices",
                         devices, "digest", json_hex(request->manifest.digest, SHA256_SIZE), "approvals",
                         json_object_get(request->update, "Approvals"), "policy_digest",
                         json_hex(request->trust.policy.digest, SHA256_SIZE), "approval",
                         describe_approval(&request->approval));
}

static bool approved_before(const struct request *request)
{
        json_t *mine = describe_public_key(&request->signer.key), *id;
        bool found = false;
        size_t i;

        json_array_foreach(json_object_get(request->update, "Approvals"), i, id) found = found || json_equal(mine, id);
        json_decref(mine);
        return found;
}

/* The approval in words, and last the digest that people compare. */
static void show_words(const struct request *request)
{
        json_t *approval = describe_approval(&request->approval);
        char groups[DESCRIBE_DIGEST_SIZE];
        char *words = describe_approval_words(approval);

        puts("Both vendor signatures were verified on this machine.");
        printf("\nYou sign: %s.\nManifest digest:\n\n    %s\n\n", words ? words : "?",
               describe_digest(request->manifest.digest, groups));
        if (approved_before(request))
                puts("You approved this update before: what you sign now takes the place of that, wider or narrower.");
        free(words);
        json_decref(approval);
}

bool request_is_on_gateway(const struct cli *cli)
{
        return !cli_value(cli, "host") && !cli_value(cli, "bus");
}

static int show(struct cli *cli, const struct request *request)
{
        static const struct output_column fields[] = {
                { "site", "Site", OUTPUT_TEXT },
                { "version", "Version", OUTPUT_TEXT },
                { "urgency", "Urgency", OUTPUT_WORD },
                { "description", "What changes", OUTPUT_TEXT },
                { "class_id", "Class", OUTPUT_TEXT },
                { "image_size", "Image size", OUTPUT_BYTES },
                { "devices", "Devices", OUTPUT_LIST },
                { "approvals", "Approved by", OUTPUT_LIST },
                { "policy_digest", "Policy digest", OUTPUT_TEXT },
                { "digest", "Manifest digest", OUTPUT_TEXT },
        };
        _cleanup_json_ json_t *object = describe(request);
        int r = CLI_OK;

        if (cli->json && !cli_flag(cli, "yes")) /* nobody signs what he was not shown */
                return cli_fail(cli, CLI_USAGE, "--json shows nothing to decide by: add --yes, or leave --json out");
        if (!cli->json) {
                r = output_record(cli, object, fields, sizeof(fields) / sizeof(*fields));
                show_words(request);
        }
        if (request->update && request_is_on_gateway(cli))
                cli_error(cli,
                          "warning: this is the gateway itself; one who broke into it could show you something else "
                          "than what you sign (use -H GATEWAY from your own machine); the audit log says that it was "
                          "signed here");
        return r;
}

int request_sign(struct cli *cli, struct request *request, struct writer *w)
{
        struct trust_source source = request_source(request);
        struct approval checked;
        struct signer signer;
        enum reason why;
        size_t approver;
        int r;

        if ((r = trust_establish(cli, &source, &request->trust)) != CLI_OK ||
            (r = verify_manifest(cli, request)) != CLI_OK || (r = take_key(cli, request)) != CLI_OK ||
            (r = make_approval(cli, request)) != CLI_OK || (r = show(cli, request)) != CLI_OK ||
            (r = prompt_confirm(cli, "Approve this manifest digest with your key?")) != CLI_OK)
                return r;
        signer = cli_signer_use(&request->signer);
        r = approval_sign(w, &request->approval, &signer);
        if (r != RELAY_OK)
                return cli_signing_failed(cli, &request->signer, r);
        why = approval_check(writer_span(w), &request->trust.policy, &checked, &approver);
        return why == REASON_NONE ? CLI_OK : cli_refuse(cli, why, "the approval just made");
}

/* the gate's state in words; the approval stands whatever it says */
static void tell_gate(const json_t *manager)
{
        const char *state = json_string_value(json_object_get(manager, "GateState"));

        if (json_is_false(json_object_get(manager, "GateAnswers")))
                puts("The gate of this site is another one than this relay; if it is closed, devices wait.");
        else if (state && strcmp(state, "closed") == 0)
                puts("The gate is closed; devices wait. This opens it: relayctl gate open --for 10m");
}

/* here: it was signed on the gateway itself */
static int send(struct cli *cli, sd_bus *bus, struct span sign1, bool here)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_json_ json_t *object = NULL, *manager = NULL;
        uint32_t approved = 0, needed = 0;
        int r;

        if ((r = ctl_call_bytes(cli, bus, here ? "ApproveSignedHere" : "Approve", sign1, &reply)) != CLI_OK)
                return r;
        if ((r = sd_bus_message_read(reply, "uu", &approved, &needed)) < 0)
                return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
        if ((r = ctl_manager(cli, bus, &manager)) != CLI_OK)
                return r;
        object = json_pack("{s:I, s:I, s:O?}", "approved", (json_int_t)approved, "needed", (json_int_t)needed, "gate",
                           json_object_get(manager, "GateState"));
        r = output_done(cli, object, "Approved: %u of %u.", approved, needed);
        if (r == CLI_OK && !cli->json)
                tell_gate(manager);
        return r;
}

int ctl_updates_approve(struct cli *cli)
{
        _cleanup_(request_done) struct request request = { 0 };
        _cleanup_bus_ sd_bus *bus = NULL;
        uint8_t sign1[APPROVAL_MAX];
        struct writer w;
        int r;

        writer_init(&w, sign1, sizeof(sign1));
        if ((r = ctl_connect(cli, &bus)) != CLI_OK ||
            (r = request_fetch(cli, bus, cli_argument(cli, 0), &request)) != CLI_OK ||
            (r = request_sign(cli, &request, &w)) != CLI_OK)
                return r;
        return send(cli, bus, writer_span(&w), request_is_on_gateway(cli));
}

int ctl_updates_export_request(struct cli *cli)
{
        _cleanup_(request_done) struct request request = { 0 };
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *object = NULL;
        const char *path = cli_argument(cli, 1);
        _cleanup_free_ uint8_t *out = malloc(REQUEST_MAX);
        struct writer w;
        int r;

        if (!out)
                return cli_errno(cli, -ENOMEM, path);
        if ((r = ctl_connect(cli, &bus)) != CLI_OK ||
            (r = request_fetch(cli, bus, cli_argument(cli, 0), &request)) != CLI_OK ||
            (r = request_fetch_chains(&request)) != CLI_OK)
                return r;
        writer_init(&w, out, REQUEST_MAX);
        if (request_encode(&w, &request.parts) != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "%s: what the relay hands out is larger than %u bytes", path,
                                REQUEST_MAX);
        if ((r = cli_create(cli, path, writer_span(&w), 0644)) != CLI_OK)
                return r;
        object = json_pack("{s:s, s:o}", "request", path, "update", json_incref(request.update));
        return output_done(cli, object, "Where the key is: relayctl sign %s --key KEY -o APPROVAL", path);
}

int ctl_sign(struct cli *cli)
{
        _cleanup_(request_done) struct request request = { 0 };
        _cleanup_json_ json_t *object = NULL;
        uint8_t sign1[APPROVAL_MAX];
        const char *output;
        struct writer w;
        int r;

        writer_init(&w, sign1, sizeof(sign1));
        if ((r = cli_need(cli, "output", &output)) != CLI_OK ||
            (r = request_load(cli, cli_argument(cli, 0), &request)) != CLI_OK ||
            (r = request_sign(cli, &request, &w)) != CLI_OK ||
            (r = cli_create(cli, output, writer_span(&w), 0644)) != CLI_OK)
                return r;
        object = json_pack("{s:s, s:o}", "file", output, "approval", describe_approval(&request.approval));
        return output_done(cli, object, "Signed. At the relay: relayctl updates import-approval %s", output);
}

int ctl_updates_import_approval(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_free_ uint8_t *bytes = NULL;
        struct cose_sign1 sign1;
        const char *path = cli_argument(cli, 0);
        size_t size;
        int r = cli_read(cli, path, APPROVAL_MAX, &bytes, &size);

        if (r != CLI_OK)
                return r;
        if (cose_sign1_decode(span_of(bytes, size), &sign1) != RELAY_OK)
                return cli_refuse(cli, REASON_MALFORMED, "%s is no approval", path);
        r = ctl_connect(cli, &bus);
        return r == CLI_OK ? send(cli, bus, span_of(bytes, size), false) : r;
}
