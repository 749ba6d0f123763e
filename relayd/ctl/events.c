/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl events: telemetry of a site without a cloud leaves it in a file. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/progress.h"
#include "ctl/bus.h"
#include "ctl/ctl.h"
#include "ctl/eventsfile.h"
#include "util/cleanup.h"
#include "util/files.h"

#define PAGE 1000u /* events asked for at once */

const struct cli_option ctl_events_export_options[] = {
        { "drop", 0, NULL, "delete from the relay what is safely in the file" },
        { 0 },
};

struct export
{
        struct cli *cli;
        sd_bus *bus;
        const char *path, *site;
        int fd;
        uint64_t number; /* of the last event in the file */
        uint64_t written, dropped;
        struct progress progress;
};

static int write_all(const struct export *e, const char *bytes, size_t size)
{
        while (size > 0) {
                ssize_t n = write(e->fd, bytes, size);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return cli_fail(e->cli, CLI_FAILED,
                                        "%s: %m; what is in it stays, the same command goes on there", e->path);
                bytes += n;
                size -= (size_t)n;
        }
        return CLI_OK;
}

/* Cuts what an interrupted export left of its last line. */
static int resume(struct export *e)
{
        _cleanup_free_ uint8_t *end = malloc(EVENTS_LINE_MAX);
        struct stat status;
        off_t from;
        ssize_t n;
        size_t keep;

        if (!end || fstat(e->fd, &status) < 0)
                return cli_errno(e->cli, end ? -errno : -ENOMEM, e->path);
        from = status.st_size > (off_t)EVENTS_LINE_MAX ? status.st_size - (off_t)EVENTS_LINE_MAX : 0;
        n = pread(e->fd, end, EVENTS_LINE_MAX, from);
        if (n < 0)
                return cli_errno(e->cli, -errno, e->path);
        if (events_resume(span_of(end, (size_t)n), e->site, &keep, &e->number) < 0)
                return cli_fail(e->cli, CLI_FAILED, "%s is no export of events of site %s; choose another name",
                                e->path, e->site);
        if (ftruncate(e->fd, from + (off_t)keep) < 0 || lseek(e->fd, 0, SEEK_END) < 0)
                return cli_errno(e->cli, -errno, e->path);
        return CLI_OK;
}

static int open_file(struct export *e)
{
        struct stat status;

        e->fd = open(e->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
        if (e->fd < 0)
                return cli_errno(e->cli, -errno, e->path);
        if (fstat(e->fd, &status) < 0 || !S_ISREG(status.st_mode))
                return cli_fail(e->cli, CLI_FAILED, "%s: not a regular file", e->path);
        if (flock(e->fd, LOCK_EX | LOCK_NB) < 0)
                return cli_fail(e->cli, CLI_FAILED, "%s: another export writes to it", e->path);
        return resume(e);
}

static int write_line(const struct export *e, const struct events_line *event)
{
        _cleanup_json_ json_t *line = events_line_json(event);
        _cleanup_free_ char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
        size_t size;

        if (!text)
                return cli_errno(e->cli, -ENOMEM, e->path);
        size = strlen(text);
        text[size] = '\n'; /* in place of the NUL: one write a line */
        return write_all(e, text, size + 1);
}

/* One event of a reply. 1: written, 0: there is none, negative errno: of the bus; *r: CLI_* */
static int take_event(struct export *e, sd_bus_message *reply, int *r)
{
        struct events_line event = { .site = e->site };
        const void *payload = NULL;
        size_t size = 0;
        int keyed, n = sd_bus_message_enter_container(reply, 'r', "tsstbttay");

        if (n <= 0)
                return n;
        n = sd_bus_message_read(reply, "tsstbtt", &event.number, &event.device, &event.name, &event.time, &keyed,
                                &event.boot, &event.seq);
        if (n >= 0)
                n = sd_bus_message_read_array(reply, 'y', &payload, &size);
        if (n >= 0)
                n = sd_bus_message_exit_container(reply);
        if (n < 0)
                return n;
        event.keyed = keyed;
        event.payload = span_of(payload, size);
        *r = write_line(e, &event);
        if (*r != CLI_OK)
                return 0;
        e->number = event.number;
        progress_show(&e->progress, ++e->written);
        return 1;
}

/* *more: there was something */
static int take_page(struct export *e, uint64_t *from, bool *more)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        uint64_t next = 0;
        int r = ctl_call(e->cli, e->bus, "ReadEvents", &reply, "tu", *from, PAGE), n;

        if (r != CLI_OK)
                return r;
        n = sd_bus_message_enter_container(reply, 'a', "(tsstbttay)");
        while (n >= 0 && (n = take_event(e, reply, &r)) > 0)
                ;
        if (r != CLI_OK)
                return r;
        if (n >= 0)
                n = sd_bus_message_exit_container(reply);
        if (n >= 0)
                n = sd_bus_message_read(reply, "t", &next);
        if (n < 0)
                return ctl_failure(e->cli, n, &SD_BUS_ERROR_NULL);
        *more = next > *from;
        *from = next;
        return CLI_OK;
}

/* Not before the file is on its disk. */
static int drop(struct export *e)
{
        uint32_t dropped = 0;
        int r;

        if (fsync(e->fd) < 0 || file_sync_folder(e->path) < 0)
                return cli_fail(e->cli, CLI_FAILED, "%s: %m; nothing was deleted from the relay", e->path);
        if (!cli_flag(e->cli, "drop") || e->number == 0)
                return CLI_OK;
        do {
                _cleanup_message_ sd_bus_message *reply = NULL;

                if ((r = ctl_call(e->cli, e->bus, "DropEvents", &reply, "t", e->number)) != CLI_OK)
                        return r;
                if ((r = sd_bus_message_read(reply, "u", &dropped)) < 0)
                        return ctl_failure(e->cli, r, &SD_BUS_ERROR_NULL);
                e->dropped += dropped;
        } while (dropped > 0);
        return CLI_OK;
}

static int export(struct export *e, uint64_t waiting)
{
        uint64_t from = e->number + 1;
        bool more = true;
        int r = CLI_OK;

        progress_start(&e->progress, "events", waiting, e->cli->json);
        while (r == CLI_OK && more) {
                r = take_page(e, &from, &more);
                if (r == CLI_OK)
                        r = drop(e);
        }
        progress_end(&e->progress);
        return r;
}

static int report(const struct export *e)
{
        _cleanup_json_ json_t *object = json_pack("{s:I, s:I, s:I}", "written", (json_int_t)e->written, "dropped",
                                                  (json_int_t)e->dropped, "last", (json_int_t)e->number);

        return output_done(e->cli, object, "%" PRIu64 " events added to %s; %" PRIu64 " deleted from the relay.",
                           e->written, e->path, e->dropped);
}

int ctl_events_export(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *manager = NULL;
        _cleanup_close_ int fd = -1;
        struct export e = { .cli = cli, .path = cli_argument(cli, 0), .fd = -1 };
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = ctl_manager(cli, bus, &manager)) != CLI_OK)
                return r;
        e.bus = bus;
        e.site = json_string_value(json_object_get(manager, "Site"));
        if (!e.site)
                return cli_fail(cli, CLI_FAILED, "the relay names no site");
        r = open_file(&e);
        fd = e.fd;
        if (r == CLI_OK)
                r = export(&e, (uint64_t)json_integer_value(json_object_get(manager, "OutboxEvents")));
        return r == CLI_OK ? report(&e) : r;
}
