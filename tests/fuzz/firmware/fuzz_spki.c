/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding the public key in a certificate: whatever comes, the answer lies inside it. */
#include <stdlib.h>

#include "ports/common/spki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct span spki;

        if (spki_of_certificate(span_of(data, size), &spki) != RELAY_OK)
                return 0;
        if (spki.size < 2 || spki.data < data || spki.data + spki.size > data + size)
                abort();
        return 0;
}
