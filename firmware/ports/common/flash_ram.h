/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * NOR flash in ordinary memory (of a test, a load generator, or a mapped file), with its rules enforced and power cuts
 * on order: operation number cut_after (from 1) is torn half-way, every later one fails.
 */

#include "port/flash.h"

struct flash_ram {
        uint8_t *memory; /* sector_size * sector_count bytes */
        uint32_t sector_size, sector_count;
        uint64_t *operations; /* erases and programs so far; may be shared by processes */
        uint64_t own_operations;
        uint64_t cut_after;         /* 0: never */
        bool off;                   /* the power is gone */
        void (*cut)(void *context); /* called at the cut; may be NULL */
        void *context;
};

/* memory stays the caller's and must outlive ram; its content is taken as it is. */
void flash_ram_init(struct flash_ram *ram, void *memory, uint32_t sector_size, uint32_t sector_count);
struct port_flash flash_ram_port(struct flash_ram *ram);
