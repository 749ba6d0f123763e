/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Why an action that people asked for was refused: a reason for programs, and a sentence for the one who asked. */

#include "relay/reason.h"

#define REFUSAL_TEXT_MAX 256 /* bytes of the sentence with its NUL */

/* The sentence names the thing, the value and the way out. */
struct refusal {
        enum reason reason;
        char text[REFUSAL_TEXT_MAX];
};

/* Fills *refusal; a sentence that is too long is cut. MANAGER_REFUSED, so that the caller can return it. */
int refusal_set(struct refusal *refusal, enum reason reason, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
