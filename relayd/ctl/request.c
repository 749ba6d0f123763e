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
        free(request->step);
        for (size_t i = 0; i < request->bytes_count; i++)
                free(request->bytes[i]);
        cli_signer_close(&request->signer);
}

/* Takes bytes over, also on failure. */
static int keep(struct request *request, uint8_t *bytes, size_t size, struct span *out)
{
        if (request->bytes_count == REQUEST_BUFFERS) {
                free(bytes);
                return cli_errno(request->cli, -E2BIG, "request");
        }
        request->bytes[request->bytes_count++] = bytes;
        *out = span_of(bytes, size);
        return CLI_OK;
}

static int fetch(struct request *request, const char *path, const char *interface, const char *method, struct span *out)
{
        uint8_t *bytes = NULL;
        size_t size = 0;
        int r = ctl_fetch_bytes(request->cli, request->bus, path, interface, method, &bytes, &size);

        return r == CLI_OK ? keep(request, bytes, size, out) : r;
}

static int fetch_at(struct request *request, const char *method, uint64_t epoch, struct span *out)
{
        uint8_t *bytes = NULL;
        size_t size = 0;
        int r = ctl_fetch_bytes_at(request->cli, request->bus, method, epoch, &bytes, &size);

        return r == CLI_OK ? keep(request, bytes, size, out) : r;
}

int request_fetch_sets(struct cli *cli, sd_bus *bus, struct request *out)
{
        struct request_parts *p = &out->parts;
        uint8_t *revocation = NULL;
        size_t size = 0;
        int r;

        out->cli = cli;
        out->bus = bus;
        if ((r = fetch(out, BUS_PATH, BUS_MANAGER, "GetSitePolicy", &p->policy_set)) != CLI_OK ||
            (r = fetch(out, BUS_PATH, BUS_MANAGER, "GetVendorKeys", &p->vendor_set)) != CLI_OK)
                return r;
        r = ctl_fetch_bytes_if_any(cli, bus, "GetRevocation", &revocation, &size);
        return r == CLI_OK ? keep(out, revocation, size, &p->revocation_set) : r;
}

int request_fetch(struct cli *cli, sd_bus *bus, const char *id, struct request *out)
{
        int r = ctl_find_update(cli, bus, id, &out->update);

        if (r == CLI_OK)
                r = request_fetch_sets(cli, bus, out);
        return r == CLI_OK ? fetch(out, json_string_value(json_object_get(out->update, "Path")), BUS_UPDATE,
                                   "GetManifest", &out->parts.envelope)
                           : r;
}

static uint64_t policy_epoch(struct span set)
{
        struct site_policy policy;
        struct cose_set decoded;

        return cose_set_decode(set, &decoded) == RELAY_OK && site_policy_decode(decoded.payload, &policy) == RELAY_OK
                       ? policy.epoch
                       : 0;
}

static uint64_t vendor_epoch(struct span set)
{
        struct vendor_keys keys;

        return vendor_keys_read(set, &keys) == REASON_NONE ? keys.epoch : 0;
}

static int fetch_chain(struct request *request, const char *method, uint64_t current, struct request_chain *chain)
{
        uint64_t first = current > REQUEST_CHAIN_MAX ? current - REQUEST_CHAIN_MAX : 1;

        for (uint64_t epoch = first; epoch < current; epoch++) {
                struct span set = SPAN_EMPTY;
                int r = fetch_at(request, method, epoch, &set);

                if (r != CLI_OK)
                        return r;
                if (set.size > 0)
                        chain->sets[chain->count++] = set;
        }
        return CLI_OK;
}

int request_fetch_chains(struct request *request)
{
        struct request_parts *p = &request->parts;
        int r = fetch_chain(request, "GetSitePolicyAt", policy_epoch(p->policy_set), &p->policies);

        return r == CLI_OK ? fetch_chain(request, "GetVendorKeysAt", vendor_epoch(p->vendor_set), &p->vendors) : r;
}

int request_load(struct cli *cli, const char *path, struct request *out)
{
        uint8_t *bytes = NULL;
        struct span all;
        size_t size;
        int r = cli_read(cli, path, REQUEST_MAX, &bytes, &size);

        out->cli = cli;
        if (r != CLI_OK || (r = keep(out, bytes, size, &all)) != CLI_OK)
                return r;
        r = request_decode(all, &out->parts);
        return r == RELAY_OK ? CLI_OK
                             : cli_fail(cli, CLI_FAILED,
                                        "%s: no approval request ('relayctl updates export-request' makes one): %s",
                                        path, relay_result_string(r));
}

static struct span find(const struct request_chain *chain, uint64_t (*epoch_of)(struct span set), uint64_t epoch)
{
        for (size_t i = 0; i < chain->count; i++)
                if (epoch_of(chain->sets[i]) == epoch)
                        return chain->sets[i];
        return SPAN_EMPTY;
}

/* One step of a walk, valid until the next one. */
static int step_at(struct request *request, const char *method, uint64_t epoch, struct span *set)
{
        size_t size = 0;
        int r;

        free(request->step);
        request->step = NULL;
        r = ctl_fetch_bytes_at(request->cli, request->bus, method, epoch, &request->step, &size);
        *set = span_of(request->step, size);
        return r;
}

static int policy_at(void *context, uint64_t epoch, struct span *set)
{
        struct request *request = context;

        if (request->bus)
                return step_at(request, "GetSitePolicyAt", epoch, set);
        *set = find(&request->parts.policies, policy_epoch, epoch);
        return CLI_OK;
}

static int vendor_at(void *context, uint64_t epoch, struct span *set)
{
        struct request *request = context;

        if (request->bus)
                return step_at(request, "GetVendorKeysAt", epoch, set);
        *set = find(&request->parts.vendors, vendor_epoch, epoch);
        return CLI_OK;
}

struct trust_source request_source(struct request *request)
{
        return (struct trust_source){ .policy_set = request->parts.policy_set,
                                      .vendor_set = request->parts.vendor_set,
                                      .revocation_set = request->parts.revocation_set,
                                      .policy_at = policy_at,
                                      .vendor_at = vendor_at,
                                      .context = request };
}
