/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* INI files by libinih, with what it lacks: line numbers, and no silent cutting of long lines. */

#include <stddef.h>

struct ini_error {
        char *text; /* one sentence for people; only the first error is kept */
        size_t size;
        int result; /* 0 or negative errno */
};
/* The first call wins; result: negative errno. Returns it. */
int ini_fail(struct ini_error *error, int result, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* One key = value; a negative return (after ini_fail()) ends the file. section: "" above the first. */
typedef int (*ini_handle)(void *context, const char *section, const char *key, const char *value, unsigned line);

/*
 * Reads one file. Refused: lines longer than libinih's buffer (197 bytes), NUL bytes, lines that begin with a blank
 * (libinih takes them for the last key's next value), lines that are neither section nor key = value, files over 1 MiB.
 * 0, -EBADMSG, or another -errno; the sentence is in error.
 */
int ini_read(const char *path, ini_handle handle, void *context, struct ini_error *error);
/* The files named *.conf in folder, in name order; a missing folder is no error. */
int ini_each_file(const char *folder, int (*each)(void *context, const char *path, const char *name), void *context,
                  struct ini_error *error);
