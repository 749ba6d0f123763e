/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Writing the few JSON objects a device publishes (RFC 8259), into a writer. No spaces, keys in the order of calls. */

#include "relay/cursor.h"

void json_open(struct writer *w);
void json_close(struct writer *w);
void json_string(struct writer *w, const char *key, struct span value); /* UTF-8, escaped as needed */
void json_hex(struct writer *w, const char *key, struct span bytes);
void json_uint(struct writer *w, const char *key, uint64_t value);
void json_bool(struct writer *w, const char *key, bool value);
/* value without a key: digits only */
void json_digits(struct writer *w, uint64_t value);
