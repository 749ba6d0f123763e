/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "relay/factory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint8_t again[1 << 20];
        struct factory_device device;
        uint8_t digest[SHA256_SIZE];
        struct factory_list list;
        struct writer w;

        if (factory_list_decode(span_of(data, size), &list) != RELAY_OK)
                return 0;
        writer_init(&w, again, sizeof(again));
        factory_put_list(&w, list.vendor_id, list.count, list.image_count);
        for (size_t i = 0; i < list.count; i++) {
                if (!factory_list_next(&list, &device))
                        abort();
                factory_put_device(&w, &device);
        }
        if (list.image_count > 0)
                factory_put_images(&w, list.image_count);
        for (size_t i = 0; i < list.image_count; i++) {
                if (!factory_list_next_image(&list, digest))
                        abort();
                factory_put_image(&w, digest);
        }
        if (factory_list_next(&list, &device) || factory_list_next_image(&list, digest) ||
            !span_equal(writer_span(&w), span_of(data, size)))
                abort();
        return 0;
}
