/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A folder for one test, and openssl as the other opinion.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch_folder[64];
static char scratch_start[4096];

static inline int scratch_setup(void **state)
{
        (void)state;
        strcpy(scratch_folder, "/tmp/scratch.XXXXXX");
        return getcwd(scratch_start, sizeof(scratch_start)) && mkdtemp(scratch_folder) ? chdir(scratch_folder) : -1;
}

static inline int scratch_teardown(void **state)
{
        char command[128];

        (void)state;
        snprintf(command, sizeof(command), "rm -rf %s", scratch_folder);
        return chdir(scratch_start) == 0 ? system(command) : -1;
}

/* exit status of a shell command run in the folder; its output goes to the file "out" */
static inline int shell(const char *command)
{
        char line[1024];

        snprintf(line, sizeof(line), "{ %s; } >out 2>&1", command);
        return system(line);
}

/* does "out" hold this text? */
static inline int out_has(const char *text)
{
        static char content[65536];
        FILE *file = fopen("out", "r");
        size_t n = file ? fread(content, 1, sizeof(content) - 1, file) : 0;

        if (file)
                fclose(file);
        content[n] = 0;
        return strstr(content, text) != NULL;
}
