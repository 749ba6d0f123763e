/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files named on a command line. */

#include "cli/io.h"

#include <errno.h>
#include <stdio.h>

#include "util/files.h"

int cli_read(const struct cli *cli, const char *path, size_t max, uint8_t **data, size_t *size)
{
        int r = file_read(path, max, data, size);

        if (r == -EFBIG)
                return cli_fail(cli, CLI_FAILED, "%s: larger than %zu bytes", path, max);
        if (r == -EINVAL)
                return cli_fail(cli, CLI_FAILED, "%s: not a regular file", path);
        return r < 0 ? cli_errno(cli, r, path) : CLI_OK;
}

int cli_create(const struct cli *cli, const char *path, struct span bytes, unsigned mode)
{
        int r = file_create(path, bytes.data, bytes.size, mode);

        if (r == -EEXIST)
                return cli_fail(cli, CLI_FAILED, "%s exists and is not overwritten; remove it, or choose another name",
                                path);
        return r < 0 ? cli_errno(cli, r, path) : CLI_OK;
}

int cli_replace(const struct cli *cli, const char *path, struct span bytes, unsigned mode)
{
        int r = file_write(path, bytes.data, bytes.size, mode);

        return r < 0 ? cli_errno(cli, r, path) : CLI_OK;
}

char *cli_path(const char *folder, const char *name)
{
        char *path = NULL;

        return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}
