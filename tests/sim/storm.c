/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many devices and one relay in simulated time: the relay dies, and all go to the cloud. Each device is the real
 * fail-over; relay and cloud serve so many handshakes a second, in the order of arrival, and know nothing of deadlines.
 *
 * usage: storm --scene NAME [--devices N] [--capacity HANDSHAKES-PER-SECOND] [--told N] [--seed N]
 * Prints one JSON object: attempts at relay and cloud in steps of 100 ms from the loss on, and their sum.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/failover.h"
#include "random.h"

#define RELAY      0u
#define CLOUD      1u
#define STEP_MS    100u
#define STEPS      36000u  /* an hour */
#define LOSS_MS    600000u /* all sessions were stable by then */
#define KEEP_ALIVE UINT64_C(60000)
#define NEVER      UINT64_MAX
#define EVENTS_MAX 8u /* of one device at one time */

enum event_type { EVENT_WAKE, EVENT_ANSWER, EVENT_REFUSAL, EVENT_LOST, EVENT_RELAY_BACK };

struct event {
        uint64_t at;
        uint32_t device;
        uint32_t token; /* of the attempt, or of the wake */
        uint8_t type, link;
};

struct device {
        struct failover f;
        uint32_t tokens[2]; /* of the attempt or session on each link; 0: none */
        uint8_t endpoints[2];
        uint32_t wake;
        bool arrived; /* has had a session again since the loss */
};

struct server {
        bool up, silent; /* not up: refuses, or stays silent */
        double busy_until;
        uint64_t attempts, sessions;
        uint32_t steps[STEPS];
};

struct storm {
        struct device *devices;
        struct event *heap;
        size_t device_count, heap_size, heap_room;
        double service_ms;
        uint32_t told, token;
        struct random random;
        struct server servers[2];
        uint64_t now, end, back_at;
        size_t arrived;
        uint64_t half_at, last_at; /* half of them, all of them have a session again */
};

struct scene {
        const char *name;
        bool silent;        /* the relay does not answer: a cut cable; else it refuses: a killed process */
        uint64_t back_ms;   /* after so long it is back; NEVER */
        uint64_t length_ms; /* what is watched, from the loss on */
};

static const struct scene scenes[] = {
        { "killed", false, NEVER, 300000 },
        { "cut", true, NEVER, 300000 },
        { "restarted", false, 3000, 300000 },
        { "returned", false, 600000, 1200000 },
};

/* ---- events in the order of time */

static bool is_before(const struct event *a, const struct event *b)
{
        return a->at != b->at ? a->at < b->at : a->device < b->device;
}

static void swap(struct event *a, struct event *b)
{
        struct event kept = *a;
        *a = *b;
        *b = kept;
}

static void put(struct storm *s, struct event event)
{
        size_t i = s->heap_size++;

        if (s->heap_size > s->heap_room) {
                fprintf(stderr, "storm: too many events\n");
                exit(1);
        }
        s->heap[i] = event;
        for (; i > 0 && is_before(&s->heap[i], &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
                swap(&s->heap[i], &s->heap[(i - 1) / 2]);
}

static struct event take(struct storm *s)
{
        struct event first = s->heap[0];

        s->heap[0] = s->heap[--s->heap_size];
        for (size_t i = 0, child; (child = 2 * i + 1) < s->heap_size; i = child) {
                child += child + 1 < s->heap_size && is_before(&s->heap[child + 1], &s->heap[child]);
                if (!is_before(&s->heap[child], &s->heap[i]))
                        break;
                swap(&s->heap[i], &s->heap[child]);
        }
        return first;
}

/* ---- relay and cloud */

static void attempt(struct storm *s, uint32_t number, unsigned link)
{
        struct device *d = &s->devices[number];
        struct server *server = &s->servers[d->endpoints[link]];
        uint64_t way = random_between(&s->random, 2, 30), arrival = s->now + way;
        struct event event = { .device = number, .link = (uint8_t)link, .token = d->tokens[link] };

        if (s->now >= LOSS_MS && (arrival - LOSS_MS) / STEP_MS < STEPS) {
                server->steps[(arrival - LOSS_MS) / STEP_MS]++;
                server->attempts++;
        }
        if (!server->up && server->silent)
                return;
        event.type = server->up ? EVENT_ANSWER : EVENT_REFUSAL;
        event.at = arrival + way;
        if (server->up) {
                double begin = server->busy_until > (double)arrival ? server->busy_until : (double)arrival;
                server->busy_until = begin + s->service_ms;
                event.at = (uint64_t)server->busy_until + way;
        }
        put(s, event);
}

/* ---- a device */

static void act(struct storm *s, uint32_t number)
{
        struct device *d = &s->devices[number];
        struct failover_action action;

        while ((action = failover_next(&d->f, s->now)).type != FAILOVER_NOTHING) {
                switch (action.type) {
                case FAILOVER_CONNECT:
                        d->tokens[action.link] = ++s->token;
                        d->endpoints[action.link] = action.endpoint;
                        attempt(s, number, action.link);
                        break;
                case FAILOVER_ASK:
                        if (s->servers[action.endpoint].up)
                                failover_alive(&d->f, action.link, s->now);
                        break;
                case FAILOVER_CLOSE:
                        d->tokens[action.link] = 0;
                        break;
                case FAILOVER_USE:
                        s->servers[action.endpoint].sessions++;
                        if (d->arrived || s->now < LOSS_MS)
                                break;
                        d->arrived = true;
                        s->arrived++;
                        if (s->arrived == (s->device_count + 1) / 2)
                                s->half_at = s->now;
                        s->last_at = s->now;
                        break;
                case FAILOVER_NOTHING:
                        break;
                }
        }
        uint64_t deadline = failover_deadline(&d->f, s->now);
        d->wake++;
        if (deadline < s->end)
                put(s, (struct event){ deadline > s->now ? deadline : s->now + 1, number, d->wake, EVENT_WAKE, 0 });
}

static void lose(struct storm *s, const struct event *event)
{
        struct device *d = &s->devices[event->device];

        d->tokens[event->link] = 0;
        failover_down(&d->f, event->link, s->now);
        act(s, event->device);
}

static void run_event(struct storm *s, const struct event *event)
{
        struct device *d = &s->devices[event->device];

        s->now = event->at;
        switch ((enum event_type)event->type) {
        case EVENT_RELAY_BACK:
                s->servers[RELAY].up = true;
                return;
        case EVENT_WAKE:
                if (event->token == d->wake)
                        act(s, event->device);
                return;
        case EVENT_ANSWER:
                if (event->token != d->tokens[event->link])
                        return;
                failover_up(&d->f, event->link, s->now);
                if (d->endpoints[event->link] == RELAY)
                        failover_crowd(&d->f, s->told);
                act(s, event->device);
                return;
        case EVENT_REFUSAL:
        case EVENT_LOST:
                if (event->token == d->tokens[event->link])
                        lose(s, event);
                return;
        }
}

/* ---- the story */

static void begin(struct storm *s, const struct scene *scene)
{
        static const enum endpoint_kind kinds[] = { ENDPOINT_RELAY, ENDPOINT_CLOUD };

        for (uint32_t i = 0; i < s->device_count; i++) {
                struct device *d = &s->devices[i];
                failover_init(&d->f, &failover_timing_default, kinds, 2, 0, (uint32_t)random_next(&s->random), 0);
                s->now = random_below(&s->random, 60000); /* they were switched on within a minute */
                act(s, i);
        }
        s->servers[RELAY].up = s->servers[CLOUD].up = true;
        s->end = LOSS_MS + scene->length_ms;
}

/* Every session with the relay ends: at once, or when its keep-alive notices. */
static void lose_relay(struct storm *s, const struct scene *scene)
{
        s->now = LOSS_MS;
        s->servers[RELAY].up = false;
        s->servers[RELAY].silent = scene->silent;
        for (uint32_t i = 0; i < s->device_count; i++) {
                struct device *d = &s->devices[i];
                uint64_t notice = scene->silent ? random_between(&s->random, KEEP_ALIVE / 2, KEEP_ALIVE * 3 / 2)
                                                : random_between(&s->random, 1, 30);
                if (d->f.active != FAILOVER_NONE)
                        put(s, (struct event){ s->now + notice, i, d->tokens[d->f.active], EVENT_LOST, d->f.active });
        }
        if (scene->back_ms != NEVER)
                put(s, (struct event){ .at = s->now + scene->back_ms, .type = EVENT_RELAY_BACK });
}

static void print_steps(const struct server *server, uint64_t length_ms)
{
        size_t last = 0;

        for (size_t i = 0; i < length_ms / STEP_MS && i < STEPS; i++)
                if (server->steps[i] > 0)
                        last = i + 1;
        printf("[");
        for (size_t i = 0; i < last; i++)
                printf("%s%" PRIu32, i ? "," : "", server->steps[i]);
        printf("]");
}

static void print_result(const struct storm *s, const struct scene *scene)
{
        printf("{\"scene\":\"%s\",\"devices\":%zu,\"told\":%" PRIu32 ",\"capacity\":%.0f,\"arrived\":%zu,"
               "\"half_ms\":%" PRIu64 ",\"last_ms\":%" PRIu64 ",",
               scene->name, s->device_count, s->told, 1000 / s->service_ms, s->arrived, s->half_at - LOSS_MS,
               s->last_at - LOSS_MS);
        printf("\"relay_attempts\":%" PRIu64 ",\"cloud_attempts\":%" PRIu64 ",\"step_ms\":%u,\"relay\":",
               s->servers[RELAY].attempts, s->servers[CLOUD].attempts, STEP_MS);
        print_steps(&s->servers[RELAY], scene->length_ms);
        printf(",\"cloud\":");
        print_steps(&s->servers[CLOUD], scene->length_ms);
        printf("}\n");
}

static int run(struct storm *s, const struct scene *scene)
{
        bool lost = false;

        s->heap_room = s->device_count * EVENTS_MAX + EVENTS_MAX;
        s->devices = calloc(s->device_count, sizeof(*s->devices));
        s->heap = calloc(s->heap_room, sizeof(*s->heap));
        if (!s->devices || !s->heap)
                return 1;
        begin(s, scene);
        while (s->heap_size > 0 && s->heap[0].at < s->end) {
                if (!lost && s->heap[0].at >= LOSS_MS) {
                        lose_relay(s, scene);
                        lost = true;
                        continue;
                }
                struct event event = take(s);
                run_event(s, &event);
                if (!lost && s->heap_size == 0)
                        lose_relay(s, scene), lost = true;
        }
        print_result(s, scene);
        free(s->devices);
        free(s->heap);
        return 0;
}

int main(int argc, char **argv)
{
        static struct storm s = { .device_count = 10000, .service_ms = 1000.0 / 833, .random = { 1 } };
        const struct scene *scene = NULL;
        long told = -1;

        for (int i = 1; i + 1 < argc; i += 2) {
                const char *value = argv[i + 1];
                if (strcmp(argv[i], "--scene") == 0)
                        for (size_t k = 0; k < sizeof(scenes) / sizeof(*scenes); k++)
                                scene = strcmp(scenes[k].name, value) == 0 ? &scenes[k] : scene;
                if (strcmp(argv[i], "--devices") == 0)
                        s.device_count = strtoul(value, NULL, 10);
                if (strcmp(argv[i], "--capacity") == 0)
                        s.service_ms = 1000.0 / strtod(value, NULL);
                if (strcmp(argv[i], "--told") == 0)
                        told = strtol(value, NULL, 10);
                if (strcmp(argv[i], "--seed") == 0)
                        s.random.state = strtoull(value, NULL, 10);
        }
        if (!scene || s.device_count == 0) {
                fprintf(stderr,
                        "usage: storm --scene killed|cut|restarted|returned [--devices N] [--capacity PER-SECOND] "
                        "[--told N] [--seed N]\n");
                return 2;
        }
        for (s.told = 64; s.told < s.device_count; s.told *= 2) /* as a relay says it */
                ;
        if (told >= 0)
                s.told = (uint32_t)told;
        return run(&s, scene);
}
