/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "channel/message.h"

#include "relay/crypto.h"

/* What stands in payloads behind one size byte: never empty, never longer than its kind allows. */
#define PEER_ADDRESS_MAX  64
#define IDENTITY_TEXT_MAX 64
#define REASON_MAX        40

static struct span get_text(struct reader *r, size_t max)
{
        size_t size = reader_u8(r);

        if (size == 0 || size > max)
                reader_fail(r, RELAY_E_RANGE);
        return reader_bytes(r, size);
}

static void put_text(struct writer *w, struct span text, size_t max)
{
        if (text.size == 0 || text.size > max)
                writer_fail(w, RELAY_E_RANGE);
        writer_u8(w, (uint8_t)text.size);
        writer_bytes(w, text);
}

/* An address goes into logs, alerts and onto the bus, and a front end may have been taken over. */
static struct span get_address(struct reader *r)
{
        struct span text = get_text(r, PEER_ADDRESS_MAX);

        for (size_t i = 0; i < text.size; i++)
                if (text.data[i] <= ' ' || text.data[i] > '~')
                        reader_fail(r, RELAY_E_RANGE);
        return text;
}

static void get_hello(struct reader *r, struct channel_message *m)
{
        m->hello.protocol = reader_u32(r);
        m->hello.pid = reader_u32(r);
        m->hello.datagram_max = reader_u32(r);
}

static void put_hello(struct writer *w, const struct channel_message *m)
{
        writer_u32(w, m->hello.protocol);
        writer_u32(w, m->hello.pid);
        writer_u32(w, m->hello.datagram_max);
}

static void get_open(struct reader *r, struct channel_message *m)
{
        m->open.peer = get_address(r);
        m->open.port = reader_u16(r);
        m->open.certificate_count = reader_u8(r);
        if (m->open.certificate_count < 1 || m->open.certificate_count > CHANNEL_CERTIFICATES_MAX) {
                reader_fail(r, RELAY_E_RANGE);
                return;
        }
        for (size_t i = 0; i < m->open.certificate_count; i++) {
                size_t size = reader_u16(r);
                if (size == 0)
                        reader_fail(r, RELAY_E_RANGE);
                m->open.certificates[i] = reader_bytes(r, size);
        }
}

static void put_open(struct writer *w, const struct channel_message *m)
{
        put_text(w, m->open.peer, PEER_ADDRESS_MAX);
        writer_u16(w, m->open.port);
        writer_u8(w, (uint8_t)m->open.certificate_count);
        if (m->open.certificate_count < 1 || m->open.certificate_count > CHANNEL_CERTIFICATES_MAX) {
                writer_fail(w, RELAY_E_RANGE);
                return;
        }
        for (size_t i = 0; i < m->open.certificate_count; i++) {
                struct span der = m->open.certificates[i];
                if (der.size == 0 || der.size > UINT16_MAX)
                        writer_fail(w, RELAY_E_RANGE);
                writer_u16(w, (uint16_t)der.size);
                writer_bytes(w, der);
        }
}

static bool is_peer_kind(unsigned kind)
{
        return kind == CHANNEL_PEER_DEVICE || kind == CHANNEL_PEER_APPLICATION;
}

static void get_admit(struct reader *r, struct channel_message *m)
{
        m->admit.identity = get_text(r, IDENTITY_TEXT_MAX);
        unsigned kind = reader_u8(r);
        if (!is_peer_kind(kind))
                reader_fail(r, RELAY_E_RANGE);
        else
                m->admit.kind = (enum channel_peer_kind)kind;
}

static void put_admit(struct writer *w, const struct channel_message *m)
{
        put_text(w, m->admit.identity, IDENTITY_TEXT_MAX);
        if (!is_peer_kind(m->admit.kind))
                writer_fail(w, RELAY_E_RANGE);
        writer_u8(w, (uint8_t)m->admit.kind);
}

static void get_refuse(struct reader *r, struct channel_message *m)
{
        m->refuse.mqtt_reason = reader_u8(r);
        m->refuse.reason = get_text(r, REASON_MAX);
}

static void put_refuse(struct writer *w, const struct channel_message *m)
{
        writer_u8(w, m->refuse.mqtt_reason);
        put_text(w, m->refuse.reason, REASON_MAX);
}

static void get_packet(struct reader *r, struct channel_message *m)
{
        m->packet = reader_bytes(r, reader_left(r));
        if (m->packet.size < 2) /* the smallest packet of MQTT */
                reader_fail(r, RELAY_E_RANGE);
}

static void put_packet(struct writer *w, const struct channel_message *m)
{
        if (m->packet.size < 2)
                writer_fail(w, RELAY_E_RANGE);
        writer_bytes(w, m->packet);
}

static void get_close(struct reader *r, struct channel_message *m)
{
        m->close.mqtt_reason = reader_u8(r);
        unsigned how = reader_u8(r);
        if (how > CHANNEL_CLOSE_BY_HUB)
                reader_fail(r, RELAY_E_RANGE);
        else
                m->close.how = (enum channel_close_how)how;
}

static void put_close(struct writer *w, const struct channel_message *m)
{
        writer_u8(w, m->close.mqtt_reason);
        if ((unsigned)m->close.how > CHANNEL_CLOSE_BY_HUB)
                writer_fail(w, RELAY_E_RANGE);
        writer_u8(w, (uint8_t)m->close.how);
}

static void get_credit(struct reader *r, struct channel_message *m)
{
        m->credit = reader_u32(r);
}

static void put_credit(struct writer *w, const struct channel_message *m)
{
        writer_u32(w, m->credit);
}

static void get_nothing(struct reader *r, struct channel_message *m)
{
        (void)r, (void)m;
}

static void put_nothing(struct writer *w, const struct channel_message *m)
{
        (void)w, (void)m;
}

/* does a message of this type belong to a session? */
enum scope { SCOPE_CHANNEL, SCOPE_SESSION, SCOPE_EITHER };

static const struct payload {
        void (*get)(struct reader *r, struct channel_message *m);
        void (*put)(struct writer *w, const struct channel_message *m);
        enum scope scope;
} payloads[] = {
        [CHANNEL_HELLO] = { get_hello, put_hello, SCOPE_CHANNEL },
        [CHANNEL_OPEN] = { get_open, put_open, SCOPE_SESSION },
        [CHANNEL_ADMIT] = { get_admit, put_admit, SCOPE_SESSION },
        [CHANNEL_REFUSE] = { get_refuse, put_refuse, SCOPE_SESSION },
        [CHANNEL_PACKET] = { get_packet, put_packet, SCOPE_SESSION },
        [CHANNEL_CLOSE] = { get_close, put_close, SCOPE_SESSION },
        [CHANNEL_CREDIT] = { get_credit, put_credit, SCOPE_EITHER },
        [CHANNEL_STOP] = { get_nothing, put_nothing, SCOPE_CHANNEL },
};
#define TYPE_COUNT (sizeof(payloads) / sizeof(payloads[0]))

static bool fits_scope(enum scope scope, uint32_t session)
{
        switch (scope) {
        case SCOPE_CHANNEL:
                return session == 0;
        case SCOPE_SESSION:
                return session != 0;
        case SCOPE_EITHER:
                return true;
        }
        return false;
}

int channel_decode(struct reader *datagram, struct channel_message *out)
{
        struct channel_message m = { 0 };
        struct reader payload;

        uint8_t version = reader_u8(datagram), type = reader_u8(datagram);
        uint16_t flags = reader_u16(datagram);
        m.session = reader_u32(datagram);
        uint32_t size = reader_u32(datagram);
        m.token = reader_u32(datagram);
        if (datagram->result != RELAY_OK)
                return datagram->result;
        if (version != CHANNEL_VERSION || type < CHANNEL_HELLO || type >= TYPE_COUNT || flags != 0 ||
            size > CHANNEL_PAYLOAD_MAX || !fits_scope(payloads[type].scope, m.session)) {
                reader_fail(datagram, RELAY_E_RANGE);
                return datagram->result;
        }
        m.type = (enum channel_type)type;
        reader_init(&payload, reader_bytes(datagram, size));
        if (datagram->result != RELAY_OK)
                return datagram->result;
        payloads[type].get(&payload, &m);
        if (reader_finish(&payload) != RELAY_OK) {
                reader_fail(datagram, payload.result);
                return datagram->result;
        }
        *out = m;
        return RELAY_OK;
}

static void put_u32_at(struct writer *w, size_t at, uint32_t value)
{
        for (size_t i = 0; i < 4; i++)
                w->out[at + i] = (uint8_t)(value >> (24 - 8 * i));
}

int channel_encode(struct writer *w, const struct channel_message *message)
{
        struct writer before = *w;
        unsigned type = message->type;
        int result;

        if (type < CHANNEL_HELLO || type >= TYPE_COUNT || !fits_scope(payloads[type].scope, message->session))
                return RELAY_E_RANGE;
        writer_u8(w, CHANNEL_VERSION);
        writer_u8(w, (uint8_t)type);
        writer_u16(w, 0);
        writer_u32(w, message->session);
        size_t size_at = w->at;
        writer_u32(w, 0);
        writer_u32(w, message->token);
        payloads[type].put(w, message);

        result = writer_finish(w);
        size_t size = w->at - before.at - CHANNEL_HEADER_SIZE;
        if (size > CHANNEL_PAYLOAD_MAX && (result == RELAY_OK || result == RELAY_E_SPACE))
                result = RELAY_E_RANGE;
        if (result == RELAY_OK)
                put_u32_at(w, size_at, (uint32_t)size);
        else
                *w = before;
        return result;
}

static bool is_hash_size(size_t size)
{
        return size == 32 || size == CHANNEL_SIGN_HASH_MAX;
}

int channel_sign_request_decode(struct span in, struct channel_sign_request *out)
{
        struct channel_sign_request request;
        struct reader r;

        reader_init(&r, in);
        uint8_t version = reader_u8(&r);
        size_t size = reader_u8(&r);
        request.token = reader_u32(&r);
        request.hash = reader_bytes(&r, size);
        if (reader_finish(&r) != RELAY_OK)
                return r.result;
        if (version != CHANNEL_VERSION || !is_hash_size(size))
                return RELAY_E_RANGE;
        *out = request;
        return RELAY_OK;
}

int channel_sign_request_encode(struct writer *w, const struct channel_sign_request *request)
{
        if (!is_hash_size(request->hash.size))
                return RELAY_E_RANGE;
        writer_u8(w, CHANNEL_VERSION);
        writer_u8(w, (uint8_t)request->hash.size);
        writer_u32(w, request->token);
        writer_bytes(w, request->hash);
        return writer_finish(w);
}

int channel_sign_answer_decode(struct span in, struct channel_sign_answer *out)
{
        struct channel_sign_answer answer;
        struct reader r;

        reader_init(&r, in);
        uint8_t version = reader_u8(&r);
        answer.status = reader_u8(&r);
        answer.token = reader_u32(&r);
        answer.signature = reader_bytes(&r, answer.status == 0 ? SIGNATURE_SIZE : 0);
        if (reader_finish(&r) != RELAY_OK)
                return r.result;
        if (version != CHANNEL_VERSION)
                return RELAY_E_RANGE;
        *out = answer;
        return RELAY_OK;
}

int channel_sign_answer_encode(struct writer *w, const struct channel_sign_answer *answer)
{
        if (answer->signature.size != (answer->status == 0 ? SIGNATURE_SIZE : 0))
                return RELAY_E_RANGE;
        writer_u8(w, CHANNEL_VERSION);
        writer_u8(w, answer->status);
        writer_u32(w, answer->token);
        writer_bytes(w, answer->signature);
        return writer_finish(w);
}
