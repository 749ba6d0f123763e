/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The country policy at the hub: judged at admission and before each connection to the cloud, handed to the guard for
 * the kernel, and alerts about all of it. Part of the manager: manager_country.c is what happens by itself,
 * manager_country_actions.c what is asked for.
 */

#include <netinet/in.h>

#include "hub/bursts.h"
#include "hub/countries.h"
#include "hub/guard.h"
#include "hub/views.h"
#include "policy/quota.h"

#define GUARD_COUNTER_NAME 40

enum guard_state { GUARD_ABSENT = 0, GUARD_APPLYING, GUARD_IN_FORCE, GUARD_FAILED };

struct manager_country {
        struct countries countries;
        bool gave_up_at_start;
        struct guard_peer *guard;
        enum guard_state state;
        char error[GUARD_SENTENCE_MAX + 1];
        uint32_t intervals4, intervals6;
        uint64_t microseconds;
        uint64_t restored, restored_told; /* since our start; what this guard said last */
        struct bursts bursts;
        struct {
                char name[GUARD_COUNTER_NAME];
                uint64_t packets;
        } counters[GUARD_COUNTERS_MAX];
        struct guard_country_count refused[GUARD_COUNTRIES_MAX];
        size_t counter_count, refused_count;
        sd_event_source *watch; /* of the database's folder */
        uint32_t gone_ticks;    /* since the guard went away; 0: it is there, was never there, or it was alerted */
        uint64_t told_s;        /* when a database that is old or missing was alerted last; 0: never */
        uint32_t ticks;
};

struct manager;
struct sockaddr;
struct admission;
struct channel_open;

/* ahead of front ends and cloud; uid: the guard's; listen: make its socket */
int manager_country_load(struct manager *m);
int manager_country_listen(struct manager *m, uid_t uid);
void manager_country_start(struct manager *m);
void manager_country_release(struct manager *m);
void manager_country_tick(struct manager *m); /* each second */
/* May a session come from there? If not, out->decision says why; it was told. */
bool manager_country_admits(struct manager *m, const struct channel_open *open, struct admission *out);
/* for struct uplink_handler */
bool manager_country_allows(void *m, const struct sockaddr *address, char why[200]);
/* Another policy or database holds: to the guard, and judged again: sessions and the uplink. */
void manager_country_changed(struct manager *m);
void manager_country_give_up(struct manager *m, const char *actor);
void manager_country_view(const struct manager *m, struct country_view *out);
uint64_t manager_country_boot_ms(void); /* since boot, with suspend */
