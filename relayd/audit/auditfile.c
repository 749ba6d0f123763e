/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "audit/auditfile.h"

#include <string.h>

#include "relay/cbor.h"

#define FILE_TYPE    SPAN_LITERAL("relayd-audit")
#define FILE_VERSION 1

int audit_file_head_decode(struct span in, struct audit_file_head *out, size_t *size)
{
        struct audit_file_head head;
        struct reader r;
        struct span site, relay;

        reader_init(&r, in);
        if (cbor_get_array(&r) != 4 || !span_equal(cbor_get_tstr(&r), FILE_TYPE) || cbor_get_uint(&r) != FILE_VERSION)
                reader_fail(&r, RELAY_E_MALFORMED);
        site = cbor_get_tstr(&r);
        relay = cbor_get_tstr(&r);
        if (r.result != RELAY_OK)
                return r.result;
        if (!identity_is_device(site) || !span_to_string(site, head.site, sizeof(head.site)) ||
            !span_to_string(relay, head.relay, sizeof(head.relay)))
                return RELAY_E_RANGE;
        *out = head;
        *size = r.at;
        return RELAY_OK;
}

int audit_item_decode(struct span in, struct audit_item *out, size_t *size)
{
        struct reader r;
        struct span bytes;
        uint64_t kind;

        reader_init(&r, in);
        if (cbor_get_array(&r) != 2)
                reader_fail(&r, RELAY_E_MALFORMED);
        kind = cbor_get_uint(&r);
        bytes = cbor_get_bstr(&r);
        if (r.result != RELAY_OK)
                return r.result;
        if ((kind != AUDIT_ITEM_RECORD && kind != AUDIT_ITEM_CHECKPOINT) || bytes.size > AUDIT_RECORD_MAX)
                return RELAY_E_RANGE;
        *out = (struct audit_item){ (enum audit_item_kind)kind, bytes };
        *size = r.at;
        return RELAY_OK;
}

void audit_file_head_encode(struct writer *w, const struct audit_file_head *head)
{
        cbor_put_array(w, 4);
        cbor_put_tstr(w, FILE_TYPE);
        cbor_put_uint(w, FILE_VERSION);
        cbor_put_tstr(w, span_of_string(head->site));
        cbor_put_tstr(w, span_of_string(head->relay));
}

void audit_item_encode(struct writer *w, const struct audit_item *item)
{
        cbor_put_array(w, 2);
        cbor_put_uint(w, item->kind);
        cbor_put_bstr(w, item->bytes);
}

/* ---- checking */
void audit_check_start(struct audit_check *check, const char *site, const struct public_key *keys, size_t key_count,
                       const struct audit_head *head, const struct audit_seen *seen)
{
        *check = (struct audit_check){ .site = site, .keys = keys, .key_count = key_count };
        audit_verify_start(&check->verifier, head);
        if (seen)
                check->seen = *seen;
}

static bool fail(struct audit_check *check, enum audit_break what, uint64_t number)
{
        check->verifier.what = what;
        check->verifier.number = number;
        return false;
}

/* The first one here may follow one that was seen elsewhere, and is kept there. */
static bool follows(const struct audit_check *check, const struct checkpoint *checkpoint)
{
        const struct audit_seen *before = check->checkpoints > 0 ? &check->last : &check->seen;

        if (!checkpoint->has_previous)
                return check->checkpoints == 0;
        return before->count > 0 && memcmp(checkpoint->previous, before->digest, SHA256_SIZE) == 0;
}

static bool check_checkpoint(struct audit_check *check, struct span sign1)
{
        const struct audit_head *head = &check->verifier.head;
        struct audit_seen this;
        struct checkpoint checkpoint;
        enum reason reason = checkpoint_check(sign1, check->keys, check->key_count, &checkpoint);

        if (reason == REASON_BAD_SIGNATURE)
                return fail(check, AUDIT_CHECKPOINT_SIGNATURE, head->count);
        if (reason != REASON_NONE || strcmp(checkpoint.site, check->site) != 0 || checkpoint.count < head->count ||
            crypto_sha256(sign1, this.digest) != RELAY_OK)
                return fail(check, AUDIT_CHECKPOINT_MALFORMED, head->count);
        if (checkpoint.count > head->count)
                return fail(check, AUDIT_SHORTENED, head->count + 1);
        if (memcmp(checkpoint.head, head->hash, SHA256_SIZE) != 0)
                return fail(check, AUDIT_REWRITTEN, head->count);
        if (!follows(check, &checkpoint))
                return fail(check, AUDIT_CHECKPOINT_MISSING, head->count);
        this.count = checkpoint.count;
        if (check->seen.count == this.count) {
                if (memcmp(check->seen.digest, this.digest, SHA256_SIZE) != 0)
                        return fail(check, AUDIT_CHECKPOINT_MISSING, this.count);
                check->seen_found = true;
        }
        /* the first one here follows the one that was seen: then that one is vouched for, too */
        if (check->checkpoints == 0 && checkpoint.has_previous)
                check->seen_found = true;
        check->last = this;
        check->checkpoints++;
        return true;
}

bool audit_check_next(struct audit_check *check, const struct audit_item *item)
{
        switch (item->kind) {
        case AUDIT_ITEM_RECORD:
                return audit_verify_next(&check->verifier, item->bytes);
        case AUDIT_ITEM_CHECKPOINT:
                return check->verifier.what == AUDIT_INTACT && check_checkpoint(check, item->bytes);
        }
        return false;
}

bool audit_check_end(struct audit_check *check)
{
        if (!audit_verify_end(&check->verifier))
                return false;
        return check->seen.count == 0 || check->seen_found || fail(check, AUDIT_CHECKPOINT_MISSING, check->seen.count);
}
