/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Reads the named counters of the table back.
 */

#include "guard/commit.h"

struct nf_counter {
        const char *name; /* one of names */
        uint64_t packets, bytes;
};
/* names ends with NULL; out has room for all of them. 0 (*count of them found) or -errno */
int nf_counters(const struct nf_transport *transport, const char *table, const char *const *names,
                struct nf_counter *out, size_t *count);
