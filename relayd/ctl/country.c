/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl country, lockdown: who may connect from where, and what the host lets in at all. */

#include "ctl/country.h"

#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "cli/parse.h"
#include "ctl/ctl.h"
#include "util/cleanup.h"

#define RULE_SIZE 2048
#define NAME_SIZE 16

#define TRIAL_OPTIONS                                                                                   \
        { "confirm", 0, "DURATION", "takes it back after 60s, 5m ... unless 'country confirm' comes" }, \
        {                                                                                               \
                "force", 0, NULL, "even if it refuses your own address"                                 \
        }

#define PLACE_OPTIONS                                                                                       \
        { "direction", 0, "WHICH", "inbound (default), uplink, or admin (administration under lockdown)" }, \
        {                                                                                                   \
                "port", 0, "PORT", "for what comes to this port of the relay only"                          \
        }

const struct cli_option ctl_country_rule_options[] = {
        PLACE_OPTIONS,
        { "unknown", 0, "accept|refuse",
          "addresses the database does not know (default: allow refuses, deny accepts)" },
        TRIAL_OPTIONS,
        { 0 },
};
const struct cli_option ctl_country_off_options[] = { PLACE_OPTIONS, TRIAL_OPTIONS, { 0 } };
const struct cli_option ctl_country_test_options[] = { PLACE_OPTIONS, { 0 } };
const struct cli_option ctl_country_exempt_options[] = {
        { "remove", 0, NULL, "takes these networks off the list" },
        TRIAL_OPTIONS,
        { 0 },
};
const struct cli_option ctl_country_trial_options[] = { TRIAL_OPTIONS, { 0 } };
const struct cli_option ctl_lockdown_on_options[] = {
        { "port", 0, "PORT", "stays open for administration (may be repeated; beside those there are)" },
        TRIAL_OPTIONS,
        { 0 },
};

/* ---- show */
static const struct output_column fields[] = {
        { "CountryEnforced", "Enforced by", OUTPUT_WORD },
        { "GuardState", "Guard", OUTPUT_WORD },
        { "GuardError", "Guard's error", OUTPUT_TEXT },
        { "CountryPendingUntil", "On trial until", OUTPUT_TIME },
        { "CountryDatabase", "Database", OUTPUT_TEXT },
        { "CountryDatabaseDate", "Data of", OUTPUT_TIME },
        { "CountryDatabaseError", "Database error", OUTPUT_TEXT },
        { "FirewallIntervals4", "IPv4 intervals", OUTPUT_TEXT },
        { "FirewallIntervals6", "IPv6 intervals", OUTPUT_TEXT },
        { "CountryRefused", "Refused", OUTPUT_TEXT },
        { "FirewallRestored", "Restored", OUTPUT_TEXT },
        { "Lockdown", "Lockdown", OUTPUT_YES_NO },
        { "OpenPorts", "Open beside ours", OUTPUT_TEXT },
};
static const struct output_column columns[] = {
        { "Name", "SETTING", OUTPUT_TEXT },
        { "State", "STATE", OUTPUT_WORD },
        { "Value", "VALUE", OUTPUT_TEXT },
};

static const struct output_column refusals[] = {
        { "Country", "REFUSED FROM", OUTPUT_TEXT },
        { "Packets", "PACKETS", OUTPUT_TEXT },
};

static void add_rows(json_t *rows, const json_t *settings, const char *state)
{
        const json_t *setting;
        size_t i;

        json_array_foreach(settings, i, setting)
                json_array_append_new(rows, json_pack("{s:O, s:s, s:O}", "Name", json_array_get(setting, 0), "State",
                                                      state, "Value", json_array_get(setting, 1)));
}

static int fetch_policy(struct cli *cli, sd_bus *bus, json_t *rows)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_json_ json_t *committed = NULL, *pending = NULL;
        int r = ctl_call(cli, bus, "GetCountryPolicy", &reply, "");

        if (r != CLI_OK)
                return r;
        committed = ctl_json(reply);
        pending = ctl_json(reply);
        add_rows(rows, committed, "committed");
        add_rows(rows, pending, "on trial");
        return CLI_OK;
}

/* Packets by country, as the guard saw them since its start. */
static int fetch_refused(struct cli *cli, sd_bus *bus, json_t *rows)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_json_ json_t *counters = NULL, *countries = NULL;
        const json_t *pair;
        size_t i;
        int r = ctl_call(cli, bus, "GetFirewallCounters", &reply, "");

        if (r != CLI_OK)
                return r;
        counters = ctl_json(reply);
        countries = ctl_json(reply);
        json_array_foreach(countries, i, pair) json_array_append_new(
                rows, json_pack("{s:O, s:O}", "Country", json_array_get(pair, 0), "Packets", json_array_get(pair, 1)));
        return CLI_OK;
}

int ctl_country_show(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *manager = NULL, *rows = json_array(), *refused = json_array();
        int r = ctl_connect(cli, &bus);

        if (r == CLI_OK)
                r = ctl_manager(cli, bus, &manager);
        if (r == CLI_OK)
                r = fetch_policy(cli, bus, rows);
        if (r == CLI_OK)
                r = fetch_refused(cli, bus, refused);
        if (r != CLI_OK)
                return r;
        if (cli->json) {
                _cleanup_json_ json_t *out = json_object();

                for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
                        json_object_set(out, fields[i].key, json_object_get(manager, fields[i].key));
                json_object_set(out, "Policy", rows);
                json_object_set(out, "RefusedByCountry", refused);
                return output_json(out);
        }
        output_record(cli, manager, fields, sizeof(fields) / sizeof(*fields));
        putchar('\n');
        r = output_table(cli, rows, columns, sizeof(columns) / sizeof(*columns), "no settings");
        if (r != CLI_OK || json_array_size(refused) == 0)
                return r;
        putchar('\n');
        return output_table(cli, refused, refusals, sizeof(refusals) / sizeof(*refusals), "none refused");
}

/* ---- rules */
/* "inbound", "uplink", "admin", or "port 8884" in name. */
static int place(struct cli *cli, char name[NAME_SIZE])
{
        const char *direction = cli_value(cli, "direction"), *port = cli_value(cli, "port");
        uint64_t number;

        if (port && direction && strcmp(direction, "inbound") != 0)
                return cli_fail(cli, CLI_USAGE, "--port is about what comes in; it does not go with --direction %s",
                                direction);
        if (port && !parse_number(port, 1, 65535, &number))
                return cli_fail(cli, CLI_USAGE, "--port '%s': a number from 1 to 65535 is needed", port);
        if (port)
                snprintf(name, NAME_SIZE, "port %s", port);
        else if (!direction || strcmp(direction, "inbound") == 0 || strcmp(direction, "uplink") == 0 ||
                 strcmp(direction, "admin") == 0)
                snprintf(name, NAME_SIZE, "%s", direction ? direction : "inbound");
        else
                return cli_fail(cli, CLI_USAGE, "--direction '%s': it is inbound, uplink or admin", direction);
        return CLI_OK;
}

static int set_rule(struct cli *cli, const char *mode)
{
        struct country_changes changes = { 0 };
        const char *unknown = cli_value(cli, "unknown");
        char name[NAME_SIZE], rule[RULE_SIZE];
        size_t at = (size_t)snprintf(rule, sizeof(rule), "%s", mode);
        int r = place(cli, name);

        if (r != CLI_OK)
                return r;
        for (size_t i = 0; i < cli->argument_count; i++) {
                if (strlen(cli->arguments[i]) + 32 > sizeof(rule) - at)
                        return cli_fail(cli, CLI_USAGE, "too many words; a group (EU, EEA) says more in one");
                at += (size_t)snprintf(rule + at, sizeof(rule) - at, " %s", cli->arguments[i]);
        }
        if (unknown && strcmp(unknown, "accept") != 0 && strcmp(unknown, "refuse") != 0)
                return cli_fail(cli, CLI_USAGE, "--unknown '%s': it is accept or refuse", unknown);
        if (unknown)
                snprintf(rule + at, sizeof(rule) - at, " unknown=%s", unknown);
        country_change(cli, &changes, name, rule);
        return country_send(cli, &changes);
}

int ctl_country_allow(struct cli *cli)
{
        return set_rule(cli, "allow");
}

int ctl_country_deny(struct cli *cli)
{
        return set_rule(cli, "deny");
}

int ctl_country_off(struct cli *cli)
{
        struct country_changes changes = { 0 };
        char name[NAME_SIZE];
        int r = place(cli, name);

        if (r != CLI_OK)
                return r;
        country_change(cli, &changes, name, cli_value(cli, "port") ? "" : "off");
        return country_send(cli, &changes);
}

/* ---- lists */
static int change_list(struct cli *cli, const char *name, const char *sign, const char *const *values, size_t count)
{
        struct country_changes changes = { 0 };
        char texts[COUNTRY_CHANGES_MAX][64];
        int r = CLI_OK;

        for (size_t i = 0; i < count && r == CLI_OK; i++) {
                if (i < COUNTRY_CHANGES_MAX)
                        snprintf(texts[i], sizeof(texts[i]), "%s%.60s", sign, values[i]);
                r = country_change(cli, &changes, name, texts[i < COUNTRY_CHANGES_MAX ? i : 0]);
        }
        return r == CLI_OK ? country_send(cli, &changes) : r;
}

int ctl_country_exempt(struct cli *cli)
{
        return change_list(cli, "exempt", cli_flag(cli, "remove") ? "-" : "+", cli->arguments, cli->argument_count);
}

int ctl_country_local(struct cli *cli)
{
        struct country_changes changes = { 0 };

        country_change(cli, &changes, "local", cli_argument(cli, 0));
        return country_send(cli, &changes);
}

int ctl_lockdown_on(struct cli *cli)
{
        struct country_changes changes = { 0 };
        char texts[COUNTRY_CHANGES_MAX][64];
        int r = CLI_OK;

        for (size_t i = 0; i < cli_value_count(cli, "port") && r == CLI_OK; i++) {
                if (i < COUNTRY_CHANGES_MAX)
                        snprintf(texts[i], sizeof(texts[i]), "+%.60s", cli_value_at(cli, "port", i));
                r = country_change(cli, &changes, "open", texts[i < COUNTRY_CHANGES_MAX ? i : 0]);
        }
        if (r == CLI_OK)
                r = country_change(cli, &changes, "lockdown", "on");
        return r == CLI_OK ? country_send(cli, &changes) : r;
}

int ctl_lockdown_off(struct cli *cli)
{
        struct country_changes changes = { 0 };

        country_change(cli, &changes, "lockdown", "off");
        return country_send(cli, &changes);
}

int ctl_lockdown_close(struct cli *cli)
{
        return change_list(cli, "open", "-", cli->arguments, cli->argument_count);
}

/* ---- confirm, test */
int ctl_country_confirm(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *done = json_pack("{s:b}", "confirmed", 1);
        int r = ctl_connect(cli, &bus);

        if (r == CLI_OK)
                r = ctl_call(cli, bus, "ConfirmCountryPolicy", NULL, "");
        return r == CLI_OK ? output_done(cli, done, "confirmed: it stays in force") : r;
}

static int print_test(struct cli *cli, sd_bus_message *reply)
{
        static const char *const names[] = { "Allowed", "Country", "Name", "Reason", "Rule", "Sentence" };
        static const struct output_column answer[] = {
                { "Country", "Country", OUTPUT_TEXT },
                { "Name", "Name", OUTPUT_TEXT },
                { "Rule", "Rule", OUTPUT_TEXT },
                { "Reason", "Reason", OUTPUT_TEXT },
        };
        _cleanup_json_ json_t *object = json_object();
        _cleanup_free_ char *sentence = NULL;

        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
                json_object_set_new(object, names[i], ctl_json(reply));
        if (cli->json)
                return output_json(object);
        sentence = output_text(json_object_get(object, "Sentence"), OUTPUT_TEXT);
        printf("%s\n", sentence ? sentence : "?");
        return output_record(cli, object, answer, sizeof(answer) / sizeof(*answer));
}

int ctl_country_test(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        char name[NAME_SIZE];
        uint64_t port = 0;
        int r = place(cli, name);

        if (r != CLI_OK)
                return r;
        if (cli_value(cli, "port"))
                parse_number(cli_value(cli, "port"), 1, 65535, &port);
        if ((r = ctl_connect(cli, &bus)) != CLI_OK ||
            (r = ctl_call(cli, bus, "TestAddress", &reply, "ssq", cli_argument(cli, 0), port ? "inbound" : name,
                          (int)port)) != CLI_OK)
                return r;
        return print_test(cli, reply);
}
