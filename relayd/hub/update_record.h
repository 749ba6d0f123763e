/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Records of STORE_UPDATES. Under a manifest digest: {0: 1, 1: envelope (bstr), 2: received (uint), 3: denied (bool),
 * 4: why (tstr)}. Under manifest digest + device: {0: 1, 1: status (tstr), 2: progress (uint), 3: reason (tstr),
 * 4: installed (bool), 5: shown (bool)}. Under manifest digest + ".import", if it came in a file: its release notes.
 */

#include "policy/update.h"
#include "relay/cbor.h"
#include "relay/manifest.h"

#define UPDATE_WHY_SIZE          120 /* bytes with the NUL */
#define UPDATE_RECORD_MAX        (MANIFEST_MAX + UPDATE_WHY_SIZE + 32)
#define UPDATE_DEVICE_RECORD_MAX 128

struct update_record {
        struct span envelope; /* points into the record */
        uint64_t received;    /* Unix seconds */
        bool denied;
        struct span why;
};
int update_record_decode(struct span record, struct update_record *out);
void update_record_encode(struct writer *w, const struct update_record *record);

struct update_device_record {
        enum update_status status;
        uint32_t progress; /* 0 to 100 */
        enum reason reason;
        bool installed;
        bool shown; /* the offer stands retained on its local topic */
};
int update_device_record_decode(struct span record, struct update_device_record *out);
void update_device_record_encode(struct writer *w, const struct update_device_record *record);
