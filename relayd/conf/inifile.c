/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libinih asks for lines through a callback; that is where lines are counted and checked. */

#include "conf/inifile.h"

#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/files.h"

#define FILE_MAX ((size_t)1024 * 1024)

struct source {
        const char *path;
        const char *text;
        size_t size, at;
        unsigned line;
        ini_handle handle;
        void *context;
        struct ini_error *error;
};

int ini_fail(struct ini_error *error, int result, const char *format, ...)
{
        if (error->result != 0)
                return error->result;
        error->result = result;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->text, error->size, format, arguments);
        va_end(arguments);
        return result;
}

static bool is_blank(const char *line, size_t size)
{
        return strspn(line, " \t\r\n") >= size;
}

/* fgets() as libinih wants it */
static char *next_line(char *out, int out_size, void *stream)
{
        struct source *source = stream;
        if (source->error->result != 0 || source->at >= source->size)
                return NULL;
        const char *line = source->text + source->at;
        const char *end = memchr(line, '\n', source->size - source->at);
        size_t size = end ? (size_t)(end - line) + 1 : source->size - source->at;
        source->at += size;
        source->line++;
        const char *wrong = NULL;
        if (memchr(line, '\0', size))
                wrong = "has a NUL byte";
        /* room for the NUL, and for a \r that would otherwise count */
        else if (size + 2 > (size_t)out_size)
                wrong = "is too long";
        else if ((line[0] == ' ' || line[0] == '\t') && !is_blank(line, size))
                wrong = "begins with a blank; start keys in the first column";
        if (wrong) {
                ini_fail(source->error, -EBADMSG, "%s:%u: the line %s (at most %d bytes)", source->path, source->line,
                         wrong, out_size - 3);
                return NULL;
        }
        memcpy(out, line, size);
        out[size] = '\0';
        return out;
}

static int on_key(void *user, const char *section, const char *key, const char *value)
{
        struct source *source = user;
        if (source->error->result != 0)
                return 0;
        return source->handle(source->context, section, key, value ? value : "", source->line) >= 0;
}

int ini_read(const char *path, ini_handle handle, void *context, struct ini_error *error)
{
        _cleanup_free_ uint8_t *data = NULL;
        size_t size;
        int result = file_read(path, FILE_MAX, &data, &size);
        if (result < 0)
                return ini_fail(error, result, "%s: %s", path, strerror(-result));
        struct source source = { path, (const char *)data, size, 0, 0, handle, context, error };
        result = ini_parse_stream(next_line, &source, on_key, &source);
        if (error->result == 0 && result > 0)
                ini_fail(error, -EBADMSG, "%s:%d: neither a [section] nor key = value", path, result);
        else if (error->result == 0 && result < 0)
                ini_fail(error, -ENOMEM, "%s: out of memory", path);
        return error->result;
}

static int is_conf(const struct dirent *entry)
{
        size_t size = strlen(entry->d_name);
        return entry->d_name[0] != '.' && size > 5 && strcmp(entry->d_name + size - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

int ini_each_file(const char *folder, int (*each)(void *context, const char *path, const char *name), void *context,
                  struct ini_error *error)
{
        struct dirent **entries;
        int count = scandir(folder, &entries, is_conf, by_name);
        if (count < 0)
                return errno == ENOENT ? 0 : ini_fail(error, -errno, "%s: %s", folder, strerror(errno));
        int result = 0;
        for (int i = 0; i < count; i++) {
                char path[4096];
                if (result == 0 &&
                    snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name) >= (int)sizeof(path))
                        result = ini_fail(error, -ENAMETOOLONG, "%s/%s: the path is too long", folder,
                                          entries[i]->d_name);
                if (result == 0)
                        result = each(context, path, entries[i]->d_name);
                free(entries[i]);
        }
        free(entries);
        return result;
}
