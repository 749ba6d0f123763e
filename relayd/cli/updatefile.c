/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/updatefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/progress.h"
#include "relay/image.h"
#include "util/cleanup.h"

void update_source_done(struct update_source *source)
{
        close_safe(source->fd);
        free(source->head);
        free(source->list);
        *source = UPDATE_SOURCE_NONE;
}

/* 0, or CLI_*: a file that ends early was cut, or is being written */
static int read_exact(struct cli *cli, const struct update_source *source, uint64_t from, uint8_t *out, size_t size)
{
        while (size > 0) {
                ssize_t n = pread(source->fd, out, size, (off_t)from);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return cli_fail(cli, CLI_FAILED, "%s: %s", source->path,
                                        n < 0 ? strerror(errno) : "ends early");
                out += n;
                from += (uint64_t)n;
                size -= (size_t)n;
        }
        return CLI_OK;
}

static int read_head(struct cli *cli, struct update_source *source)
{
        struct stat status;
        size_t size;
        int r;

        if (fstat(source->fd, &status) < 0 || !S_ISREG(status.st_mode))
                return cli_fail(cli, CLI_FAILED, "%s: not a regular file", source->path);
        size = status.st_size < UPDATE_FILE_HEAD_MAX ? (size_t)status.st_size : UPDATE_FILE_HEAD_MAX;
        source->head = malloc(size + 1);
        if (!source->head)
                return cli_errno(cli, -ENOMEM, source->path);
        if ((r = read_exact(cli, source, 0, source->head, size)) != CLI_OK)
                return r;
        r = update_file_decode(span_of(source->head, size), (uint64_t)status.st_size, &source->file);
        if (r == RELAY_E_TRUNCATED)
                return cli_fail(cli, CLI_FAILED, "%s: the update file is cut; copy it again", source->path);
        return r == RELAY_OK ? CLI_OK
                             : cli_fail(cli, CLI_FAILED, "%s: no update file ('fwtool bundle' makes them): %s",
                                        source->path, relay_result_string(r));
}

static int read_manifest(struct cli *cli, struct update_source *source)
{
        enum reason reason = manifest_decode(source->file.envelope, &source->manifest);

        if (reason != REASON_NONE)
                return cli_refuse(cli, reason, "the manifest in %s", source->path);
        if (source->manifest.fields.image_size != source->file.image_size)
                return cli_refuse(cli, REASON_IMAGE_DIGEST, "%s: the image has %u bytes, its manifest names %u",
                                  source->path, source->file.image_size, source->manifest.fields.image_size);
        source->blocks = image_block_count(source->file.image_size);
        return CLI_OK;
}

int update_source_open(struct cli *cli, const char *path, struct update_source *out)
{
        int r;

        *out = UPDATE_SOURCE_NONE;
        out->path = path;
        out->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (out->fd < 0)
                return cli_errno(cli, -errno, path);
        r = read_head(cli, out);
        return r == CLI_OK ? read_manifest(cli, out) : r;
}

int update_source_read(struct cli *cli, const struct update_source *source, uint32_t first, uint8_t *out, size_t room,
                       size_t *size)
{
        uint32_t left = first < source->blocks ? source->blocks - first : 0;
        uint32_t count = room / IMAGE_BLOCK_SIZE < left ? (uint32_t)(room / IMAGE_BLOCK_SIZE) : left;
        uint64_t from = (uint64_t)first * IMAGE_BLOCK_SIZE;

        *size = 0;
        for (uint32_t i = 0; i < count; i++)
                *size += image_block_size(source->file.image_size, first + i);
        return read_exact(cli, source, source->file.image_offset + from, out, *size);
}

/* Digests of the image and of each of its blocks. */
static int digest_image(struct cli *cli, struct update_source *source, uint8_t digest[SHA256_SIZE])
{
        struct progress progress;
        struct sha256 hash;
        uint8_t block[IMAGE_BLOCK_SIZE];
        size_t size;
        int r = crypto_sha256_init(&hash) == RELAY_OK ? CLI_OK : CLI_FAILED;

        progress_start(&progress, "checking", source->blocks, cli->json);
        for (uint32_t i = 0; i < source->blocks && r == CLI_OK; i++) {
                r = update_source_read(cli, source, i, block, sizeof(block), &size);
                if (r == CLI_OK &&
                    (crypto_sha256_update(&hash, span_of(block, size)) != RELAY_OK ||
                     crypto_sha256(span_of(block, size), source->list + (size_t)i * SHA256_SIZE) != RELAY_OK))
                        r = cli_fail(cli, CLI_FAILED, "%s: SHA-256 failed", source->path);
                progress_show(&progress, i + 1);
        }
        progress_end(&progress);
        return r == CLI_OK && crypto_sha256_final(&hash, digest) != RELAY_OK ? CLI_FAILED : r;
}

int update_source_check_image(struct cli *cli, struct update_source *source)
{
        const struct manifest_fields *fields = &source->manifest.fields;
        uint8_t digest[SHA256_SIZE], list[SHA256_SIZE];
        int r;

        free(source->list);
        source->list = malloc((size_t)source->blocks * SHA256_SIZE + 1);
        if (!source->list)
                return cli_errno(cli, -ENOMEM, source->path);
        if ((r = digest_image(cli, source, digest)) != CLI_OK)
                return r;
        if (crypto_sha256(span_of(source->list, (size_t)source->blocks * SHA256_SIZE), list) != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "%s: SHA-256 failed", source->path);
        if (memcmp(digest, fields->image_digest, SHA256_SIZE) != 0)
                return cli_refuse(cli, REASON_IMAGE_DIGEST, "%s", source->path);
        return memcmp(list, fields->block_list_digest, SHA256_SIZE) == 0
                       ? CLI_OK
                       : cli_refuse(cli, REASON_BLOCK_LIST_DIGEST, "%s", source->path);
}

int update_source_verify(struct cli *cli, struct update_source *source, const struct vendor_keys *vendor)
{
        struct manifest_verified verified;
        enum reason reason = manifest_verify(&source->manifest, vendor, &verified);

        if (reason != REASON_NONE)
                return cli_refuse(cli, reason, "%s", source->path);
        return update_source_check_image(cli, source);
}
