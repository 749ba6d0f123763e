/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of devices and of known images: what is accepted is exactly what would be written again, older formats as the
 * newest one. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "hub/known_images.h"
#include "hub/registry.h"

#define NEWEST 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_device(struct span in)
{
        uint8_t out[DEVICE_RECORD_MAX];
        struct device first = { 0 }, second = { 0 };
        struct writer w;

        if (device_record_read(SPAN_LITERAL("device-1"), in, &first) < 0)
                return;
        writer_init(&w, out, sizeof(out));
        device_record_encode(&w, &first);
        if (writer_finish(&w) != RELAY_OK ||
            device_record_read(SPAN_LITERAL("device-1"), writer_span(&w), &second) < 0 ||
            (in.data[0] == NEWEST && !span_equal(writer_span(&w), in)))
                abort();
}

static void check_image(struct span in)
{
        static const uint8_t key[SHA256_SIZE];
        uint8_t out[KNOWN_IMAGE_RECORD_MAX];
        struct known_image image;
        struct writer w;

        if (known_image_decode(SPAN_OF(key), in, &image) < 0)
                return;
        writer_init(&w, out, sizeof(out));
        known_image_encode(&w, &image);
        if (writer_finish(&w) != RELAY_OK || !span_equal(writer_span(&w), in))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        check_device(span_of(data, size));
        check_image(span_of(data, size));
        return 0;
}
