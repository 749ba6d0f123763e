/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Policies on trial. Pure: the caller owns the clock and applies what confirm_active() says.
 */

#include "policy/country.h"

struct confirm {
        uint64_t committed_token, pending_token; /* 0: none */
        struct country_policy committed, pending;
        uint64_t deadline_ms; /* of the pending one */
};

/* A policy comes. seconds 0: it is committed at once, and a pending one is dropped. */
void confirm_offer(struct confirm *confirm, uint64_t token, const struct country_policy *policy, uint32_t seconds,
                   uint64_t now_ms);
/* The pending one is committed. 0; -ESTALE: this one is not pending. */
int confirm_accept(struct confirm *confirm, uint64_t token);
/* Is the time of the pending one over? Then it is dropped: its token, else 0. */
uint64_t confirm_expire(struct confirm *confirm, uint64_t now_ms);
/* What should be in force; NULL: nothing was ever committed or offered. */
const struct country_policy *confirm_active(const struct confirm *confirm);
uint64_t confirm_active_token(const struct confirm *confirm);
/* Rounded up; 0: nothing is pending */
uint32_t confirm_seconds_left(const struct confirm *confirm, uint64_t now_ms);
