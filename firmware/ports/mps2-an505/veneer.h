/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The only way from the application into the secure side. Its address is part of the contract between a boot stage and
 * all images that it will ever start, so images are not linked against one build of the secure side.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ports/mps2-an505/map.h"

/*
 * One request of the boot channel (ports/common) and its answer, in the same buffer.
 * buffer: size bytes of request, room for max bytes of answer; non-secure RAM, all of it.
 * The answer's size; 0: there is none (a request without one, a buffer that is not the caller's, or no room).
 */
typedef size_t secure_request_function(void *buffer, size_t size, size_t max);

#if defined(__ARM_FEATURE_CMSE) && __ARM_FEATURE_CMSE == 3
secure_request_function secure_request; /* this is the secure side */
#else
static inline size_t secure_request(void *buffer, size_t size, size_t max)
{
        /* bit 0: Thumb */
        secure_request_function *veneer = (secure_request_function *)(uintptr_t)(AN505_VENEERS + 1); /* NOLINT */

        return veneer(buffer, size, max);
}
#endif

/*
 * Beside the boot channel's requests: is this an Ed25519 signature? The message is not copied, so it may lie anywhere
 * in the application's memory; who changes it meanwhile has himself to blame.
 */
#define SECURE_VERIFY 'V'
struct secure_verify {
        uint8_t request; /* SECURE_VERIFY; answer: 1 if valid, else 0 */
        uint8_t key[32], signature[64];
        const uint8_t *message;
        size_t size;
};

#if !defined(__ARM_FEATURE_CMSE) || __ARM_FEATURE_CMSE != 3
static inline bool secure_verify(const uint8_t key[32], const uint8_t signature[64], const uint8_t *message,
                                 size_t size)
{
        struct secure_verify verify = { .request = SECURE_VERIFY, .message = message, .size = size };

        memcpy(verify.key, key, sizeof(verify.key));
        memcpy(verify.signature, signature, sizeof(verify.signature));
        return secure_request(&verify, sizeof(verify), 1) == 1 && verify.request == 1;
}
#endif
