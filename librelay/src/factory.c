/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/factory.h"

enum { LIST_VERSION = 0, LIST_VENDOR = 1, LIST_DEVICES = 2, LIST_IMAGES = 3 };
enum { DEVICE_IDENTITY = 0, DEVICE_KEY = 1, DEVICE_CLASS = 2, DEVICE_CHECKS = 3, DEVICE_ATTESTATION = 4 };
#define DEVICE_REQUIRED 0x07u /* a bit for each label */

static enum factory_attestation get_attestation(struct reader *r)
{
        uint64_t level = cbor_get_uint_max(r, FACTORY_ATTESTED);

        if (level == FACTORY_NO_ATTESTATION) /* said by leaving it out */
                reader_fail(r, RELAY_E_MALFORMED);
        return (enum factory_attestation)level;
}

static void get_device(struct reader *r, struct factory_device *out)
{
        struct cbor_map m;
        int64_t label;

        *out = (struct factory_device){ 0 };
        cbor_map_enter(&m, r);
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
                        out->relay_checks = true;
                        break;
                case DEVICE_ATTESTATION:
                        out->attestation = get_attestation(r);
                        break;
                default:
                        reader_fail(r, RELAY_E_MALFORMED);
                        break;
                }
        }
        cbor_map_require(&m, DEVICE_REQUIRED);
}

static void skip_devices(struct reader *r, struct factory_list *list)
{
        struct factory_device device;

        list->count = list->left = cbor_get_array(r);
        if (list->count == 0)
                reader_fail(r, RELAY_E_RANGE);
        list->devices = *r;
        for (size_t i = 0; i < list->count && r->result == RELAY_OK; i++)
                get_device(r, &device);
}

static void skip_images(struct reader *r, struct factory_list *list)
{
        uint8_t digest[SHA256_SIZE];

        list->image_count = list->images_left = cbor_get_array(r);
        if (list->image_count == 0)
                reader_fail(r, RELAY_E_RANGE);
        list->images = *r;
        for (size_t i = 0; i < list->image_count && r->result == RELAY_OK; i++)
                cbor_get_bstr_exact(r, digest, sizeof(digest));
}

int factory_list_decode(struct span in, struct factory_list *out)
{
        struct factory_list list = { 0 };
        struct cbor_map m;
        struct reader r;
        int64_t label;
        int result;

        reader_init(&r, in);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &label)) {
                switch (label) {
                case LIST_VERSION:
                        if (cbor_get_uint(&r) != 1)
                                reader_fail(&r, RELAY_E_MALFORMED);
                        break;
                case LIST_VENDOR:
                        cbor_get_bstr_exact(&r, list.vendor_id, sizeof(list.vendor_id));
                        break;
                case LIST_DEVICES:
                        skip_devices(&r, &list);
                        break;
                case LIST_IMAGES:
                        skip_images(&r, &list);
                        break;
                default:
                        reader_fail(&r, RELAY_E_MALFORMED);
                        break;
                }
        }
        cbor_map_require(&m, 1u << LIST_VERSION | 1u << LIST_VENDOR | 1u << LIST_DEVICES);
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

bool factory_list_next_image(struct factory_list *list, uint8_t digest[SHA256_SIZE])
{
        if (list->images_left == 0)
                return false;
        list->images_left--;
        cbor_get_bstr_exact(&list->images, digest, SHA256_SIZE);
        return list->images.result == RELAY_OK;
}

void factory_put_list(struct writer *w, const uint8_t vendor_id[VENDOR_ID_SIZE], size_t count, size_t image_count)
{
        if (count == 0)
                writer_fail(w, RELAY_E_RANGE);
        cbor_put_map(w, image_count > 0 ? 4 : 3);
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
        cbor_put_map(w, 3u + device->relay_checks + (device->attestation != FACTORY_NO_ATTESTATION));
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
        if (device->attestation != FACTORY_NO_ATTESTATION) {
                cbor_put_uint(w, DEVICE_ATTESTATION);
                cbor_put_uint(w, device->attestation);
        }
}

void factory_put_images(struct writer *w, size_t count)
{
        cbor_put_uint(w, LIST_IMAGES);
        cbor_put_array(w, count);
}

void factory_put_image(struct writer *w, const uint8_t digest[SHA256_SIZE])
{
        cbor_put_bstr(w, span_of(digest, SHA256_SIZE));
}
