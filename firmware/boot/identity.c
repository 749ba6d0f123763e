/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Secret, name and certificates in flash. */

#include "boot/identity.h"

#include <string.h>

#include "boot/layout.h"
#include "relay/der.h"

#define IDENTITY_MAGIC UINT32_C(0x6964656e) /* "iden" */
#define SECRET_MAGIC   UINT32_C(0x75647320) /* "uds " */
#define FIRST          2                    /* parts before the certificates */
#define OID_CN         SPAN_LITERAL("\x55\x04\x03")

static struct flash_area identity_area(const struct port_flash *flash, unsigned area)
{
        return layout_area(flash, area == 0 ? LAYOUT_IDENTITY : LAYOUT_IDENTITY_SPARE);
}

int identity_write(const struct port_flash *flash, unsigned area, const struct device_identity *identity)
{
        struct span parts[FIRST + IDENTITY_CERTIFICATES_MAX] = { span_of_string(identity->name),
                                                                 SPAN_OF(identity->class_id) };
        struct flash_area where = identity_area(flash, area);
        struct bundle_head head;

        if (!identity_is_device(parts[0]) || identity->certificate_count > IDENTITY_CERTIFICATES_MAX)
                return RELAY_E_RANGE;
        for (size_t i = 0; i < identity->certificate_count; i++) {
                parts[FIRST + i] = identity->certificates[i];
                if (parts[FIRST + i].size > IDENTITY_CERTIFICATE_SIZE)
                        return RELAY_E_RANGE;
        }
        int r = bundle_write(&where, IDENTITY_MAGIC, parts, FIRST + identity->certificate_count);
        if (r == 0)
                r = bundle_check(&where, IDENTITY_MAGIC, &head);
        return r == 0 ? 0 : PORT_E_IO;
}

static int read_head(const struct flash_area *area, struct bundle_head *head)
{
        int r = bundle_check(area, IDENTITY_MAGIC, head);
        if (r < 0)
                return r;
        if (head->count < FIRST || head->count > FIRST + IDENTITY_CERTIFICATES_MAX || head->sizes[1] != CLASS_ID_SIZE)
                return RELAY_E_MALFORMED;
        return 0;
}

int identity_read(const struct port_flash *flash, unsigned area, struct device_identity *out)
{
        struct flash_area where = identity_area(flash, area);
        struct device_identity identity = { 0 };
        uint8_t name[IDENTITY_MAX];
        struct bundle_head head;
        struct span part;

        int r = read_head(&where, &head);
        if (r == 0)
                r = bundle_read_part(&where, &head, 0, name, sizeof(name), &part);
        if (r == 0 && (!identity_is_device(part) || !span_to_string(part, identity.name, sizeof(identity.name))))
                r = RELAY_E_MALFORMED;
        if (r == 0)
                r = bundle_read_part(&where, &head, 1, identity.class_id, CLASS_ID_SIZE, &part);
        if (r != 0)
                return r == RELAY_E_SPACE ? RELAY_E_MALFORMED : r;
        identity.certificate_count = head.count - FIRST;
        *out = identity;
        return 0;
}

int identity_read_certificate(const struct port_flash *flash, unsigned area, size_t index, uint8_t *buffer,
                              struct span *certificate)
{
        struct flash_area where = identity_area(flash, area);
        struct bundle_head head;

        int r = read_head(&where, &head);
        if (r == 0)
                r = bundle_read_part(&where, &head, FIRST + index, buffer, IDENTITY_CERTIFICATE_SIZE, certificate);
        return r == RELAY_E_SPACE ? RELAY_E_MALFORMED : r;
}

int identity_write_secret(const struct port_flash *flash, const uint8_t secret[DICE_SECRET_SIZE])
{
        struct flash_area where = layout_area(flash, LAYOUT_SECRET);
        struct span part = span_of(secret, DICE_SECRET_SIZE);
        struct bundle_head head;

        int r = bundle_write(&where, SECRET_MAGIC, &part, 1);
        if (r == 0)
                r = bundle_check(&where, SECRET_MAGIC, &head);
        return r == 0 ? 0 : PORT_E_IO;
}

int identity_read_secret(const struct port_flash *flash, uint8_t secret[DICE_SECRET_SIZE])
{
        struct flash_area where = layout_area(flash, LAYOUT_SECRET);
        struct span parts[BUNDLE_PARTS_MAX];
        uint8_t bytes[DICE_SECRET_SIZE];
        size_t count;

        int r = bundle_read(&where, SECRET_MAGIC, bytes, sizeof(bytes), parts, &count);
        if (r == 0 && (count != 1 || parts[0].size != DICE_SECRET_SIZE))
                r = RELAY_E_MALFORMED;
        if (r == 0)
                memcpy(secret, bytes, DICE_SECRET_SIZE);
        crypto_wipe(bytes, sizeof(bytes));
        return r == RELAY_E_SPACE ? RELAY_E_MALFORMED : r;
}

/* RFC 5280 section 4.1: the subject of a certificate, a reader of its names */
static struct reader enter_subject(struct reader *certificate)
{
        struct reader outer = der_enter(certificate, DER_SEQUENCE), tbs = der_enter(&outer, DER_SEQUENCE);

        der_get(&tbs, DER_CONTEXT_CONSTRUCTED(0)); /* version */
        der_get(&tbs, DER_INTEGER);
        der_get(&tbs, DER_SEQUENCE); /* algorithm */
        der_get(&tbs, DER_SEQUENCE); /* issuer */
        der_get(&tbs, DER_SEQUENCE); /* validity */
        return der_enter(&tbs, DER_SEQUENCE);
}

bool identity_is_named(struct span certificate, const char *name)
{
        struct reader r, subject;
        unsigned names = 0;
        uint8_t tag;

        reader_init(&r, certificate);
        subject = enter_subject(&r);
        while (reader_left(&subject) > 0) {
                struct reader set = der_enter(&subject, DER_SET);
                while (reader_left(&set) > 0) {
                        struct reader pair = der_enter(&set, DER_SEQUENCE);
                        bool is_cn = span_equal(der_get(&pair, DER_OID), OID_CN);
                        struct span value = der_get_any(&pair, &tag);
                        if (is_cn && !span_equal_string(value, name))
                                return false;
                        names += is_cn;
                }
                if (set.result != RELAY_OK)
                        return false;
        }
        return reader_finish(&subject) == RELAY_OK && names == 1;
}
