/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot stage's side of the boot channel. */

#include "ports/common/boot_server.h"

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
        writer_u8(w, status.recovery);
        writer_u8(w, status.tries);
        writer_u64(w, status.floor);
        writer_u64(w, status.sequence);
        writer_bytes(w, SPAN_OF(status.manifest));
        writer_bytes(w, SPAN_OF(status.image));
        writer_bytes(w, SPAN_OF(status.confirmed_manifest));
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
static int answer_trusted(struct boot_server *server, struct span argument, struct writer *w)
{
        const struct boot *b = server->boot;
        struct cose_set set;
        struct reader in;
        struct span bytes;

        reader_init(&in, argument);
        uint8_t object = reader_u8(&in);
        if (reader_finish(&in) != RELAY_OK || object > BOOT_OBJECT_POLICY)
                return RELAY_E_MALFORMED;
        int r = trust_read_set(b->board.flash, b->trust_area,
                               object == BOOT_OBJECT_VENDOR ? TRUST_VENDOR : TRUST_POLICY, server->message + 1,
                               TRUST_OBJECT_MAX, &bytes);
        if (r == 0)
                r = cose_set_decode(bytes, &set);
        if (r != 0)
                return r;
        /* it lies behind the place it goes to */
        memmove(server->message + 1, set.payload.data, set.payload.size);
        writer_bytes(w, span_of(server->message + 1, set.payload.size));
        return 0;
}

static int answer_sign(struct boot_server *server, struct span argument, struct writer *w)
{
        uint8_t signature[SIGNATURE_SIZE];

        int r = boot_sign(server->boot, argument, signature);
        if (r == 0)
                writer_bytes(w, SPAN_OF(signature));
        return r;
}

static int answer_attest(struct boot_server *server, struct span argument, struct writer *w)
{
        struct attest_challenge challenge;
        struct reader in;

        reader_init(&in, argument);
        struct span nonce = reader_bytes(&in, sizeof(challenge.nonce));
        struct span relay = reader_bytes(&in, sizeof(challenge.relay));
        if (reader_finish(&in) != RELAY_OK)
                return RELAY_E_MALFORMED;
        memcpy(challenge.nonce, nonce.data, sizeof(challenge.nonce));
        memcpy(challenge.relay, relay.data, sizeof(challenge.relay));
        return boot_attest(server->boot, &challenge, w);
}

static int answer_identity(struct boot_server *server, struct span argument, struct writer *w)
{
        struct boot *b = server->boot;

        (void)argument;
        writer_u8(w, (uint8_t)strlen(b->identity));
        writer_bytes(w, span_of_string(b->identity));
        writer_bytes(w, SPAN_OF(b->class_id));
        writer_bytes(w, span_of(b->keys.key.bytes, 32));
        writer_u8(w, b->keys.certificate_size > 0);
        return boot_put_chain(b, w);
}

static int answer_feed(struct boot_server *server, struct span argument, struct writer *w)
{
        (void)argument;
        (void)w;
        server->fed = true;
        return 0;
}

/* An answer is written over its request: each of these has read its argument before it writes. */
static const struct {
        enum boot_request request;
        int (*answer)(struct boot_server *server, struct span argument, struct writer *w);
} requests[] = {
        { BOOT_REQUEST_STATUS, answer_status },     { BOOT_REQUEST_STAGE, answer_stage },
        { BOOT_REQUEST_CONFIRM, answer_confirm },   { BOOT_REQUEST_ACCEPT, answer_accept },
        { BOOT_REQUEST_TRUSTED, answer_trusted },   { BOOT_REQUEST_SIGN, answer_sign },
        { BOOT_REQUEST_IDENTITY, answer_identity }, { BOOT_REQUEST_FEED, answer_feed },
        { BOOT_REQUEST_ATTEST, answer_attest },
};

void boot_server_init(struct boot_server *server, struct boot *boot)
{
        server->boot = boot;
        server->fed = false;
}

size_t boot_server_answer(struct boot_server *server, size_t size)
{
        uint8_t *message = server->message, request = size > 0 ? message[0] : 0;
        int r = RELAY_E_UNSUPPORTED;
        struct writer w;

        writer_init(&w, message + 1, BOOT_MESSAGE_MAX - 1);
        for (size_t i = 0; size > 0 && i < sizeof(requests) / sizeof(requests[0]); i++)
                if ((uint8_t)requests[i].request == request)
                        r = requests[i].answer(server, span_of(message + 1, size - 1), &w);
        bool done = r == 0 && writer_finish(&w) == RELAY_OK;
        message[0] = done ? 0 : 1;
        return done ? 1 + writer_needed(&w) : 1;
}
