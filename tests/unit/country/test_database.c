/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The compiled file: made-up ranges against a linear search, and every kind of damage. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "country/format.h"
#include "database.h"
#include "util/crc32c.h"

#define RANGES_MAX 3000

static uint64_t random_state = 88172645463325252u;

static uint64_t random_u64(void)
{
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state;
}

/* crowded /16, ends inside one /64, and both ends of the family */
static struct address random_address(enum address_family family)
{
        uint64_t r = random_u64();

        if (family == ADDRESS_IPV4)
                return (struct address){ family, 0, r % 3 ? r & 0xffffff : r & UINT32_MAX };
        switch (r % 5) {
        case 0:
                return (struct address){ family, UINT64_C(0x2a0000000000) << 16 | (r >> 16 & 0xffffff), 0 };
        case 1:
                return (struct address){ family, UINT64_C(0x20010db8) << 32, random_u64() };
        case 2:
                return (struct address){ family, UINT64_MAX - (r >> 8) % 3, UINT64_MAX - (r >> 16) % 3 };
        case 3:
                return (struct address){ family, (r >> 8) % 3, (r >> 16) % 3 };
        default:
                return (struct address){ family, random_u64(), r >> 8 & 1 ? 0 : random_u64() };
        }
}

static int compare_addresses(const void *a, const void *b)
{
        return address_compare(a, b);
}

static size_t random_ranges(struct country_range *ranges, enum address_family family, size_t count)
{
        static struct address ends[2 * RANGES_MAX];
        size_t made = 0;

        for (size_t i = 0; i < 2 * count; i++)
                ends[i] = random_address(family);
        qsort(ends, 2 * count, sizeof ends[0], compare_addresses);
        for (size_t i = 0; i < count; i++) {
                if (made > 0 && address_compare(&ranges[made - 1].range.last, &ends[2 * i]) >= 0)
                        continue;
                ranges[made].range = (struct address_range){ ends[2 * i], ends[2 * i + 1] };
                ranges[made++].code = random_u64() % 9 == 0 ? COUNTRY_UNKNOWN : (country_code)(random_u64() % 600);
        }
        return made;
}

/* ranges are sorted; a binary search of the plainest kind */
static country_code truth(const struct country_range *ranges, size_t count, const struct address *address)
{
        size_t from = 0, to = count;

        while (from < to) {
                size_t middle = (from + to) / 2;
                if (address_compare(&ranges[middle].range.last, address) < 0)
                        from = middle + 1;
                else
                        to = middle;
        }
        bool in = from < count && address_compare(&ranges[from].range.first, address) <= 0;
        return in ? ranges[from].code : COUNTRY_UNKNOWN;
}

static void check_lookups(const struct country *country, const struct country_range *ranges, size_t count,
                          enum address_family family)
{
        for (size_t i = 0; i < count; i++) {
                struct address at[4] = { ranges[i].range.first, ranges[i].range.first, ranges[i].range.last,
                                         ranges[i].range.last };
                address_previous(&at[0]);
                address_next(&at[3]);
                for (size_t n = 0; n < 4; n++)
                        assert_int_equal(country_lookup(country, &at[n]), truth(ranges, count, &at[n]));
        }
        for (size_t i = 0; i < 2000; i++) {
                struct address address = random_address(family);
                assert_int_equal(country_lookup(country, &address), truth(ranges, count, &address));
        }
}

static void check_walk(const struct country *country, const struct country_range *ranges, size_t count,
                       enum address_family family)
{
        struct country_walk walk;
        struct country_range range;
        struct address next = address_first(family), last = address_last(family);
        bool more = true;

        country_walk_start(&walk, country, family);
        while (walk.source.next(&walk.source, &range)) {
                assert_true(more);
                assert_int_equal(address_compare(&range.range.first, &next), 0);
                assert_int_equal(range.code, truth(ranges, count, &range.range.first));
                assert_int_equal(range.code, truth(ranges, count, &range.range.last));
                next = range.range.last;
                more = address_next(&next);
        }
        assert_false(more);
        assert_int_equal(address_compare(&range.range.last, &last), 0);
}

static void test_lookups(void **state)
{
        static struct country_range v4[RANGES_MAX], v6[RANGES_MAX];
        (void)state;

        for (size_t round = 0; round < 12; round++) {
                _cleanup_(country_build_freep) struct country_build *build = NULL;
                _cleanup_(country_freep) struct country *country = NULL;
                _cleanup_free_ uint8_t *data = NULL;
                struct country_info info = { .source = "random" };
                size_t size, count = round < 4 ? 1 + round : RANGES_MAX;
                size_t count4 = random_ranges(v4, ADDRESS_IPV4, count), count6 = random_ranges(v6, ADDRESS_IPV6, count);
                v4[0].code = v6[0].code = 7;
                assert_int_equal(country_build_new(&build), 0);
                for (size_t i = 0; i < count4; i++)
                        assert_int_equal(country_build_add(build, &v4[i].range, v4[i].code, NULL), 0);
                for (size_t i = 0; i < count6; i++)
                        assert_int_equal(country_build_add(build, &v6[i].range, v6[i].code, NULL), 0);
                assert_int_equal(country_build_image(build, &info, &data, &size, NULL), 0);
                assert_int_equal(open_bytes(&country, data, size, NULL), 0);
                check_lookups(country, v4, count4, ADDRESS_IPV4);
                check_lookups(country, v6, count6, ADDRESS_IPV6);
                check_walk(country, v4, count4, ADDRESS_IPV4);
                check_walk(country, v6, count6, ADDRESS_IPV6);
        }
}

static void test_info(void **state)
{
        _cleanup_(country_freep) struct country *country = NULL;
        _cleanup_free_ uint8_t *data = NULL;
        struct country_info info;
        size_t size;
        (void)state;

        assert_int_equal(small_image(&data, &size), 0);
        assert_int_equal(open_bytes(&country, data, size, NULL), 0);
        country_info(country, &info);
        assert_string_equal(info.source, "test");
        assert_int_equal(info.date, 1782362039);
        assert_int_equal(info.countries, 2);
        assert_int_equal(info.ranges4, 3);
        assert_int_equal(info.size, size);
        assert_int_equal(country_lookup(NULL, &(struct address){ ADDRESS_IPV4, 0, 1 }), COUNTRY_NO_DATABASE);
        assert_int_equal(country_lookup(country, &(struct address){ 0 }), COUNTRY_UNKNOWN);
}

/* Any flipped bit and any cut is noticed. */
static void test_damage(void **state)
{
        _cleanup_free_ uint8_t *data = NULL;
        struct country_view view;
        char error[COUNTRY_ERROR_MAX];
        size_t size;
        (void)state;

        assert_int_equal(small_image(&data, &size), 0);
        for (size_t i = 0; i < size; i += i < 200 ? 1 : 997) {
                data[i] ^= 0x10;
                assert_true(country_view_open(&view, span_of(data, size), error) < 0);
                assert_non_null(strstr(error, "compile"));
                data[i] ^= 0x10;
        }
        for (size_t cut = 0; cut < size; cut += cut < 200 ? 1 : 4999)
                assert_true(country_view_open(&view, span_of(data, cut), error) < 0);
        assert_int_equal(country_view_open(&view, span_of(data, size), error), 0);
}

static void seal(uint8_t *data, size_t size)
{
        struct country_header *header = (void *)data;

        header->crc = crc32c(0, span_of(data + COUNTRY_CRC_FROM, size - COUNTRY_CRC_FROM));
}

/* Files that somebody made wrong on purpose, with a checksum that fits. */
static void test_lies(void **state)
{
        _cleanup_free_ uint8_t *data = NULL, *copy = NULL;
        struct country_view view, at;
        size_t size;
        (void)state;

        assert_int_equal(small_image(&data, &size), 0);
        copy = malloc(size);
        assert_non_null(copy);
        struct country_header *header = (void *)copy;
        country_view_lay_out(&at, copy, (void *)data);
#define LIE(statement)                                                                           \
        do {                                                                                     \
                memcpy(copy, data, size);                                                        \
                statement;                                                                       \
                seal(copy, size);                                                                \
                assert_int_equal(country_view_open(&view, span_of(copy, size), NULL), -EBADMSG); \
        } while (0)
        LIE(header->starts4 = 0);
        LIE(header->starts4 = UINT32_MAX);
        LIE(header->starts6 = 0);
        LIE(header->lows = UINT32_MAX);
        LIE(header->countries = 0);
        LIE(header->countries = UINT32_MAX);
        LIE(header->tables = COUNTRY_TABLES_MAX + 1);
        LIE(header->size++);
        LIE(memset(header->source, 'x', sizeof header->source));
        LIE(((uint16_t *)at.countries)[0] = 1);
        LIE(((uint16_t *)at.countries)[1] = 999);
        LIE(((uint16_t *)at.countries)[2] = at.countries[1]);
        LIE(((uint32_t *)at.index4)[0] = 1);
        LIE(((uint32_t *)at.index4)[1] = 0);
        LIE(((uint32_t *)at.index4)[9] = UINT32_MAX);
        LIE(((uint32_t *)at.index4)[COUNTRY_BUCKETS] = UINT32_MAX);
        LIE(((uint32_t *)at.starts4)[0] = 1 << 16);
        LIE(((uint32_t *)at.starts4)[1] = 0xffff);
        LIE(((uint32_t *)at.starts4)[2] = at.starts4[1]);
        LIE(((uint32_t *)at.index6)[0x2002] = UINT32_MAX);
        LIE(((uint16_t *)at.table_of)[0x2001] = 1);
        LIE(((uint64_t *)at.starts6)[1] = 0xffff);
        LIE(((uint64_t *)at.starts6)[2] = 0);
        LIE(((uint64_t *)at.starts6)[1] ^= COUNTRY_START_LOW);
        LIE(((uint64_t *)at.lows)[0] = 0);
        LIE(((uint32_t *)at.low_at)[0] = UINT32_MAX);
        LIE(((uint32_t *)at.low_at)[0] = 0);
#undef LIE
        memcpy(copy, data, size);
        header->version = 2;
        assert_int_equal(country_view_open(&view, span_of(copy, size), NULL), -ENOTSUP);
}

static void test_wrong_ranges(void **state)
{
        static const struct {
                uint32_t first, last;
        } wrong[] = { { 20, 19 }, { 15, 30 }, { 10, 10 }, { 0, 5 } };
        _cleanup_(country_build_freep) struct country_build *build = NULL;
        struct address_range good = range4(10, 19), top = range4(100, UINT32_MAX), mixed = range4(30, 40);
        struct country_info info = { 0 };
        char error[COUNTRY_ERROR_MAX];
        uint8_t *data;
        size_t size;
        (void)state;

        assert_int_equal(country_build_new(&build), 0);
        assert_int_equal(country_build_add(build, &good, 1, error), 0);
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
                struct address_range range = range4(wrong[i].first, wrong[i].last);
                assert_int_equal(country_build_add(build, &range, 1, error), -EINVAL);
        }
        mixed.last.family = ADDRESS_IPV6;
        assert_int_equal(country_build_add(build, &mixed, 1, error), -EINVAL);
        assert_int_equal(country_build_add(build, &top, 1, error), 0);
        assert_int_equal(country_build_add(build, &top, 1, error), -EINVAL);
        assert_int_equal(country_build_image(build, &info, &data, &size, error), -ENODATA);
        assert_non_null(strstr(error, "IPv6"));
}

static void test_no_file(void **state)
{
        struct country *country;
        char error[COUNTRY_ERROR_MAX];
        (void)state;

        assert_int_equal(country_open(&country, "/nonexistent", error), -ENOENT);
        assert_int_equal(country_open(&country, "/tmp", error), -EBADMSG);
        assert_int_equal(country_open(&country, "/dev/null", error), -EBADMSG);
        assert_int_equal(open_bytes(&country, "", 0, error), -EBADMSG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lookups), cmocka_unit_test(test_info),         cmocka_unit_test(test_damage),
                cmocka_unit_test(test_lies),    cmocka_unit_test(test_wrong_ranges), cmocka_unit_test(test_no_file),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
