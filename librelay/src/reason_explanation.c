/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reasons as sentences: a file of its own, because a device that only names them has no room for these. */
#include "relay/reason.h"

static const char *const explanations[REASON_COUNT] = {
#define REASON_ROW(symbol, text, sentence) [REASON_##symbol] = sentence,
        REASON_TABLE(REASON_ROW)
#undef REASON_ROW
};

const char *reason_explanation(enum reason reason)
{
        return (unsigned)reason < REASON_COUNT ? explanations[reason] : "unknown reason";
}
