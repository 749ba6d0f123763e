/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Finding the SubjectPublicKeyInfo in a certificate, for pins. */

#include "relay/result.h"
#include "relay/span.h"

/* certificate: DER (RFC 5280 section 4.1). RELAY_OK and the encoded SubjectPublicKeyInfo, or RELAY_E_MALFORMED. */
int spki_of_certificate(struct span certificate, struct span *spki);
