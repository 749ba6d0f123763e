/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fail-over under random schedules of faults in simulated time. Prints TAP, a line for each property.
 * usage: schedules [--count N] [--from SEED] | --seed SEED (one schedule, with everything that happens)
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define COUNT_DEFAULT 100000u
#define SHOWN_MAX     3u /* failures of a property that are printed */

/* pauses between faults: much at once, some, or time to become stable */
static uint64_t pause(struct random *r)
{
        uint32_t kind = random_below(r, 10);

        return random_below(r, kind < 4 ? 1500 : kind < 8 ? 20000 : 300000);
}

static void play(struct world *w, uint64_t seed, bool trace)
{
        world_begin(w, seed, trace);
        unsigned faults = random_between(&w->random, 5, 40);
        for (unsigned i = 0; i < faults; i++) {
                world_pass(w, pause(&w->random));
                world_fault(w);
        }
        world_settle(w);
}

static uint64_t parse(const char *text)
{
        char *end;
        uint64_t value = strtoull(text, &end, 10);

        if (*text == '\0' || *end != '\0') {
                fprintf(stderr, "schedules: \"%s\" is not a number\n", text);
                exit(2);
        }
        return value;
}

int main(int argc, char **argv)
{
        uint64_t count = COUNT_DEFAULT, from = 1, checks[PROPERTIES] = { 0 }, connects = 0, moves = 0;
        unsigned failures[PROPERTIES] = { 0 };
        bool trace = false, good = true;
        static struct world w;

        for (int i = 1; i + 1 < argc; i += 2) {
                uint64_t value = parse(argv[i + 1]);
                if (strcmp(argv[i], "--count") == 0)
                        count = value;
                if (strcmp(argv[i], "--from") == 0 || strcmp(argv[i], "--seed") == 0)
                        from = value;
                if (strcmp(argv[i], "--seed") == 0)
                        count = trace = true;
        }
        for (uint64_t seed = from; seed < from + count; seed++) {
                play(&w, seed, trace);
                connects += w.connects;
                moves += w.moves;
                for (unsigned p = 0; p < PROPERTIES; p++) {
                        checks[p] += w.checks[p];
                        if (w.failed[p] && failures[p]++ < SHOWN_MAX)
                                printf("# failed: --seed %llu: %s\n", (unsigned long long)seed, w.complaint);
                }
        }
        printf("1..%u\n", PROPERTIES);
        for (unsigned p = 0; p < PROPERTIES; p++) {
                bool holds = failures[p] == 0 && (checks[p] > 0 || trace);
                good = good && holds;
                printf("%sok %u - %s: %llu checks, %u schedules failed\n", holds ? "" : "not ", p + 1,
                       property_names[p], (unsigned long long)checks[p], failures[p]);
        }
        printf("# %llu schedules from seed %llu, %llu connects, %llu sessions\n", (unsigned long long)count,
               (unsigned long long)from, (unsigned long long)connects, (unsigned long long)moves);
        return good ? 0 : 1;
}
