/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot stage's side of the boot channel. */

#include "ports/posix/boot_channel.h"

#include <string.h>

static void put_reason(struct writer *w, enum reason reason)
{
        struct span name = span_of_string(reason_name(reason));

        writer_u8(w, (uint8_t)name.size);
        writer_bytes(w, name);
}

static int answer_status(struct boot_server *server, struct span argument, struct writer *w)
{
        struct port_boot_status status;

        (void)argument;
        boot_status(server->boot, &status);
        writer_u32(w, status.boot);
        writer_u8(w, status.slot);
        writer_u8(w, status.confirmed);
        writer_u8(w, status.tries);
        writer_u64(w, status.floor);
        writer_u64(w, status.sequence);
        writer_bytes(w, SPAN_OF(status.manifest));
        writer_bytes(w, SPAN_OF(status.image));
        writer_bytes(w, SPAN_OF(status.tried_manifest));
        put_reason(w, status.tried_reason);
        writer_u64(w, status.policy_epoch);
        writer_u64(w, status.vendor_epoch);
        writer_u64(w, status.approval_epoch);
        writer_u64(w, status.time_floor);
        return 0;
}

static int answer_stage(struct boot_server *server, struct span argument, struct writer *w)
{
        enum reason refusal = REASON_MALFORMED;

        (void)argument;
        int r = boot_stage(server->boot, &refusal);
        put_reason(w, refusal);
        return r;
}

static int answer_confirm(struct boot_server *server, struct span argument, struct writer *w)
{
        (void)argument;
        (void)w;
        return boot_confirm(server->boot);
}

static int answer_accept(struct boot_server *server, struct span argument, struct writer *w)
{
        enum reason refusal = REASON_MALFORMED;
        struct reader in;

        reader_init(&in, argument);
        uint8_t object = reader_u8(&in);
        struct span set = reader_bytes(&in, reader_left(&in));
        if (reader_finish(&in) != RELAY_OK || object > PORT_BOOT_REVOCATION)
                return RELAY_E_MALFORMED;
        int r = boot_accept(server->boot, (enum port_boot_object)object, set, &refusal);
        put_reason(w, refusal);
        return r;
}

/* The payload that was signed: what the application decodes has the digest of what was accepted. */
static int put_payload(const struct boot *b, enum trust_object object, struct writer *w)
{
        static uint8_t buffer[TRUST_OBJECT_MAX];
        struct cose_set set;
        struct span bytes;

        int r = trust_read_set(b->board.flash, b->record.trust_area, object, buffer, sizeof(buffer), &bytes);
        if (r == 0)
                r = cose_set_decode(bytes, &set);
        if (r != 0)
                return r;
        writer_u16(w, (uint16_t)set.payload.size);
        writer_bytes(w, set.payload);
        return 0;
}

static int answer_trusted(struct boot_server *server, struct span argument, struct writer *w)
{
        (void)argument;
        int r = put_payload(server->boot, TRUST_VENDOR, w);
        return r == 0 ? put_payload(server->boot, TRUST_POLICY, w) : r;
}

static int answer_sign(struct boot_server *server, struct span argument, struct writer *w)
{
        uint8_t signature[SIGNATURE_SIZE];

        int r = crypto_ed25519_sign(server->identity.seed, argument, signature);
        writer_bytes(w, SPAN_OF(signature));
        return r;
}

static int answer_identity(struct boot_server *server, struct span argument, struct writer *w)
{
        const struct device_identity *identity = &server->identity;

        (void)argument;
        writer_u8(w, (uint8_t)strlen(identity->name));
        writer_bytes(w, span_of_string(identity->name));
        writer_bytes(w, SPAN_OF(identity->class_id));
        writer_bytes(w, span_of(server->key.bytes, 32));
        writer_bytes(w, span_of(identity->certificates, identity->certificates_size));
        return 0;
}

static const struct {
        enum boot_request request;
        int (*answer)(struct boot_server *server, struct span argument, struct writer *w);
} requests[] = {
        { BOOT_REQUEST_STATUS, answer_status },     { BOOT_REQUEST_STAGE, answer_stage },
        { BOOT_REQUEST_CONFIRM, answer_confirm },   { BOOT_REQUEST_ACCEPT, answer_accept },
        { BOOT_REQUEST_TRUSTED, answer_trusted },   { BOOT_REQUEST_SIGN, answer_sign },
        { BOOT_REQUEST_IDENTITY, answer_identity },
};

size_t boot_server_answer(struct boot_server *server, const uint8_t *request, size_t size,
                          uint8_t answer[BOOT_CHANNEL_MAX])
{
        struct writer w;
        int r = RELAY_E_UNSUPPORTED;

        if (size == 0)
                return 0;
        if (request[0] == BOOT_REQUEST_FEED) {
                server->fed = true;
                return 0;
        }
        writer_init(&w, answer, BOOT_CHANNEL_MAX);
        writer_u8(&w, 0);
        for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
                if ((uint8_t)requests[i].request == request[0])
                        r = requests[i].answer(server, span_of(request + 1, size - 1), &w);
        if (r == 0 && writer_finish(&w) == RELAY_OK)
                return writer_needed(&w);
        answer[0] = 1;
        return 1;
}
