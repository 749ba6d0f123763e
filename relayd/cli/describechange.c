/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a site policy changes, in sentences. Each list of it (approvers, gates, ...) becomes lines of text; a line that
 * only one of two policies has is a change, so that nothing a policy says can change unseen.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/describe.h"
#include "cli/output.h"

/* "a, b" of an array of texts, in a new string */
static json_t *joined(const json_t *array)
{
        char text[SITE_DEVICES_MAX * (IDENTITY_MAX + 3)] = ""; /* room for the longest list of a policy */
        const json_t *item;
        size_t i, used = 0;

        json_array_foreach(array, i, item)
        {
                int size = snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? ", " : "",
                                    json_string_value(item));

                if (size < 0 || (size_t)size >= sizeof(text) - used)
                        break;
                used += (size_t)size;
        }
        return json_string(text);
}

static const char *text_of(const json_t *object, const char *key)
{
        const char *text = json_string_value(json_object_get(object, key));

        return text ? text : "";
}

static json_t *approver_line(const json_t *approver, size_t place)
{
        (void)place;
        return json_sprintf("approver %s", json_string_value(approver));
}

static json_t *address_words(const json_t *object)
{
        const char *backup = text_of(object, "backup_pin");

        if (!*text_of(object, "host"))
                return json_string("asked on the session");
        return json_sprintf("%s port %d, pin %s%s%s", text_of(object, "host"),
                            (int)json_integer_value(json_object_get(object, "port")), text_of(object, "pin"),
                            *backup ? ", backup pin " : "", backup);
}

static json_t *gate_line(const json_t *gate, size_t place)
{
        json_t *address = address_words(gate);
        json_t *line = json_sprintf("gate key %s for %s, %s", text_of(gate, "key_id"), text_of(gate, "scope"),
                                    json_string_value(address));

        (void)place;
        json_decref(address);
        return line;
}

/* Their order is what devices try: a moved one is a change. */
static json_t *endpoint_line(const json_t *endpoint, size_t place)
{
        json_t *address = address_words(endpoint), *devices = joined(json_object_get(endpoint, "devices"));
        const char *names = json_string_value(devices);
        json_t *line = json_sprintf("endpoint %zu: %s %s, used by %s", place + 1, text_of(endpoint, "kind"),
                                    json_string_value(address), *names ? names : "every device");

        json_decref(address);
        json_decref(devices);
        return line;
}

static json_t *grant_line(const json_t *grant, size_t place)
{
        json_t *commands = joined(json_object_get(grant, "commands"));
        json_t *line = json_sprintf("command key %s may run %s on %s", text_of(grant, "key_id"),
                                    json_string_value(commands), text_of(grant, "scope"));

        (void)place;
        json_decref(commands);
        return line;
}

static json_t *vendor_command_line(const json_t *name, size_t place)
{
        (void)place;
        return json_sprintf("the vendor's command keys may run %s", json_string_value(name));
}

static json_t *rule_line(const json_t *rule, size_t place)
{
        json_t *urgencies = joined(json_object_get(rule, "urgencies")),
               *windows = joined(json_object_get(rule, "windows"));
        json_int_t wait = json_integer_value(json_object_get(rule, "wait"));
        const char *when = json_string_value(windows);
        json_t *line = json_sprintf(
                "rule: an update of urgency %s for %s is approved by nobody, %lld seconds after it was "
                "offered, %s",
                json_string_value(urgencies), text_of(rule, "scope"), (long long)wait, *when ? when : "at any time");

        (void)place;
        json_decref(urgencies);
        json_decref(windows);
        return line;
}

static const struct {
        const char *key;
        json_t *(*line)(const json_t *item, size_t place);
} lists[] = {
        { "approvers", approver_line }, { "gates", gate_line }, { "endpoints", endpoint_line },
        { "grants", grant_line },       { "rules", rule_line }, { "vendor_commands", vendor_command_line },
};
static const struct {
        const char *key, *words;
        enum output_format format;
} values[] = {
        { "threshold", "approvals needed (k)", OUTPUT_TEXT }, { "mode", "mode", OUTPUT_TEXT },
        { "ticket_needed", "ticket needed", OUTPUT_YES_NO },  { "patience", "patience in seconds", OUTPUT_TEXT },
        { "approval_epoch", "approval epoch", OUTPUT_TEXT },  { "vendor_epoch", "vendor key set needed", OUTPUT_TEXT },
        { "time_zone", "time zone of windows", OUTPUT_TEXT },
};

static json_t *lines_of(const json_t *policy, size_t list)
{
        json_t *lines = json_array(), *item;
        size_t i;

        json_array_foreach(json_object_get(policy, lists[list].key), i, item)
                json_array_append_new(lines, lists[list].line(item, i));
        return lines;
}

static bool has_line(const json_t *lines, const json_t *line)
{
        json_t *other;
        size_t i;

        json_array_foreach(lines, i, other) if (json_equal(line, other)) return true;
        return false;
}

static void add_missing(json_t *out, const json_t *from, const json_t *in, const char *words)
{
        json_t *line;
        size_t i;

        json_array_foreach(from, i, line) if (!has_line(in, line))
                json_array_append_new(out, json_sprintf("%s%s", json_string_value(line), words));
}

static void add_value(json_t *out, const json_t *before, const json_t *after, size_t v)
{
        json_t *new_value = json_object_get(after, values[v].key), *old_value = json_object_get(before, values[v].key);
        char *new_text = output_text(new_value, values[v].format), *old_text = output_text(old_value, values[v].format);

        if (!before)
                json_array_append_new(out, json_sprintf("%s: %s", values[v].words, new_text ? new_text : "?"));
        else if (!json_equal(old_value, new_value))
                json_array_append_new(out, json_sprintf("%s: %s, until now %s", values[v].words,
                                                        new_text ? new_text : "?", old_text ? old_text : "?"));
        free(new_text);
        free(old_text);
}

json_t *describe_policy_changes(const struct site_policy *before, const struct site_policy *after)
{
        json_t *old = before ? describe_policy(before) : NULL, *new = describe_policy(after), *out = json_array();

        for (size_t l = 0; l < sizeof(lists) / sizeof(*lists); l++) {
                json_t *old_lines = lines_of(old, l), *new_lines = lines_of(new, l);

                add_missing(out, new_lines, old_lines, before ? ": comes" : "");
                add_missing(out, old_lines, new_lines, ": goes");
                json_decref(old_lines);
                json_decref(new_lines);
        }
        for (size_t v = 0; v < sizeof(values) / sizeof(*values); v++)
                add_value(out, old, new, v);
        json_decref(old);
        json_decref(new);
        return out;
}
