/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts of one certificate, and PEM files of certificates. */
#include "tls/x509.h"

#include <string.h>

#include "tls/certificate.h"
#include "tls/pem.h"
#include "util/cleanup.h"
#include "util/files.h"

int x509_parse(struct span der, struct x509_facts *out)
{
        struct certificate c;
        struct x509_facts facts = { 0 };

        if (certificate_parse(der, &c) != RELAY_OK)
                return -EBADMSG;
        certificate_identity(c.subject, facts.identity);
        if (key_from_spki(c.spki, &facts.key) != RELAY_OK)
                memset(&facts.key, 0, sizeof(facts.key));
        if (crypto_sha256(c.spki, facts.fingerprint) != RELAY_OK)
                return -EIO;
        facts.not_before = c.not_before;
        facts.not_after = c.not_after;
        facts.is_ca = c.is_ca;
        *out = facts;
        return 0;
}

int x509_save_pem(const char *path, struct span der, unsigned mode)
{
        _cleanup_free_ char *text = pem_encode(PEM_CERTIFICATE, der);

        if (!text)
                return -ENOMEM;
        return file_create(path, text, strlen(text), mode);
}

int x509_load_pem(const char *path, uint8_t **der, size_t *size)
{
        _cleanup_free_ uint8_t *text = NULL;
        size_t text_size;

        int r = file_read(path, PEM_FILE_MAX, &text, &text_size);
        if (r < 0)
                return r;
        return pem_find(span_of(text, text_size), PEM_CERTIFICATE, der, size);
}
