/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Approvals as JSON and in words. */

#include <stdio.h>
#include <stdlib.h>

#include "cli/describe.h"
#include "cli/output.h"
#include "relay/approval.h"

static json_t *describe_scope_of(const struct approval *a)
{
        json_t *devices;

        switch (a->scope) {
        case SCOPE_SITE:
                return json_string("site");
        case SCOPE_CLASS:
                return json_hex(a->class_id, CLASS_ID_SIZE);
        case SCOPE_DEVICES:
                devices = json_array();
                for (size_t i = 0; i < a->device_count; i++)
                        json_array_append_new(devices, json_string(a->devices[i]));
                return devices;
        }
        return NULL;
}

json_t *describe_approval(const struct approval *a)
{
        json_t *object = json_pack("{s:s, s:o, s:o, s:I}", "site", a->site, "digest",
                                   json_hex(a->manifest_digest, SHA256_SIZE), "scope", describe_scope_of(a), "epoch",
                                   (json_int_t)a->epoch);

        if (a->has_not_before)
                json_object_set_new(object, "not_before", json_integer((json_int_t)a->not_before));
        if (a->has_not_after)
                json_object_set_new(object, "not_after", json_integer((json_int_t)a->not_after));
        return object;
}

static char *scope_words(const json_t *approval)
{
        const json_t *scope = json_object_get(approval, "scope");
        const char *site = json_string_value(json_object_get(approval, "site")), *text = json_string_value(scope);
        char *devices = NULL, *words = NULL;
        int r;

        if (json_is_array(scope)) {
                devices = output_text(scope, OUTPUT_LIST);
                r = asprintf(&words, "only %s of site %s", devices ? devices : "?", site);
        } else if (text && *text != 's') {
                r = asprintf(&words, "every device of class %s of site %s", text, site);
        } else {
                r = asprintf(&words, "the whole site %s", site);
        }
        free(devices);
        return r < 0 ? NULL : words;
}

char *describe_approval_words(const json_t *approval)
{
        const json_t *from = json_object_get(approval, "not_before"), *to = json_object_get(approval, "not_after");
        char *scope = scope_words(approval), *start = output_text(from, OUTPUT_TIME),
             *end = output_text(to, OUTPUT_TIME);
        char *words = NULL;
        int r = asprintf(&words, "yes to exactly this manifest, for %s, from %s on, until %s (approval epoch %lld)",
                         scope ? scope : "?", from && start ? start : "now", to && end ? end : "it is revoked",
                         (long long)json_integer_value(json_object_get(approval, "epoch")));

        free(scope);
        free(start);
        free(end);
        return r < 0 ? NULL : words;
}
