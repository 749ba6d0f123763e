/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot stage's side of the boot channel. */

#include "ports/common/boot_server.h"

#include <string.h>

#include "port/secret.h"

/* RFC 8446 section 4.4.3 */
#define CERTIFICATE_VERIFY_SPACES 64
#define CERTIFICATE_VERIFY_HEAD   (CERTIFICATE_VERIFY_SPACES + 34)
#define SHA384_SIZE               48

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
        int r = trust_read_set(b->board.flash, b->record.trust_area,
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

/* Another message would be somebody else's signature: the application's key serves for TLS and for DICE-1 only. */
static bool is_certificate_verify(struct span message)
{
        static const char context[] = "TLS 1.3, client CertificateVerify"; /* its zero counts, too */
        size_t i;

        if (message.size > PORT_SIGN_MAX || (message.size != CERTIFICATE_VERIFY_HEAD + SHA256_SIZE &&
                                             message.size != CERTIFICATE_VERIFY_HEAD + SHA384_SIZE))
                return false;
        for (i = 0; i < CERTIFICATE_VERIFY_SPACES; i++)
                if (message.data[i] != ' ')
                        return false;
        return memcmp(message.data + i, context, sizeof(context)) == 0;
}

static int answer_sign(struct boot_server *server, struct span argument, struct writer *w)
{
        uint8_t signature[SIGNATURE_SIZE];

        if (!is_certificate_verify(argument))
                return RELAY_E_RANGE;
        int r = crypto_ed25519_sign(server->identity.seed, argument, signature);
        if (r == 0)
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
        writer_u8(w, false);
        writer_bytes(w, span_of(identity->certificates, identity->certificates_size));
        return 0;
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
