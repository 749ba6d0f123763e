/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hub/refusals.h"

#include <stdio.h>
#include <string.h>

/* A clock that was set back counts as over. */
static bool is_over(uint64_t then, uint64_t now)
{
        return then == 0 || now < then || now - then >= REFUSALS_INTERVAL_S;
}

enum refusals_answer refusals_note(struct refusals *refusals, const char *device, const uint8_t digest[SHA256_SIZE],
                                   uint64_t now_s)
{
        size_t place = REFUSALS_MAX, share = 0;

        for (size_t i = 0; i < REFUSALS_MAX; i++) {
                if (is_over(refusals->entries[i].time, now_s)) {
                        if (place == REFUSALS_MAX)
                                place = i;
                } else if (strcmp(refusals->entries[i].device, device) == 0) {
                        if (memcmp(refusals->entries[i].digest, digest, SHA256_SIZE) == 0)
                                return REFUSALS_QUIET;
                        share++;
                }
        }
        if (place < REFUSALS_MAX && (!*device || share < REFUSALS_SHARE)) {
                memcpy(refusals->entries[place].digest, digest, SHA256_SIZE);
                snprintf(refusals->entries[place].device, sizeof(refusals->entries[place].device), "%s", device);
                refusals->entries[place].time = now_s > 0 ? now_s : 1;
                return REFUSALS_TELL;
        }
        if (!is_over(refusals->flood, now_s))
                return REFUSALS_QUIET;
        refusals->flood = now_s > 0 ? now_s : 1;
        return REFUSALS_FLOOD;
}
