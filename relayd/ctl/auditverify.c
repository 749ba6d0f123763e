/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl audit verify and export: does the log hold, also against one who rewrote all of it; and taking it away. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/names.h"
#include "cli/io.h"
#include "cli/keys.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/signedset.h"
#include "ctl/auditlog.h"
#include "ctl/bus.h"
#include "ctl/ctl.h"
#include "ctl/trust.h"
#include "relay/sitepolicy.h"
#include "util/cleanup.h"
#include "util/files.h"

#define SEEN_FILE_MAX   256u
#define HEAD_FILE       "audit-head"
#define CHECKPOINT_FILE "audit-checkpoint"
#define KEYS_MAX        16

const struct cli_option ctl_audit_verify_options[] = {
        { "gate-key", 0, "FILE", "public key of the gate that signs checkpoints (may be repeated)" },
        { "trust", 0, "DIR", "folder of what was seen before (default ~/.config/relayd/trust)" },
        { 0 },
};

struct verify {
        struct cli *cli;
        struct audit_check check;
        char site[SITE_MAX + 1];
        struct public_key keys[KEYS_MAX];
        size_t key_count;
        const char *keys_from; /* "given", "trusted", "relay", "none" */
        struct audit_head head;
        struct audit_seen seen;
        char *head_path, *seen_path;
};

static void verify_done(struct verify *v)
{
        free(v->head_path);
        free(v->seen_path);
}

/* ---- what was seen before: "<count> <hash>" */
static int load_seen(struct cli *cli, const char *path, uint64_t *count, uint8_t hash[SHA256_SIZE])
{
        _cleanup_free_ uint8_t *bytes = NULL;
        char *space;
        size_t size;
        int r;

        if (access(path, F_OK) != 0)
                return CLI_OK;
        if ((r = cli_read(cli, path, SEEN_FILE_MAX, &bytes, &size)) != CLI_OK)
                return r;
        space = strchr((char *)bytes, ' ');
        if (space)
                *space++ = '\0';
        if (!space || !parse_number((char *)bytes, 1, INT64_MAX, count) ||
            !span_from_hex(span_of(space, strcspn(space, "\n")), hash, SHA256_SIZE))
                return cli_fail(cli, CLI_FAILED, "%s is damaged; remove it to start anew", path);
        return CLI_OK;
}

static int save_seen(struct cli *cli, const char *path, uint64_t count, const uint8_t hash[SHA256_SIZE])
{
        char text[SEEN_FILE_MAX], hex[2 * SHA256_SIZE + 1];
        int size, r = trust_make_folder(cli, path);

        if (r != CLI_OK)
                return r;
        size = snprintf(text, sizeof(text), "%" PRIu64 " %s\n", count,
                        span_to_hex(span_of(hash, SHA256_SIZE), hex, sizeof(hex)));
        return cli_replace(cli, path, span_of(text, (size_t)size), 0600);
}

/* ---- gate keys */
static void take_policy_keys(struct verify *v, struct span set)
{
        uint8_t scratch[SIGNED_SET_MAX];
        struct site_policy policy;

        if (site_policy_read(set, &policy, scratch, sizeof(scratch)) != REASON_NONE)
                return;
        for (size_t i = 0; i < policy.gate_count && v->key_count < KEYS_MAX; i++)
                v->keys[v->key_count++] = policy.gates[i].key;
}

/* The policy that was compared on this machine; without one, the relay's own word for it. */
static int take_known_keys(struct verify *v, sd_bus *bus)
{
        _cleanup_free_ uint8_t *bytes = NULL;
        _cleanup_free_ char *path = NULL;
        size_t size = 0;
        int r = trust_path(v->cli, v->site, "site-policy.cbor", &path);

        if (r != CLI_OK)
                return r;
        if (access(path, F_OK) == 0) {
                v->keys_from = "trusted";
                r = cli_read(v->cli, path, SIGNED_SET_MAX, &bytes, &size);
        } else if (bus) {
                v->keys_from = "relay";
                r = ctl_fetch_bytes(v->cli, bus, BUS_PATH, BUS_MANAGER, "GetSitePolicy", &bytes, &size);
                if (r == CLI_REFUSED)
                        r = CLI_OK; /* it has none yet, so nothing is signed either */
        }
        if (r == CLI_OK && size > 0)
                take_policy_keys(v, span_of(bytes, size));
        return r;
}

static int take_keys(struct verify *v, sd_bus *bus)
{
        v->keys_from = "none";
        if (cli_value_count(v->cli, "gate-key") == 0)
                return take_known_keys(v, bus);
        v->keys_from = "given";
        return cli_public_load_all(v->cli, "gate-key", 1, KEYS_MAX, v->keys, &v->key_count);
}

/* ---- verifying */
static int begin(struct verify *v, sd_bus *bus, const char *site)
{
        struct cli *cli = v->cli;
        int r;

        snprintf(v->site, sizeof(v->site), "%s", site);
        if ((r = trust_path(cli, v->site, HEAD_FILE, &v->head_path)) != CLI_OK ||
            (r = trust_path(cli, v->site, CHECKPOINT_FILE, &v->seen_path)) != CLI_OK ||
            (r = load_seen(cli, v->head_path, &v->head.count, v->head.hash)) != CLI_OK ||
            (r = load_seen(cli, v->seen_path, &v->seen.count, v->seen.digest)) != CLI_OK ||
            (r = take_keys(v, bus)) != CLI_OK)
                return r;
        audit_check_start(&v->check, v->site, v->keys, v->key_count, &v->head, &v->seen);
        return CLI_OK;
}

static int begin_file(void *context, const struct audit_file_head *head)
{
        return begin(context, NULL, head->site);
}

/* Goes on behind a missing record: it may only have been moved. */
static int verify_item(void *context, const struct audit_item *item)
{
        struct verify *v = context;

        if (item->kind == AUDIT_ITEM_CHECKPOINT && v->key_count == 0)
                return cli_fail(v->cli, CLI_USAGE,
                                "the log has signed checkpoints: give the gate's public key (--gate-key FILE)");
        if (!audit_check_next(&v->check, item) && v->check.verifier.what != AUDIT_MISSING)
                return CLI_FAILED;
        return CLI_OK;
}

static int broken(const struct verify *v)
{
        return cli_fail(v->cli, CLI_FAILED, "the log is broken at record %" PRIu64 ": %s", v->check.verifier.number,
                        audit_break_explanation(v->check.verifier.what));
}

static int report(const struct verify *v)
{
        const struct audit_check *c = &v->check;
        char hash[2 * SHA256_SIZE + 1], end[160];
        _cleanup_json_ json_t *object = NULL;

        span_to_hex(SPAN_OF(c->verifier.head.hash), hash, sizeof(hash));
        object = json_pack("{s:b, s:I, s:s, s:I, s:I, s:I, s:s}", "intact", 1, "records",
                           (json_int_t)c->verifier.head.count, "head", hash, "seen_before", (json_int_t)v->head.count,
                           "checkpoints", (json_int_t)c->checkpoints, "signed", (json_int_t)c->last.count, "gate_keys",
                           v->keys_from);
        if (c->checkpoints > 0)
                snprintf(end, sizeof(end), "%" PRIu64 " signed checkpoints, the last one over %" PRIu64 " records",
                         c->checkpoints, c->last.count);
        else
                snprintf(end, sizeof(end), "no signed checkpoint: one with root on the gateway could rewrite it");
        if (!v->cli->json && c->checkpoints > 0 && strcmp(v->keys_from, "relay") == 0)
                fputs("The gate's key was taken from the relay itself; give --gate-key FILE to be sure of it.\n",
                      stderr);
        return output_done(v->cli, object,
                           "The log is intact: %" PRIu64 " records, head %s (seen before: %" PRIu64 "); %s.",
                           c->verifier.head.count, hash, v->head.count, end);
}

/* r: of reading it all */
static int conclude(struct verify *v, int r)
{
        struct audit_check *c = &v->check;

        if (r != CLI_OK && c->verifier.what == AUDIT_INTACT)
                return r; /* said already */
        if (!audit_check_end(c))
                return broken(v);
        if (c->verifier.head.count > 0 &&
            (r = save_seen(v->cli, v->head_path, c->verifier.head.count, c->verifier.head.hash)) != CLI_OK)
                return r;
        if (c->checkpoints > 0 && (r = save_seen(v->cli, v->seen_path, c->last.count, c->last.digest)) != CLI_OK)
                return r;
        return report(v);
}

static int verify_relay(struct verify *v)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *manager = NULL;
        const char *site;
        int r;

        if ((r = ctl_connect(v->cli, &bus)) != CLI_OK || (r = ctl_manager(v->cli, bus, &manager)) != CLI_OK)
                return r;
        site = json_string_value(json_object_get(manager, "Site"));
        if ((r = begin(v, bus, site ? site : "")) != CLI_OK)
                return r;
        return conclude(v, audit_items_of_relay(v->cli, bus, verify_item, v));
}

int ctl_audit_verify(struct cli *cli)
{
        _cleanup_(verify_done) struct verify v = { .cli = cli };
        const char *path = cli_argument(cli, 0);

        return path ? conclude(&v, audit_items_of_file(cli, path, begin_file, verify_item, &v)) : verify_relay(&v);
}

/* ---- export */
struct export
{
        struct cli *cli;
        const char *path;
        FILE *file;
        uint64_t records, checkpoints;
};

static int write_object(const struct export *e, const struct writer *w)
{
        struct span bytes = writer_span(w);
        int r = writer_finish(w);

        if (r != RELAY_OK)
                return cli_fail(e->cli, CLI_FAILED, "%s: %s", e->path, relay_result_string(r));
        return fwrite(bytes.data, 1, bytes.size, e->file) == bytes.size ? CLI_OK : cli_errno(e->cli, -errno, e->path);
}

static int export_item(void *context, const struct audit_item *item)
{
        struct export *e = context;
        uint8_t out[AUDIT_ITEM_MAX];
        struct writer w;

        writer_init(&w, out, sizeof(out));
        audit_item_encode(&w, item);
        e->records += item->kind == AUDIT_ITEM_RECORD;
        e->checkpoints += item->kind == AUDIT_ITEM_CHECKPOINT;
        return write_object(e, &w);
}

static int export_head(const struct export *e, const json_t *manager)
{
        const char *site = json_string_value(json_object_get(manager, "Site"));
        const char *relay = json_string_value(json_object_get(manager, "Identity"));
        struct audit_file_head head;
        uint8_t out[AUDIT_ITEM_MAX];
        struct writer w;

        snprintf(head.site, sizeof(head.site), "%s", site ? site : "");
        snprintf(head.relay, sizeof(head.relay), "%s", relay ? relay : "");
        writer_init(&w, out, sizeof(out));
        audit_file_head_encode(&w, &head);
        return write_object(e, &w);
}

/* So that the end of the log is signed, too. A relay without a gate key makes none. */
static void make_checkpoint(struct cli *cli, sd_bus *bus)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;

        if (sd_bus_call_method(bus, BUS_NAME, BUS_PATH, BUS_MANAGER, "MakeCheckpoint", &error, NULL, "") < 0)
                cli_error(cli, "warning: no checkpoint was made (%s); the end of the log is not signed",
                          error.message ? error.message : "no answer");
        sd_bus_error_free(&error);
}

static int export_all(struct export *e, sd_bus *bus, const json_t *manager)
{
        int r = export_head(e, manager);

        if (r == CLI_OK)
                r = audit_items_of_relay(e->cli, bus, export_item, e);
        if (r == CLI_OK && (fflush(e->file) != 0 || fsync(fileno(e->file)) < 0 || file_sync_folder(e->path) < 0))
                r = cli_errno(e->cli, -errno, e->path);
        return r;
}

int ctl_audit_export(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *manager = NULL, *object = NULL;
        _cleanup_fclose_ FILE *file = NULL;
        struct export e = { .cli = cli, .path = cli_argument(cli, 0) };
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = ctl_manager(cli, bus, &manager)) != CLI_OK)
                return r;
        make_checkpoint(cli, bus);
        file = fopen(e.path, "wxe");
        if (!file)
                return errno == EEXIST ? cli_fail(cli, CLI_FAILED, "%s exists and is not overwritten", e.path)
                                       : cli_errno(cli, -errno, e.path);
        e.file = file;
        if ((r = export_all(&e, bus, manager)) != CLI_OK) {
                (void)remove(e.path);
                return r;
        }
        object = json_pack("{s:s, s:I, s:I}", "file", e.path, "records", (json_int_t)e.records, "checkpoints",
                           (json_int_t)e.checkpoints);
        return output_done(cli, object,
                           "%s: %" PRIu64 " records, %" PRIu64
                           " checkpoints. Elsewhere: relayctl audit verify %s --gate-key KEY",
                           e.path, e.records, e.checkpoints, e.path);
}
