/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Files named on a command line; every failure is printed, and the answer is CLI_*. */

#include "cli/cli.h"
#include "relay/span.h"

/* *data is malloc'ed */
int cli_read(const struct cli *cli, const char *path, size_t max, uint8_t **data, size_t *size);
/* Makes a new file; one that is there is never overwritten. */
int cli_create(const struct cli *cli, const char *path, struct span bytes, unsigned mode);
/* Makes or replaces a file in one step. */
int cli_replace(const struct cli *cli, const char *path, struct span bytes, unsigned mode);
/* "folder/name" in one malloc'ed string; NULL without memory */
char *cli_path(const char *folder, const char *name);
