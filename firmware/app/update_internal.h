/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the two halves of the update agent share. */

#include "app/update.h"

/* Sets what is told at updates/status, if it differs. target may be NULL. */
void update_tell(struct update *u, enum update_state state, enum reason reason, const struct update_target *target);
/* Nothing is to be done: idle, but in recovery, where an image is waited for. */
void update_tell_idle(struct update *u);
size_t update_approval_spans(const struct update *u, struct span out[SITE_APPROVERS_MAX]);
/* Looks at the candidate; starts fetching if everything is there. */
int update_consider(struct update *u, uint64_t now_ms);
/* Does one of the candidate's approvals have a window? */
bool update_has_windows(const struct update *u);
/* May the target still be installed? NONE, or why not; also if it is not the candidate any more. */
enum reason update_judge_target(struct update *u, uint64_t now_ms);
/* true: the gate opened just now, or need not be asked. Else it is being asked, and update_follow_gate() goes on. */
bool update_ask_gate(struct update *u, enum update_awaiting what, uint64_t now_ms);
/* Looks whether the verdict came; true: it is open. */
bool update_follow_gate(struct update *u, uint64_t now_ms);
/* Starts (or resumes) fetching the candidate's image, within the erase budget. */
int update_fetch(struct update *u, uint64_t now_ms);

/* update_blocks.c: the target's list and blocks in flash. Results: 0 or a flash error. */
unsigned update_spare(const struct update *u); /* the slot that is written to */
/* Is the right list in flash? */
int update_find_list(const struct update *u, bool *found);
bool update_list_fits(const struct update *u, struct span list);
/* *kept: it was written, and reads back right */
int update_store_list(struct update *u, struct span list, bool *kept);
bool update_has_block(const struct update *u, uint32_t index);
int update_check_block(const struct update *u, uint32_t index, struct span block, bool *fits);
int update_store_block(struct update *u, uint32_t index, struct span block);
/* Which blocks are there already? Some in each round; then phase is BLOCKS. */
void update_begin_scan(struct update *u);
int update_scan_some(struct update *u);
/* Is the image whole? Some of it in each round. */
enum update_image_state { UPDATE_IMAGE_UNKNOWN, UPDATE_IMAGE_RIGHT, UPDATE_IMAGE_WRONG };
int update_begin_hash(struct update *u);
int update_hash_some(struct update *u, enum update_image_state *image);
