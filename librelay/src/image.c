/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/image.h"

static uint32_t piece_count(uint32_t size, uint32_t piece)
{
        return size / piece + (size % piece != 0);
}

static uint32_t piece_size(uint32_t size, uint32_t piece, uint32_t index)
{
        uint32_t count = piece_count(size, piece);

        if (index >= count)
                return 0;
        return index + 1 < count ? piece : size - piece * index;
}

uint32_t image_block_count(uint32_t image_size)
{
        return piece_count(image_size, IMAGE_BLOCK_SIZE);
}

uint32_t image_list_count(uint32_t image_size)
{
        return piece_count(image_block_count(image_size), IMAGE_LIST_DIGESTS);
}

uint32_t image_block_size(uint32_t image_size, uint32_t index)
{
        return piece_size(image_size, IMAGE_BLOCK_SIZE, index);
}

uint32_t image_list_size(uint32_t image_size, uint32_t index)
{
        return SHA256_SIZE * piece_size(image_block_count(image_size), IMAGE_LIST_DIGESTS, index);
}

int image_check_block(struct span list, uint32_t image_size, uint32_t index, struct span block)
{
        uint8_t digest[SHA256_SIZE];
        uint32_t size = image_block_size(image_size, index);
        int result;

        if (size == 0 || block.size != size || list.size != (size_t)SHA256_SIZE * image_block_count(image_size))
                return RELAY_E_SIGNATURE;
        result = crypto_sha256(block, digest);
        if (result != RELAY_OK)
                return result;
        return span_equal(span_slice(list, (size_t)SHA256_SIZE * index, SHA256_SIZE), SPAN_OF(digest))
                       ? RELAY_OK
                       : RELAY_E_SIGNATURE;
}
