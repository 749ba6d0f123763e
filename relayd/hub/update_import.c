/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Updates that come in files: the same checks as for the cloud's offers, and nothing is kept before they held. */

#include <errno.h>
#include <string.h>

#include "hub/manager.h"
#include "hub/update_import.h"
#include "hub/updates_internal.h"
#include "relay/bundle.h"

static int answer(struct refusal *refusal, enum reason reason)
{
        if (reason == REASON_STORE_FULL)
                return -ENOSPC;
        if (reason == REASON_STORE_FAILED)
                return -EIO;
        return reason == REASON_NONE
                       ? 0
                       : refusal_set(refusal, reason, "the update is refused: %s", reason_explanation(reason));
}

/* What could not stand in an update file is not taken either: sizes, and what the notes could do to a terminal. */
static bool fits_file(const struct update_import *in)
{
        uint8_t head[UPDATE_FILE_HEAD_MAX];
        struct writer w;

        writer_init(&w, head, sizeof(head));
        return update_file_encode_head(&w, in->envelope, in->notes, 1) == RELAY_OK;
}

static int check_manifest(struct updates *u, const struct update_import *in, struct manifest_verified *out,
                          struct refusal *refusal)
{
        struct manifest_unverified manifest;
        uint8_t digest[SHA256_SIZE];
        enum reason reason;

        if (in->envelope.size > MANIFEST_MAX || in->notes.size > UPDATE_FILE_NOTES_MAX)
                return answer(refusal, REASON_TOO_LARGE);
        if (!fits_file(in))
                return refusal_set(refusal, REASON_MALFORMED, "the release notes are no text that can be shown");
        if (u->anchors->vendor.epoch == 0)
                return refusal_set(refusal, REASON_VENDOR_KEYS_INVALID,
                                   "this relay has no vendor key set to check the update with; import it first "
                                   "(relayctl setup)");
        reason = manifest_decode(in->envelope, &manifest);
        if (reason == REASON_NONE)
                reason = manifest_verify(&manifest, &u->anchors->vendor, out);
        if (reason != REASON_NONE)
                return answer(refusal, reason);
        if (crypto_sha256(in->list, digest) != RELAY_OK ||
            in->list.size != (size_t)image_block_count(out->fields.image_size) * SHA256_SIZE ||
            memcmp(digest, out->fields.block_list_digest, SHA256_SIZE) != 0)
                return answer(refusal, REASON_BLOCK_LIST_DIGEST);
        return 0;
}

static int check_devices(struct updates *u, const struct update_import *in, const struct manifest_verified *manifest,
                         struct refusal *refusal)
{
        if (in->device_count == 0)
                return refusal_set(refusal, REASON_WRONG_CLASS,
                                   "no device that is registered here is of the class this update is for; name devices "
                                   "that were admitted by hand with --device");
        for (size_t i = 0; i < in->device_count; i++) {
                enum reason reason = updates_check_device(u, in->devices[i], manifest);
                if (reason != REASON_NONE)
                        return refusal_set(refusal, reason, "device \"%.40s\": %s", in->devices[i],
                                           reason_explanation(reason));
        }
        return 0;
}

static enum reason keep(struct updates *u, const struct update_import *in, struct update *update)
{
        const struct manifest_fields *fields = &update->manifest.fields;
        bool same = update->imported && span_equal(span_of(update->notes, update->notes_size), in->notes);

        if (!same && update_set_imported(update, in->notes) < 0)
                return REASON_STORE_FAILED;
        int r = same ? 0 : update_store_import(u->store, update);
        if (r == 0) {
                updates_evaluate(u, update);
                r = images_import_list(u->images, fields->image_digest, in->list, u->host.now_ms(u->host.context));
        }
        /* superseded: known, and its image is of no use */
        return r == 0 || r == -ENOENT ? REASON_NONE : r == -ENOSPC ? REASON_STORE_FULL : REASON_STORE_FAILED;
}

int updates_import(struct updates *u, const char *caller, const struct update_import *in, uint8_t digest[SHA256_SIZE],
                   struct refusal *refusal)
{
        struct manifest_verified manifest;
        struct update *update;
        enum reason reason = REASON_NONE;
        int r = check_manifest(u, in, &manifest, refusal);

        if (r == 0)
                r = check_devices(u, in, &manifest, refusal);
        if (r != 0)
                return r;
        update = update_table_find(&u->table, manifest.digest);
        if (update && update->denied)
                return refusal_set(refusal, REASON_DENIED, "the site's people denied this update: %s", update->why);
        for (size_t i = 0; i < in->device_count && reason == REASON_NONE; i++)
                reason = updates_take(u, in->devices[i], &manifest, caller);
        update = update_table_find(&u->table, manifest.digest);
        if (reason == REASON_NONE)
                reason = update ? keep(u, in, update) : REASON_STORE_FAILED;
        if (reason == REASON_NONE)
                memcpy(digest, manifest.digest, SHA256_SIZE);
        return answer(refusal, reason);
}

static int wrong_block(struct updates *u, const struct update *update, uint32_t index, struct refusal *refusal)
{
        char hex[2 * SHA256_SIZE + 1];

        u->host.audit(u->host.context, AUDIT_ACTOR_RELAY, AUDIT_UPDATE_REFUSED,
                      span_to_hex(SPAN_OF(update->digest), hex, sizeof(hex)), reason_name(REASON_BLOCK_DIGEST));
        return refusal_set(
                refusal, REASON_BLOCK_DIGEST,
                "block %u of the image is not the one that the manifest names; what stood before it is kept. Is "
                "the file damaged?",
                index);
}

int updates_import_image(struct updates *u, const uint8_t digest[SHA256_SIZE], uint32_t first, struct span bytes,
                         struct refusal *refusal)
{
        const struct update *update = update_table_find(&u->table, digest);
        int r;

        if (!update)
                return answer(refusal, REASON_UNKNOWN_UPDATE);
        if (update->denied)
                return answer(refusal, REASON_DENIED);
        if (update->state == UPDATE_SUPERSEDED)
                return refusal_set(refusal, REASON_OLD_SEQUENCE,
                                   "a later update for the same devices is known; this one's image is not kept");
        r = images_import(u->images, update->manifest.fields.image_digest, &first, bytes,
                          u->host.now_ms(u->host.context));
        if (r == -ENOENT)
                return refusal_set(refusal, REASON_UNKNOWN_UPDATE, "import the update's manifest first");
        return r == IMAGES_WRONG ? wrong_block(u, update, first, refusal) : r;
}

bool updates_import_progress(const struct updates *u, const uint8_t digest[SHA256_SIZE], uint32_t *next,
                             uint32_t *blocks)
{
        const struct update *update = update_table_find(&u->table, digest);

        if (!update)
                return false;
        *next = images_next(u->images, update->manifest.fields.image_digest);
        *blocks = image_block_count(update->manifest.fields.image_size);
        return true;
}
