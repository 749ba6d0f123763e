/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The parts of a certificate (RFC 5280 section 4.1) as spans into its DER; for this folder only.
 */

#include "tls/x509.h"

enum certificate_algorithm { CERTIFICATE_UNKNOWN = 0, CERTIFICATE_ED25519, CERTIFICATE_ECDSA_SHA256 };

/* section 4.2.1.3, as bits of the first byte */
#define KEY_USAGE_DIGITAL_SIGNATURE 0x80
#define KEY_USAGE_CERT_SIGN         0x04
#define KEY_USAGE_CRL_SIGN          0x02

struct certificate {
        struct span tbs, issuer, subject, spki; /* with tag and length */
        enum certificate_algorithm algorithm;
        struct span signature;
        uint64_t not_before, not_after;

        bool has_usage, has_constraints, unknown_critical;
        uint8_t usage;
        bool is_ca, has_path_length;
        bool has_purposes, for_clients; /* extended key usage, section 4.2.1.12 */
        uint64_t path_length;
        struct span alternative_names;      /* content of GeneralNames */
        struct span subject_key_identifier; /* section 4.2.1.2; empty: none */
        struct span permitted, excluded;    /* content of GeneralSubtrees */
};
/* RELAY_OK or a librelay error */
int certificate_parse(struct span der, struct certificate *out);
/* exactly one CN in the whole subject, and of the form of an identity; "" otherwise */
void certificate_identity(struct span subject, char out[IDENTITY_SIZE]);
/* May it issue others? May it stand for a client? By its own word, whoever issued it. */
bool certificate_may_sign(const struct certificate *c);
bool certificate_may_be_client(const struct certificate *c);
/* issuer's name and key; not whether it may */
bool certificate_is_signed_by(const struct certificate *c, const struct certificate *issuer);
/* a CA with the name of a device: an identity key's certificate, or something that must not pass as one */
bool certificate_is_device_ca(const struct certificate *c);
/* the constraints of such a one, in whole, and that the leaf keeps them */
bool certificate_device_holds(const struct certificate *device, const struct certificate *leaf);
/* Is host (a name or an address) among the subjectAltNames? Wildcards only as the whole first label (RFC 6125). */
bool certificate_names_host(const struct certificate *certificate, const char *host);

/* object identifiers, content bytes */
#define OID_ED25519      SPAN_LITERAL("\x2b\x65\x70")
#define OID_ECDSA_SHA256 SPAN_LITERAL("\x2a\x86\x48\xce\x3d\x04\x03\x02")
#define OID_ORGANISATION SPAN_LITERAL("\x55\x04\x0a")
#define OID_COMMON_NAME  SPAN_LITERAL("\x55\x04\x03")

#define OID_KEY_USAGE                SPAN_LITERAL("\x55\x1d\x0f")
#define OID_ALTERNATIVE_NAME         SPAN_LITERAL("\x55\x1d\x11")
#define OID_BASIC_CONSTRAINTS        SPAN_LITERAL("\x55\x1d\x13")
#define OID_NAME_CONSTRAINTS         SPAN_LITERAL("\x55\x1d\x1e")
#define OID_SUBJECT_KEY_IDENTIFIER   SPAN_LITERAL("\x55\x1d\x0e")
#define OID_AUTHORITY_KEY_IDENTIFIER SPAN_LITERAL("\x55\x1d\x23")
#define OID_EXTENDED_USAGE           SPAN_LITERAL("\x55\x1d\x25")
#define OID_SERVER_AUTH              SPAN_LITERAL("\x2b\x06\x01\x05\x05\x07\x03\x01")
#define OID_ANY_PURPOSE              SPAN_LITERAL("\x55\x1d\x25\x00")
#define OID_CLIENT_AUTH              SPAN_LITERAL("\x2b\x06\x01\x05\x05\x07\x03\x02")
