/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files to struct conf. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/inifile.h"
#include "conf/table.h"
#include "util/cleanup.h"

#define ROWS_MAX 64

struct load {
        struct conf *conf;
        const char *file;               /* the one being read */
        unsigned set_on_line[ROWS_MAX]; /* in this file; 0: not yet */
        bool was_set[ROWS_MAX];         /* in any file */
        struct ini_error *error;
};

struct conf *conf_free(struct conf *conf)
{
        if (!conf)
                return NULL;
        for (size_t i = 0; i < conf_table_size; i++)
                if (conf_table[i].type <= CONF_PIN)
                        free(*(char **)((uint8_t *)conf + conf_table[i].offset));
        free(conf);
        return NULL;
}
CLEANUP_DEFINE(struct conf, conf_free)

static bool has_section(const char *section)
{
        for (size_t i = 0; i < conf_sections_size; i++)
                if (strcmp(conf_sections[i].name, section) == 0)
                        return true;
        return false;
}

/* "site, identity, state" */
static void names_of(const char *section, char *out, size_t out_size)
{
        size_t at = 0;
        out[0] = '\0';
        for (size_t i = 0; i < (section ? conf_table_size : conf_sections_size) && at < out_size; i++) {
                if (section && strcmp(conf_table[i].section, section) != 0)
                        continue;
                at += (size_t)snprintf(out + at, out_size - at, "%s%s", at ? ", " : "",
                                       section ? conf_table[i].key : conf_sections[i].name);
        }
}

static int unknown(struct load *load, const char *section, const char *key, unsigned line)
{
        char names[400];
        if (!section[0])
                return ini_fail(load->error, -EBADMSG, "%s:%u: %s stands before the first [section]", load->file, line,
                                key);
        bool known_section = has_section(section);
        names_of(known_section ? section : NULL, names, sizeof(names));
        if (!known_section)
                return ini_fail(load->error, -EBADMSG, "%s:%u: unknown section [%s]; there are %s", load->file, line,
                                section, names);
        return ini_fail(load->error, -EBADMSG, "%s:%u: unknown key %s in [%s]; there are %s", load->file, line, key,
                        section, names);
}

static int on_key(void *context, const char *section, const char *key, const char *value, unsigned line)
{
        struct load *load = context;
        size_t i = 0;
        while (i < conf_table_size &&
               (strcmp(conf_table[i].section, section) != 0 || strcmp(conf_table[i].key, key) != 0))
                i++;
        if (i == conf_table_size)
                return unknown(load, section, key, line);
        if (load->set_on_line[i])
                return ini_fail(load->error, -EBADMSG, "%s:%u: %s in [%s] was set on line %u before", load->file, line,
                                key, section, load->set_on_line[i]);
        load->set_on_line[i] = line;
        load->was_set[i] = true;
        int result = conf_set(load->conf, &conf_table[i], value);
        if (result == -EINVAL) {
                char allowed[200];
                return ini_fail(load->error, -EBADMSG, "%s:%u: %s = %s in [%s]: allowed is %s", load->file, line, key,
                                value, section, conf_allowed(&conf_table[i], allowed, sizeof(allowed)));
        }
        return result < 0 ? ini_fail(load->error, result, "%s: out of memory", load->file) : 0;
}

static int load_file(void *context, const char *path, const char *name)
{
        (void)name;
        struct load *load = context;
        load->file = path;
        memset(load->set_on_line, 0, sizeof(load->set_on_line));
        return ini_read(path, on_key, load, load->error);
}

static int set_defaults(struct conf *conf)
{
        for (size_t i = 0; i < conf_table_size; i++) {
                int result = conf_table[i].fallback ? conf_set(conf, &conf_table[i], conf_table[i].fallback) : 0;
                if (result < 0)
                        return result;
        }
        return 0;
}

static int check_required(const struct load *load, const char *file)
{
        for (size_t i = 0; i < conf_table_size; i++)
                if (!conf_table[i].fallback && !load->was_set[i]) {
                        char allowed[200];
                        return ini_fail(load->error, -EBADMSG, "%s: %s in [%s] is missing; it is %s", file,
                                        conf_table[i].key, conf_table[i].section,
                                        conf_allowed(&conf_table[i], allowed, sizeof(allowed)));
                }
        return 0;
}

static int check_uplink(const struct conf *conf, const char *file, struct ini_error *error)
{
        if (conf->uplink == CONF_UPLINK_NONE)
                return 0;
        const struct {
                const char *key, *value;
        } needed[] = { { "host", conf->uplink_host },
                       { "certificate", conf->uplink_certificate },
                       { "key", conf->uplink_key } };
        for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
                if (!needed[i].value[0])
                        return ini_fail(error, -EBADMSG, "%s: mode = mqtt in [uplink] needs %s", file, needed[i].key);
        if (!conf->uplink_ca[0] && !conf->uplink_pin[0])
                return ini_fail(error, -EBADMSG, "%s: mode = mqtt in [uplink] needs ca, pin, or both", file);
        return 0;
}

static int check_sizes(const struct conf *conf, const char *file, struct ini_error *error)
{
        /* over 85 % the store refuses, so a larger outbox would never be full by its own rule */
        if (conf->outbox_bytes_max > conf->store_size_max / 100 * 85)
                return ini_fail(
                        error, -EBADMSG,
                        "%s: bytes_max in [outbox] is larger than 85 %% of size_max in [store]; make the outbox "
                        "smaller or the store larger",
                        file);
        return 0;
}

static int name_relay(struct conf *conf)
{
        if (conf->identity[0])
                return 0;
        char *identity;
        if (asprintf(&identity, "relay.%s", conf->site) < 0)
                return -ENOMEM;
        free(conf->identity);
        conf->identity = identity;
        return 0;
}

int conf_load(const char *file, struct conf **ret, char *error_text, size_t error_size)
{
        struct ini_error error = { error_text, error_size, 0 };
        _cleanup_free_ char *folder = NULL;
        _cleanup_(conf_freep) struct conf *conf = calloc(1, sizeof(*conf));
        if (!conf || asprintf(&folder, "%s.d", file) < 0)
                return ini_fail(&error, -ENOMEM, "%s: out of memory", file);
        int result = set_defaults(conf);
        if (result < 0)
                return ini_fail(&error, result, "%s: out of memory", file);

        struct load load = { .conf = conf, .error = &error };
        result = load_file(&load, file, NULL);
        if (result == 0)
                result = ini_each_file(folder, load_file, &load, &error);
        if (result == 0)
                result = check_required(&load, file);
        if (result == 0)
                result = check_uplink(conf, file, &error);
        if (result == 0)
                result = check_sizes(conf, file, &error);
        if (result == 0 && name_relay(conf) < 0)
                result = ini_fail(&error, -ENOMEM, "%s: out of memory", file);
        if (result == 0)
                *ret = steal_pointer(conf);
        return result;
}
