/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A certificate of a peer: an identity that comes out is a valid one. Behind itself, as leaf and as the device
 * certificate that issued it, it is no device's chain.
 */
#include <stdlib.h>

#include "tls/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct certificate certificate;
        struct x509_device device;
        struct x509_facts facts;
        struct span der = { data, size };

        if (x509_parse(der, &facts) != 0)
                return 0;
        struct span identity = span_of_string(facts.identity);
        if (identity.size && !identity_is_device(identity) && !identity_is_dotted(identity))
                abort();
        if (certificate_parse(der, &certificate) != RELAY_OK)
                abort();
        certificate_names_host(&certificate, "relay.test");
        certificate_names_host(&certificate, "127.0.0.1");
        if (x509_device_chain((struct span[2]){ der, der }, 2, &device) == 0)
                abort();
        if (!certificate.is_ca && x509_device_stands_behind((struct span[2]){ der, der }, 2))
                abort();
        return 0;
}
