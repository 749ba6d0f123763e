/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The window is a 256-bit number, shifted up as the top moves. */

#include "policy/repeat.h"

#include "relay/cursor.h"

#define WORDS (REPEAT_WINDOW / 64)

static void shift(uint64_t seen[WORDS], uint64_t by)
{
        uint64_t words = by / 64;
        unsigned bits = by % 64;
        for (int i = WORDS - 1; i >= 0; i--) {
                uint64_t value = 0;
                if ((uint64_t)i >= words)
                        value = seen[(uint64_t)i - words] << bits;
                if (bits && (uint64_t)i > words)
                        value |= seen[(uint64_t)i - words - 1] >> (64 - bits);
                seen[i] = value;
        }
}

enum repeat_answer repeat_check(struct repeat *repeat, uint32_t boot, uint64_t seq)
{
        if (!repeat->used || boot > repeat->boot) {
                *repeat = (struct repeat){ .used = true, .boot = boot, .top = seq, .seen = { 1 } };
                return REPEAT_NEW;
        }
        if (boot < repeat->boot)
                return REPEAT_UNKNOWN;
        if (seq > repeat->top) {
                uint64_t by = seq - repeat->top;
                shift(repeat->seen, by);
                repeat->seen[0] |= 1;
                repeat->top = seq;
                return REPEAT_NEW;
        }
        uint64_t back = repeat->top - seq;
        if (back >= REPEAT_WINDOW)
                return REPEAT_UNKNOWN;
        uint64_t bit = UINT64_C(1) << (back % 64);
        if (repeat->seen[back / 64] & bit)
                return REPEAT_SEEN;
        repeat->seen[back / 64] |= bit;
        return REPEAT_NEW;
}

void repeat_encode(const struct repeat *repeat, uint8_t out[REPEAT_RECORD_SIZE])
{
        struct writer w;
        writer_init(&w, out, REPEAT_RECORD_SIZE);
        writer_u32(&w, repeat->used ? UINT32_C(1) << 24 : 0);
        writer_u32(&w, repeat->boot);
        writer_u64(&w, repeat->top);
        for (int i = 0; i < WORDS; i++)
                writer_u64(&w, repeat->seen[i]);
}

bool repeat_decode(struct span record, struct repeat *out)
{
        struct reader r;
        reader_init(&r, record);
        uint32_t version = reader_u32(&r);
        struct repeat repeat = { .used = true };
        repeat.boot = reader_u32(&r);
        repeat.top = reader_u64(&r);
        for (int i = 0; i < WORDS; i++)
                repeat.seen[i] = reader_u64(&r);
        *out = (struct repeat){ 0 };
        if (reader_finish(&r) != RELAY_OK || (version != 0 && version != UINT32_C(1) << 24))
                return false;
        if (version && !(repeat.seen[0] & 1))
                return false; /* the top itself is always seen */
        if (version)
                *out = repeat;
        return true;
}
