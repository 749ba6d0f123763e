/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "country/country.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "country/build.h"
#include "country/format.h"

struct country {
        struct country_view view;
        void *data;
        size_t size;
};

static int map_file(const char *path, void **data, size_t *size, char *error)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        struct stat status;

        if (fd < 0 || fstat(fd, &status) < 0)
                return -errno;
        if (!S_ISREG(status.st_mode) || status.st_size <= 0 || status.st_size > (off_t)COUNTRY_FILE_MAX) {
                if (error)
                        snprintf(error, COUNTRY_ERROR_MAX, "this is no compiled country database (%lld bytes)",
                                 (long long)status.st_size);
                return -EBADMSG;
        }
        void *map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
                return -errno;
        *data = map;
        *size = (size_t)status.st_size;
        return 0;
}

int country_open(struct country **ret, const char *path, char *error)
{
        _cleanup_(country_freep) struct country *country = calloc(1, sizeof *country);

        if (!country)
                return -ENOMEM;
        int r = map_file(path, &country->data, &country->size, error);
        if (r < 0) {
                if (r != -EBADMSG && error)
                        snprintf(error, COUNTRY_ERROR_MAX, "cannot be read: %s", strerror(-r));
                return r;
        }
        r = country_view_open(&country->view, span_of(country->data, country->size), error);
        if (r < 0)
                return r;
        *ret = steal_pointer(country);
        return 0;
}

struct country *country_free(struct country *country)
{
        if (!country)
                return NULL;
        if (country->data)
                munmap(country->data, country->size);
        free(country);
        return NULL;
}

/* How many of the starts [from, to) are not above key: without branches that depend on the data. */
static inline uint32_t count4(const uint32_t *starts, uint32_t from, uint32_t to, uint32_t key)
{
        uint32_t base = from, left = to - from;

        while (left > 1) {
                uint32_t half = left / 2;
                base = starts[base + half - 1] <= key ? base + half : base;
                left -= half;
        }
        return base - from + (left == 1 && starts[base] <= key);
}

static inline uint32_t count6(const uint64_t *starts, uint32_t from, uint32_t to, uint64_t key)
{
        uint32_t base = from, left = to - from;

        while (left > 1) {
                uint32_t half = left / 2;
                base = starts[base + half - 1] <= key ? base + half : base;
                left -= half;
        }
        return base - from + (left == 1 && starts[base] <= key);
}

country_code country_view_lookup4(const struct country_view *view, uint32_t address)
{
        uint32_t from = view->index4[address >> 16], to = view->index4[(address >> 16) + 1];
        uint32_t at = from + count4(view->starts4, from, to, address << 16 | 0xffff) - 1;

        return view->countries[view->starts4[at] & 0xffff];
}

/*
 * at: the last of the starts that share the address's upper half, and it has a lower half; the last one whose lower
 * half is not above low. Their lower halves stand side by side in the list. first: of the starts that may share it
 */
static uint32_t find_low(const struct country_view *view, uint32_t first, uint32_t at, uint64_t low)
{
        uint64_t wanted = view->starts6[at] & ~COUNTRY_START_ID;
        uint32_t from = 0, to = view->header->lows;

        while (from < to) {
                uint32_t middle = from + (to - from) / 2;
                if (view->low_at[middle] < at)
                        from = middle + 1;
                else
                        to = middle;
        }
        const uint64_t *last = &view->lows[from];
        uint32_t back = 0, most = from < at - first ? from + 1 : at - first + 1;
        while (back < most) {
                uint32_t middle = back + (most - back) / 2;
                if ((view->starts6[at - middle] & ~COUNTRY_START_ID) == wanted && *(last - middle) > low)
                        back = middle + 1;
                else
                        most = middle;
        }
        return at - back;
}

country_code country_view_lookup6(const struct country_view *view, uint64_t high, uint64_t low)
{
        uint32_t bucket = (uint32_t)(high >> 48), from = view->index6[bucket], to = view->index6[bucket + 1];

        if (view->table_of[bucket]) {
                uint32_t slot = COUNTRY_SLOT_TABLE | (view->table_of[bucket] - 1U);
                for (int shift = COUNTRY_SHIFT_TOP; slot & COUNTRY_SLOT_TABLE; shift -= 8)
                        slot = view->tables[(size_t)(slot & ~COUNTRY_SLOT_TABLE) * COUNTRY_TABLE_SIZE +
                                            (high >> shift & (COUNTRY_TABLE_SIZE - 1))];
                if ((slot & 0xff) < COUNTRY_SLOT_MANY) {
                        from = slot >> 8;
                        to = from + (slot & 0xff);
                }
        }
        uint32_t count = count6(view->starts6, from, to, high << 16 | 0xffff), at = from + count - 1;
        if (count > 0 && view->starts6[at] & COUNTRY_START_LOW &&
            view->starts6[at] >> 16 == (high & UINT64_C(0xffffffffffff)))
                at = find_low(view, from, at, low);
        return view->countries[view->starts6[at] & COUNTRY_START_ID];
}

country_code country_lookup4(const struct country *country, uint32_t address)
{
        return country_view_lookup4(&country->view, address);
}

country_code country_lookup6(const struct country *country, uint64_t high, uint64_t low)
{
        return country_view_lookup6(&country->view, high, low);
}

country_code country_lookup(const struct country *country, const struct address *address)
{
        if (!country)
                return COUNTRY_NO_DATABASE;
        if (address->family == ADDRESS_IPV4)
                return country_lookup4(country, (uint32_t)address->low);
        return address->family == ADDRESS_IPV6 ? country_lookup6(country, address->high, address->low)
                                               : COUNTRY_UNKNOWN;
}

void country_image_info(const void *image, struct country_info *info)
{
        const struct country_header *header = image;

        *info = (struct country_info){
                .date = header->date,
                .compiled = header->compiled,
                .ranges4 = header->starts4,
                .ranges6 = header->starts6,
                .countries = header->countries - 1,
                .size = header->size,
        };
        memcpy(info->source, header->source, sizeof info->source);
}

void country_info(const struct country *country, struct country_info *info)
{
        country_image_info(country->view.header, info);
}

/* Moves to the start at walk->at. */
static void walk_to_start(struct country_walk *walk, const uint32_t *index)
{
        const struct country_view *view = &walk->country->view;

        while (index[walk->bucket + 1] <= walk->at)
                walk->bucket++;
        if (walk->family == ADDRESS_IPV4) {
                walk->start.low = (uint64_t)walk->bucket << 16 | view->starts4[walk->at] >> 16;
                return;
        }
        walk->start.high = (uint64_t)walk->bucket << 48 | view->starts6[walk->at] >> 16;
        walk->start.low = 0;
        while (walk->low < view->header->lows && view->low_at[walk->low] < walk->at)
                walk->low++;
        if (walk->low < view->header->lows && view->low_at[walk->low] == walk->at)
                walk->start.low = view->lows[walk->low++];
}

/* The start behind the one at from that begins another country, or one that is not alike. */
static uint32_t next_unlike4(const struct country_view *view, uint32_t from, const uint8_t *alike)
{
        uint8_t kind = alike ? alike[view->countries[view->starts4[from] & 0xffff]] : 0;
        uint32_t at = from + 1;

        while (alike && at < view->header->starts4 && alike[view->countries[view->starts4[at] & 0xffff]] == kind)
                at++;
        return at;
}

static uint32_t next_unlike6(const struct country_view *view, uint32_t from, const uint8_t *alike)
{
        uint8_t kind = alike ? alike[view->countries[view->starts6[from] & COUNTRY_START_ID]] : 0;
        uint32_t at = from + 1;

        while (alike && at < view->header->starts6 &&
               alike[view->countries[view->starts6[at] & COUNTRY_START_ID]] == kind)
                at++;
        return at;
}

static bool walk_next(struct country_source *source, struct country_range *range)
{
        struct country_walk *walk = (struct country_walk *)(void *)source;
        const struct country_view *view = &walk->country->view;
        bool v4 = walk->family == ADDRESS_IPV4;
        uint32_t count = v4 ? view->header->starts4 : view->header->starts6;

        if (walk->at >= count)
                return false;
        range->code =
                view->countries[v4 ? view->starts4[walk->at] & 0xffff : view->starts6[walk->at] & COUNTRY_START_ID];
        range->range.first = walk->start;
        range->range.last = address_last(walk->family);
        walk->at = v4 ? next_unlike4(view, walk->at, source->alike) : next_unlike6(view, walk->at, source->alike);
        if (walk->at < count) {
                walk_to_start(walk, v4 ? view->index4 : view->index6);
                range->range.last = walk->start;
                address_previous(&range->range.last);
        }
        return true;
}

void country_walk_start(struct country_walk *walk, const struct country *country, enum address_family family)
{
        *walk = (struct country_walk){ .source.next = walk_next, .country = country, .family = family };
        walk->start = address_first(family);
}
