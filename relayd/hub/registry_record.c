/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device in the store; see registry.h. */

#include <errno.h>
#include <string.h>

#include "hub/registry.h"

#define RECORD_FORMAT 3

static void write_text(struct writer *w, const char *text)
{
        writer_u8(w, (uint8_t)strlen(text));
        writer_bytes(w, span_of_string(text));
}

static void write_evidence(struct writer *w, const struct device_evidence *evidence)
{
        writer_u8(w, evidence->there);
        if (!evidence->there)
                return;
        writer_bytes(w, SPAN_OF(evidence->image));
        writer_bytes(w, SPAN_OF(evidence->manifest));
        writer_u8(w, (uint8_t)evidence->mode);
        writer_u64(w, evidence->sequence);
        writer_u64(w, evidence->time);
}

void device_record_encode(struct writer *w, const struct device *d)
{
        writer_u8(w, RECORD_FORMAT);
        writer_u8(w, (uint8_t)d->registration);
        writer_u64(w, d->time);
        writer_u8(w, (uint8_t)d->key.type);
        writer_bytes(w, SPAN_OF(d->key.bytes));
        writer_bytes(w, SPAN_OF(d->fingerprint));
        writer_bytes(w, SPAN_OF(d->vendor_id));
        writer_bytes(w, SPAN_OF(d->class_id));
        write_text(w, d->why);
        writer_u8(w, d->relay_checks);
        writer_u8(w, (uint8_t)d->level);
        writer_u8(w, d->proved);
        writer_u8(w, (uint8_t)d->trust);
        write_text(w, reason_name(d->quarantine));
        writer_u32(w, d->boot_highest);
        writer_u32(w, d->rotation);
        writer_bytes(w, SPAN_OF(d->previous));
        write_evidence(w, &d->evidence);
}

int device_record_write(struct store *store, const struct device *d)
{
        uint8_t record[DEVICE_RECORD_MAX];
        struct writer w;

        writer_init(&w, record, sizeof(record));
        device_record_encode(&w, d);
        return store_put(store, STORE_DEVICES, span_of_string(d->identity), writer_span(&w));
}

static void read_exact(struct reader *r, uint8_t *out, size_t size)
{
        struct span bytes = reader_bytes(r, size);

        if (bytes.size == size)
                memcpy(out, bytes.data, size);
}

/* up to max, else the record is damaged */
static uint8_t read_choice(struct reader *r, uint8_t max)
{
        uint8_t value = reader_u8(r);

        if (value > max)
                reader_fail(r, RELAY_E_RANGE);
        return value <= max ? value : 0;
}

static void read_text(struct reader *r, char *out, size_t size)
{
        if (!span_to_string(reader_bytes(r, reader_u8(r)), out, size))
                reader_fail(r, RELAY_E_RANGE);
}

static enum reason read_quarantine(struct reader *r)
{
        char name[64] = "";
        enum reason reason;

        read_text(r, name, sizeof(name));
        reason = reason_from_name(name);
        if (reason == REASON_NONE || reason == REASON_UNKNOWN_IMAGE || reason == REASON_RECOVERY ||
            reason == REASON_CLONED_DEVICE)
                return reason;
        reader_fail(r, RELAY_E_RANGE);
        return REASON_NONE;
}

static void read_evidence(struct reader *r, struct device_evidence *out)
{
        out->there = read_choice(r, 1);
        if (!out->there)
                return;
        read_exact(r, out->image, sizeof(out->image));
        read_exact(r, out->manifest, sizeof(out->manifest));
        out->mode = (enum dice_mode)read_choice(r, DICE_MODE_RECOVERY);
        out->sequence = reader_u64(r);
        out->time = reader_u64(r);
}

static bool has_class(const struct device *d)
{
        static const uint8_t unknown[CLASS_ID_SIZE];

        return memcmp(d->class_id, unknown, CLASS_ID_SIZE) != 0;
}

static void read_proofs(struct reader *r, struct device *d)
{
        d->level = (enum factory_attestation)read_choice(r, FACTORY_ATTESTED);
        d->proved = read_choice(r, 1);
        d->trust = (enum attestation_trust)read_choice(r, TRUST_UNKNOWN_IMAGE);
        d->quarantine = read_quarantine(r);
        d->boot = d->boot_highest = reader_u32(r);
        d->rotation = reader_u32(r);
        read_exact(r, d->previous, sizeof(d->previous));
        read_evidence(r, &d->evidence);
}

int device_record_read(struct span key, struct span value, struct device *d)
{
        uint8_t format;
        struct reader r;

        reader_init(&r, value);
        format = reader_u8(&r);
        if (format == 0 || format > RECORD_FORMAT || !identity_is_device(key) ||
            !span_to_string(key, d->identity, sizeof(d->identity)))
                return -EBADMSG;
        d->registration = (enum registration)read_choice(&r, REGISTRATION_REVOKED);
        d->time = reader_u64(&r);
        d->key.type = (enum key_type)read_choice(&r, KEY_P256);
        d->pinned = d->key.type != KEY_NONE;
        read_exact(&r, d->key.bytes, sizeof(d->key.bytes));
        read_exact(&r, d->fingerprint, sizeof(d->fingerprint));
        read_exact(&r, d->vendor_id, sizeof(d->vendor_id));
        read_exact(&r, d->class_id, sizeof(d->class_id));
        read_text(&r, d->why, sizeof(d->why));
        d->relay_checks = format >= 2 ? read_choice(&r, 1) : !has_class(d);
        if (format >= 3)
                read_proofs(&r, d);
        return reader_finish(&r) == RELAY_OK ? 0 : -EBADMSG;
}
