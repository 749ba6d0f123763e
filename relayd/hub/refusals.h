/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Which refusals were told lately: the same device and object once an hour, not more than REFUSALS_MAX in an hour
 * altogether, whatever a hostile cloud sends, and not more than REFUSALS_SHARE of one device, so that a hostile one
 * does not silence the others.
 */

#include "relay/crypto.h"
#include "relay/reason.h"
#include "relay/topic.h"

#define REFUSALS_MAX        128
#define REFUSALS_SHARE      32
#define REFUSALS_INTERVAL_S 3600

struct refusals {
        struct {
                uint8_t digest[SHA256_SIZE];
                char device[IDENTITY_MAX + 1];
                uint64_t time; /* Unix seconds; 0: free */
        } entries[REFUSALS_MAX];
        uint64_t flood; /* when it was told that some are not told; 0: never */
};

enum refusals_answer {
        REFUSALS_QUIET = 0, /* told within the hour, or too many */
        REFUSALS_TELL = 1,
        REFUSALS_FLOOD = 2, /* not this one, but tell that there are too many to tell each */
};
/* device: "" if it is about none; then without a share */
enum refusals_answer refusals_note(struct refusals *refusals, const char *device, const uint8_t digest[SHA256_SIZE],
                                   uint64_t now_s);
