/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The application's side of the boot channel. */

#include "ports/common/boot_client.h"

#include <string.h>

/* begins a request in the client's buffer */
static void begin(const struct boot_client *client, struct writer *w, enum boot_request request)
{
        writer_init(w, client->buffer, BOOT_MESSAGE_MAX);
        writer_u8(w, (uint8_t)request);
}

/* sends it; in gets the answer behind its first byte, which lies in the buffer */
static int ask(const struct boot_client *client, const struct writer *w, struct reader *in)
{
        const struct boot_transport *transport = &client->transport;
        size_t answered = 0;

        if (writer_finish(w) != RELAY_OK)
                return RELAY_E_RANGE;
        int r = transport->exchange(transport->context, client->buffer, writer_needed(w), &answered);
        if (r < 0 || answered < 1 || answered > BOOT_MESSAGE_MAX || client->buffer[0] != 0)
                return PORT_E_IO;
        reader_init(in, span_of(client->buffer + 1, answered - 1));
        return 0;
}

static int ask_plain(const struct boot_client *client, enum boot_request request, struct reader *in)
{
        struct writer w;

        begin(client, &w, request);
        return ask(client, &w, in);
}

static void get_digest(struct reader *in, uint8_t out[SHA256_SIZE])
{
        struct span bytes = reader_bytes(in, SHA256_SIZE);
        if (bytes.size == SHA256_SIZE)
                memcpy(out, bytes.data, SHA256_SIZE);
}

static enum reason get_reason(struct reader *in)
{
        struct span name = reader_bytes(in, reader_u8(in));
        char text[64];

        if (!span_to_string(name, text, sizeof(text)))
                return REASON_MALFORMED;
        enum reason reason = reason_from_name(text);
        return reason == REASON_COUNT ? REASON_MALFORMED : reason;
}

static int client_status(void *context, struct port_boot_status *out)
{
        const struct boot_client *client = context;
        struct port_boot_status status = { 0 };
        struct reader in;

        int r = ask_plain(client, BOOT_REQUEST_STATUS, &in);
        if (r < 0)
                return r;
        status.boot = reader_u32(&in);
        status.slot = reader_u8(&in) & 1;
        status.confirmed = reader_u8(&in) != 0;
        status.recovery = reader_u8(&in) != 0;
        status.tries = reader_u8(&in);
        status.floor = reader_u64(&in);
        status.sequence = reader_u64(&in);
        get_digest(&in, status.manifest);
        get_digest(&in, status.image);
        get_digest(&in, status.confirmed_manifest);
        get_digest(&in, status.tried_manifest);
        status.tried_reason = get_reason(&in);
        status.policy_epoch = reader_u64(&in);
        status.vendor_epoch = reader_u64(&in);
        status.approval_epoch = reader_u64(&in);
        status.time_floor = reader_u64(&in);
        if (reader_finish(&in) != RELAY_OK)
                return PORT_E_IO;
        *out = status;
        return 0;
}

static int client_stage(void *context, enum reason *refusal)
{
        const struct boot_client *client = context;
        struct reader in;

        int r = ask_plain(client, BOOT_REQUEST_STAGE, &in);
        if (r == 0)
                *refusal = get_reason(&in);
        return r;
}

static int client_confirm(void *context)
{
        const struct boot_client *client = context;
        struct reader in;

        return ask_plain(client, BOOT_REQUEST_CONFIRM, &in);
}

static int client_accept(void *context, enum port_boot_object object, struct span signed_set, enum reason *refusal)
{
        const struct boot_client *client = context;
        struct reader in;
        struct writer w;

        if (signed_set.size > SITE_POLICY_MAX) {
                *refusal = REASON_TOO_LARGE;
                return 0;
        }
        begin(client, &w, BOOT_REQUEST_ACCEPT);
        writer_u8(&w, (uint8_t)object);
        writer_bytes(&w, signed_set);
        int r = ask(client, &w, &in);
        if (r == 0)
                *refusal = get_reason(&in);
        return r;
}

static int ask_trusted(const struct boot_client *client, enum boot_object object, struct span *payload)
{
        struct reader in;
        struct writer w;

        begin(client, &w, BOOT_REQUEST_TRUSTED);
        writer_u8(&w, (uint8_t)object);
        int r = ask(client, &w, &in);
        if (r == 0)
                *payload = reader_bytes(&in, reader_left(&in));
        return r;
}

static int client_trusted(void *context, struct site_policy *policy, struct vendor_keys *vendor)
{
        const struct boot_client *client = context;
        struct span payload;

        int r = ask_trusted(client, BOOT_OBJECT_VENDOR, &payload);
        if (r == 0 && vendor_keys_decode(payload, vendor) != RELAY_OK)
                r = PORT_E_IO;
        if (r == 0)
                r = ask_trusted(client, BOOT_OBJECT_POLICY, &payload);
        if (r == 0 && site_policy_decode(payload, policy) != RELAY_OK)
                r = PORT_E_IO;
        return r;
}

static void client_reset(void *context)
{
        const struct boot_client *client = context;

        client->transport.reset(client->transport.context);
}

static int client_sign(void *context, struct span message, uint8_t signature[SIGNATURE_SIZE])
{
        const struct boot_client *client = context;
        struct reader in;
        struct writer w;

        if (message.size > PORT_SIGN_MAX)
                return RELAY_E_RANGE;
        begin(client, &w, BOOT_REQUEST_SIGN);
        writer_bytes(&w, message);
        int r = ask(client, &w, &in);
        if (r < 0)
                return r;
        struct span bytes = reader_bytes(&in, SIGNATURE_SIZE);
        if (reader_finish(&in) != RELAY_OK)
                return PORT_E_IO;
        memcpy(signature, bytes.data, SIGNATURE_SIZE);
        return 0;
}

static int client_attest(void *context, const struct attest_challenge *challenge, uint8_t *out, size_t size,
                         size_t *written)
{
        const struct boot_client *client = context;
        struct reader in;
        struct writer w;

        begin(client, &w, BOOT_REQUEST_ATTEST);
        writer_bytes(&w, SPAN_OF(challenge->nonce));
        writer_bytes(&w, SPAN_OF(challenge->relay));
        int r = ask(client, &w, &in);
        if (r < 0)
                return r;
        struct span statement = reader_bytes(&in, reader_left(&in));
        if (statement.size > size)
                return RELAY_E_SPACE;
        if (statement.size > 0)
                memcpy(out, statement.data, statement.size);
        *written = statement.size;
        return 0;
}

static void client_feed(void *context)
{
        struct reader in;

        (void)ask_plain(context, BOOT_REQUEST_FEED, &in);
}

static int load_identity(struct boot_client *client)
{
        struct boot_identity *identity = &client->identity;
        struct reader in;

        int r = ask_plain(client, BOOT_REQUEST_IDENTITY, &in);
        if (r < 0)
                return r;
        struct span name = reader_bytes(&in, reader_u8(&in));
        struct span class = reader_bytes(&in, CLASS_ID_SIZE), key = reader_bytes(&in, 32);
        bool attests = reader_u8(&in) != 0;
        struct span certificates = reader_bytes(&in, reader_left(&in));
        if (reader_finish(&in) != RELAY_OK || certificates.size > BOOT_CHAIN_MAX ||
            !span_to_string(name, identity->name, sizeof(identity->name)))
                return RELAY_E_MALFORMED;
        memcpy(identity->class_id, class.data, CLASS_ID_SIZE);
        if (certificates.size > 0)
                memcpy(identity->certificates, certificates.data, certificates.size);
        identity->certificates_size = certificates.size;
        client->secret.attest = attests ? client_attest : NULL;
        client->secret.key.type = KEY_ED25519;
        memcpy(client->secret.key.bytes, key.data, 32);
        return 0;
}

int boot_client_init(struct boot_client *client, const struct boot_transport *transport, uint8_t *buffer)
{
        memset(client, 0, sizeof(*client));
        client->transport = *transport;
        client->buffer = buffer;
        client->boot = (struct port_boot){ .status = client_status,
                                           .stage = client_stage,
                                           .confirm = client_confirm,
                                           .accept = client_accept,
                                           .trusted = client_trusted,
                                           .reset = client_reset,
                                           .context = client };
        client->secret = (struct port_secret){ .sign = client_sign, .context = client };
        client->watchdog = (struct port_watchdog){ .feed = client_feed, .context = client };
        return load_identity(client);
}
