/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Role files. */

#include "conf/roles.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/inifile.h"
#include "util/cleanup.h"

struct load {
        struct conf_roles *roles;
        struct conf_role *role; /* the one being read */
        const char *file;
        unsigned fingerprint_line;
        struct ini_error *error;
};

static void role_free(struct conf_role *role)
{
        for (size_t i = 0; i < role->access.read_count; i++)
                free(role->read[i]);
        for (size_t i = 0; i < role->access.write_count; i++)
                free(role->write[i]);
        free(role);
}

struct conf_roles *conf_roles_free(struct conf_roles *roles)
{
        if (!roles)
                return NULL;
        for (size_t i = 0; i < roles->count; i++)
                role_free(roles->roles[i]);
        free(roles->roles);
        free(roles);
        return NULL;
}
CLEANUP_DEFINE(struct conf_roles, conf_roles_free)

static int set_fingerprint(struct load *load, const char *value, unsigned line)
{
        if (load->fingerprint_line)
                return ini_fail(load->error, -EBADMSG, "%s:%u: fingerprint was set on line %u before", load->file, line,
                                load->fingerprint_line);
        load->fingerprint_line = line;
        if (!span_from_hex(span_of_string(value), load->role->fingerprint, SHA256_SIZE))
                return ini_fail(load->error, -EBADMSG, "%s:%u: fingerprint = %s: allowed is 64 hexadecimal digits",
                                load->file, line, value);
        return 0;
}

static int add_filter(struct load *load, const char *key, char **filters, size_t *count, const char *value,
                      unsigned line)
{
        if (!topic_filter_is_valid(span_of_string(value)))
                return ini_fail(load->error, -EBADMSG,
                                "%s:%u: %s = %s: allowed is a topic filter (+ and # only as whole levels, # only last)",
                                load->file, line, key, value);
        if (*count == ACCESS_FILTERS_MAX)
                return ini_fail(load->error, -EBADMSG, "%s:%u: more than %d lines %s", load->file, line,
                                ACCESS_FILTERS_MAX, key);
        filters[*count] = strdup(value);
        if (!filters[*count])
                return ini_fail(load->error, -ENOMEM, "%s: out of memory", load->file);
        (*count)++;
        return 0;
}

static int on_key(void *context, const char *section, const char *key, const char *value, unsigned line)
{
        struct load *load = context;
        struct conf_role *role = load->role;
        if (strcmp(section, "role") != 0)
                return ini_fail(load->error, -EBADMSG, "%s:%u: unknown section [%s]; there is [role]", load->file, line,
                                section);
        if (strcmp(key, "fingerprint") == 0)
                return set_fingerprint(load, value, line);
        if (strcmp(key, "read") == 0)
                return add_filter(load, key, role->read, &role->access.read_count, value, line);
        if (strcmp(key, "write") == 0)
                return add_filter(load, key, role->write, &role->access.write_count, value, line);
        return ini_fail(load->error, -EBADMSG, "%s:%u: unknown key %s in [role]; there are fingerprint, read, write",
                        load->file, line, key);
}

static int append(struct conf_roles *roles, struct conf_role **ret)
{
        struct conf_role **grown = realloc(roles->roles, (roles->count + 1) * sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        roles->roles = grown;
        struct conf_role *role = calloc(1, sizeof(*role));
        if (!role)
                return -ENOMEM;
        role->access.read = (const char *const *)role->read;
        role->access.write = (const char *const *)role->write;
        roles->roles[roles->count++] = role;
        *ret = role;
        return 0;
}

static int load_file(void *context, const char *path, const char *name)
{
        struct load *load = context;
        load->file = path;
        load->fingerprint_line = 0;
        if (append(load->roles, &load->role) < 0)
                return ini_fail(load->error, -ENOMEM, "%s: out of memory", path);
        struct span identity = { (const uint8_t *)name, strlen(name) - strlen(".conf") };
        if (!identity_is_dotted(identity) ||
            !span_to_string(identity, load->role->identity, sizeof(load->role->identity)))
                return ini_fail(load->error, -EBADMSG,
                                "%s: the file's name is no application's identity (app.dashboard.conf)", path);
        int result = ini_read(path, on_key, load, load->error);
        if (result == 0 && !load->fingerprint_line)
                result = ini_fail(load->error, -EBADMSG,
                                  "%s: fingerprint in [role] is missing; it is 64 hexadecimal "
                                  "digits",
                                  path);
        return result;
}

int conf_roles_load(const char *folder, struct conf_roles **ret, char *error_text, size_t error_size)
{
        struct ini_error error = { error_text, error_size, 0 };
        _cleanup_(conf_roles_freep) struct conf_roles *roles = calloc(1, sizeof(*roles));
        if (!roles)
                return ini_fail(&error, -ENOMEM, "%s: out of memory", folder);
        struct load load = { .roles = roles, .error = &error };
        int result = ini_each_file(folder, load_file, &load, &error);
        if (result == 0)
                *ret = steal_pointer(roles);
        return result;
}

const struct conf_role *conf_roles_find(const struct conf_roles *roles, const char *identity)
{
        for (size_t i = 0; i < roles->count; i++)
                if (strcmp(roles->roles[i]->identity, identity) == 0)
                        return roles->roles[i];
        return NULL;
}
