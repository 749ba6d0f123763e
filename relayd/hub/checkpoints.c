/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signed checkpoints of the audit log; see checkpoints.h. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hub/checkpoints.h"
#include "util/cleanup.h"

#define UNSEALED UINT64_MAX

/* ---- what the store has */
static int decode(struct span sign1, struct checkpoint *out)
{
        struct cose_sign1 signature;

        if (sign1.size > CHECKPOINT_MAX || cose_sign1_decode(sign1, &signature) != RELAY_OK || signature.detached)
                return -EBADMSG;
        return checkpoint_decode(signature.payload, out) == RELAY_OK ? 0 : -EBADMSG;
}

static int load_one(void *context, struct span key, struct span value)
{
        struct checkpoints *c = context;
        struct checkpoint next;
        struct reader r;
        uint64_t count;

        reader_init(&r, key);
        count = reader_u64(&r);
        if (reader_finish(&r) != RELAY_OK || decode(value, &next) < 0 || next.count != count)
                return -EBADMSG;
        c->last = next;
        c->size = value.size;
        memcpy(c->bytes, value.data, value.size);
        return 0;
}

int checkpoints_load(struct checkpoints *c, struct store *store, const char *site, const char *relay,
                     const struct gate_key *key)
{
        int result;

        *c = (struct checkpoints){ .store = store, .site = site, .relay = relay, .key = key };
        result = store_walk(store, STORE_CHECKPOINTS, SPAN_EMPTY, load_one, c);
        /* what was told may have been lost on its way: told again */
        c->untold = c->size > 0;
        return result;
}

/* ---- does the log hold what they say? */
struct proof {
        const struct audit_log *log;
        char *sentence;
        size_t sentence_size;
        bool broken;
        uint8_t previous[SHA256_SIZE]; /* digest of the checkpoint before */
        bool has_previous;
        struct audit_verifier verifier; /* of the records after the last checkpoint */
};

static int break_off(struct proof *proof, const char *what, uint64_t number)
{
        proof->broken = true;
        snprintf(proof->sentence, proof->sentence_size, "the audit log is broken: %s (record %" PRIu64 ")", what,
                 number);
        return 1;
}

static int check_record(struct proof *proof, const struct checkpoint *checkpoint)
{
        _cleanup_free_ uint8_t *record = NULL;
        uint8_t key[AUDIT_KEY_SIZE];
        struct audit_head head;
        size_t size;
        int result = store_get(proof->log->store, STORE_AUDIT, store_number_key(checkpoint->count, key), &record,
                               &size);

        if (result == -ENOENT)
                return break_off(proof, "a record that a checkpoint names is missing", checkpoint->count);
        if (result < 0)
                return result;
        if (audit_head_of(span_of(record, size), &head) != RELAY_OK || head.count != checkpoint->count ||
            memcmp(head.hash, checkpoint->head, SHA256_SIZE) != 0)
                return break_off(proof, "a record is not the one that a checkpoint names", checkpoint->count);
        return 0;
}

static int check_checkpoint(void *context, struct span key, struct span value)
{
        struct proof *proof = context;
        struct checkpoint checkpoint;

        (void)key;
        if (decode(value, &checkpoint) < 0)
                return -EBADMSG;
        /* the first one may follow those of a store before this one */
        if (proof->has_previous &&
            (!checkpoint.has_previous || memcmp(checkpoint.previous, proof->previous, SHA256_SIZE) != 0))
                return break_off(proof, "a checkpoint does not follow the one before it", checkpoint.count);
        proof->has_previous = true;
        if (crypto_sha256(value, proof->previous) != RELAY_OK)
                return -EIO;
        return check_record(proof, &checkpoint);
}

static int check_next(void *context, uint64_t number, struct span record)
{
        struct proof *proof = context;

        (void)number;
        return audit_verify_next(&proof->verifier, record)
                       ? 0
                       : break_off(proof, audit_break_explanation(proof->verifier.what), proof->verifier.number);
}

/* From the last checkpoint's record on: nothing between it and the head is missing or another one. */
static int check_rest(const struct checkpoints *c, struct proof *proof)
{
        int result;

        audit_verify_start(&proof->verifier, NULL);
        proof->verifier.head = (struct audit_head){ .count = c->last.count };
        memcpy(proof->verifier.head.hash, c->last.head, SHA256_SIZE);
        result = audit_log_walk(proof->log, c->last.count + 1, UINT32_MAX, check_next, proof);
        if (result < 0 || proof->broken)
                return result;
        if (proof->verifier.head.count != proof->log->head.count)
                return break_off(proof, "its end is not where it was", proof->log->head.count);
        return 0;
}

/* A checkpoint of a gate key that was replaced since is another key's: it is believed for what it says. */
static bool is_signed(const struct checkpoints *c)
{
        uint8_t id[KEY_ID_SIZE];
        struct cose_sign1 sign1;
        struct checkpoint checkpoint;

        if (!c->key->there || key_id(&c->key->key, id) != RELAY_OK ||
            cose_sign1_decode(checkpoints_last(c), &sign1) != RELAY_OK || !span_equal(sign1.key_id, SPAN_OF(id)))
                return true;
        return checkpoint_check(checkpoints_last(c), &c->key->key, 1, &checkpoint) == REASON_NONE;
}

bool checkpoints_verify(const struct checkpoints *c, const struct audit_log *log, char *sentence, size_t sentence_size,
                        int *result)
{
        struct proof proof = { .log = log, .sentence = sentence, .sentence_size = sentence_size };

        *result = 0;
        if (c->size > 0 && !is_signed(c)) {
                break_off(&proof, "the signature of its last checkpoint is wrong", c->last.count);
                return false;
        }
        *result = store_walk(c->store, STORE_CHECKPOINTS, SPAN_EMPTY, check_checkpoint, &proof);
        if (*result >= 0 && !proof.broken)
                *result = check_rest(c, &proof);
        if (*result > 0)
                *result = 0;
        return !proof.broken;
}

static int delete_one(void *context, struct span key, struct span value)
{
        (void)value;
        return store_delete(context, STORE_CHECKPOINTS, key);
}

int checkpoints_restart(struct checkpoints *c)
{
        c->last.count = 0;
        return store_walk(c->store, STORE_CHECKPOINTS, SPAN_EMPTY, delete_one, c->store);
}

/* ---- making them */
bool checkpoints_are_due(const struct checkpoints *c, const struct audit_head *head, uint64_t now)
{
        if (!c->key->there || head->count <= c->last.count)
                return false;
        return head->count - c->last.count >= CHECKPOINTS_RECORDS || now < c->last.time ||
               now - c->last.time >= CHECKPOINTS_INTERVAL;
}

int checkpoints_make(struct checkpoints *c, const struct audit_head *head, uint64_t now)
{
        struct checkpoint next = { .count = head->count, .time = now, .has_previous = c->size > 0 };
        uint8_t bytes[CHECKPOINT_MAX], key[STORE_NUMBER_SIZE];
        struct signer signer = gate_key_signer(c->key);
        struct writer w;
        int result;

        if (!c->key->there || head->count <= c->last.count)
                return CHECKPOINTS_UNCHANGED;
        snprintf(next.site, sizeof(next.site), "%s", c->site);
        snprintf(next.relay, sizeof(next.relay), "%s", c->relay);
        memcpy(next.head, head->hash, SHA256_SIZE);
        if (next.has_previous && crypto_sha256(checkpoints_last(c), next.previous) != RELAY_OK)
                return -EIO;
        writer_init(&w, bytes, sizeof(bytes));
        if (checkpoint_sign(&w, &next, &signer) != RELAY_OK)
                return -EIO;
        result = store_put(c->store, STORE_CHECKPOINTS, store_number_key(next.count, key), writer_span(&w));
        if (result < 0)
                return result;
        c->last = next;
        c->size = writer_span(&w).size;
        memcpy(c->bytes, bytes, c->size);
        c->untold = true;
        c->commit = UNSEALED;
        return 0;
}

struct span checkpoints_last(const struct checkpoints *c)
{
        return span_of(c->bytes, c->size);
}

void checkpoints_sealed(struct checkpoints *c, uint64_t commit)
{
        if (c->untold && c->commit == UNSEALED)
                c->commit = commit;
}

bool checkpoints_durable(struct checkpoints *c, uint64_t commit)
{
        if (!c->untold || c->commit > commit)
                return false;
        c->untold = false;
        return true;
}
