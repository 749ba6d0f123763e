/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Countries as small numbers: the two letters of ISO 3166-1, sets of them, and groups with a name. Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNTRY_CODES       676 /* AA is 0, AB is 1 ... ZZ is 675 */
#define COUNTRY_UNKNOWN     676 /* the database does not say; text "??" */
#define COUNTRY_NO_DATABASE 677 /* there is no database to ask; text "--" */
#define COUNTRY_CODES_ALL   678 /* all of the above */

typedef uint16_t country_code;

#define COUNTRY_TEXT_SIZE  3
#define COUNTRY_CODE(a, b) ((country_code)(((a) - 'A') * 26 + (b) - 'A'))

/* Two letters of either case; COUNTRY_UNKNOWN if they are no letters. "UK" gives GB. Any two letters are a code here.
 */
country_code country_code_from_letters(char first, char second);
/* returns out: "FI", "??" or "--" */
const char *country_code_text(country_code code, char out[COUNTRY_TEXT_SIZE]);
/* English short name, "unknown", or NULL if no country has this code. Static storage. */
const char *country_code_name(country_code code);

/* All zero is the empty set. */
struct country_set {
        uint64_t bits[(COUNTRY_CODES + 63) / 64];
};

void country_set_add(struct country_set *set, country_code code); /* codes only: below COUNTRY_CODES */
bool country_set_has(const struct country_set *set, country_code code);
size_t country_set_count(const struct country_set *set);
bool country_set_equal(const struct country_set *a, const struct country_set *b);

/* A word for several countries: "EU" (the 27 members), "EEA", "EFTA", "NORDIC" ... */
struct country_group {
        const char *name;
        const char *codes; /* "AT BE ..." */
        const char *about; /* for people: "the 27 members of the European Union" */
};
/* ends with name == NULL */
extern const struct country_group country_groups[];
/* Adds the members; false if there is no such group (any case). */
bool country_set_add_group(struct country_set *set, const char *name);
