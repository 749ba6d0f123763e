/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/reason.h"

#include <string.h>

struct reason_row {
        const char *name;
        const char *explanation;
};

static const struct reason_row reasons[REASON_COUNT] = {
#define REASON_ROW(symbol, text, sentence) [REASON_##symbol] = { text, sentence },
        REASON_TABLE(REASON_ROW)
#undef REASON_ROW
};

const char *reason_name(enum reason reason)
{
        return (unsigned)reason < REASON_COUNT ? reasons[reason].name : "unknown";
}

const char *reason_explanation(enum reason reason)
{
        return (unsigned)reason < REASON_COUNT ? reasons[reason].explanation : "unknown reason";
}

enum reason reason_from_name(const char *name)
{
        size_t size = name ? strlen(name) + 1 : 0;

        for (unsigned i = 0; size && i < REASON_COUNT; i++)
                if (strlen(reasons[i].name) + 1 == size && memcmp(reasons[i].name, name, size) == 0)
                        return (enum reason)i;
        return REASON_COUNT;
}
