/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bundles in a flash that holds anything: the first 128 bytes of input are the header. */
#include <stdlib.h>
#include <string.h>

#include "port/bundle.h"
#include "ports/common/flash_ram.h"

#define SECTOR 4096u
#define MAGIC  UINT32_C(0x62756e64)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct flash_area *area)
{
        uint8_t buffer[2000];
        struct span parts[BUNDLE_PARTS_MAX];
        size_t count = 0;

        if (bundle_read(area, MAGIC, buffer, sizeof(buffer), parts, &count) != 0)
                return;
        for (size_t i = 0; i < count; i++)
                if (parts[i].data < buffer || parts[i].data + parts[i].size > buffer + sizeof(buffer))
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint8_t memory[3 * SECTOR];
        struct flash_ram ram;
        struct span in = span_of(data, size), head = span_slice(in, 0, 128), rest = span_slice(in, 128, 2 * SECTOR);

        flash_ram_init(&ram, memory, SECTOR, 3);
        struct port_flash flash = flash_ram_port(&ram);
        struct flash_area area = { &flash, 0, 3 };

        memset(memory, 0xff, sizeof(memory));
        if (head.size > 0)
                memcpy(memory, head.data, head.size);
        if (rest.size > 0)
                memcpy(memory + SECTOR, rest.data, rest.size);
        check(&area);

        /* what was written is read back */
        struct span parts[] = { head, rest };
        if (head.size + rest.size <= 2000 && bundle_write(&area, MAGIC, parts, 2) != 0)
                abort();
        check(&area);
        return 0;
}
