/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bus/nodes.h"
#include "util/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int nodes_add(struct nodes *nodes, const char *path)
{
        if (array_reserve(nodes->paths, nodes->count + 1, nodes->room) < 0)
                return -ENOMEM;
        nodes->paths[nodes->count] = strdup(path);
        if (!nodes->paths[nodes->count])
                return -ENOMEM;
        nodes->paths[++nodes->count] = NULL;
        return 0;
}

int nodes_finish(struct nodes *nodes, int r, char ***ret)
{
        if (r >= 0 && !nodes->paths) {
                *ret = NULL; /* no objects at all */
                return 0;
        }
        if (r >= 0) {
                *ret = nodes->paths;
                return 0;
        }
        for (size_t i = 0; i < nodes->count; i++)
                free(nodes->paths[i]);
        free(nodes->paths);
        return r;
}
