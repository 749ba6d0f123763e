/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A new empty folder for one test, removed with the files in it. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct folder {
        char path[160];
};

static inline void folder_make(struct folder *folder)
{
        strcpy(folder->path, "/tmp/relayd-test-XXXXXX");
        if (!mkdtemp(folder->path))
                abort();
}

static inline char *folder_file(const struct folder *folder, const char *name, char out[256])
{
        snprintf(out, 256, "%s/%s", folder->path, name);
        return out;
}

static inline void folder_remove(const struct folder *folder)
{
        DIR *dir = opendir(folder->path);
        struct dirent *entry;
        while (dir && (entry = readdir(dir))) {
                char path[256 + sizeof(entry->d_name)];
                snprintf(path, sizeof(path), "%s/%s", folder->path, entry->d_name);
                unlink(path);
        }
        if (dir)
                closedir(dir);
        rmdir(folder->path);
}
