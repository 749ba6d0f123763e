/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Values people type: durations, addresses, numbers. True and *out, or false. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARSE_HOST_SIZE 254

/* "90", "90s", "10m", "2h", "7d"; at least 1 second, at most ten years */
bool parse_duration(const char *text, uint64_t *seconds);
/* decimal digits only, least to most */
bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *out);
/* "host:8883", "[2001:db8::1]:8883", "host" (then preset is taken; 0: a port is needed) */
bool parse_endpoint(const char *text, uint16_t preset, char host[PARSE_HOST_SIZE], uint16_t *port);
/* exactly size bytes of hexadecimal; colons between bytes are taken, as openssl prints them */
bool parse_hex(const char *text, uint8_t *out, size_t size);
/*
 * A moment as Unix seconds: "7d" (from now on), or local time: "2026-12-24", "2026-12-24 18:00", "2026-12-24T18:00:30".
 * A day alone is its first second, or with end its last.
 */
bool parse_moment(const char *text, uint64_t now, bool end, uint64_t *out);
