/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device certificates: a CA that a factory made of one identity key, good for certificates of exactly its own name.
 * What a constraint leaves open in some library is closed here by comparing: the whole subject, byte by byte.
 */
#include "tls/x509.h"

#include <errno.h>
#include <string.h>

#include "relay/der.h"
#include "tls/certificate.h"

/* Is the one permitted subtree this subject, and nothing excluded? */
static bool is_constrained_to_itself(const struct certificate *c)
{
        struct reader list;

        if (!c->has_constraints || c->excluded.size > 0)
                return false;
        reader_init(&list, c->permitted);
        struct reader subtree = der_enter(&list, DER_SEQUENCE);
        struct reader directory = der_enter(&subtree, DER_CONTEXT_CONSTRUCTED(4));
        struct span base = der_get_whole(&directory, DER_SEQUENCE);
        return reader_finish(&directory) == RELAY_OK && reader_finish(&subtree) == RELAY_OK &&
               reader_finish(&list) == RELAY_OK && span_equal(base, c->subject);
}

bool certificate_is_device_ca(const struct certificate *c)
{
        char identity[IDENTITY_SIZE];

        if (!c->is_ca)
                return false;
        certificate_identity(c->subject, identity);
        return identity_is_device(span_of_string(identity));
}

bool certificate_device_holds(const struct certificate *device, const struct certificate *leaf)
{
        return device->has_path_length && device->path_length == 0 && is_constrained_to_itself(device) &&
               span_equal(device->subject, leaf->subject) && !leaf->is_ca;
}

int x509_device_chain(const struct span *chain, size_t count, struct x509_device *out)
{
        struct x509_device found = { 0 };
        struct certificate leaf, device;
        char identity[IDENTITY_SIZE];

        if (count < 2)
                return -ENOENT;
        if (certificate_parse(chain[0], &leaf) != RELAY_OK || certificate_parse(chain[1], &device) != RELAY_OK)
                return -EKEYREJECTED;
        /* a root may have any name; this one is not the leaf's */
        if (!certificate_is_device_ca(&device) ||
            (span_equal(device.subject, device.issuer) && !span_equal(device.subject, leaf.subject)))
                return -ENOENT;
        if (leaf.unknown_critical || !certificate_may_be_client(&leaf) || !certificate_may_sign(&device) ||
            !certificate_device_holds(&device, &leaf) || !certificate_is_signed_by(&leaf, &device) ||
            key_from_spki(device.spki, &found.identity_key) != RELAY_OK ||
            key_from_spki(leaf.spki, &found.key) != RELAY_OK || key_equal(&found.key, &found.identity_key))
                return -EKEYREJECTED;
        certificate_identity(leaf.subject, identity);
        if (!span_to_string(span_of_string(identity), found.identity, sizeof(found.identity)))
                return -EKEYREJECTED;
        if (key_fingerprint(&found.identity_key, found.fingerprint) != RELAY_OK)
                return -EIO;
        found.not_before = device.not_before;
        found.not_after = device.not_after;
        *out = found;
        return 0;
}

bool x509_device_stands_behind(const struct span *chain, size_t count)
{
        struct certificate c;

        for (size_t i = 1; i < count; i++)
                if (certificate_parse(chain[i], &c) != RELAY_OK ||
                    (certificate_is_device_ca(&c) && !span_equal(c.subject, c.issuer))) /* a root may have any name */
                        return true;
        return false;
}
