/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Site applications: <roles>/<identity>.conf says which key an application has and what it may read and write.
 *
 *     [role]
 *     fingerprint = <64 hexadecimal digits: SHA-256 of the key's SubjectPublicKeyInfo>
 *     read = sites/s1/devices/+/events/#      (repeatable, topic filters)
 *     write = sites/s1/devices/+/commands     (repeatable)
 */

#include <stddef.h>
#include <stdint.h>

#include "policy/access.h"
#include "relay/topic.h"

struct conf_role {
        char identity[IDENTITY_SIZE];
        uint8_t fingerprint[SHA256_SIZE];
        char *read[ACCESS_FILTERS_MAX], *write[ACCESS_FILTERS_MAX];
        struct access_role access; /* points at the two above */
};
struct conf_roles {
        size_t count;
        struct conf_role **roles; /* ascending by file name */
};

/*
 * All *.conf of folder; none, or no folder: an empty list. 0 and *ret, -EBADMSG with a sentence in error, or another
 * -errno.
 */
int conf_roles_load(const char *folder, struct conf_roles **ret, char *error, size_t error_size);
struct conf_roles *conf_roles_free(struct conf_roles *roles); /* NULL-safe, returns NULL */
/* The role of this identity, or NULL. */
const struct conf_role *conf_roles_find(const struct conf_roles *roles, const char *identity);
