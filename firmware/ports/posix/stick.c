/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ports/posix/stick.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "boot/layout.h"
#include "ports/posix/posix.h"
#include "relay/bundle.h"

#define LOOK_MS  1000
#define NAME_MAX 255
#define FILE_MAX (UPDATE_FILE_HEAD_MAX + LAYOUT_IMAGE_SIZE)

static bool ends_with(const char *name, const char *end)
{
        size_t size = strlen(name), end_size = strlen(end);

        return name[0] != '.' && size > end_size && strcmp(name + size - end_size, end) == 0;
}

static int is_of_interest(const struct dirent *entry)
{
        return ends_with(entry->d_name, ".relayd-update") || ends_with(entry->d_name, ".approval");
}

/* ---- pieces of the image */
static bool piece(void *context, const struct topic_parts *parts, struct span *out)
{
        const struct stick *stick = context;
        uint32_t size = (uint32_t)stick->image.size;

        if (size == 0 || memcmp(parts->digest, stick->digest, SHA256_SIZE) != 0)
                return false;
        if (parts->kind == TOPIC_IMAGE_LIST)
                *out = parts->index == 0 ? span_of(stick->list, image_list_size(size, 0)) : SPAN_EMPTY;
        else
                *out = parts->index < image_block_count(size)
                               ? span_slice(stick->image, (size_t)parts->index * IMAGE_BLOCK_SIZE,
                                            image_block_size(size, parts->index))
                               : SPAN_EMPTY;
        return out->size > 0;
}

static bool make_list(struct stick *stick)
{
        uint32_t size = (uint32_t)stick->image.size, count = image_block_count(size);

        if (count > UPDATE_BLOCKS_MAX)
                return false;
        for (uint32_t i = 0; i < count; i++)
                if (crypto_sha256(span_slice(stick->image, (size_t)i * IMAGE_BLOCK_SIZE, image_block_size(size, i)),
                                  stick->list + (size_t)i * SHA256_SIZE) != RELAY_OK)
                        return false;
        return true;
}

/* ---- what is in the folder */
static void forget(struct stick *stick)
{
        free(stick->file);
        stick->file = NULL;
        stick->size = 0;
        stick->image = SPAN_EMPTY;
}

static bool load_update(struct stick *stick, const char *path, struct span *envelope)
{
        struct manifest_unverified manifest;
        struct update_file file;

        forget(stick);
        if (posix_read_file(path, FILE_MAX, &stick->file, &stick->size) != 0 ||
            update_file_decode(span_slice(span_of(stick->file, stick->size), 0, UPDATE_FILE_HEAD_MAX), stick->size,
                               &file) != RELAY_OK ||
            manifest_decode(file.envelope, &manifest) != REASON_NONE) {
                forget(stick);
                return false;
        }
        *envelope = file.envelope;
        memcpy(stick->digest, manifest.fields.image_digest, SHA256_SIZE);
        stick->image = span_of(stick->file + file.image_offset, file.image_size);
        if (!make_list(stick))
                stick->image = SPAN_EMPTY; /* the manifest alone is refused by the agent */
        return true;
}

static void load(struct stick *stick, struct dirent **entries, int count, struct device *device)
{
        struct span envelope = SPAN_EMPTY, approvals[SITE_APPROVERS_MAX] = { 0 };
        uint8_t *bytes[SITE_APPROVERS_MAX];
        size_t taken = 0, size;
        char path[4096];

        for (int i = 0; i < count; i++) {
                snprintf(path, sizeof(path), "%s/%s", stick->folder, entries[i]->d_name);
                if (!ends_with(path, ".approval"))
                        (void)load_update(stick, path, &envelope);
                else if (taken < SITE_APPROVERS_MAX && posix_read_file(path, APPROVAL_MAX, &bytes[taken], &size) == 0) {
                        approvals[taken] = span_of(bytes[taken], size);
                        taken++;
                }
        }
        if (envelope.size > 0)
                device_carry(device, envelope, approvals, taken);
        for (size_t i = 0; i < taken; i++)
                free(bytes[i]);
}

/* names, sizes and times */
static bool is_new(struct stick *stick, struct dirent **entries, int count)
{
        uint8_t digest[SHA256_SIZE];
        struct sha256 hash;
        char path[4096];

        if (crypto_sha256_init(&hash) != RELAY_OK)
                return false;
        for (int i = 0; i < count; i++) {
                struct stat status = { 0 };
                uint8_t line[NAME_MAX + 64];

                snprintf(path, sizeof(path), "%s/%s", stick->folder, entries[i]->d_name);
                (void)stat(path, &status);
                int size = snprintf((char *)line, sizeof(line), "%s %lld %lld.%09ld\n", entries[i]->d_name,
                                    (long long)status.st_size, (long long)status.st_mtim.tv_sec,
                                    status.st_mtim.tv_nsec);
                if (crypto_sha256_update(&hash, span_of(line, (size_t)size)) != RELAY_OK)
                        return false;
        }
        if (crypto_sha256_final(&hash, digest) != RELAY_OK || memcmp(digest, stick->seen, SHA256_SIZE) == 0)
                return false;
        memcpy(stick->seen, digest, SHA256_SIZE);
        return true;
}

void stick_init(struct stick *stick, const char *folder)
{
        *stick = (struct stick){ .folder = folder, .carrier = { piece, stick } };
}

void stick_look(struct stick *stick, struct device *device, uint64_t now_ms)
{
        struct dirent **entries = NULL;
        int count;

        if (!stick->folder || now_ms < stick->next_ms)
                return;
        stick->next_ms = now_ms + LOOK_MS;
        count = scandir(stick->folder, &entries, is_of_interest, alphasort);
        if (count > 0 && is_new(stick, entries, count))
                load(stick, entries, count, device);
        for (int i = 0; i < count; i++)
                free(entries[i]);
        free(entries);
}
