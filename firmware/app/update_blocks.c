/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Update agent: the block list and the blocks in flash. Neither is kept in memory; digests are taken in small pieces,
 * and what goes over a whole image takes many rounds, so that the product is not kept waiting.
 */

#include <string.h>

#include "app/update_internal.h"

#define PIECE        256u /* bytes read from flash at once */
#define ROUND_BLOCKS 4u   /* looked at in one round */

unsigned update_spare(const struct update *u)
{
        return u->boot.recovery ? u->boot.slot : 1u - u->boot.slot;
}

static int hash_flash(struct sha256 *hash, const struct flash_area *area, uint32_t offset, uint32_t size)
{
        uint8_t bytes[PIECE];
        int r = 0;

        for (uint32_t at = 0; at < size && r == 0; at += PIECE) {
                uint32_t n = size - at < PIECE ? size - at : PIECE;
                r = flash_area_read(area, offset + at, bytes, n);
                if (r == 0)
                        r = crypto_sha256_update(hash, span_of(bytes, n));
        }
        return r;
}

static int digest_flash(const struct flash_area *area, uint32_t offset, uint32_t size, uint8_t digest[SHA256_SIZE])
{
        struct sha256 hash;

        int r = crypto_sha256_init(&hash);
        if (r == 0)
                r = hash_flash(&hash, area, offset, size);
        return r < 0 ? r : crypto_sha256_final(&hash, digest);
}

/* ---- the list */

static uint32_t list_size(const struct update *u)
{
        return image_block_count(u->target.image_size) * SHA256_SIZE;
}

int update_find_list(const struct update *u, bool *found)
{
        uint8_t digest[SHA256_SIZE];

        int r = digest_flash(&u->config.list, 0, list_size(u), digest);
        *found = r == 0 && memcmp(digest, u->target.list_digest, SHA256_SIZE) == 0;
        return r;
}

bool update_list_fits(const struct update *u, struct span list)
{
        uint8_t digest[SHA256_SIZE];

        return list.size == list_size(u) && crypto_sha256(list, digest) == RELAY_OK &&
               memcmp(digest, u->target.list_digest, SHA256_SIZE) == 0;
}

int update_store_list(struct update *u, struct span list, bool *kept)
{
        int r = flash_area_erase(&u->config.list, 0);

        if (r == 0)
                r = flash_area_program(&u->config.list, 0, list);
        return r < 0 ? r : update_find_list(u, kept);
}

/* ---- blocks */

static const struct flash_area *image_area(const struct update *u)
{
        return &u->config.images[update_spare(u)];
}

bool update_has_block(const struct update *u, uint32_t index)
{
        return u->done[index / 8] & (1u << (index % 8));
}

static void mark_done(struct update *u, uint32_t index)
{
        u->done[index / 8] |= (uint8_t)(1u << (index % 8));
        u->blocks_done++;
}

static int is_listed(const struct update *u, uint32_t index, const uint8_t digest[SHA256_SIZE], bool *fits)
{
        uint8_t listed[SHA256_SIZE];

        int r = flash_area_read(&u->config.list, index * SHA256_SIZE, listed, sizeof(listed));
        *fits = r == 0 && memcmp(listed, digest, SHA256_SIZE) == 0;
        return r;
}

int update_check_block(const struct update *u, uint32_t index, struct span block, bool *fits)
{
        uint8_t digest[SHA256_SIZE];

        *fits = false;
        if (block.size != image_block_size(u->target.image_size, index))
                return 0;
        int r = crypto_sha256(block, digest);
        return r < 0 ? r : is_listed(u, index, digest, fits);
}

int update_store_block(struct update *u, uint32_t index, struct span block)
{
        if (update_has_block(u, index))
                return 0;
        int r = flash_area_erase(image_area(u), index);
        if (r == 0)
                r = flash_area_program(image_area(u), index * IMAGE_BLOCK_SIZE, block);
        if (r == 0)
                mark_done(u, index);
        return r;
}

/* ---- over the whole image */

void update_begin_scan(struct update *u)
{
        memset(u->done, 0, sizeof(u->done));
        u->blocks_done = u->next_block = u->looked_at = 0;
        u->phase = UPDATE_PHASE_SCAN;
}

int update_scan_some(struct update *u)
{
        uint32_t size = u->target.image_size, count = image_block_count(size);
        uint8_t digest[SHA256_SIZE];
        bool fits = false;

        for (unsigned n = 0; n < ROUND_BLOCKS && u->looked_at < count; n++) {
                uint32_t index = u->looked_at++;
                int r = digest_flash(image_area(u), index * IMAGE_BLOCK_SIZE, image_block_size(size, index), digest);
                if (r == 0)
                        r = is_listed(u, index, digest, &fits);
                if (r < 0)
                        return r;
                if (fits)
                        mark_done(u, index);
        }
        if (u->looked_at < count)
                return 0;
        u->phase = UPDATE_PHASE_BLOCKS;
        update_tell(u, UPDATE_FETCHING, REASON_NONE, &u->target);
        return 0;
}

int update_begin_hash(struct update *u)
{
        u->looked_at = 0;
        u->phase = UPDATE_PHASE_HASH;
        return crypto_sha256_init(&u->hash);
}

int update_hash_some(struct update *u, enum update_image_state *image)
{
        uint32_t size = u->target.image_size, count = image_block_count(size);
        uint8_t digest[SHA256_SIZE];

        *image = UPDATE_IMAGE_UNKNOWN;
        for (unsigned n = 0; n < ROUND_BLOCKS && u->looked_at < count; n++) {
                uint32_t index = u->looked_at++;
                int r = hash_flash(&u->hash, image_area(u), index * IMAGE_BLOCK_SIZE, image_block_size(size, index));
                if (r < 0)
                        return r;
        }
        if (u->looked_at < count)
                return 0;
        int r = crypto_sha256_final(&u->hash, digest);
        *image = memcmp(digest, u->target.image_digest, SHA256_SIZE) == 0 ? UPDATE_IMAGE_RIGHT : UPDATE_IMAGE_WRONG;
        return r;
}
