/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "updater_host.h"

#include <errno.h>
#include <stdlib.h>

/* An approved update whose image the relay wants; the gate is closed. */
static int setup(void **state)
{
        struct host *h = host_new();
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);

        host_import(h);
        updater_uplink(h->updater, true);
        host_offer(h, "device-1", offer);
        host_approve(h, offer, APPROVER_1);
        host_approve(h, offer, APPROVER_2);
        *state = h;
        return 0;
}

static int teardown(void **state)
{
        host_free(*state);
        return 0;
}

static size_t watched(const struct host *h)
{
        size_t count = 0;

        for (size_t i = 0; i < ROWS(h->watched); i++)
                count += h->watched[i][0] != '\0';
        return count;
}

static const char *image_topic(struct host *h, char topic[TOPIC_MAX], bool list, uint32_t index)
{
        struct manifest_fields fields = host_fields(h, 7);

        return list ? topic_image_list(topic, fields.image_digest, index)
                    : topic_image_block(topic, fields.image_digest, index);
}

static void serve(struct host *h, bool list, uint32_t index)
{
        char topic[TOPIC_MAX];

        image_topic(h, topic, list, index);
        host_image_message(h, topic, host_image_payload(h, topic));
}

static int ask(struct host *h, bool list, uint32_t index, uint8_t **block, size_t *size)
{
        char topic[TOPIC_MAX];
        struct topic_parts parts;

        topic_parse(span_of_string(image_topic(h, topic, list, index)), &parts);
        return updater_image(h->updater, &parts, block, size);
}

static void the_list_comes_before_any_block(void **state)
{
        struct host *h = *state;
        char topic[TOPIC_MAX];

        assert_int_equal(watched(h), 1);
        assert_string_equal(h->watched[0], image_topic(h, topic, true, 0));
        serve(h, false, 0); /* nobody asked for it yet */
        assert_int_equal(watched(h), 1);
        serve(h, true, 0);
        assert_int_equal(watched(h), 6);
}

static void a_whole_image_is_served(void **state)
{
        struct host *h = *state;
        struct manager_view view = { 0 };
        uint8_t *block = NULL;
        size_t size = 0;

        assert_int_equal(ask(h, false, 0, &block, &size), -ENOENT);
        host_serve_image(h);
        for (uint32_t i = 0; i < image_block_count(IMAGE_SIZE); i++) {
                assert_int_equal(ask(h, false, i, &block, &size), 0);
                assert_span_equal(span_of(block, size),
                                  span_of(h->image + i * IMAGE_BLOCK_SIZE, image_block_size(IMAGE_SIZE, i)));
                free(block);
        }
        assert_int_equal(ask(h, true, 0, &block, &size), 0);
        assert_span_equal(span_of(block, size), SPAN_OF(h->list));
        free(block);
        assert_int_equal(ask(h, false, 6, &block, &size), -ENOENT);
        updater_view(h->updater, &view);
        assert_int_equal(view.image_bytes_fetched, IMAGE_SIZE + sizeof(h->list));
        assert_int_equal(view.image_bytes_served, IMAGE_SIZE + sizeof(h->list));
        assert_int_equal(h->alert_count, 0);
}

static void it_counts_as_complete_only_when_durable(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);

        host_open_gate(h, 0);
        serve(h, true, 0);
        for (uint32_t i = 0; i < 6; i++)
                serve(h, false, i);
        assert_int_equal(watched(h), 0);
        assert_int_equal(host_shown(h, "device-1").size, 0);
        host_commit(h);
        assert_span_equal(host_shown(h, "device-1"), offer);
}

static void a_hostile_list_is_refused_and_tried_again(void **state)
{
        struct host *h = *state;
        char topic[TOPIC_MAX];
        uint8_t bad[sizeof(h->list)];

        memcpy(bad, h->list, sizeof(bad));
        bad[100] ^= 1;
        image_topic(h, topic, true, 0);
        host_image_message(h, topic, SPAN_OF(bad));
        assert_int_equal(h->alert_count, 1);
        assert_int_equal(h->alerts[0].reason, REASON_BLOCK_LIST_DIGEST);
        assert_int_equal(watched(h), 0);
        updater_tick(h->updater);
        assert_int_equal(watched(h), 0);
        h->now_ms = updater_deadline(h->updater);
        updater_tick(h->updater);
        assert_int_equal(watched(h), 1);
        host_image_message(h, topic, SPAN_OF(bad));
        assert_int_equal(h->alert_count, 1); /* the same within the hour */
        h->now_ms = updater_deadline(h->updater);
        updater_tick(h->updater);
        host_serve_image(h);
        assert_int_equal(watched(h), 0);
}

static void a_hostile_block_is_refused_and_tried_again(void **state)
{
        struct host *h = *state;
        char topic[TOPIC_MAX];
        uint8_t bad[IMAGE_BLOCK_SIZE] = { 1, 2, 3 }, *block = NULL;
        size_t size = 0;

        serve(h, true, 0);
        image_topic(h, topic, false, 2);
        host_image_message(h, topic, SPAN_OF(bad));
        assert_int_equal(h->alert_count, 1);
        assert_int_equal(h->alerts[0].reason, REASON_BLOCK_DIGEST);
        assert_int_equal(watched(h), 0);
        uint64_t first = updater_deadline(h->updater) - h->now_ms;
        h->now_ms += first;
        updater_tick(h->updater);
        host_image_message(h, topic, span_of(bad, 7)); /* of a wrong size */
        assert_true(updater_deadline(h->updater) - h->now_ms > first);
        assert_int_equal(h->alert_count, 1);
        h->now_ms = updater_deadline(h->updater);
        updater_tick(h->updater);
        host_serve_image(h);
        assert_int_equal(ask(h, false, 2, &block, &size), 0);
        assert_memory_equal(block, h->image + 2 * IMAGE_BLOCK_SIZE, size);
        free(block);
}

static void a_block_that_does_not_come_is_asked_for_again(void **state)
{
        struct host *h = *state;

        serve(h, true, 0);
        serve(h, false, 0);
        assert_int_equal(watched(h), 5);
        h->now_ms = updater_deadline(h->updater);
        updater_tick(h->updater);
        assert_int_equal(watched(h), 0);
        h->now_ms = updater_deadline(h->updater);
        updater_tick(h->updater);
        assert_int_equal(watched(h), 5);
        host_serve_image(h);
        assert_int_equal(h->alert_count, 0);
}

static void an_empty_payload_is_waited_over(void **state)
{
        struct host *h = *state;
        char topic[TOPIC_MAX];

        host_image_message(h, image_topic(h, topic, true, 0), SPAN_EMPTY);
        assert_int_equal(watched(h), 1);
        assert_int_equal(h->alert_count, 0);
}

static void a_lost_uplink_begins_the_window_anew(void **state)
{
        struct host *h = *state;

        serve(h, true, 0);
        memset(h->watched, 0, sizeof(h->watched)); /* they end with the connection */
        updater_uplink(h->updater, false);
        assert_int_equal(watched(h), 0);
        updater_tick(h->updater);
        assert_int_equal(watched(h), 0);
        updater_uplink(h->updater, true);
        assert_int_equal(watched(h), 6);
}

static void an_uplink_that_is_busy_is_asked_later(void **state)
{
        struct host *h = *state;

        h->refuse_watches = true;
        serve(h, true, 0);
        assert_int_equal(watched(h), 0);
        h->refuse_watches = false;
        h->now_ms = updater_deadline(h->updater);
        updater_tick(h->updater);
        assert_int_equal(watched(h), 6);
}

static void an_image_nobody_needs_leaves_the_store(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], digest[SHA256_SIZE];
        struct store_usage usage;
        struct refusal refusal;

        host_serve_image(h);
        assert_int_equal(store_usage(h->store, &usage), 0);
        assert_int_equal(usage.records[STORE_IMAGES], 7);
        host_digest(host_manifest(h, 7, out), digest);
        assert_int_equal(updater_deny(h->updater, "uid:0", digest, "", &refusal), 0);
        host_commit(h);
        assert_int_equal(store_usage(h->store, &usage), 0);
        assert_int_equal(usage.records[STORE_IMAGES], 0);
}

static void foreign_records_are_swept_at_start(void **state)
{
        struct host *h = *state;
        struct store_usage usage;
        uint8_t key[SHA256_SIZE + 5] = { 9 };

        host_serve_image(h);
        key[SHA256_SIZE] = 'b';
        for (uint8_t i = 0; i < 200; i++) {
                key[SHA256_SIZE + 4] = i;
                assert_int_equal(store_put(h->store, STORE_IMAGES, SPAN_OF(key), SPAN_LITERAL("x")), 0);
        }
        host_commit(h);
        host_restart(h);
        host_commit(h);
        assert_int_equal(store_usage(h->store, &usage), 0);
        assert_int_equal(usage.records[STORE_IMAGES], 7);
}

static void a_damaged_list_is_fetched_again(void **state)
{
        struct host *h = *state;
        uint8_t key[SHA256_SIZE + 5] = { 0 };
        struct manifest_fields fields = host_fields(h, 7);

        host_serve_image(h);
        memcpy(key, fields.image_digest, SHA256_SIZE);
        key[SHA256_SIZE] = 'l';
        assert_int_equal(store_put(h->store, STORE_IMAGES, SPAN_OF(key), SPAN_LITERAL("short")), 0);
        host_commit(h);
        host_restart(h);
        updater_uplink(h->updater, true);
        assert_int_equal(watched(h), 1);
        host_serve_image(h);
        assert_int_equal(watched(h), 0);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                ROW(the_list_comes_before_any_block),
                ROW(a_whole_image_is_served),
                ROW(it_counts_as_complete_only_when_durable),
                ROW(a_hostile_list_is_refused_and_tried_again),
                ROW(a_hostile_block_is_refused_and_tried_again),
                ROW(a_block_that_does_not_come_is_asked_for_again),
                ROW(an_empty_payload_is_waited_over),
                ROW(a_lost_uplink_begins_the_window_anew),
                ROW(an_uplink_that_is_busy_is_asked_later),
                ROW(an_image_nobody_needs_leaves_the_store),
                ROW(foreign_records_are_swept_at_start),
                ROW(a_damaged_list_is_fetched_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
