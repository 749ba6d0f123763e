/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl updates import: updates that come in files, verified here before anything of them is sent. */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bus/names.h"
#include "cli/io.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/updatefile.h"
#include "ctl/bus.h"
#include "ctl/ctl.h"
#include "relay/image.h"
#include "util/array.h"
#include "util/cleanup.h"

#define CHUNK (64u * IMAGE_BLOCK_SIZE) /* bytes of image sent at once: durable before the next */

const struct cli_option ctl_updates_import_options[] = {
        { "device", 0, "NAME", "for this device only (may be repeated; default: every registered one of the class)" },
        { "vendor-keys", 0, "FILE", "check the signatures with this vendor key set (default: the relay's)" },
        { "all", 0, NULL, "import every update file of the folder" },
        { 0 },
};
static const struct output_column columns[] = {
        { "file", "FILE", OUTPUT_TEXT },       { "version", "VERSION", OUTPUT_TEXT },
        { "urgency", "URGENCY", OUTPUT_WORD }, { "digest", "UPDATE", OUTPUT_SHORT },
        { "size", "SIZE", OUTPUT_BYTES },      { "description", "WHAT CHANGES", OUTPUT_TEXT },
};

/* ---- one file */
static int load_vendor(struct cli *cli, sd_bus *bus, struct vendor_keys *out)
{
        const char *path = cli_value(cli, "vendor-keys");
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t size = 0;
        enum reason reason;
        int r = path ? cli_read(cli, path, VENDOR_KEYS_SET_MAX, &bytes, &size)
                     : ctl_fetch_bytes(cli, bus, BUS_PATH, BUS_MANAGER, "GetVendorKeys", &bytes, &size);

        if (r != CLI_OK)
                return r;
        reason = vendor_keys_read(span_of(bytes, size), out);
        return reason == REASON_NONE ? CLI_OK
                                     : cli_refuse(cli, reason, "%s", path ? path : "the relay's vendor key set");
}

static int append_update(struct cli *cli, sd_bus_message *m, const struct update_source *source)
{
        _cleanup_free_ char *notes = strndup((const char *)source->file.notes.data, source->file.notes.size);
        int r = notes ? 0 : -ENOMEM;

        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', source->file.envelope.data, source->file.envelope.size);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', source->list, (size_t)source->blocks * SHA256_SIZE);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", notes);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; i < cli_value_count(cli, "device") && r >= 0; i++)
                r = sd_bus_message_append(m, "s", cli_value_at(cli, "device", i));
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* digest: room for its hexadecimal form */
static int send_update(struct cli *cli, sd_bus *bus, const struct update_source *source,
                       char digest[2 * SHA256_SIZE + 1], uint32_t *next)
{
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        const char *known;
        uint32_t blocks;
        int r = ctl_new_call(cli, bus, &m, "ImportUpdate"), n;

        if (r != CLI_OK)
                return r;
        n = append_update(cli, m, source);
        if (n < 0)
                return ctl_failure(cli, n, &SD_BUS_ERROR_NULL);
        if ((r = ctl_send(cli, bus, m, &reply)) != CLI_OK)
                return r;
        n = sd_bus_message_read(reply, "suu", &known, next, &blocks);
        if (n < 0)
                return ctl_failure(cli, n, &SD_BUS_ERROR_NULL);
        span_to_hex(SPAN_OF(source->manifest.digest), digest, 2 * SHA256_SIZE + 1);
        return strcmp(known, digest) == 0 && blocks == source->blocks
                       ? CLI_OK
                       : cli_fail(cli, CLI_FAILED, "relayd took another update than it was given");
}

static int send_chunk(struct cli *cli, sd_bus *bus, const char *digest, uint32_t *next, struct span bytes)
{
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        uint32_t first = *next, blocks;
        int r = ctl_new_call(cli, bus, &m, "ImportImage"), n;

        if (r != CLI_OK)
                return r;
        n = sd_bus_message_append(m, "su", digest, first);
        if (n >= 0)
                n = sd_bus_message_append_array(m, 'y', bytes.data, bytes.size);
        if (n < 0)
                return ctl_failure(cli, n, &SD_BUS_ERROR_NULL);
        if ((r = ctl_send(cli, bus, m, &reply)) != CLI_OK)
                return r;
        n = sd_bus_message_read(reply, "uu", next, &blocks);
        if (n < 0)
                return ctl_failure(cli, n, &SD_BUS_ERROR_NULL);
        return *next > first ? CLI_OK : cli_fail(cli, CLI_FAILED, "relayd does not keep the image");
}

static int send_image(struct cli *cli, sd_bus *bus, const struct update_source *source, const char *digest,
                      uint32_t next)
{
        _cleanup_free_ uint8_t *chunk = malloc(CHUNK);
        struct progress progress;
        size_t size;
        int r = chunk ? CLI_OK : cli_errno(cli, -ENOMEM, source->path);

        progress_start(&progress, "importing", source->blocks, cli->json);
        progress_show(&progress, next);
        while (r == CLI_OK && next < source->blocks) {
                r = update_source_read(cli, source, next, chunk, CHUNK, &size);
                if (r == CLI_OK)
                        r = send_chunk(cli, bus, digest, &next, span_of(chunk, size));
                if (r == CLI_OK)
                        progress_show(&progress, next);
        }
        progress_end(&progress);
        return r;
}

static int import_file(struct cli *cli, sd_bus *bus, const struct vendor_keys *vendor, const char *path)
{
        _cleanup_(update_source_done) struct update_source source = UPDATE_SOURCE_NONE;
        _cleanup_json_ json_t *object = NULL;
        char digest[2 * SHA256_SIZE + 1];
        uint32_t next = 0;
        int r = update_source_open(cli, path, &source);

        if (r == CLI_OK)
                r = update_source_verify(cli, &source, vendor);
        if (r == CLI_OK)
                r = send_update(cli, bus, &source, digest, &next);
        if (r != CLI_OK)
                return r;
        object = json_pack("{s:s, s:s, s:I, s:I}", "file", path, "digest", digest, "blocks", (json_int_t)source.blocks,
                           "sent", (json_int_t)(source.blocks - next));
        if ((r = send_image(cli, bus, &source, digest, next)) != CLI_OK)
                return r;
        return output_done(cli, object, "Imported: %s. It waits for its approvals: relayctl updates show %.12s", path,
                           digest);
}

/* ---- folders */
static int is_update_file(const struct dirent *entry)
{
        size_t length = strlen(entry->d_name), suffix = strlen(UPDATE_FILE_SUFFIX);

        return entry->d_name[0] != '.' && length > suffix &&
               strcmp(entry->d_name + length - suffix, UPDATE_FILE_SUFFIX) == 0;
}

static json_t *describe(struct cli *cli, const char *path)
{
        _cleanup_(update_source_done) struct update_source source = UPDATE_SOURCE_NONE;
        const struct manifest_fields *f = &source.manifest.fields;

        if (update_source_open(cli, path, &source) != CLI_OK)
                return json_pack("{s:s}", "file", path); /* what is wrong with it was said */
        return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:o}", "file", path, "version",
                         json_text(f->version.data, f->version.size), "urgency",
                         json_text(f->urgency.data, f->urgency.size), "description",
                         json_text(f->description.data, f->description.size), "digest",
                         json_hex(source.manifest.digest, SHA256_SIZE), "size", (json_int_t)source.file.image_size,
                         "notes", json_text(source.file.notes.data, source.file.notes.size));
}

/* Paths of the update files, sorted; malloc'ed, each of them, too. -errno */
static int find_files(const char *folder, char ***paths, size_t *count)
{
        struct dirent **entries = NULL;
        int found = scandir(folder, &entries, is_update_file, versionsort), r = 0;

        *count = 0;
        if (found < 0)
                return -errno;
        *paths = calloc((size_t)found + 1, sizeof(**paths));
        for (int i = 0; i < found; i++) {
                char *path = *paths ? cli_path(folder, entries[i]->d_name) : NULL;

                if (path)
                        (*paths)[(*count)++] = path;
                else
                        r = -ENOMEM;
                free(entries[i]);
        }
        free(entries);
        return r;
}

static int list_files(struct cli *cli, char *const *paths, size_t count)
{
        _cleanup_json_ json_t *rows = json_array();
        int r;

        for (size_t i = 0; i < count; i++)
                json_array_append_new(rows, describe(cli, paths[i]));
        r = output_table(cli, rows, columns, sizeof(columns) / sizeof(*columns), "no update files");
        if (r == CLI_OK && !cli->json && count > 0)
                puts("\nNothing was imported: name one of the files, or give --all.");
        return r;
}

static int connect_relay(struct cli *cli, sd_bus **bus, struct vendor_keys *vendor)
{
        int r = ctl_connect(cli, bus);

        return r == CLI_OK ? load_vendor(cli, *bus, vendor) : r;
}

/* one that is refused does not keep the others out */
static int import_files(struct cli *cli, char *const *paths, size_t count)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        struct vendor_keys vendor;
        int worst = CLI_OK, r = connect_relay(cli, &bus, &vendor);

        if (r != CLI_OK)
                return r;
        for (size_t i = 0; i < count; i++) {
                r = import_file(cli, bus, &vendor, paths[i]);
                worst = r == CLI_OK ? worst : r;
        }
        return worst;
}

static int import_folder(struct cli *cli, const char *folder)
{
        char **paths = NULL;
        size_t count = 0;
        int r = find_files(folder, &paths, &count);

        if (r < 0)
                r = cli_errno(cli, r, folder);
        else if (cli_flag(cli, "all"))
                r = import_files(cli, paths, count);
        else
                r = list_files(cli, paths, count);
        for (size_t i = 0; i < count; i++)
                free(paths[i]);
        free(paths);
        return r;
}

int ctl_updates_import(struct cli *cli)
{
        const char *path = cli_argument(cli, 0);
        struct stat status;

        if (stat(path, &status) < 0)
                return cli_errno(cli, -errno, path);
        return S_ISDIR(status.st_mode) ? import_folder(cli, path) : import_files(cli, (char *const *)&path, 1);
}
