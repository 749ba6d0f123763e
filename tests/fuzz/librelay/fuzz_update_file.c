/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The head of an update file and all of it: parts lie inside, and are written as the same bytes. */
#include <stdlib.h>

#include "relay/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint8_t again[UPDATE_FILE_HEAD_MAX];
        struct update_file file;
        struct writer w;

        if (update_file_decode(span_of(data, size), size, &file) != RELAY_OK)
                return 0;
        if (file.image_offset + file.image_size != size)
                abort();
        writer_init(&w, again, sizeof(again));
        if (update_file_encode_head(&w, file.envelope, file.notes, file.image_size) != RELAY_OK ||
            !span_equal(writer_span(&w), span_of(data, file.image_offset)))
                abort();
        return 0;
}
