/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The application's side of the boot channel. */

#include "ports/posix/boot_channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* one request and its answer; in gets the answer behind its first byte, which lies in buffer */
static int ask(int fd, enum boot_request request, struct span argument, uint8_t buffer[BOOT_CHANNEL_MAX],
               struct reader *in)
{
        ssize_t n;

        if (argument.size >= BOOT_CHANNEL_MAX)
                return RELAY_E_RANGE;
        buffer[0] = (uint8_t)request;
        if (argument.size > 0)
                memcpy(buffer + 1, argument.data, argument.size);
        if (send(fd, buffer, 1 + argument.size, MSG_NOSIGNAL) < 0)
                return PORT_E_IO;
        do
                n = recv(fd, buffer, BOOT_CHANNEL_MAX, 0);
        while (n < 0 && errno == EINTR);
        if (n < 1 || buffer[0] != 0)
                return PORT_E_IO;
        reader_init(in, span_of(buffer + 1, (size_t)n - 1));
        return 0;
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
        uint8_t buffer[BOOT_CHANNEL_MAX];
        struct reader in;

        int r = ask(client->fd, BOOT_REQUEST_STATUS, SPAN_EMPTY, buffer, &in);
        if (r < 0)
                return r;
        status.boot = reader_u32(&in);
        status.slot = reader_u8(&in) & 1;
        status.confirmed = reader_u8(&in) != 0;
        status.tries = reader_u8(&in);
        status.floor = reader_u64(&in);
        status.sequence = reader_u64(&in);
        get_digest(&in, status.manifest);
        get_digest(&in, status.image);
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
        uint8_t buffer[BOOT_CHANNEL_MAX];
        struct reader in;

        int r = ask(client->fd, BOOT_REQUEST_STAGE, SPAN_EMPTY, buffer, &in);
        if (r == 0)
                *refusal = get_reason(&in);
        return r;
}

static int client_confirm(void *context)
{
        const struct boot_client *client = context;
        uint8_t buffer[BOOT_CHANNEL_MAX];
        struct reader in;

        return ask(client->fd, BOOT_REQUEST_CONFIRM, SPAN_EMPTY, buffer, &in);
}

static int client_accept(void *context, enum port_boot_object object, struct span signed_set, enum reason *refusal)
{
        const struct boot_client *client = context;
        uint8_t argument[BOOT_CHANNEL_MAX], buffer[BOOT_CHANNEL_MAX];
        struct reader in;
        struct writer w;

        writer_init(&w, argument, sizeof(argument) - 1);
        writer_u8(&w, (uint8_t)object);
        writer_bytes(&w, signed_set);
        if (writer_finish(&w) != RELAY_OK) {
                *refusal = REASON_TOO_LARGE;
                return 0;
        }
        int r = ask(client->fd, BOOT_REQUEST_ACCEPT, writer_span(&w), buffer, &in);
        if (r == 0)
                *refusal = get_reason(&in);
        return r;
}

static int client_trusted(void *context, struct site_policy *policy, struct vendor_keys *vendor)
{
        const struct boot_client *client = context;
        uint8_t buffer[BOOT_CHANNEL_MAX];
        struct reader in;

        int r = ask(client->fd, BOOT_REQUEST_TRUSTED, SPAN_EMPTY, buffer, &in);
        if (r < 0)
                return r;
        struct span vendor_bytes = reader_bytes(&in, reader_u16(&in));
        struct span policy_bytes = reader_bytes(&in, reader_u16(&in));
        if (reader_finish(&in) != RELAY_OK || vendor_keys_decode(vendor_bytes, vendor) != RELAY_OK ||
            site_policy_decode(policy_bytes, policy) != RELAY_OK)
                return PORT_E_IO;
        return 0;
}

/* On this port a reset is the end of the application's process. */
static void client_reset(void *context)
{
        (void)context;
        exit(0);
}

static int client_sign(void *context, struct span message, uint8_t signature[SIGNATURE_SIZE])
{
        const struct boot_client *client = context;
        uint8_t buffer[BOOT_CHANNEL_MAX];
        struct reader in;

        if (message.size > 512)
                return RELAY_E_RANGE;
        int r = ask(client->fd, BOOT_REQUEST_SIGN, message, buffer, &in);
        if (r < 0)
                return r;
        struct span bytes = reader_bytes(&in, SIGNATURE_SIZE);
        if (reader_finish(&in) != RELAY_OK)
                return PORT_E_IO;
        memcpy(signature, bytes.data, SIGNATURE_SIZE);
        return 0;
}

static void client_feed(void *context)
{
        const struct boot_client *client = context;
        uint8_t request = BOOT_REQUEST_FEED;

        (void)send(client->fd, &request, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int load_identity(struct boot_client *client)
{
        struct device_identity *identity = &client->identity;
        uint8_t buffer[BOOT_CHANNEL_MAX];
        struct reader in;

        int r = ask(client->fd, BOOT_REQUEST_IDENTITY, SPAN_EMPTY, buffer, &in);
        if (r < 0)
                return -EIO;
        struct span name = reader_bytes(&in, reader_u8(&in));
        struct span class = reader_bytes(&in, CLASS_ID_SIZE), key = reader_bytes(&in, 32);
        struct span certificates = reader_bytes(&in, reader_left(&in));
        if (reader_finish(&in) != RELAY_OK || certificates.size > TRUST_CERTIFICATES_MAX ||
            !span_to_string(name, identity->name, sizeof(identity->name)))
                return -EINVAL;
        memcpy(identity->class_id, class.data, CLASS_ID_SIZE);
        if (certificates.size > 0)
                memcpy(identity->certificates, certificates.data, certificates.size);
        identity->certificates_size = certificates.size;
        client->secret.key.type = KEY_ED25519;
        memcpy(client->secret.key.bytes, key.data, 32);
        return 0;
}

int boot_client_init(struct boot_client *client, int fd)
{
        memset(client, 0, sizeof(*client));
        client->fd = fd;
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
