/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relayctl country update: a new address database. What a file holds is hostile input, so it is compiled by
 * relay-country under a user of its own, never by relayctl; here it is only copied.
 */

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/output.h"
#include "ctl/bus.h"
#include "ctl/ctl.h"
#include "util/cleanup.h"
#include "util/files.h"

#define IMPORT_FILE "/var/lib/relayd-import/country.mmdb"
#define IMPORT_MAX  (256u << 20)
#define COMPILER    "relay-country"

extern char **environ;

const struct cli_option ctl_country_update_options[] = {
        { "packaged", 0, NULL, "goes back to the database of the tor-geoipdb package" },
        { "output", 0, "FILE", "compiles FILE into this database as you yourself, not by the system's service" },
        { 0 },
};

static int run(struct cli *cli, const char *const *arguments, const char *what)
{
        int status = 0;
        pid_t pid;
        int r = posix_spawnp(&pid, *arguments, NULL, NULL, (char **)(uintptr_t)arguments, environ);

        if (r == 0 && waitpid(pid, &status, 0) != pid)
                r = errno;
        if (r != 0)
                return cli_fail(cli, CLI_FAILED, "%s: %s", *arguments, strerror(r));
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? CLI_OK : cli_fail(cli, CLI_FAILED, "%s", what);
}

static int compile_here(struct cli *cli, const char *output, const char *from)
{
        const char *arguments[7] = { COMPILER, "compile", "--output", output };

        if (from) {
                arguments[4] = "--mmdb";
                arguments[5] = from;
        }
        return run(cli, arguments, "the database was not compiled; the one before stays");
}

static int copy_import(struct cli *cli, const char *from)
{
        _cleanup_free_ uint8_t *data = NULL;
        size_t size = 0;
        int r = file_read(from, IMPORT_MAX, &data, &size);

        if (r < 0)
                return cli_errno(cli, r, from);
        r = file_write(IMPORT_FILE, data, size, 0644);
        return r < 0 ? cli_errno(cli, r, IMPORT_FILE) : CLI_OK;
}

static int compile_by_service(struct cli *cli, const char *from)
{
        static const char *const start[] = { "systemctl", "start", "relay-country.service",
                                             "relay-country-import.service", NULL };
        int r = from ? copy_import(cli, from) : CLI_OK;

        if (cli_flag(cli, "packaged") && unlink(IMPORT_FILE) < 0 && errno != ENOENT)
                return cli_errno(cli, -errno, IMPORT_FILE);
        if (r != CLI_OK)
                return r;
        return run(cli, start,
                   "the database was not compiled, the one before stays; 'journalctl -u relay-country -u "
                   "relay-country-import' says why");
}

int ctl_country_update(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *manager = NULL, *done = NULL;
        _cleanup_free_ char *date = NULL;
        const char *output = cli_value(cli, "output"), *from = cli_argument(cli, 0);
        int r;

        if (from && cli_flag(cli, "packaged"))
                return cli_fail(cli, CLI_USAGE, "--packaged is the database of the package; it goes without a file");
        if (!output && geteuid() != 0)
                return cli_fail(cli, CLI_USAGE, "root starts the service that compiles; others give --output FILE");
        r = output ? compile_here(cli, output, from) : compile_by_service(cli, from);
        if (r == CLI_OK)
                r = ctl_connect(cli, &bus);
        if (r == CLI_OK)
                r = ctl_call(cli, bus, "ReloadCountryDatabase", NULL, "");
        if (r == CLI_OK)
                r = ctl_manager(cli, bus, &manager);
        if (r != CLI_OK)
                return r;
        done = json_pack("{s:O?, s:O?}", "CountryDatabase", json_object_get(manager, "CountryDatabase"),
                         "CountryDatabaseDate", json_object_get(manager, "CountryDatabaseDate"));
        date = output_text(json_object_get(manager, "CountryDatabaseDate"), OUTPUT_TIME);
        return output_done(cli, done, "in use: %s, data of %s",
                           json_string_value(json_object_get(manager, "CountryDatabase")), date ? date : "?");
}
