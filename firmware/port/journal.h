/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One small record that changes, in two flash sectors: each new version is appended with a serial number and a CRC;
 * when a sector is full the other one is erased and goes on. Power may go at any operation: loading then gives the
 * last record whose writing finished, or the one being written, never a mixture.
 */

#include "port/flash.h"

#define JOURNAL_RECORD_MAX 240 /* bytes */
#define JOURNAL_HEADER     16

struct journal {
        struct flash_area area; /* exactly two sectors */
        uint32_t magic;         /* tells this journal from others */
        uint32_t stride;        /* bytes a record takes with its header */
        uint32_t size;          /* bytes of a record */
        uint32_t serial;        /* of the newest record; 0: none */
        uint32_t sector;        /* where the newest record is */
        uint32_t at;            /* offset in that sector where the next one goes */
};

/*
 * Finds the newest record. record: size bytes (at most JOURNAL_RECORD_MAX).
 * 0 and the record; RELAY_E_STATE if there is none (record untouched; the journal is usable); else the flash's error.
 */
int journal_load(struct journal *j, const struct flash_area *area, uint32_t magic, void *record, uint32_t size);
/* Appends a version. 0 means it is in flash and read back; else PORT_E_IO. */
int journal_store(struct journal *j, const void *record);
