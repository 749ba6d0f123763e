/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks a certificate just as far as its public key. */

#include "ports/common/spki.h"

#include "relay/cursor.h"

#define DER_SEQUENCE 0x30
#define DER_VERSION  0xa0

struct element {
        uint8_t tag;
        struct span whole, content;
};

static size_t read_length(struct reader *r)
{
        size_t first = reader_u8(r);

        if (first < 0x80)
                return first;
        size_t bytes = first & 0x7f, size = 0;
        if (bytes == 0 || bytes > 3)
                reader_fail(r, RELAY_E_MALFORMED);
        for (size_t i = 0; i < bytes && i < 3; i++)
                size = size << 8 | reader_u8(r);
        return size;
}

static void read_element(struct reader *r, struct element *out)
{
        size_t start = r->at;

        out->tag = reader_u8(r);
        out->content = reader_bytes(r, read_length(r));
        out->whole = span_slice(r->in, start, r->at - start);
}

int spki_of_certificate(struct span certificate, struct span *spki)
{
        struct element element;
        struct reader r;

        reader_init(&r, certificate);
        read_element(&r, &element); /* Certificate */
        if (element.tag != DER_SEQUENCE || reader_finish(&r) != RELAY_OK)
                return RELAY_E_MALFORMED;
        reader_init(&r, element.content);
        read_element(&r, &element); /* tbsCertificate */
        if (element.tag != DER_SEQUENCE)
                return RELAY_E_MALFORMED;
        reader_init(&r, element.content);
        read_element(&r, &element); /* version, if it is there, then serialNumber */
        if (element.tag == DER_VERSION)
                read_element(&r, &element);
        for (int i = 0; i < 4; i++) /* signature, issuer, validity, subject */
                read_element(&r, &element);
        read_element(&r, &element);
        if (r.result != RELAY_OK || element.tag != DER_SEQUENCE)
                return RELAY_E_MALFORMED;
        *spki = element.whole;
        return RELAY_OK;
}
