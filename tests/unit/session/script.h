/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Rows of steps, what client and hub say when:
 *     > client sends    h hub is given    < hub sends    c client is given    ! hub sends what it may not
 *     x the session ends with this reason (and the will)    . it ends properly    - it ends with this reason, no will
 *     z the relay ends it with this reason
 */

#include "talk.h"

struct script {
        const char *name;
        const char *steps[14];
};

static inline void step(struct talk *t, const char *text)
{
        switch (text[0]) {
        case '>':
                from_client(t, text + 1);
                break;
        case 'h':
                to_hub(t, text + 1);
                break;
        case '<':
                from_hub(t, text + 1);
                break;
        case 'c':
                to_client(t, text + 1);
                break;
        case '!':
                assert_true(from_hub_result(t, text + 1) < 0);
                break;
        case 'x':
                ends(t, (uint8_t)strtoul(text + 1, NULL, 16), true);
                break;
        case '.':
                ends(t, 0, false);
                break;
        case '-':
                ends(t, (uint8_t)strtoul(text + 1, NULL, 16), false);
                break;
        case 'z':
                session_close(t->s, (uint8_t)strtoul(text + 1, NULL, 16));
                break;
        }
}

static inline void play(const struct script *scripts, size_t count, void (*open)(struct talk *))
{
        for (size_t i = 0; i < count; i++) {
                struct talk t;
                print_message("# %s\n", scripts[i].name);
                open(&t);
                for (size_t j = 0; j < 14 && scripts[i].steps[j]; j++)
                        step(&t, scripts[i].steps[j]);
                nothing_more(&t);
                talk_end(&t);
        }
}
