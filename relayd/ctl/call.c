/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl device call: an order to one device, signed here, and what came of it. */

#include "ctl/ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bus/names.h"
#include "cli/describe.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/signing.h"
#include "ctl/bus.h"
#include "relay/command.h"
#include "util/cleanup.h"

#define EXPIRES_S    300
#define EXPIRES_MAX  (7 * 86400)
#define USEC         UINT64_C(1000000)
#define RESULT_SIZE  16
#define VALUE_MAX    1024
#define LAST_WORDS_S 10 /* after its expiry nothing starts; what started may still answer */

const struct cli_option ctl_device_call_options[] = {
        CLI_SIGNER_OPTIONS("a command key: one that the site policy grants commands to"),
        { "expires", 0, "DURATION", "how long the device may still start it (default 5m, at most 7d)" },
        { "no-wait", 0, NULL, "do not wait for the device's answer" },
        { 0 },
};
static const struct output_column fields[] = {
        { "device", "Device", OUTPUT_TEXT },   { "command", "Command", OUTPUT_TEXT },
        { "counter", "Counter", OUTPUT_TEXT }, { "result", "Result", OUTPUT_WORD },
        { "reason", "Reason", OUTPUT_REASON }, { "value", "Value", OUTPUT_TEXT },
};

/* One call, from its making to its answer. */
struct call {
        struct command command;
        struct cli_signer signer;
        char key_id[2 * KEY_ID_SIZE + 1];
        bool answered;
        char result[RESULT_SIZE], reason[64];
        uint8_t value[VALUE_MAX];
        size_t value_size;
};

static void call_done(struct call *call)
{
        cli_signer_close(&call->signer);
}

static int take_command(struct cli *cli, struct call *call)
{
        const char *device = cli_argument(cli, 0), *name = cli_argument(cli, 1), *arguments = cli_argument(cli, 2);
        const char *expires = cli_value(cli, "expires");
        struct command *c = &call->command;
        uint64_t seconds = EXPIRES_S;

        if (!identity_is_device(span_of_string(device)))
                return cli_fail(cli, CLI_USAGE, "'%s' is no device's name", device);
        if (strlen(name) >= COMMAND_NAME_SIZE || !*name ||
            strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != strlen(name))
                return cli_fail(cli, CLI_USAGE, "'%s' is no command's name (1 to %d of a-z, 0-9, '.' and '-')", name,
                                COMMAND_NAME_SIZE - 1);
        if (arguments && strlen(arguments) > COMMAND_ARGUMENTS_MAX)
                return cli_fail(cli, CLI_USAGE, "the arguments are longer than %d bytes", COMMAND_ARGUMENTS_MAX);
        if (expires && (!parse_duration(expires, &seconds) || seconds > EXPIRES_MAX))
                return cli_fail(cli, CLI_USAGE, "--expires '%s': a duration such as 30s or 5m is needed, at most 7d",
                                expires);
        span_to_string(span_of_string(device), c->device, sizeof(c->device));
        span_to_string(span_of_string(name), c->name, sizeof(c->name));
        c->arguments = span_of_string(arguments);
        c->expiry = (uint64_t)time(NULL) + seconds;
        return CLI_OK;
}

static int fetch_sets(struct cli *cli, sd_bus *bus, struct site_policy *policy, struct vendor_keys *vendor)
{
        uint8_t scratch[SITE_POLICY_MAX + 128];
        _cleanup_free_ uint8_t *policy_set = NULL, *vendor_set = NULL;
        size_t policy_size = 0, vendor_size = 0;
        enum reason why;
        int r;

        if ((r = ctl_fetch_bytes(cli, bus, BUS_PATH, BUS_MANAGER, "GetSitePolicy", &policy_set, &policy_size)) !=
                    CLI_OK ||
            (r = ctl_fetch_bytes(cli, bus, BUS_PATH, BUS_MANAGER, "GetVendorKeys", &vendor_set, &vendor_size)) !=
                    CLI_OK)
                return r;
        why = site_policy_read(span_of(policy_set, policy_size), policy, scratch, sizeof(scratch));
        if (why == REASON_NONE)
                why = vendor_keys_read(span_of(vendor_set, vendor_size), vendor);
        return why == REASON_NONE ? CLI_OK : cli_refuse(cli, why, "what the relay holds");
}

/* The keys that may command here: the site's grants, then the vendor's. */
static size_t command_keys(const struct site_policy *policy, const struct vendor_keys *vendor,
                           struct public_key out[SITE_GRANTS_MAX + VENDOR_KEYS_MAX])
{
        size_t count = 0;

        for (size_t i = 0; i < policy->grant_count; i++)
                out[count++] = policy->grants[i].key;
        for (size_t i = 0; i < vendor->command_count; i++)
                out[count++] = vendor->command[i];
        return count;
}

/* Above everything the relay has seen, and above what was signed before on a machine that the relay has forgotten. */
static int take_counter(struct cli *cli, sd_bus *bus, struct call *call)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        uint64_t last = 0, now = (uint64_t)time(NULL);
        int r = ctl_call(cli, bus, "CommandCounter", &reply, "ss", call->command.device,
                         cli_key_id_hex(&call->signer.key, call->key_id));

        if (r != CLI_OK)
                return r;
        if ((r = sd_bus_message_read(reply, "t", &last)) < 0)
                return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
        if (last >= INT64_MAX)
                return cli_fail(cli, CLI_FAILED,
                                "the relay says that this key's counter is used up; grant another key to the site");
        call->command.counter = last + 1 > now ? last + 1 : now;
        return CLI_OK;
}

static int make(struct cli *cli, sd_bus *bus, struct call *call, struct writer *w)
{
        struct public_key keys[SITE_GRANTS_MAX + VENDOR_KEYS_MAX], key;
        struct site_policy policy;
        struct vendor_keys vendor;
        struct command checked;
        struct signer signer;
        enum reason why;
        int r;

        if ((r = fetch_sets(cli, bus, &policy, &vendor)) != CLI_OK ||
            (r = cli_signer_open(cli, keys, command_keys(&policy, &vendor, keys), "the site's command keys",
                                 &call->signer)) != CLI_OK ||
            (r = take_counter(cli, bus, call)) != CLI_OK)
                return r;
        memcpy(call->command.site, policy.site, sizeof(call->command.site));
        signer = cli_signer_use(&call->signer);
        r = command_sign(w, &call->command, &signer);
        if (r != RELAY_OK)
                return cli_signing_failed(cli, &call->signer, r);
        why = command_check(writer_span(w), &policy, &vendor, NULL, NULL, &checked, &key);
        /* the relay knows the device's class, and decides about a grant that is limited to some */
        if (why == REASON_NONE || why == REASON_OUT_OF_SCOPE)
                return CLI_OK;
        return cli_refuse(cli, why, "%s, key id %s: no command key of site %s", call->signer.what, call->key_id,
                          policy.site);
}

static int on_result(sd_bus_message *m, void *context, sd_bus_error *error)
{
        const char *device, *key_id, *result, *reason;
        struct call *call = context;
        const void *value = NULL;
        uint64_t counter;
        size_t size = 0;

        (void)error;
        if (sd_bus_message_read(m, "sstss", &device, &key_id, &counter, &result, &reason) < 0 ||
            sd_bus_message_read_array(m, 'y', &value, &size) < 0)
                return 0;
        if (strcmp(device, call->command.device) != 0 || strcmp(key_id, call->key_id) != 0 ||
            counter != call->command.counter)
                return 0;
        snprintf(call->result, sizeof(call->result), "%s", result);
        snprintf(call->reason, sizeof(call->reason), "%s", reason);
        call->value_size = size < sizeof(call->value) ? size : sizeof(call->value);
        if (call->value_size > 0)
                memcpy(call->value, value, call->value_size);
        call->answered = true;
        return 0;
}

static void show_waiting(const struct cli *cli, const struct call *call, uint64_t now)
{
        uint64_t left = call->command.expiry > now ? call->command.expiry - now : 0;

        if (cli->columns > 0 && !cli->json)
                fprintf(stderr, "\rWaiting for %s, which may start it for another %" PRIu64 " s ... ",
                        call->command.device, left);
}

static int wait_result(struct cli *cli, sd_bus *bus, struct call *call)
{
        bool told = false;

        while (!call->answered) {
                uint64_t now = (uint64_t)time(NULL);
                int r = sd_bus_process(bus, NULL);

                if (r < 0)
                        return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
                if (r > 0)
                        continue;
                if (now > call->command.expiry + LAST_WORDS_S)
                        break;
                show_waiting(cli, call, now);
                told = true;
                if ((r = sd_bus_wait(bus, USEC)) < 0 && r != -EINTR)
                        return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
        }
        if (told && cli->columns > 0 && !cli->json)
                fprintf(stderr, "\r%79s\r", "");
        if (call->answered)
                return CLI_OK;
        return cli_refuse(cli, REASON_EXPIRED_COMMAND, "%s did not answer in time; is it online? ('relayctl devices')",
                          call->command.device);
}

static int report(struct cli *cli, const struct call *call)
{
        _cleanup_json_ json_t *object = json_pack(
                "{s:s, s:s, s:I, s:s, s:s, s:o}", "device", call->command.device, "command", call->command.name,
                "counter", (json_int_t)call->command.counter, "result", call->answered ? call->result : "sent",
                "reason", call->answered ? call->reason : "none", "value", json_text(call->value, call->value_size));
        enum reason why = reason_from_name(call->reason);
        int r = output_record(cli, object, fields, sizeof(fields) / sizeof(*fields));

        if (r != CLI_OK || !call->answered || strcmp(call->result, "done") == 0)
                return r;
        if (strcmp(call->result, "failed") == 0)
                return cli_fail(cli, CLI_FAILED, "%s could not do %s: %s", call->command.device, call->command.name,
                                call->reason);
        return why < REASON_COUNT ? cli_refuse(cli, why, "%s: %s", call->command.device, call->command.name)
                                  : cli_fail(cli, CLI_REFUSED, "refused: %s", call->reason);
}

int ctl_device_call(struct cli *cli)
{
        _cleanup_(call_done) struct call call = { 0 };
        _cleanup_bus_ sd_bus *bus = NULL;
        uint8_t sign1[COMMAND_MAX];
        struct writer w;
        int r;

        writer_init(&w, sign1, sizeof(sign1));
        if ((r = take_command(cli, &call)) != CLI_OK || (r = ctl_connect(cli, &bus)) != CLI_OK ||
            (r = make(cli, bus, &call, &w)) != CLI_OK)
                return r;
        /* before it is sent: the answer may be quick */
        r = sd_bus_match_signal(bus, NULL, BUS_NAME, BUS_PATH, BUS_MANAGER, "CommandResult", on_result, &call);
        if (r < 0)
                return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
        if ((r = ctl_call_bytes(cli, bus, "SendCommand", writer_span(&w), NULL)) != CLI_OK)
                return r;
        if (!cli_flag(cli, "no-wait") && (r = wait_result(cli, bus, &call)) != CLI_OK)
                return r;
        return report(cli, &call);
}
