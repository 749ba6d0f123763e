/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of commands; see command_record.h. */

#include <string.h>

#include "hub/command_record.h"

#define FORMAT 1

static void get_device(struct reader *r, char out[IDENTITY_MAX + 1])
{
        size_t size = 0;

        for (uint8_t c = reader_u8(r); c != 0 && size < IDENTITY_MAX; c = reader_u8(r))
                out[size++] = (char)c;
        out[size] = '\0';
        /* after as many letters as there may be, the loop has read the NUL, too, or something that is none */
        if (!identity_is_device(span_of_string(out)) || r->in.data[r->at - 1] != 0)
                reader_fail(r, RELAY_E_RANGE);
}

static void get_digest(struct reader *r, uint8_t out[SHA256_SIZE])
{
        struct span digest = reader_bytes(r, SHA256_SIZE);

        if (digest.size == SHA256_SIZE)
                memcpy(out, digest.data, SHA256_SIZE);
}

static int get_counter(struct reader *key, struct reader *value, struct command_record *out)
{
        get_digest(key, out->key);
        out->counter = reader_u64(value);
        get_digest(value, out->digest);
        return out->counter > 0 ? RELAY_OK : RELAY_E_RANGE;
}

static int get_waiting(struct reader *key, struct reader *value, struct command_record *out)
{
        struct cose_sign1 sign1;
        int result;

        out->number = reader_u64(key);
        get_digest(value, out->key);
        out->sign1 = reader_bytes(value, reader_left(value));
        if (out->sign1.size > COMMAND_MAX)
                return RELAY_E_RANGE;
        result = cose_sign1_decode(out->sign1, &sign1);
        if (result == RELAY_OK)
                result = sign1.detached ? RELAY_E_MALFORMED : command_decode(sign1.payload, &out->command);
        return result != RELAY_OK || strcmp(out->command.device, out->device) == 0 ? result : RELAY_E_MALFORMED;
}

int command_record_decode(struct span key_bytes, struct span value_bytes, struct command_record *out)
{
        struct command_record record = { 0 };
        struct reader key, value;
        uint8_t kind;
        int result = RELAY_E_MALFORMED;

        reader_init(&key, key_bytes);
        reader_init(&value, value_bytes);
        kind = reader_u8(&key);
        get_device(&key, record.device);
        if (key.result != RELAY_OK || reader_u8(&value) != FORMAT)
                return RELAY_E_MALFORMED;
        record.kind = (enum command_record_kind)kind;
        if (kind == COMMAND_RECORD_COUNTER)
                result = get_counter(&key, &value, &record);
        else if (kind == COMMAND_RECORD_WAITING)
                result = get_waiting(&key, &value, &record);
        if (result == RELAY_OK)
                result = reader_finish(&key);
        if (result == RELAY_OK)
                result = reader_finish(&value);
        if (result == RELAY_OK)
                *out = record;
        return result;
}

void command_record_put_key(struct writer *w, const struct command_record *record)
{
        writer_u8(w, (uint8_t)record->kind);
        writer_bytes(w, span_of_string(record->device));
        writer_u8(w, 0);
        switch (record->kind) {
        case COMMAND_RECORD_COUNTER:
                writer_bytes(w, SPAN_OF(record->key));
                break;
        case COMMAND_RECORD_WAITING:
                writer_u64(w, record->number);
                break;
        }
}

void command_record_put_value(struct writer *w, const struct command_record *record)
{
        writer_u8(w, FORMAT);
        switch (record->kind) {
        case COMMAND_RECORD_COUNTER:
                writer_u64(w, record->counter);
                writer_bytes(w, SPAN_OF(record->digest));
                break;
        case COMMAND_RECORD_WAITING:
                writer_bytes(w, SPAN_OF(record->key));
                writer_bytes(w, record->sign1);
                break;
        }
}
