/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/reason.h"

#include <string.h>

static const char *const names[REASON_COUNT] = {
#define REASON_ROW(symbol, text, sentence) [REASON_##symbol] = text,
        REASON_TABLE(REASON_ROW)
#undef REASON_ROW
};

const char *reason_name(enum reason reason)
{
        return (unsigned)reason < REASON_COUNT ? names[reason] : "unknown";
}

enum reason reason_from_name(const char *name)
{
        size_t size = name ? strlen(name) + 1 : 0;

        for (unsigned i = 0; size && i < REASON_COUNT; i++)
                if (strlen(names[i]) + 1 == size && memcmp(names[i], name, size) == 0)
                        return (enum reason)i;
        return REASON_COUNT;
}
