/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of the country policy: sent, asked about, waited for. */

#include "ctl/country.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-login.h>
#include <time.h>

#include "bus/names.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/prompt.h"
#include "util/cleanup.h"
#include "util/time.h"

#define LOCK_OUT   BUS_ERROR_PREFIX "LockOut"
#define WAIT_MS    UINT64_C(20000)
#define POLL_US    UINT64_C(50000)
#define STATE_SIZE 400

int country_change(struct cli *cli, struct country_changes *changes, const char *name, const char *value)
{
        if (changes->count == COUNTRY_CHANGES_MAX)
                return cli_fail(cli, CLI_USAGE, "at most %d changes at a time", COUNTRY_CHANGES_MAX);
        changes->list[changes->count].name = name;
        changes->list[changes->count++].value = value;
        return CLI_OK;
}

/* "203.0.113.9 50022 192.0.2.1 22", as sshd has it; sudo drops it, so the login session is asked then. */
void country_caller(char **address, uint16_t *port)
{
        const char *connection = getenv("SSH_CONNECTION"), *last = connection ? strrchr(connection, ' ') : NULL;
        _cleanup_free_ char *session = NULL;
        uint64_t server_port = 0;

        *address = NULL;
        *port = 0;
        if (last && parse_number(last + 1, 1, UINT16_MAX, &server_port)) {
                *address = strndup(connection, strcspn(connection, " %")); /* without an interface's name */
                *port = (uint16_t)server_port;
        } else if (sd_pid_get_session(0, &session) < 0 || sd_session_get_remote_host(session, address) < 0) {
                *address = NULL;
        }
}

static int append(sd_bus_message *m, const struct country_changes *changes, uint32_t confirm_s, const char *address,
                  uint16_t port, bool force)
{
        int r = sd_bus_message_open_container(m, 'a', "(ss)");

        for (size_t i = 0; i < changes->count && r >= 0; i++)
                r = sd_bus_message_append(m, "(ss)", changes->list[i].name, changes->list[i].value);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_append(m, "usqb", confirm_s, address ? address : "", port, (int)force);
}

/* One try. CLI_REFUSED with *why (malloc'ed): it would refuse the caller's address, and nothing was printed yet. */
static int try_send(struct cli *cli, sd_bus *bus, const struct country_changes *changes, uint32_t confirm_s, bool force,
                    char **why)
{
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_free_ char *address = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        uint16_t port;
        int code = CLI_OK;
        int r = sd_bus_message_new_method_call(bus, &m, BUS_NAME, BUS_PATH, BUS_MANAGER, "SetCountryPolicy");

        country_caller(&address, &port);
        if (r >= 0)
                r = append(m, changes, confirm_s, address, port, force);
        if (r >= 0)
                r = sd_bus_call(bus, m, 0, &error, NULL);
        if (r < 0 && sd_bus_error_has_name(&error, LOCK_OUT)) {
                *why = output_clean(error.message ? error.message : "");
                code = CLI_REFUSED;
        } else if (r < 0) {
                code = ctl_failure(cli, r, &error);
        }
        sd_bus_error_free(&error);
        return code;
}

static int ask(struct cli *cli, const char *why)
{
        if (!prompt_possible())
                return cli_fail(cli, CLI_REFUSED,
                                "refused: lock-out: %s; --force does it all the same, with --confirm 60s it would be "
                                "taken back by itself",
                                why);
        cli_error(cli, "lock-out: %s", why);
        return prompt_yes("Change it all the same?") ? CLI_OK
                                                     : cli_fail(cli, CLI_FAILED, "not confirmed; nothing was changed");
}

/* ---- what came of it */
static const char *text_of(const json_t *manager, const char *name)
{
        const char *text = json_string_value(json_object_get(manager, name));

        return text ? text : "";
}

static json_int_t number_of(const json_t *manager, const char *name)
{
        return json_integer_value(json_object_get(manager, name));
}

/* The kernel needs a moment for large lists. */
static int wait_for_guard(struct cli *cli, sd_bus *bus, json_t **manager)
{
        uint64_t deadline = time_monotonic_ms() + WAIT_MS;
        int r = ctl_manager(cli, bus, manager);

        while (r == CLI_OK && strcmp(text_of(*manager, "GuardState"), "applying") == 0 &&
               time_monotonic_ms() < deadline) {
                const struct timespec pause = { 0, POLL_US * 1000 };

                nanosleep(&pause, NULL);
                json_decref(*manager);
                *manager = NULL;
                r = ctl_manager(cli, bus, manager);
        }
        return r;
}

static void describe(const json_t *manager, char out[STATE_SIZE])
{
        const char *enforced = text_of(manager, "CountryEnforced"), *guard = text_of(manager, "GuardState");
        _cleanup_free_ char *error = output_clean(text_of(manager, "GuardError"));

        if (strcmp(enforced, "off") == 0)
                snprintf(out, STATE_SIZE, "no rule is in force");
        else if (strcmp(enforced, "kernel") == 0)
                snprintf(out, STATE_SIZE,
                         "in force in the kernel (%" JSON_INTEGER_FORMAT " IPv4 and %" JSON_INTEGER_FORMAT
                         " IPv6 intervals, %.1f ms) and at the relay",
                         number_of(manager, "FirewallIntervals4"), number_of(manager, "FirewallIntervals6"),
                         (double)number_of(manager, "FirewallMicroseconds") / 1000);
        else if (strcmp(guard, "absent") == 0)
                snprintf(out, STATE_SIZE,
                         "in force at the relay only: relay-guardd does not run here ('systemctl status "
                         "relay-guardd')");
        else
                snprintf(out, STATE_SIZE, "in force at the relay only: the kernel part is %s: %s", guard,
                         error && *error ? error : "no answer");
}

static int report(struct cli *cli, sd_bus *bus)
{
        _cleanup_json_ json_t *manager = NULL;
        _cleanup_free_ char *time = NULL;
        char state[STATE_SIZE];
        int r = wait_for_guard(cli, bus, &manager);

        if (r != CLI_OK)
                return r;
        if (cli->json)
                return output_json(manager);
        describe(manager, state);
        printf("%s\n", state);
        if (number_of(manager, "CountryPendingUntil") > 0) {
                time = output_text(json_object_get(manager, "CountryPendingUntil"), OUTPUT_TIME);
                printf("on trial until %s: 'relayctl country confirm' keeps it\n", time ? time : "?");
        }
        return CLI_OK;
}

int country_send(struct cli *cli, const struct country_changes *changes)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_free_ char *why = NULL;
        const char *confirm = cli_value(cli, "confirm");
        uint64_t confirm_s = 0;
        int r;

        if (confirm && (!parse_duration(confirm, &confirm_s) || confirm_s > UINT32_MAX))
                return cli_fail(cli, CLI_USAGE, "--confirm '%s': a duration such as 60s or 5m is needed", confirm);
        r = ctl_connect(cli, &bus);
        if (r == CLI_OK)
                r = try_send(cli, bus, changes, (uint32_t)confirm_s, cli_flag(cli, "force"), &why);
        if (r == CLI_REFUSED && why) {
                r = ask(cli, why);
                if (r == CLI_OK) {
                        free(why);
                        why = NULL;
                        r = try_send(cli, bus, changes, (uint32_t)confirm_s, true, &why);
                }
        }
        return r == CLI_OK ? report(cli, bus) : r;
}
