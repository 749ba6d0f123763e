/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "relay/factory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint8_t again[1 << 20];
        struct factory_device device;
        struct factory_list list;
        struct writer w;

        if (factory_list_decode(span_of(data, size), &list) != RELAY_OK)
                return 0;
        writer_init(&w, again, sizeof(again));
        factory_put_list(&w, list.vendor_id, list.count);
        for (size_t i = 0; i < list.count; i++) {
                if (!factory_list_next(&list, &device))
                        abort();
                factory_put_device(&w, &device);
        }
        if (factory_list_next(&list, &device) || !span_equal(writer_span(&w), span_of(data, size)))
                abort();
        return 0;
}
