/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the two halves of the update agent share. */

#include "app/update.h"

/* Sets what is told at updates/status, if it differs. target may be NULL. */
void update_tell(struct update *u, enum update_state state, enum reason reason, const struct update_target *target);
size_t update_approval_spans(const struct update *u, struct span out[SITE_APPROVERS_MAX]);
/* Looks at the candidate; starts fetching if everything is there. */
int update_consider(struct update *u, uint64_t now_ms);
/* Starts (or resumes) fetching the candidate's image, within the erase budget. */
int update_fetch(struct update *u, uint64_t now_ms);
