/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The update agent against a broker that may be hostile, with the real boot stage behind it. */
#include "made.h"

#include "app/update.h"

static struct made_device device;
static struct made_image first, second, third;
static struct site_policy policy;
static struct vendor_keys vendor;
static struct update update;
static bool busy;

static uint64_t now;
static struct update_status told[64];
static size_t told_count;
static bool reset;
static unsigned asked_blocks, asked_lists, watched, most_watched;

/* what the broker does instead of answering properly */
enum trick {
        HONEST,
        WRONG_BLOCK,
        SHORT_BLOCK,
        SWAPPED_BLOCKS,
        WRONG_LIST,
        SHORT_LIST,
        SILENT,
        UNASKED_BLOCKS,
};

static int port_status(void *context, struct port_boot_status *out)
{
        (void)context;
        boot_status(&device.boot, out);
        return 0;
}

static int port_stage(void *context, enum reason *refusal)
{
        (void)context;
        return boot_stage(&device.boot, refusal);
}

static int port_confirm(void *context)
{
        (void)context;
        return boot_confirm(&device.boot);
}

static void port_reset(void *context)
{
        (void)context;
}

static const struct port_boot boot_port = { port_status, port_stage, port_confirm, port_reset, NULL };

static bool consent(void *context, const char *version)
{
        (void)context;
        assert_non_null(version);
        return !busy;
}

static int start_agent(void)
{
        struct update_config config = {
                .device = "device-1",
                .version = "1.0.0",
                .vendor = &vendor,
                .policy = &policy,
                .boot = &boot_port,
                .manifests = { layout_manifest(&device.flash, 0), layout_manifest(&device.flash, 1) },
                .images = { layout_image(&device.flash, 0), layout_image(&device.flash, 1) },
                .list = layout_area(&device.flash, LAYOUT_LIST),
                .fetch = layout_area(&device.flash, LAYOUT_FETCH),
                .timing = update_timing_default,
                .consent = consent,
        };

        memset(config.class_id, 0xc1, CLASS_ID_SIZE);
        told_count = 0;
        reset = false;
        return update_init(&update, &config, now);
}

static void start(void)
{
        struct boot_outcome outcome;
        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
        assert_int_equal(start_agent(), 0);
        update_session(&update, now);
}

static int setup(void **state)
{
        (void)state;
        busy = false;
        asked_blocks = asked_lists = watched = most_watched = 0;
        now = 5000;
        policy = made_policy();
        vendor = sample_vendor();
        made_image(&first, 1, 10);
        made_image(&second, 2, 11);
        made_image(&third, 3, 12);
        made_device(&device, &first);
        start();
        return 0;
}

/* ---- the broker */

static int send_piece(const struct made_image *image, const struct topic_parts *parts, enum trick trick)
{
        uint8_t bytes[IMAGE_BLOCK_SIZE];
        bool list = parts->kind == TOPIC_IMAGE_LIST;
        uint32_t index = parts->index;

        if (trick == SWAPPED_BLOCKS && !list)
                index = index == 0 ? 1 : 0;
        struct span piece = list ? SPAN_OF(image->list)
                                 : span_slice(SPAN_OF(image->bytes), index * IMAGE_BLOCK_SIZE, IMAGE_BLOCK_SIZE);
        memcpy(bytes, piece.data, piece.size);
        if ((trick == WRONG_BLOCK && !list) || (trick == WRONG_LIST && list))
                bytes[piece.size / 2] ^= 1;
        if ((trick == SHORT_BLOCK && !list) || (trick == SHORT_LIST && list))
                piece.size--;
        if (trick == SILENT)
                return 0;
        if (trick == UNASKED_BLOCKS) {
                struct topic_parts other = *parts;
                for (other.index = 0; other.index < 200; other.index += 7) {
                        int r = other.index == parts->index
                                        ? 0
                                        : update_image(&update, &other, span_of(bytes, piece.size), now);
                        if (r < 0)
                                return r;
                }
        }
        return update_image(&update, parts, span_of(bytes, piece.size), now);
}

static int answer_subscription(const struct made_image *image, size_t approvals, const char *topic, enum trick trick)
{
        struct topic_parts parts;

        switch (topic_parse(span_of_string(topic), &parts)) {
        case TOPIC_IMAGE_BLOCK:
                asked_blocks++;
                break;
        case TOPIC_IMAGE_LIST:
                asked_lists++;
                break;
        case TOPIC_FOREIGN:
        case TOPIC_DEVICE:
        case TOPIC_SITE:
                for (size_t i = 0; i < approvals; i++)
                        update_approval(&update, image->approvals[i]);
                return 0;
        }
        if (++watched > most_watched)
                most_watched = watched;
        if (memcmp(parts.digest, image->digest, SHA256_SIZE) != 0)
                return 0;
        return send_piece(image, &parts, trick);
}

/* everything the agent wants, until it wants nothing more for this moment */
static int serve(const struct made_image *image, size_t approvals, enum trick trick)
{
        struct update_action action;
        unsigned guard = 0;
        int r = update_tick(&update, now);

        while (r == 0 && update_next(&update, &action)) {
                assert_true(++guard < 10000);
                update_done(&update, &action, now);
                if (action.type == UPDATE_TELL)
                        told[told_count++ % 64] = action.status;
                if (action.type == UPDATE_RESET) {
                        reset = true;
                        return 0;
                }
                if (action.type == UPDATE_UNSUBSCRIBE)
                        watched--;
                if (action.type == UPDATE_SUBSCRIBE)
                        r = answer_subscription(image, approvals, action.topic, trick);
                if (r == 0)
                        r = update_tick(&update, now);
        }
        return r;
}

static void serve_for(const struct made_image *image, size_t approvals, enum trick trick, uint64_t ms)
{
        for (uint64_t end = now + ms; now < end && !reset; now += 500)
                assert_int_equal(serve(image, approvals, trick), 0);
}

static unsigned count_told(enum update_state state, enum reason reason)
{
        unsigned n = 0;
        for (size_t i = 0; i < told_count && i < 64; i++)
                n += told[i].state == state && told[i].reason == reason;
        return n;
}

static void assert_untouched_spare(void)
{
        const uint8_t *spare = device.memory + 150 * LAYOUT_SECTOR_SIZE;
        for (size_t i = 0; i < MADE_IMAGE_SIZE; i++)
                assert_int_equal(spare[i], 0xff);
}

/* ---- tests */

static void test_whole_update(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        assert_true(reset);
        assert_int_equal(count_told(UPDATE_TRYING, REASON_NONE), 1);
        assert_int_equal(asked_blocks, 3);
        start();
        assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
        assert_int_equal(serve(&second, 2, HONEST), 0);
        assert_int_equal(count_told(UPDATE_TRYING, REASON_NONE), 1);
        assert_int_equal(port_confirm(NULL), 0);
        update_confirmed(&update);
        update_offer(&update, second.envelope, now); /* still retained at the broker */
        assert_int_equal(serve(&second, 2, HONEST), 0);
        assert_int_equal(count_told(UPDATE_CONFIRMED, REASON_NONE), 1);
        assert_string_equal(told[told_count - 1].version, "1.0.0");
        assert_int_equal(asked_blocks, 3);
}

static void test_offer_taken_back(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 0, HONEST, 5000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED), 1);
        update_offer(&update, SPAN_EMPTY, now);
        update_approval(&update, second.approvals[0]);
        update_approval(&update, second.approvals[1]);
        serve_for(&second, 2, HONEST, 5000);
        assert_int_equal(count_told(UPDATE_IDLE, REASON_NONE), 1);
        assert_int_equal(asked_blocks, 0);
        /* what was confirmed stays told as confirmed */
        update_offer(&update, first.envelope, now);
        update_offer(&update, SPAN_EMPTY, now);
        assert_int_equal(update.status.state, UPDATE_CONFIRMED);
}

/* the fetch rests; what was fetched stays, and the same offer goes on with it */
static void test_offer_taken_back_in_mid_fetch(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, SILENT, 3000);
        assert_int_equal(update.status.state, UPDATE_FETCHING);
        update_offer(&update, SPAN_EMPTY, now);
        assert_int_equal(update.status.state, UPDATE_IDLE);
        serve_for(&second, 2, HONEST, 30000);
        assert_false(reset);
        assert_int_equal(watched, 0);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        assert_true(reset);
        assert_int_equal(update.erasures, 1);
}

struct offer_row {
        const char *name;
        enum who signers[2];
        size_t signer_count, approvals;
        uint64_t sequence;
        uint8_t class_id, vendor_id;
        uint32_t image_size;
        bool ticket;
        enum reason expected;
};

static void test_offers_refused_before_anything_is_fetched(void **state)
{
        static const struct offer_row rows[] = {
                { "unapproved", { ORGANISATION, DEVELOPER }, 2, 0, 11, 0xc1, 0xac, 9000, false, REASON_NOT_APPROVED },
                { "one approval", { ORGANISATION, DEVELOPER }, 2, 1, 11, 0xc1, 0xac, 9000, false, REASON_NOT_APPROVED },
                { "organisation only",
                  { ORGANISATION },
                  1,
                  2,
                  11,
                  0xc1,
                  0xac,
                  9000,
                  false,
                  REASON_DEVELOPER_SIGNATURE },
                { "developer only", { DEVELOPER }, 1, 2, 11, 0xc1, 0xac, 9000, false, REASON_ORGANISATION_SIGNATURE },
                { "running sequence",
                  { ORGANISATION, DEVELOPER },
                  2,
                  2,
                  10,
                  0xc1,
                  0xac,
                  9000,
                  false,
                  REASON_OLD_SEQUENCE },
                { "old sequence", { ORGANISATION, DEVELOPER }, 2, 2, 3, 0xc1, 0xac, 9000, false, REASON_OLD_SEQUENCE },
                { "other class", { ORGANISATION, DEVELOPER }, 2, 2, 11, 0xc2, 0xac, 9000, false, REASON_WRONG_CLASS },
                { "other vendor", { ORGANISATION, DEVELOPER }, 2, 2, 11, 0xc1, 0xad, 9000, false, REASON_WRONG_VENDOR },
                { "too large", { ORGANISATION, DEVELOPER }, 2, 2, 11, 0xc1, 0xac, 600000, false, REASON_TOO_LARGE },
                { "ticket", { ORGANISATION, DEVELOPER }, 2, 2, 11, 0xc1, 0xac, 9000, true, REASON_TICKET_REQUIRED },
        };

        for (size_t i = 0; i < ROWS(rows); i++) {
                const struct offer_row *row = &rows[i];
                setup(state);
                policy.ticket_needed = row->ticket;
                second.fields.sequence = row->sequence;
                second.fields.image_size = row->image_size;
                memset(second.fields.class_id, row->class_id, CLASS_ID_SIZE);
                memset(second.fields.vendor_id, row->vendor_id, VENDOR_ID_SIZE);
                made_sign(&second, row->signers, row->signer_count);
                update_offer(&update, second.envelope, now);
                serve_for(&second, row->approvals, HONEST, 60000);
                if (count_told(UPDATE_REFUSED, row->expected) != 1)
                        fail_msg("%s: told %zu times, last %s", row->name, told_count,
                                 told_count ? reason_name(told[told_count - 1].reason) : "nothing");
                assert_int_equal(told_count, 1);
                assert_int_equal(asked_blocks + asked_lists, 0);
                assert_untouched_spare();
                /* the same offer again says nothing new; a new session does */
                update_offer(&update, second.envelope, now);
                serve_for(&second, row->approvals, HONEST, 10000);
                assert_int_equal(told_count, 1);
                update_session(&update, now);
                serve_for(&second, row->approvals, HONEST, 10000);
                assert_int_equal(told_count, 2);
        }
}

static void test_truncated_and_garbage_offers(void **state)
{
        static const enum who both[] = { ORGANISATION, DEVELOPER };
        uint8_t bytes[MANIFEST_MAX + 100];

        (void)state;
        for (size_t size = 1; size < second.envelope.size; size++) {
                update_offer(&update, span_slice(second.envelope, 0, size), now);
                serve_for(&second, 2, HONEST, 500);
                assert_false(update.has_candidate);
        }
        memset(bytes, 0, sizeof(bytes));
        update_offer(&update, SPAN_OF(bytes), now);
        serve_for(&second, 2, HONEST, 5000);
        assert_false(update.has_candidate);
        assert_int_equal(asked_blocks, 0);
        made_sign(&second, both, 2);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        assert_true(reset);
}

static void test_approvals_of_another_digest(void **state)
{
        (void)state;
        memcpy(second.approvals, third.approvals, sizeof(second.approvals));
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 10000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED), 1);
        assert_int_equal(asked_blocks, 0);
}

static void test_one_approver_twice_is_one(void **state)
{
        (void)state;
        second.approvals[1] = second.approvals[0];
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 10000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED), 1);
        assert_int_equal(update.approval_count, 1);
}

static void test_late_approval_starts_it(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 1, HONEST, 10000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED), 1);
        update_approval(&update, second.approvals[1]);
        serve_for(&second, 2, HONEST, 10000);
        assert_true(reset);
}

struct trick_row {
        const char *name;
        enum trick trick;
        enum reason expected;
};

static void test_hostile_pieces_never_reach_flash(void **state)
{
        static const struct trick_row rows[] = {
                { "wrong block", WRONG_BLOCK, REASON_BLOCK_DIGEST },
                { "short block", SHORT_BLOCK, REASON_BLOCK_DIGEST },
                { "swapped blocks", SWAPPED_BLOCKS, REASON_BLOCK_DIGEST },
                { "wrong list", WRONG_LIST, REASON_BLOCK_LIST_DIGEST },
                { "short list", SHORT_LIST, REASON_BLOCK_LIST_DIGEST },
                { "silence", SILENT, REASON_NONE },
        };

        for (size_t i = 0; i < ROWS(rows); i++) {
                setup(state);
                update_offer(&update, second.envelope, now);
                serve_for(&second, 2, rows[i].trick, 60000);
                if (rows[i].expected != REASON_NONE && count_told(UPDATE_REFUSED, rows[i].expected) == 0)
                        fail_msg("%s: not told", rows[i].name);
                assert_false(reset);
                assert_untouched_spare();
                assert_true(asked_blocks + asked_lists < 30); /* asked again, but not in a tight loop */
                /* the attacker tires: the same fetch goes on to its end */
                serve_for(&second, 2, HONEST, 30000);
                assert_true(reset);
                start();
                assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
        }
}

static void test_unasked_blocks_are_ignored(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, UNASKED_BLOCKS, 10000);
        assert_true(reset);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_BLOCK_DIGEST), 0);
}

static void test_window_is_bounded(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 10000);
        assert_true(most_watched <= UPDATE_WINDOW);
}

static void test_manifest_replaced_in_mid_fetch(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, SILENT, 3000); /* fetching, no block yet */
        assert_int_equal(update.phase, UPDATE_PHASE_LIST);

        /* another signed manifest, not approved, does not stop what is approved */
        update_offer(&update, third.envelope, now);
        serve_for(&third, 0, HONEST, 5000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED), 1);
        assert_memory_equal(update.target.digest, second.manifest, SHA256_SIZE);

        /* once approved, the newer one is fetched instead */
        update_approval(&update, third.approvals[0]);
        update_approval(&update, third.approvals[1]);
        serve_for(&third, 2, HONEST, 10000);
        assert_true(reset);
        start();
        assert_memory_equal(device.executed, third.digest, SHA256_SIZE);
}

static void test_older_approved_manifest_does_not_displace(void **state)
{
        (void)state;
        update_offer(&update, third.envelope, now);
        serve_for(&third, 2, SILENT, 3000);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, SILENT, 3000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_OLD_SEQUENCE), 1);
        assert_memory_equal(update.target.digest, third.manifest, SHA256_SIZE);
}

static void test_bad_offer_in_mid_fetch(void **state)
{
        static const enum who organisation[] = { ORGANISATION };

        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, SILENT, 3000);
        made_sign(&third, organisation, 1);
        update_offer(&update, third.envelope, now);
        serve_for(&second, 2, HONEST, 30000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_DEVELOPER_SIGNATURE), 1);
        assert_true(reset);
}

/* the slot that is not running holds what the boot stage goes back to: it is not touched before the running image is
 * confirmed */
static void test_offer_while_trying(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        start(); /* on trial */
        assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
        asked_blocks = 0;
        update_offer(&update, third.envelope, now);
        serve_for(&third, 2, HONEST, 20000);
        assert_int_equal(asked_blocks, 0);
        start(); /* it never confirmed */
        assert_memory_equal(device.executed, first.digest, SHA256_SIZE);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 60000);
        start(); /* on trial again; this time it confirms, and the newer one is fetched */
        assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
        update_offer(&update, third.envelope, now);
        serve_for(&third, 2, HONEST, 5000);
        assert_int_equal(port_confirm(NULL), 0);
        update_confirmed(&update);
        serve_for(&third, 2, HONEST, 5000);
        assert_true(reset);
        start();
        assert_memory_equal(device.executed, third.digest, SHA256_SIZE);
}

/* judged when it came, overtaken since */
static void test_offer_overtaken_by_what_is_confirmed(void **state)
{
        (void)state;
        update_offer(&update, third.envelope, now);
        serve_for(&third, 2, HONEST, 5000);
        start();
        asked_blocks = 0;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        assert_int_equal(port_confirm(NULL), 0);
        update_confirmed(&update);
        serve_for(&second, 2, HONEST, 5000);
        assert_int_equal(asked_blocks, 0);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_OLD_SEQUENCE), 1);
}

static void test_busy_application(void **state)
{
        (void)state;
        busy = true;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 30000);
        assert_int_equal(count_told(UPDATE_WAITING, REASON_APPLICATION_BUSY), 1);
        assert_int_equal(asked_blocks, 0);
        busy = false;
        serve_for(&second, 2, HONEST, 5000);
        assert_true(reset);
}

/* the budget is for one that fails; good updates, however many, are not stopped by it */
static void test_many_updates_a_day(void **state)
{
        (void)state;
        for (unsigned i = 1; i <= 6; i++) {
                made_image(&second, (uint8_t)(i + 1), 10 + i);
                update_offer(&update, second.envelope, now);
                serve_for(&second, 2, HONEST, 5000);
                assert_true(reset);
                assert_int_equal(count_told(UPDATE_REFUSED, REASON_ERASE_BUDGET), 0);
                start();
                assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
                assert_int_equal(port_confirm(NULL), 0);
                update_confirmed(&update);
        }
}

/* list and blocks fit together, but the image they make is another one than the manifest's: the vendor's own mistake */
static void test_failing_manifest_gets_three_erasures_a_day(void **state)
{
        static const enum who both[] = { ORGANISATION, DEVELOPER };

        (void)state;
        second.fields.image_digest[0] ^= 1;
        second.digest[0] ^= 1;
        made_sign(&second, both, 2);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 600000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_ERASE_BUDGET), 1);
        assert_int_equal(asked_lists, UPDATE_ERASURES_MAX);
        /* a restart does not forget it */
        start();
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 600000);
        assert_int_equal(asked_lists, UPDATE_ERASURES_MAX);
        now += UINT64_C(24) * 3600 * 1000;
        serve_for(&second, 2, HONEST, 1000);
        assert_int_equal(asked_lists, UPDATE_ERASURES_MAX + 1);
}

static void test_failed_try_is_told_and_repeated(void **state)
{
        (void)state;
        for (unsigned i = 1; i <= PORT_BOOT_TRIES_MAX; i++) {
                update_offer(&update, second.envelope, now);
                serve_for(&second, 2, HONEST, 100000);
                assert_true(reset);
                assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_CONFIRMED), i > 1);
                start();
                assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
                start(); /* it never confirmed */
                assert_memory_equal(device.executed, first.digest, SHA256_SIZE);
        }
        assert_int_equal(asked_blocks, 3); /* the image stayed in the slot */
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 100000);
        assert_false(reset);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_TRIES_EXHAUSTED), 1);
}

/* power cut at each flash operation of an update; afterwards it goes on where it was */
static void test_power_cut_everywhere(void **state)
{
        for (uint64_t cut = 1;; cut++) {
                setup(state);
                made_power(&device, cut);
                assert_int_equal(start_agent(), 0);
                update_session(&update, now);
                update_offer(&update, second.envelope, now);
                int r = 0;
                for (unsigned i = 0; i < 20 && r == 0 && !reset; i++, now += 500)
                        r = serve(&second, 2, HONEST);
                if (reset)
                        break;
                assert_int_equal(r, PORT_E_IO);
                unsigned before = asked_blocks;
                uint32_t done = update.blocks_done;
                made_power(&device, 0);
                start();
                if (memcmp(device.executed, second.digest, SHA256_SIZE) == 0)
                        continue; /* staged in the last moment */
                update_offer(&update, second.envelope, now);
                serve_for(&second, 2, HONEST, 20000);
                assert_true(reset);
                assert_true(asked_blocks - before <= 3 - done);
                start();
                assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_whole_update, setup),
                cmocka_unit_test_setup(test_offer_taken_back, setup),
                cmocka_unit_test_setup(test_offer_taken_back_in_mid_fetch, setup),
                cmocka_unit_test_setup(test_offers_refused_before_anything_is_fetched, setup),
                cmocka_unit_test_setup(test_truncated_and_garbage_offers, setup),
                cmocka_unit_test_setup(test_approvals_of_another_digest, setup),
                cmocka_unit_test_setup(test_one_approver_twice_is_one, setup),
                cmocka_unit_test_setup(test_late_approval_starts_it, setup),
                cmocka_unit_test_setup(test_hostile_pieces_never_reach_flash, setup),
                cmocka_unit_test_setup(test_unasked_blocks_are_ignored, setup),
                cmocka_unit_test_setup(test_window_is_bounded, setup),
                cmocka_unit_test_setup(test_manifest_replaced_in_mid_fetch, setup),
                cmocka_unit_test_setup(test_older_approved_manifest_does_not_displace, setup),
                cmocka_unit_test_setup(test_bad_offer_in_mid_fetch, setup),
                cmocka_unit_test_setup(test_offer_while_trying, setup),
                cmocka_unit_test_setup(test_offer_overtaken_by_what_is_confirmed, setup),
                cmocka_unit_test_setup(test_busy_application, setup),
                cmocka_unit_test_setup(test_many_updates_a_day, setup),
                cmocka_unit_test_setup(test_failing_manifest_gets_three_erasures_a_day, setup),
                cmocka_unit_test_setup(test_failed_try_is_told_and_repeated, setup),
                cmocka_unit_test_setup(test_power_cut_everywhere, setup),
        };
        return cmocka_run_group_tests_name("update", tests, NULL, NULL);
}
