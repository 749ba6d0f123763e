/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl gate: the site's standing answer to "may devices update now?". */

#include "ctl/ctl.h"

#include <inttypes.h>
#include <time.h>

#include "cli/output.h"
#include "cli/parse.h"
#include "ctl/bus.h"

const struct cli_option ctl_gate_open_options[] = {
        { "for", 0, "DURATION", "closes by itself after 90s, 10m, 2h, 7d (default: stays open)" },
        { 0 },
};
static const struct output_column fields[] = {
        { "GateState", "Gate", OUTPUT_WORD },
        { "GateUntil", "Until", OUTPUT_TIME },
};

static int show(struct cli *cli, sd_bus *bus)
{
        _cleanup_json_ json_t *manager = NULL, *gate = NULL;
        int r = ctl_manager(cli, bus, &manager);

        if (r != CLI_OK)
                return r;
        gate = json_pack("{s:O?, s:O?}", "GateState", json_object_get(manager, "GateState"), "GateUntil",
                         json_object_get(manager, "GateUntil"));
        return output_record(cli, gate, fields, sizeof(fields) / sizeof(*fields));
}

int ctl_gate_show(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = ctl_connect(cli, &bus);

        return r == CLI_OK ? show(cli, bus) : r;
}

int ctl_gate_open(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        const char *duration = cli_value(cli, "for");
        uint64_t seconds = 0;
        int r;

        if (duration && !parse_duration(duration, &seconds))
                return cli_fail(cli, CLI_USAGE, "--for '%s': a duration such as 90s, 10m, 2h or 7d is needed",
                                duration);
        if ((r = ctl_connect(cli, &bus)) != CLI_OK ||
            (r = ctl_call(cli, bus, "OpenGate", NULL, "t", duration ? (uint64_t)time(NULL) + seconds : UINT64_C(0))) !=
                    CLI_OK)
                return r;
        return show(cli, bus);
}

int ctl_gate_close(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = ctl_call(cli, bus, "CloseGate", NULL, "")) != CLI_OK)
                return r;
        return show(cli, bus);
}
