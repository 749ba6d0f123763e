/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The checks that a device makes, each on one good object: two approvers of three, a policy with gates, grants and
 * rules. The same for this machine (checks.c, which makes the objects) and for a microcontroller (tests/mcu).
 * To be linked with --wrap=crypto_verify, which counts signatures.
 */

#include <stdbool.h>
#include <stdint.h>

#include "relay/span.h"

enum check_object {
        OBJECT_VENDOR, /* payloads of what is in force; everything else is as it travels */
        OBJECT_POLICY,
        OBJECT_MANIFEST,
        OBJECT_APPROVAL_1,
        OBJECT_APPROVAL_2,
        OBJECT_TICKET,
        OBJECT_COMMAND,
        OBJECT_REVOCATION,
        OBJECT_NEXT_POLICY,
        OBJECT_NEXT_VENDOR,
        OBJECTS_END,
};

struct device_check {
        const char *name;
        bool (*run)(void); /* true: accepted, as it must be */
        enum check_object first, last;
};

#define DEVICE_CHECKS 7
extern const struct device_check device_checks[DEVICE_CHECKS];
extern struct span check_objects[OBJECTS_END]; /* to be filled before device_checks_begin() */

/* signatures verified so far, and clock ticks that took */
extern uint64_t device_checks_verified, device_checks_verifying;
/* ticks of any unit: whoever runs the checks has a clock */
uint64_t device_checks_clock(void);

/* Puts policy and vendor keys in force. False if an object is not as it should be. */
bool device_checks_begin(void);
/* bytes of the objects a check reads */
size_t device_check_bytes(const struct device_check *check);
