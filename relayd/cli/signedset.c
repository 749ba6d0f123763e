/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signed sets in files. */

#include "cli/signedset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/files.h"

int signed_set_load(const struct cli *cli, const char *path, struct signed_set *out)
{
        size_t size;
        int r;

        *out = (struct signed_set){ 0 };
        r = file_read(path, SIGNED_SET_MAX, &out->bytes, &size);
        if (r < 0)
                return cli_errno(cli, r, path);
        out->file = span_of(out->bytes, size);
        if (cose_set_decode_proposal(out->file, &out->set) != RELAY_OK)
                return cli_refuse(cli, REASON_MALFORMED, "%s: no signed set (a CBOR array of payload and signatures)",
                                  path);
        if (crypto_sha256(out->set.payload, out->digest) != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "%s: SHA-256 failed", path);
        return CLI_OK;
}

void signed_set_done(struct signed_set *set)
{
        free(set->bytes);
        *set = (struct signed_set){ 0 };
}

int signed_set_create(const struct cli *cli, const char *path, struct span payload)
{
        uint8_t out[SIGNED_SET_MAX];
        struct cose_set set = { .payload = payload };
        struct writer w;
        int r;

        writer_init(&w, out, sizeof(out));
        if (cose_set_write(&w, &set) != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "%s: larger than %u bytes", path, SIGNED_SET_MAX);
        r = file_create(path, out, writer_needed(&w), 0644);
        if (r == -EEXIST)
                return cli_fail(cli, CLI_FAILED, "%s exists; remove it, or choose another name", path);
        return r < 0 ? cli_errno(cli, r, path) : CLI_OK;
}

bool signed_set_has(const struct signed_set *set, const char *aad, const struct public_key *key)
{
        uint8_t scratch[SIGNED_SET_MAX + 128];

        return cose_set_count_valid(&set->set, span_of_string(aad), key, 1, scratch, sizeof(scratch)) == 1;
}

int signed_set_sign(const struct cli *cli, const char *path, const struct signed_set *set, const char *aad,
                    struct cli_signer *signer, const struct public_key *keys, size_t count, const char *what)
{
        uint8_t scratch[SIGNED_SET_MAX + 128], signature[256], out[SIGNED_SET_MAX];
        struct signer use = cli_signer_use(signer);
        struct cose_set more = set->set;
        struct writer w;
        int r;

        if (key_find(keys, count, &signer->key) < 0)
                return cli_fail(cli, CLI_FAILED, "this key is no %s key of %s; its signature would not count", what,
                                path);
        if (signed_set_has(set, aad, &signer->key))
                return cli_fail(cli, CLI_FAILED, "%s is already signed by this key; nothing was changed", path);
        if (more.count >= COSE_SET_SIGNATURES_MAX)
                return cli_fail(cli, CLI_FAILED, "%s holds %d signatures already", path, COSE_SET_SIGNATURES_MAX);
        writer_init(&w, signature, sizeof(signature));
        r = cose_sign1_write(&w, &use, span_of_string(aad), more.payload, true, scratch, sizeof(scratch));
        if (r != RELAY_OK)
                return cli_signing_failed(cli, signer, r);
        more.signatures[more.count++] = writer_span(&w);
        writer_init(&w, out, sizeof(out));
        if (cose_set_write(&w, &more) != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "%s: larger than %u bytes", path, SIGNED_SET_MAX);
        r = file_write(path, out, writer_needed(&w), 0644);
        return r < 0 ? cli_errno(cli, r, path) : CLI_OK;
}
