/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Whole files: bounded reading, and writing that a power cut leaves either old or new.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Reads a regular file of at most max bytes. *data is malloc'ed (caller frees) and has a NUL behind its end, which
 * *size does not count. 0, -EFBIG if larger, -EINVAL if not a regular file, or another -errno.
 */
int file_read(const char *path, size_t max, uint8_t **data, size_t *size);

/* Replaces (or creates) path: a temporary file beside it, fsync, rename, fsync of the folder. 0 or -errno */
int file_write(const char *path, const void *data, size_t size, mode_t mode);
/* Creates path, synced; -EEXIST (untouched) if there is anything of that name. Removed again on errors. */
int file_create(const char *path, const void *data, size_t size, mode_t mode);

/* fsync of the folder that path is in */
int file_sync_folder(const char *path);
/* mkdir -p: existing folders are fine. -ENOTDIR if something else stands there. */
int file_make_folders(const char *path, mode_t mode);
