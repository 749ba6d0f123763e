/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The only way from the application into the secure side. Its address is part of the contract between a boot stage and
 * all images that it will ever start, so images are not linked against one build of the secure side.
 */

#include <stddef.h>
#include <stdint.h>

#include "ports/mps2-an505/map.h"

/*
 * One request of the boot channel (ports/common) and its answer, in the same buffer.
 * buffer: size bytes of request, room for max bytes of answer; non-secure RAM, all of it.
 * The answer's size; 0: there is none (a request without one, a buffer that is not the caller's, or no room).
 */
typedef size_t secure_request_function(void *buffer, size_t size, size_t max);

static inline size_t secure_request(void *buffer, size_t size, size_t max)
{
        /* bit 0: Thumb */
        secure_request_function *veneer = (secure_request_function *)(uintptr_t)(AN505_VENEERS + 1); /* NOLINT */

        return veneer(buffer, size, max);
}
