/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of images that devices may run. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "hub/known_images.h"

struct bench {
        struct store *store;
        struct known_images images;
};
static struct bench bench;

static int setup(void **state)
{
        const struct store_options options = { .size_max = 16 * 1024 * 1024 };
        char detail[100];

        *state = &bench;
        return store_open(&options, &bench.store, detail, sizeof(detail)) < 0 ||
               known_images_load(&bench.images, bench.store) < 0;
}

static int teardown(void **state)
{
        (void)state;
        known_images_release(&bench.images);
        store_free(bench.store);
        return 0;
}

static int reload(void)
{
        known_images_release(&bench.images);
        store_commit(bench.store);
        assert_int_equal(store_sync(bench.store), 0);
        return known_images_load(&bench.images, bench.store);
}

static struct known_image image(uint32_t number, enum image_source source)
{
        struct known_image made = { .source = source, .time = number, .sequence = number, .version = "1.0.0" };

        memcpy(made.image, &number, sizeof(number));
        made.image[31] = 1;
        return made;
}

static void kept_and_forgotten(void **state)
{
        struct known_image one = image(7, IMAGE_ADDED);
        struct image_view view;

        (void)state;
        memset(one.manifest, 0xCD, SHA256_SIZE);
        assert_null(known_images_find(&bench.images, one.image));
        assert_int_equal(known_images_add(&bench.images, &one), 0);
        assert_int_equal(known_images_add(&bench.images, &one), KNOWN_IMAGES_THERE);
        assert_int_equal(reload(), 0);
        assert_non_null(known_images_find(&bench.images, one.image));
        known_image_view(known_images_find(&bench.images, one.image), &view);
        assert_string_equal(view.version, "1.0.0");
        assert_string_equal(image_source_name(view.source), "added");
        assert_int_equal(view.sequence, 7);
        assert_int_equal(view.time, 7);
        assert_int_equal(strncmp(view.manifest, "cdcdcd", 6), 0);
        assert_int_equal(known_images_remove(&bench.images, one.image), KNOWN_IMAGES_THERE);
        assert_int_equal(known_images_remove(&bench.images, one.image), 0);
        assert_int_equal(reload(), 0);
        assert_int_equal(bench.images.count, 0);
}

/* A full table keeps what people and factories said. */
static void many_images(void **state)
{
        struct known_image shipped = image(0, IMAGE_FACTORY), first = image(1, IMAGE_APPROVED), last = { 0 };

        (void)state;
        assert_int_equal(known_images_add(&bench.images, &shipped), 0);
        for (uint32_t i = 1; i <= KNOWN_IMAGES_MAX; i++) {
                last = image(i, IMAGE_APPROVED);
                assert_int_equal(known_images_add(&bench.images, &last), 0);
        }
        assert_int_equal(bench.images.count, KNOWN_IMAGES_MAX);
        assert_non_null(known_images_find(&bench.images, shipped.image));
        assert_null(known_images_find(&bench.images, first.image));
        assert_int_equal(reload(), 0);
        assert_int_equal(bench.images.count, KNOWN_IMAGES_MAX);
        assert_non_null(known_images_find(&bench.images, last.image));
        for (size_t i = 0; i < bench.images.count; i++)
                bench.images.sorted[i]->source = IMAGE_ADDED;
        last = image(KNOWN_IMAGES_MAX + 1, IMAGE_APPROVED);
        assert_int_equal(known_images_add(&bench.images, &last), -EDQUOT);
}

static void damaged_records(void **state)
{
        struct known_image one = image(7, IMAGE_ADDED);
        const struct {
                struct span key, value;
        } rows[] = {
                { SPAN_OF(one.image), SPAN_EMPTY },
                { SPAN_OF(one.image), SPAN_LITERAL("\2") },
                { SPAN_LITERAL("short"), SPAN_LITERAL("\1") },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                assert_int_equal(store_put(bench.store, STORE_KNOWN, rows[i].key, rows[i].value), 0);
                assert_int_equal(reload(), -EBADMSG);
                assert_int_equal(store_delete(bench.store, STORE_KNOWN, rows[i].key), 0);
                assert_int_equal(reload(), 0);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = { TEST(kept_and_forgotten), TEST(many_images), TEST(damaged_records) };

        return cmocka_run_group_tests_name("known_images", tests, NULL, NULL);
}
