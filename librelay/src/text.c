/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text.h"

static bool is_allowed(uint8_t c, const char *allowed)
{
        while (*allowed && (uint8_t)*allowed != c)
                allowed++;
        return *allowed != 0;
}

bool text_is_displayable(struct span text, const char *allowed)
{
        if (!span_is_utf8(text))
                return false;
        for (size_t i = 0; i < text.size; i++) {
                uint8_t c = text.data[i], next = i + 1 < text.size ? text.data[i + 1] : 0,
                        last = i + 2 < text.size ? text.data[i + 2] : 0;
                bool control = (c < 0x20 && !is_allowed(c, allowed)) || c == 0x7f || (c == 0xc2 && next < 0xa0);
                bool override = (c == 0xd8 && next == 0x9c) ||
                                (c == 0xe2 && next == 0x80 &&
                                 (last == 0x8e || last == 0x8f || (last >= 0xa8 && last <= 0xae))) ||
                                (c == 0xe2 && next == 0x81 && last >= 0xa6 && last <= 0xa9);
                if (control || override)
                        return false;
        }
        return true;
}
