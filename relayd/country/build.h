/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Ranges from a source become the compiled file. Readers of sources add ranges in ascending order; neighbours of one
 * country are merged and gaps become "unknown". Errors are sentences of COUNTRY_ERROR_MAX bytes.
 */

#include <stdint.h>
#include <stdio.h>

#include "country/country.h"

struct country_build;

int country_build_new(struct country_build **ret);
struct country_build *country_build_free(struct country_build *build);
CLEANUP_DEFINE(struct country_build, country_build_free)

/*
 * A range behind all others of its family. code: COUNTRY_UNKNOWN or a country's. 0; -EINVAL and a sentence: reversed,
 * overlapping or out of order; -E2BIG: more ranges than the format holds; -ENOMEM.
 */
int country_build_add(struct country_build *build, const struct address_range *range, country_code code, char *error);

/*
 * The checked bytes of the file, malloc'ed; nothing can be added any more. info: source, date and compiled are used.
 * 0, -E2BIG, -ENODATA (a family without ranges), -ENOMEM
 */
int country_build_image(struct country_build *build, const struct country_info *info, uint8_t **data, size_t *size,
                        char *error);

/* What the header of a checked image says. */
void country_image_info(const void *image, struct country_info *info);

/*
 * The text that Debian's tor-geoipdb has: "first,last,CC" a line (IPv4 as decimal numbers), "??" for unknown, comments
 * behind '#'. name: for errors. *date: from the comment "# Generated: ...", else unchanged. 0 or -errno; -EINVAL with
 * name, line number and what is wrong in error.
 */
int country_read_tor(struct country_build *build, FILE *in, const char *name, enum address_family family, int64_t *date,
                     char *error);

/*
 * Any MaxMind database with countries or cities, by libmaxminddb. Fills info->source and info->date. 0 or -errno;
 * -EINVAL with the file's name and the address or node in question in error.
 */
int country_read_mmdb(struct country_build *build, const char *path, struct country_info *info, char *error);

/* snprintf into error unless it is NULL; returns result, so that a line says both. */
int country_fail(char *error, int result, const char *format, ...) __attribute__((format(printf, 3, 4)));
