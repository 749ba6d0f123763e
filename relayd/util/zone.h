/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Local time of a place: its name in the time zone database ("Europe/Helsinki") -> minute of the week, summer time
 * included. Reads the database's files (TZif, RFC 9636) itself, so that no global time zone of the process is touched.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/span.h"

#define ZONE_FOLDER   "/usr/share/zoneinfo"
#define ZONE_HOST     "/etc/localtime"
#define ZONE_FILE_MAX (64 * 1024)

/* Could this be a zone's name? Letters, digits, '_', '+', '-' in parts divided by '/': nothing that leaves a folder. */
bool zone_name_is_valid(const char *name);
/*
 * The file of a zone below folder; name "": the host's own (ZONE_HOST; SPAN_EMPTY's UTC if there is none). 0 and
 * malloc'ed bytes, -EINVAL (no name), -ENOENT, -EBADMSG (not such a file), or another negative errno.
 */
int zone_read(const char *folder, const char *name, uint8_t **ret, size_t *ret_size);
/* Seconds east of UTC then. tzif: a file's content; empty: UTC. now: Unix seconds. 0 or -EBADMSG. */
int zone_offset(struct span tzif, uint64_t now, int32_t *ret);
/* minute of the week, Monday 00:00 is 0 */
unsigned zone_minute_of_week(uint64_t now, int32_t offset);
