/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hub/update_record.h"

#define ALL_KEYS(count) ((1u << (count)) - 1)

int update_record_decode(struct span record, struct update_record *out)
{
        struct update_record update = { 0 };
        struct reader r;
        struct cbor_map m;
        int64_t key;

        reader_init(&r, record);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &key)) {
                switch (key) {
                case 0:
                        cbor_get_version(&r, 1);
                        break;
                case 1:
                        update.envelope = cbor_get_bstr(&r);
                        break;
                case 2:
                        update.received = cbor_get_uint(&r);
                        break;
                case 3:
                        update.denied = cbor_get_bool(&r);
                        break;
                case 4:
                        update.why = cbor_get_tstr(&r);
                        break;
                default:
                        reader_fail(&r, RELAY_E_MALFORMED);
                }
        }
        cbor_map_require(&m, ALL_KEYS(5));
        if (update.envelope.size > MANIFEST_MAX || update.why.size >= UPDATE_WHY_SIZE)
                reader_fail(&r, RELAY_E_RANGE);
        int result = reader_finish(&r);
        if (result == RELAY_OK)
                *out = update;
        return result;
}

void update_record_encode(struct writer *w, const struct update_record *record)
{
        cbor_put_map(w, 5);
        cbor_put_uint(w, 0);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, 1);
        cbor_put_bstr(w, record->envelope);
        cbor_put_uint(w, 2);
        cbor_put_uint(w, record->received);
        cbor_put_uint(w, 3);
        cbor_put_bool(w, record->denied);
        cbor_put_uint(w, 4);
        cbor_put_tstr(w, record->why);
}

static enum reason get_reason(struct reader *r)
{
        char name[64];
        struct span text = cbor_get_tstr(r);
        enum reason reason = span_to_string(text, name, sizeof(name)) ? reason_from_name(name) : REASON_COUNT;

        if (reason == REASON_COUNT)
                reader_fail(r, RELAY_E_RANGE);
        return reason;
}

static enum update_status get_status(struct reader *r)
{
        struct span text = cbor_get_tstr(r);
        enum update_status status = update_status_from_name(text);

        if (status == UPDATE_STATUS_NONE && !span_equal_string(text, update_status_name(UPDATE_STATUS_NONE)))
                reader_fail(r, RELAY_E_RANGE);
        return status;
}

int update_device_record_decode(struct span record, struct update_device_record *out)
{
        struct update_device_record device = { 0 };
        struct reader r;
        struct cbor_map m;
        int64_t key;

        reader_init(&r, record);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &key)) {
                switch (key) {
                case 0:
                        cbor_get_version(&r, 1);
                        break;
                case 1:
                        device.status = get_status(&r);
                        break;
                case 2:
                        device.progress = (uint32_t)cbor_get_uint_max(&r, 100);
                        break;
                case 3:
                        device.reason = get_reason(&r);
                        break;
                case 4:
                        device.installed = cbor_get_bool(&r);
                        break;
                case 5:
                        device.shown = cbor_get_bool(&r);
                        break;
                default:
                        reader_fail(&r, RELAY_E_MALFORMED);
                }
        }
        cbor_map_require(&m, ALL_KEYS(6));
        int result = reader_finish(&r);
        if (result == RELAY_OK)
                *out = device;
        return result;
}

void update_device_record_encode(struct writer *w, const struct update_device_record *record)
{
        cbor_put_map(w, 6);
        cbor_put_uint(w, 0);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, 1);
        cbor_put_tstr(w, span_of_string(update_status_name(record->status)));
        cbor_put_uint(w, 2);
        cbor_put_uint(w, record->progress);
        cbor_put_uint(w, 3);
        cbor_put_tstr(w, span_of_string(reason_name(record->reason)));
        cbor_put_uint(w, 4);
        cbor_put_bool(w, record->installed);
        cbor_put_uint(w, 5);
        cbor_put_bool(w, record->shown);
}
