/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A certificate of a peer: an identity that comes out is a valid one. */
#include <stdlib.h>

#include "tls/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct certificate certificate;
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
        return 0;
}
