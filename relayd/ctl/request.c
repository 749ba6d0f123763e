/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an approver decides about: where it comes from. */

#include "ctl/request.h"

#include <errno.h>
#include <stdlib.h>

#include "bus/names.h"
#include "cli/io.h"
#include "ctl/bus.h"

void request_done(struct request *request)
{
        json_decref(request->update);
        for (size_t i = 0; i < sizeof(request->bytes) / sizeof(*request->bytes); i++)
                free(request->bytes[i]);
        cli_signer_close(&request->signer);
}

static int fetch(struct cli *cli, sd_bus *bus, const char *path, const char *interface, const char *method,
                 uint8_t **bytes, struct span *out)
{
        size_t size = 0;
        int r = ctl_fetch_bytes(cli, bus, path, interface, method, bytes, &size);

        if (r == CLI_OK)
                *out = span_of(*bytes, size);
        return r;
}

int request_fetch(struct cli *cli, sd_bus *bus, const char *id, struct request *out)
{
        struct request_parts *p = &out->parts;
        int r = ctl_find_update(cli, bus, id, &out->update);

        if (r == CLI_OK)
                r = fetch(cli, bus, BUS_PATH, BUS_MANAGER, "GetSitePolicy", &out->bytes[0], &p->policy_set);
        if (r == CLI_OK)
                r = fetch(cli, bus, BUS_PATH, BUS_MANAGER, "GetVendorKeys", &out->bytes[1], &p->vendor_set);
        if (r == CLI_OK)
                r = fetch(cli, bus, json_string_value(json_object_get(out->update, "Path")), BUS_UPDATE, "GetManifest",
                          &out->bytes[2], &p->envelope);
        return r;
}

int request_load(struct cli *cli, const char *path, struct request *out)
{
        size_t size;
        int r = cli_read(cli, path, REQUEST_MAX, &out->bytes[0], &size);

        if (r != CLI_OK)
                return r;
        r = request_decode(span_of(out->bytes[0], size), &out->parts);
        return r == RELAY_OK ? CLI_OK
                             : cli_fail(cli, CLI_FAILED,
                                        "%s: no approval request ('relayctl updates export-request' makes one): %s",
                                        path, relay_result_string(r));
}
