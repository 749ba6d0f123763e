/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Brings the kernel's table to what is wanted: by the difference if the shape is the same, else as a whole.
 */

#include "guard/commit.h"
#include "guard/ruleset.h"

struct engine;

struct engine_result {
        uint64_t microseconds;        /* all of it */
        uint64_t kernel_microseconds; /* of these, sending and waiting for the kernel */
        uint64_t bytes;               /* sent */
        uint32_t transactions;        /* that the kernel took */
        bool replaced;                /* as a whole */
        struct ruleset_counts counts;
        struct nf_failure failure;
};

/* transport: stays the caller's */
int engine_new(struct engine **ret, const struct nf_transport *transport);
struct engine *engine_free(struct engine *engine);
CLEANUP_DEFINE(struct engine, engine_free)

/*
 * Makes wanted what the kernel does. 0, or negative: what was in force before still is (result->failure says more, see
 * nf_failure_text()). wanted->country must live until the next apply that returned 0; the policy is copied.
 */
int engine_apply(struct engine *engine, const struct ruleset *wanted, struct engine_result *result);
/* Somebody changed our table: the next apply replaces it as a whole. */
void engine_distrust(struct engine *engine);
