/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Updates from files: nothing unverified is kept, what is kept waits for its approvals, a cut import goes on. */
#include "updater_host.h"

#include <stdlib.h>

#include "hub/update_import.h"
#include "relay/bundle.h"

#define BLOCKS 6

static const char *const both[] = { "device-1", "device-2" };

static enum reason import(struct host *h, const struct update_import *in)
{
        struct refusal refusal = { 0 };
        uint8_t digest[SHA256_SIZE];
        int r = updates_import(updater_updates(h->updater), "uid:7", in, digest, &refusal);

        assert_in_range(r, 0, 1);
        assert_int_equal(r == 0, refusal.reason == REASON_NONE);
        assert_int_equal(r == 0, refusal.text[0] == '\0');
        host_commit(h);
        return refusal.reason;
}

static struct update_import good(struct host *h, struct span envelope)
{
        return (struct update_import){
                .envelope = envelope, .list = SPAN_OF(h->list), .devices = both, .device_count = 2
        };
}

static enum reason blocks(struct host *h, struct span envelope, uint32_t first, struct span bytes)
{
        struct refusal refusal = { 0 };
        uint8_t digest[SHA256_SIZE];
        int r;

        host_digest(envelope, digest);
        r = updates_import_image(updater_updates(h->updater), digest, first, bytes, &refusal);
        assert_in_range(r, 0, 1);
        host_commit(h);
        return refusal.reason;
}

static uint32_t next(struct host *h, struct span envelope)
{
        uint8_t digest[SHA256_SIZE];
        uint32_t next, of;

        host_digest(envelope, digest);
        assert_true(updates_import_progress(updater_updates(h->updater), digest, &next, &of));
        assert_int_equal(of, BLOCKS);
        return next;
}

static uint64_t image_records(struct host *h)
{
        struct store_usage usage;

        assert_int_equal(store_usage(h->store, &usage), 0);
        return usage.records[STORE_IMAGES];
}

static void from_file_to_device(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);
        struct update_import in = good(h, offer);

        in.notes = SPAN_LITERAL("- closes a hole\n");
        assert_int_equal(import(h, &in), REASON_NONE);
        assert_int_equal(h->audits[AUDIT_UPDATE_IMPORTED], 1);
        assert_int_equal(h->audits[AUDIT_UPDATE_OFFERED], 0);
        assert_string_equal(host_state(h, offer), "pending");
        assert_int_equal(blocks(h, offer, 0, SPAN_OF(h->image)), REASON_NONE);
        assert_int_equal(next(h, offer), BLOCKS);
        host_open_gate(h, 0);
        assert_int_equal(host_shown(h, "device-1").size, 0); /* nobody approved it */
        host_approve(h, offer, APPROVER_1);
        host_approve(h, offer, APPROVER_2);
        host_commit(h);
        assert_span_equal(host_shown(h, "device-1"), offer);
        assert_span_equal(host_shown(h, "device-2"), offer);
        assert_int_equal(host_shown(h, "device-3").size, 0);
        assert_string_equal(h->watched[0], ""); /* the cloud was asked for nothing */
}

static void it_waits_over_a_restart(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], digest[SHA256_SIZE];
        struct span offer = host_manifest(h, 7, out);
        struct update_import in = good(h, offer);
        struct manager_update view;

        in.notes = SPAN_LITERAL("what changed");
        import(h, &in);
        blocks(h, offer, 0, span_of(h->image, 3 * IMAGE_BLOCK_SIZE));
        host_restart(h);
        host_commit(h);
        assert_int_equal(next(h, offer), 3);
        host_digest(offer, digest);
        assert_true(updater_find(h->updater, digest, &view));
        assert_span_equal(view.notes, SPAN_LITERAL("what changed"));
        assert_int_equal(view.blocks_cached, 3);
        assert_int_equal(blocks(h, offer, 3, span_slice(SPAN_OF(h->image), 3 * IMAGE_BLOCK_SIZE, IMAGE_SIZE)),
                         REASON_NONE);
        host_restart(h);
        assert_int_equal(next(h, offer), BLOCKS);
}

static void nothing_unverified_is_kept(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], copy[MANIFEST_MAX], list[sizeof(h->list)];
        struct span offer = host_manifest(h, 7, out);
        static char long_notes[UPDATE_FILE_NOTES_MAX + 2];
        static const char *const strange[] = { "device-1", "device-9" };
        struct update_import in;
        struct store_usage usage;

        memset(long_notes, 'x', sizeof(long_notes) - 1);
        memcpy(copy, offer.data, offer.size);
        memcpy(list, h->list, sizeof(list));
        copy[offer.size - 3] ^= 1;
        list[40] ^= 1;
        in = good(h, span_of(copy, offer.size));
        assert_int_not_equal(import(h, &in), REASON_NONE);
        in = good(h, span_slice(offer, 0, offer.size - 1));
        assert_int_equal(import(h, &in), REASON_MALFORMED);
        in = good(h, offer);
        in.list = SPAN_OF(list);
        assert_int_equal(import(h, &in), REASON_BLOCK_LIST_DIGEST);
        in.list = span_slice(SPAN_OF(h->list), 0, sizeof(list) - SHA256_SIZE);
        assert_int_equal(import(h, &in), REASON_BLOCK_LIST_DIGEST);
        in = good(h, offer);
        in.notes = span_of_string(long_notes);
        assert_int_equal(import(h, &in), REASON_TOO_LARGE);
        in.notes = SPAN_LITERAL("\033[2Jnothing");
        assert_int_equal(import(h, &in), REASON_MALFORMED);
        in.notes = SPAN_LITERAL("\xff");
        assert_int_equal(import(h, &in), REASON_MALFORMED);
        in = good(h, offer);
        in.devices = strange;
        assert_int_equal(import(h, &in), REASON_UNKNOWN_DEVICE);
        in.device_count = 0;
        assert_int_equal(import(h, &in), REASON_WRONG_CLASS);
        assert_int_equal(store_usage(h->store, &usage), 0);
        assert_int_equal(usage.records[STORE_UPDATES] + usage.records[STORE_IMAGES], 0);
        assert_int_equal(h->audits[AUDIT_UPDATE_IMPORTED], 0);
}

static void blocks_are_checked_one_by_one(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], other[MANIFEST_MAX], bad[IMAGE_SIZE];
        struct span offer = host_manifest(h, 7, out), unknown = host_manifest(h, 8, other);
        struct update_import in = good(h, offer);

        assert_int_equal(blocks(h, offer, 0, SPAN_OF(h->image)), REASON_UNKNOWN_UPDATE);
        import(h, &in);
        memcpy(bad, h->image, sizeof(bad));
        bad[2 * IMAGE_BLOCK_SIZE + 5] ^= 1;
        assert_int_equal(blocks(h, offer, 0, SPAN_OF(bad)), REASON_BLOCK_DIGEST);
        assert_int_equal(next(h, offer), 2); /* what stood before it was right */
        assert_int_equal(image_records(h), 1 + 2);
        assert_int_equal(blocks(h, offer, 1, SPAN_OF(h->image)), REASON_BLOCK_DIGEST); /* in the wrong place */
        assert_int_equal(blocks(h, offer, 5, span_slice(SPAN_OF(h->image), 5 * IMAGE_BLOCK_SIZE, 99)),
                         REASON_BLOCK_DIGEST);                                         /* too short */
        assert_int_equal(blocks(h, offer, 6, SPAN_OF(h->image)), REASON_BLOCK_DIGEST); /* behind the end */
        assert_int_equal(blocks(h, offer, UINT32_MAX, SPAN_OF(h->image)), REASON_BLOCK_DIGEST);
        assert_int_equal(blocks(h, offer, 0, SPAN_EMPTY), REASON_NONE);
        assert_int_equal(image_records(h), 1 + 2);
        assert_int_equal(blocks(h, unknown, 0, SPAN_OF(h->image)), REASON_UNKNOWN_UPDATE);
        assert_int_equal(blocks(h, offer, 0, SPAN_OF(h->image)), REASON_NONE); /* those that are there are fine */
        assert_int_equal(next(h, offer), BLOCKS);
}

static void denied_and_superseded_ones_keep_no_image(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], newer[MANIFEST_MAX], digest[SHA256_SIZE];
        struct span offer = host_manifest(h, 7, out), later = host_manifest(h, 8, newer);
        struct update_import in = good(h, offer);
        struct refusal refusal;

        import(h, &in);
        blocks(h, offer, 0, SPAN_OF(h->image));
        host_digest(offer, digest);
        assert_int_equal(updater_deny(h->updater, "uid:7", digest, "not now", &refusal), 0);
        host_commit(h);
        assert_int_equal(image_records(h), 0);
        assert_int_equal(import(h, &in), REASON_DENIED);
        assert_int_equal(blocks(h, offer, 0, SPAN_OF(h->image)), REASON_DENIED);
        in = good(h, later);
        assert_int_equal(import(h, &in), REASON_NONE);
        offer = host_manifest(h, 6, out);
        in = good(h, offer);
        assert_int_equal(import(h, &in), REASON_NONE); /* known, and superseded */
        assert_string_equal(host_state(h, offer), "superseded");
        assert_int_equal(blocks(h, offer, 0, SPAN_OF(h->image)), REASON_OLD_SEQUENCE);
}

static void cloud_and_file_fill_one_cache(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);
        struct update_import in = good(h, offer);
        struct manager_view view = { 0 };

        updater_uplink(h->updater, true);
        host_offer(h, "device-1", offer);
        host_approve(h, offer, APPROVER_1);
        host_approve(h, offer, APPROVER_2);
        assert_string_not_equal(h->watched[0], ""); /* the list is asked for */
        import(h, &in);
        blocks(h, offer, 0, span_of(h->image, 2 * IMAGE_BLOCK_SIZE));
        host_serve_image(h); /* what is left comes from the cloud */
        host_commit(h);
        assert_int_equal(next(h, offer), BLOCKS);
        updater_view(h->updater, &view);
        assert_int_equal(view.image_bytes_fetched, IMAGE_SIZE - 2 * IMAGE_BLOCK_SIZE);
        host_open_gate(h, 0);
        assert_span_equal(host_shown(h, "device-1"), offer);
        assert_span_equal(host_shown(h, "device-2"), offer); /* named by the import only */
}

static int air_gapped(void **state)
{
        struct host *h = host_new();

        host_import(h);
        *state = h;
        return 0;
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, air_gapped, host_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                ROW(from_file_to_device),
                ROW(it_waits_over_a_restart),
                ROW(nothing_unverified_is_kept),
                ROW(blocks_are_checked_one_by_one),
                ROW(denied_and_superseded_ones_keep_no_image),
                ROW(cloud_and_file_fill_one_cache),
        };
        return cmocka_run_group_tests_name("update_import", tests, NULL, NULL);
}
