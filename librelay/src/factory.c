/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/factory.h"

enum { LIST_VERSION = 0, LIST_VENDOR = 1, LIST_DEVICES = 2 };
enum { DEVICE_IDENTITY = 0, DEVICE_KEY = 1, DEVICE_CLASS = 2, DEVICE_CHECKS = 3 };
#define DEVICE_FIELDS 3 /* and DEVICE_CHECKS, if it is false */

static void get_device(struct reader *r, struct factory_device *out)
{
        struct cbor_map m;
        int64_t label;

        cbor_map_enter(&m, r);
        if (m.left != DEVICE_FIELDS && m.left != DEVICE_FIELDS + 1)
                reader_fail(r, RELAY_E_MALFORMED);
        out->relay_checks = m.left > DEVICE_FIELDS;
        while (cbor_map_next(&m, &label)) {
                switch (label) {
                case DEVICE_IDENTITY:
                        cbor_get_text(r, identity_is_device, out->identity, sizeof(out->identity));
                        break;
                case DEVICE_KEY:
                        key_get_cose(r, &out->key);
                        break;
                case DEVICE_CLASS:
                        cbor_get_bstr_exact(r, out->class_id, sizeof(out->class_id));
                        break;
                case DEVICE_CHECKS: /* true is said by leaving it out */
                        if (cbor_get_bool(r))
                                reader_fail(r, RELAY_E_MALFORMED);
                        break;
                default:
                        reader_fail(r, RELAY_E_MALFORMED);
                        break;
                }
        }
}

/* Reads the head and stands at the first device; the three keys are fixed, so they are read in their order. */
static void get_head(struct reader *r, struct factory_list *list)
{
        struct cbor_map m;
        int64_t label = -1;

        cbor_map_enter(&m, r);
        if (m.left != 3 || !cbor_map_next(&m, &label) || label != LIST_VERSION || cbor_get_uint(r) != 1)
                reader_fail(r, RELAY_E_MALFORMED);
        if (!cbor_map_next(&m, &label) || label != LIST_VENDOR)
                reader_fail(r, RELAY_E_MALFORMED);
        cbor_get_bstr_exact(r, list->vendor_id, sizeof(list->vendor_id));
        if (!cbor_map_next(&m, &label) || label != LIST_DEVICES)
                reader_fail(r, RELAY_E_MALFORMED);
        list->count = list->left = cbor_get_array(r);
        if (list->count == 0)
                reader_fail(r, RELAY_E_RANGE);
        list->devices = *r;
}

int factory_list_decode(struct span in, struct factory_list *out)
{
        struct factory_list list;
        struct factory_device device;
        struct reader r;
        int result;

        reader_init(&r, in);
        get_head(&r, &list);
        for (size_t i = 0; i < list.count && r.result == RELAY_OK; i++)
                get_device(&r, &device);
        result = reader_finish(&r);
        if (result == RELAY_OK)
                *out = list;
        return result;
}

bool factory_list_next(struct factory_list *list, struct factory_device *out)
{
        if (list->left == 0)
                return false;
        list->left--;
        get_device(&list->devices, out);
        return list->devices.result == RELAY_OK;
}

void factory_put_list(struct writer *w, const uint8_t vendor_id[VENDOR_ID_SIZE], size_t count)
{
        if (count == 0)
                writer_fail(w, RELAY_E_RANGE);
        cbor_put_map(w, 3);
        cbor_put_uint(w, LIST_VERSION);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, LIST_VENDOR);
        cbor_put_bstr(w, span_of(vendor_id, VENDOR_ID_SIZE));
        cbor_put_uint(w, LIST_DEVICES);
        cbor_put_array(w, count);
}

void factory_put_device(struct writer *w, const struct factory_device *device)
{
        struct span identity = span_of_string(device->identity);

        if (!identity_is_device(identity))
                writer_fail(w, RELAY_E_RANGE);
        cbor_put_map(w, device->relay_checks ? DEVICE_FIELDS + 1 : DEVICE_FIELDS);
        cbor_put_uint(w, DEVICE_IDENTITY);
        cbor_put_tstr(w, identity);
        cbor_put_uint(w, DEVICE_KEY);
        key_put_cose(w, &device->key);
        cbor_put_uint(w, DEVICE_CLASS);
        cbor_put_bstr(w, SPAN_OF(device->class_id));
        if (device->relay_checks) {
                cbor_put_uint(w, DEVICE_CHECKS);
                cbor_put_bool(w, false);
        }
}
