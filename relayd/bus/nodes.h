/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A NULL-terminated list of object paths, as sd-bus's node enumerators hand over. */

#include <stddef.h>

struct nodes {
        char **paths;
        size_t count, room;
};
int nodes_add(struct nodes *nodes, const char *path); /* copies; 0 or -ENOMEM */
/* r < 0: frees the list and passes r on; else gives it away and answers 0. */
int nodes_finish(struct nodes *nodes, int r, char ***ret);
