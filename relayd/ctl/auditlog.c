/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the items of an audit log come from. */

#include "ctl/auditlog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/bus.h"
#include "util/array.h"
#include "util/cleanup.h"

#define PAGE        200u   /* checkpoints asked for at once */
#define BUFFER_SIZE 65536u /* of a file */

/* ---- the relay */
struct kept_checkpoint {
        uint64_t records;
        size_t size;
        uint8_t bytes[CHECKPOINT_MAX];
};
struct from_relay {
        struct kept_checkpoint *checkpoints;
        size_t count, room, next;
        audit_item_fn fn;
        void *context;
        uint64_t records;
        int result;
};

/* 1: one was read, 0: there is none, negative: of the bus */
static int read_checkpoint(struct from_relay *f, sd_bus_message *reply)
{
        struct kept_checkpoint *kept;
        const void *bytes = NULL;
        uint64_t records;
        size_t size = 0;
        int r = sd_bus_message_enter_container(reply, 'r', "tay");

        if (r <= 0)
                return r;
        r = sd_bus_message_read(reply, "t", &records);
        if (r >= 0)
                r = sd_bus_message_read_array(reply, 'y', &bytes, &size);
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        if (r < 0)
                return r;
        if (array_reserve(f->checkpoints, f->count, f->room) < 0)
                return -ENOMEM;
        kept = &f->checkpoints[f->count++];
        kept->records = records;
        /* one that is too large is none, and the check says so */
        kept->size = size <= CHECKPOINT_MAX ? size : 0;
        if (kept->size > 0)
                memcpy(kept->bytes, bytes, size);
        return 1;
}

static int read_checkpoints(struct cli *cli, sd_bus *bus, struct from_relay *f)
{
        uint64_t from = 0;
        size_t before;

        do {
                _cleanup_message_ sd_bus_message *reply = NULL;
                int r = ctl_call(cli, bus, "ReadCheckpoints", &reply, "tu", from, PAGE);

                if (r != CLI_OK)
                        return r;
                before = f->count;
                r = sd_bus_message_enter_container(reply, 'a', "(tay)");
                while (r >= 0 && (r = read_checkpoint(f, reply)) > 0)
                        ;
                if (r < 0)
                        return ctl_failure(cli, r, &SD_BUS_ERROR_NULL);
                from = f->count > 0 ? f->checkpoints[f->count - 1].records + 1 : 0;
        } while (f->count - before == PAGE);
        return CLI_OK;
}

/* Those that speak of no more than what came so far; at the end all. */
static int give_checkpoints(struct from_relay *f, bool all)
{
        int r = CLI_OK;

        while (r == CLI_OK && f->next < f->count && (all || f->checkpoints[f->next].records <= f->records)) {
                const struct kept_checkpoint *kept = &f->checkpoints[f->next++];
                const struct audit_item item = { AUDIT_ITEM_CHECKPOINT, span_of(kept->bytes, kept->size) };

                r = f->fn(f->context, &item);
        }
        return r;
}

static int give_record(void *context, struct span record)
{
        struct from_relay *f = context;
        const struct audit_item item = { AUDIT_ITEM_RECORD, record };

        f->records++;
        f->result = f->fn(f->context, &item);
        if (f->result == CLI_OK)
                f->result = give_checkpoints(f, false);
        return f->result == CLI_OK ? 0 : 1;
}

int audit_items_of_relay(struct cli *cli, sd_bus *bus, audit_item_fn fn, void *context)
{
        struct from_relay f = { .fn = fn, .context = context };
        /* checkpoints first: the log may grow meanwhile, and then has more than they speak of */
        int r = read_checkpoints(cli, bus, &f);

        if (r == CLI_OK)
                r = audit_walk(cli, bus, 1, give_record, &f);
        if (r == CLI_OK)
                r = f.result == CLI_OK ? give_checkpoints(&f, true) : f.result;
        free(f.checkpoints);
        return r;
}

/* ---- a file */
struct from_file {
        struct cli *cli;
        const char *path;
        FILE *file;
        uint8_t *buffer;
        size_t start, end; /* of what is not taken yet */
        bool at_end;
};

/* Moves what is left to the front and reads on. */
static int fill(struct from_file *f)
{
        memmove(f->buffer, f->buffer + f->start, f->end - f->start);
        f->end -= f->start;
        f->start = 0;
        f->end += fread(f->buffer + f->end, 1, BUFFER_SIZE - f->end, f->file);
        f->at_end = feof(f->file);
        return ferror(f->file) ? cli_errno(f->cli, -errno, f->path) : CLI_OK;
}

static struct span rest(const struct from_file *f)
{
        return span_of(f->buffer + f->start, f->end - f->start);
}

static int damaged(const struct from_file *f, int result, uint64_t items)
{
        if (result == RELAY_E_TRUNCATED)
                return cli_fail(f->cli, CLI_FAILED, "%s: the export is cut after its item %" PRIu64, f->path, items);
        return cli_fail(f->cli, CLI_FAILED, "%s: the export is damaged at its item %" PRIu64, f->path, items + 1);
}

static int give_items(struct from_file *f, audit_item_fn fn, void *context)
{
        struct audit_item item;
        uint64_t items = 0;
        size_t size;

        for (int r;; items++) {
                if (!f->at_end && f->end - f->start < AUDIT_ITEM_MAX && (r = fill(f)) != CLI_OK)
                        return r;
                if (f->start == f->end)
                        return CLI_OK;
                r = audit_item_decode(rest(f), &item, &size);
                if (r != RELAY_OK)
                        return damaged(f, r, items);
                if ((r = fn(context, &item)) != CLI_OK)
                        return r;
                f->start += size;
        }
}

int audit_items_of_file(struct cli *cli, const char *path,
                        int (*head)(void *context, const struct audit_file_head *head), audit_item_fn fn, void *context)
{
        _cleanup_free_ uint8_t *buffer = malloc(BUFFER_SIZE);
        _cleanup_fclose_ FILE *file = fopen(path, "re");
        struct from_file f = { cli, path, file, buffer, 0, 0, false };
        struct audit_file_head h;
        size_t size;
        int r;

        if (!file || !buffer)
                return cli_errno(cli, file ? -ENOMEM : -errno, path);
        if ((r = fill(&f)) != CLI_OK)
                return r;
        r = audit_file_head_decode(rest(&f), &h, &size);
        if (r != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "%s: no export of an audit log ('relayctl audit export' makes them)",
                                path);
        f.start += size;
        r = head(context, &h);
        return r == CLI_OK ? give_items(&f, fn, context) : r;
}
