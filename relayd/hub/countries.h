/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The country policy the hub keeps: what is committed, what is in force on trial, and the address database it is judged
 * with. A policy on trial is given up for the committed one when its time is over, or when the machine booted in
 * between; a hub that died in between goes on with what is left of its time.
 *
 * STORE_META "country-policy":  u8 format (1) | u64 token | u64 last token | policy (policy/country.h)
 * STORE_META "country-pending": u8 format (1) | u64 token | u64 deadline (ms since boot) | boot id (16) |
 *                               u64 deadline for people (Unix seconds) | policy
 */

#include <sys/stat.h>

#include "country/country.h"
#include "policy/country.h"
#include "store/store.h"

#define COUNTRIES_CONFIRM_MAX 3600 /* seconds */
#define COUNTRIES_BOOT_SIZE   16

/* of the running system; known false: it cannot be told, and then it is no other's */
struct countries_boot {
        uint8_t id[COUNTRIES_BOOT_SIZE];
        bool known;
};

struct countries {
        struct store *store;
        const char *path;         /* of the database */
        struct country *database; /* NULL: none was ever there since the start */
        struct country_info info;
        struct stat file;              /* that the database was read from */
        char error[COUNTRY_ERROR_MAX]; /* why the file at path is not the one in use; "" */
        struct country_policy committed, pending;
        uint64_t token, pending_token; /* numbers of the policies; pending 0: none */
        uint64_t last_token;           /* highest one ever given */
        uint64_t deadline_ms;          /* of the pending one, ms since boot */
        uint64_t until;                /* the same in Unix seconds, for people */
        struct countries_boot boot;
};

/*
 * Reads both records; path (of the database) must live on. *gave_up: a policy on trial was found whose time is over,
 * and the committed one holds (staged). 0, -EBADMSG, or the store's errno.
 */
int countries_load(struct countries *countries, struct store *store, const char *path,
                   const struct countries_boot *boot, uint64_t boot_ms, bool *gave_up);
void countries_release(struct countries *countries);

/* Opens the database again. 0: it is another one now; 1: nothing changed; -errno: it cannot be used (error says why),
 * and the one before stays. */
int countries_reopen(struct countries *countries);

const struct country_policy *countries_policy(const struct countries *countries); /* what is in force */
uint64_t countries_token(const struct countries *countries);                      /* its number */
/* Is there a rule at all? */
bool countries_active(const struct countries *countries);
struct country_answer countries_judge(const struct countries *countries, const struct country_policy *policy,
                                      enum country_direction direction, uint16_t port, const struct address *address);

/*
 * Puts a policy in force: for good if confirm_s is 0, else on trial (instead of another one that is). Staged.
 * 0, -EBUSY (one is on trial and this one would be for good), -EINVAL (not a valid policy), or the store's errno.
 */
int countries_set(struct countries *countries, const struct country_policy *policy, uint32_t confirm_s,
                  uint64_t boot_ms, uint64_t now_s);
/* What is on trial becomes the committed one. 0, -ENOENT (nothing is), or the store's errno */
int countries_confirm(struct countries *countries);
/* Gives up what is on trial. The same answers */
int countries_give_up(struct countries *countries);
bool countries_is_over(const struct countries *countries, uint64_t boot_ms); /* its time */
/* whole seconds left, at least 1, while it is not over */
uint32_t countries_seconds_left(const struct countries *countries, uint64_t boot_ms);
