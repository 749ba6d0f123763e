/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * An exported audit log (docs/audit.md): a CBOR sequence (RFC 8742) of a head and of items, each record in its order
 * and each checkpoint right behind the last record it speaks of.
 *
 *     head = [ "relayd-audit", 1, site id (tstr), relay (tstr) ]
 *     item = [ 1, record (bstr) ] / [ 2, checkpoint (bstr .cbor COSE_Sign1) ]
 */

#include "audit/audit.h"
#include "relay/checkpoint.h"

#define AUDIT_ITEM_MAX (AUDIT_RECORD_MAX + 8) /* bytes of an encoded item, or of the head */

struct audit_file_head {
        char site[SITE_MAX + 1];
        char relay[IDENTITY_SIZE];
};
enum audit_item_kind { AUDIT_ITEM_RECORD = 1, AUDIT_ITEM_CHECKPOINT = 2 };
struct audit_item {
        enum audit_item_kind kind;
        struct span bytes; /* points into the input */
};
/* The next object of a sequence. RELAY_OK and *size, how many bytes of in it took; RELAY_E_TRUNCATED: in ends inside
 * it; or RELAY_E_MALFORMED, RELAY_E_RANGE */
int audit_file_head_decode(struct span in, struct audit_file_head *out, size_t *size);
int audit_item_decode(struct span in, struct audit_item *out, size_t *size);
void audit_file_head_encode(struct writer *w, const struct audit_file_head *head);
void audit_item_encode(struct writer *w, const struct audit_item *item);

/* The chain of the records and that of the checkpoints, item by item, in constant memory. */
struct audit_seen {
        uint64_t count;              /* records the checkpoint speaks of; 0: none was seen */
        uint8_t digest[SHA256_SIZE]; /* of the checkpoint as signed */
};
struct audit_check {
        struct audit_verifier verifier; /* what and number also say what is wrong with a checkpoint */
        const char *site;
        const struct public_key *keys;
        size_t key_count;
        struct audit_seen seen, last; /* from an earlier verification; the last one in this log */
        bool seen_found;
        uint64_t checkpoints;
};
/* keys: gate keys that may have signed, borrowed like site; head, seen: from an earlier verification, or NULL */
void audit_check_start(struct audit_check *check, const char *site, const struct public_key *keys, size_t key_count,
                       const struct audit_head *head, const struct audit_seen *seen);
/* False once it is broken; the caller may go on, to hear whether a record that is missing was only moved. */
bool audit_check_next(struct audit_check *check, const struct audit_item *item);
bool audit_check_end(struct audit_check *check);
