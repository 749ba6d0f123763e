/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/command.h"

enum {
        COMMAND_VERSION = 0,
        COMMAND_SITE = 1,
        COMMAND_DEVICE = 2,
        COMMAND_COUNTER = 3,
        COMMAND_EXPIRY = 4,
        COMMAND_NAME = 5,
        COMMAND_ARGUMENTS = 6,
};
#define COMMAND_REQUIRED 0x7fu /* a bit for each label */
#define COMMAND_SCRATCH  (COMMAND_MAX + sizeof(COMMAND_AAD) + COSE_SCRATCH_EXTRA)

static void get_field(struct reader *r, int64_t label, struct command *out)
{
        switch (label) {
        case COMMAND_VERSION:
                cbor_get_version(r, 1);
                break;
        case COMMAND_SITE:
                cbor_get_text(r, identity_is_device, out->site, sizeof(out->site));
                break;
        case COMMAND_DEVICE:
                cbor_get_text(r, identity_is_device, out->device, sizeof(out->device));
                break;
        case COMMAND_COUNTER:
                out->counter = cbor_get_uint(r);
                break;
        case COMMAND_EXPIRY:
                out->expiry = cbor_get_uint(r);
                break;
        case COMMAND_NAME:
                cbor_get_text(r, command_name_is_valid, out->name, sizeof(out->name));
                break;
        case COMMAND_ARGUMENTS:
                out->arguments = cbor_get_bstr(r);
                break;
        default:
                reader_fail(r, RELAY_E_MALFORMED);
                break;
        }
}

int command_decode(struct span payload, struct command *out)
{
        struct command command = { 0 };
        struct cbor_map m;
        struct reader r;
        int64_t label;
        int result;

        reader_init(&r, payload);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &label))
                get_field(&r, label, &command);
        cbor_map_require(&m, COMMAND_REQUIRED);
        if (command.counter < 1 || command.arguments.size > COMMAND_ARGUMENTS_MAX)
                reader_fail(&r, RELAY_E_RANGE);
        result = reader_finish(&r);
        if (result == RELAY_OK)
                *out = command;
        return result;
}

static int command_encode(struct writer *w, const struct command *command)
{
        if (!identity_is_device(span_of_string(command->site)) ||
            !identity_is_device(span_of_string(command->device)) ||
            !command_name_is_valid(span_of_string(command->name)) || command->counter < 1 ||
            command->arguments.size > COMMAND_ARGUMENTS_MAX)
                return RELAY_E_RANGE;
        cbor_put_map(w, 7);
        cbor_put_uint(w, COMMAND_VERSION);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, COMMAND_SITE);
        cbor_put_tstr(w, span_of_string(command->site));
        cbor_put_uint(w, COMMAND_DEVICE);
        cbor_put_tstr(w, span_of_string(command->device));
        cbor_put_uint(w, COMMAND_COUNTER);
        cbor_put_uint(w, command->counter);
        cbor_put_uint(w, COMMAND_EXPIRY);
        cbor_put_uint(w, command->expiry);
        cbor_put_uint(w, COMMAND_NAME);
        cbor_put_tstr(w, span_of_string(command->name));
        cbor_put_uint(w, COMMAND_ARGUMENTS);
        cbor_put_bstr(w, command->arguments);
        return writer_finish(w);
}

int command_sign(struct writer *w, const struct command *command, const struct signer *signer)
{
        uint8_t bytes[COMMAND_MAX], scratch[COMMAND_SCRATCH];
        struct writer payload;
        int result;

        writer_init(&payload, bytes, sizeof(bytes));
        result = command_encode(&payload, command);
        if (result != RELAY_OK)
                return result;
        return cose_sign1_write(w, signer, SPAN_LITERAL(COMMAND_AAD), writer_span(&payload), false, scratch,
                                sizeof(scratch));
}

static bool signed_by(const struct cose_sign1 *sign1, const struct public_key *key)
{
        uint8_t scratch[COMMAND_SCRATCH];

        return cose_sign1_is_by(sign1, key, SPAN_LITERAL(COMMAND_AAD), scratch, sizeof(scratch));
}

/* whose signature it is, and what that key may run and where; NULL: of no command key */
static const struct public_key *find_signer(const struct cose_sign1 *sign1, const struct site_policy *policy,
                                            const struct vendor_keys *vendor, const struct site_names **names,
                                            const struct site_scope **scope)
{
        static const struct site_scope everywhere = { .kind = SCOPE_SITE };

        for (size_t i = 0; i < policy->grant_count; i++)
                if (signed_by(sign1, &policy->grants[i].key)) {
                        *names = &policy->grants[i].names;
                        *scope = &policy->grants[i].scope;
                        return &policy->grants[i].key;
                }
        for (size_t i = 0; i < vendor->command_count; i++)
                if (signed_by(sign1, &vendor->command[i])) {
                        *names = &policy->vendor_commands;
                        *scope = &everywhere;
                        return &vendor->command[i];
                }
        return NULL;
}

enum reason command_check(struct span sign1, const struct site_policy *policy, const struct vendor_keys *vendor,
                          const char *device, const uint8_t *class_id, struct command *out, struct public_key *key)
{
        const struct public_key *signer;
        const struct site_names *names;
        const struct site_scope *scope;
        struct command command;
        struct cose_sign1 opened;

        if (sign1.size > COMMAND_MAX || cose_sign1_decode(sign1, &opened) != RELAY_OK || opened.detached ||
            command_decode(opened.payload, &command) != RELAY_OK)
                return REASON_MALFORMED;
        if (!span_equal_string(span_of_string(command.site), policy->site))
                return REASON_WRONG_SITE;
        if (device && !span_equal_string(span_of_string(command.device), device))
                return REASON_WRONG_DEVICE;
        signer = find_signer(&opened, policy, vendor, &names, &scope);
        if (!signer)
                return REASON_BAD_SIGNATURE;
        if (!site_names_cover(policy, names, span_of_string(command.name)) ||
            !site_scope_covers(policy, scope, command.device, class_id))
                return REASON_OUT_OF_SCOPE;
        *out = command;
        *key = *signer;
        return REASON_NONE;
}
