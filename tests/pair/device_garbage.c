/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device engine and a broker on which somebody left things, retained, on every topic that the device reads: noise,
 * deep nesting, objects of another kind, right objects that are cut or have one bit wrong. Nothing of it is believed,
 * nothing is begun, nothing stops, and it is told at most a few times.
 */
#include "device_world.h"

#include "../unit/firmware/made.h"

#define PREFIX "sites/site-1/devices/device-1/"

static const char *const topics[] = {
        PREFIX "updates/offer",  PREFIX "gate/ticket",       PREFIX "commands",
        "sites/site-1/policy/1", "sites/site-1/policy/2",    "sites/site-1/vendor/1",
        "sites/site-1/vendor/2", "sites/site-1/revocations", "sites/site-1/relay/state",
};

static uint8_t bytes[SITE_POLICY_MAX];
static struct made_image image;

static struct span noise(size_t size)
{
        for (size_t i = 0; i < size; i++)
                bytes[i] = (uint8_t)net_random(&net, 256);
        return span_of(bytes, size);
}

static struct span repeated(uint8_t byte, size_t size)
{
        memset(bytes, byte, size);
        return span_of(bytes, size);
}

static struct span next_policy(void)
{
        static const enum who both[] = { APPROVER_1, APPROVER_2 };
        struct site_policy next = policy;

        next.epoch++;
        next.has_predecessor = true;
        memcpy(next.predecessor, policy.digest, SHA256_SIZE);
        return sign_policy(bytes, &next, both, 2);
}

static struct span flipped(struct span object)
{
        bytes[object.size / 2] ^= 0x10;
        return object;
}

static struct span copied(struct span object)
{
        memcpy(bytes, object.data, object.size);
        return span_of(bytes, object.size);
}

static struct span lonely_policy(void)
{
        static const enum who one[] = { APPROVER_1 };
        struct site_policy next = policy;

        next.epoch++;
        next.has_predecessor = true;
        memcpy(next.predecessor, policy.digest, SHA256_SIZE);
        return sign_policy(bytes, &next, one, 1);
}

static struct span old_ticket(void)
{
        struct ticket ticket = { .device = "device-1", .has_time = true, .time = GATE_LAB_TIME };

        strcpy(ticket.site, policy.site);
        memset(ticket.nonce, 7, sizeof(ticket.nonce));
        memcpy(ticket.policy_digest, policy.digest, SHA256_SIZE);
        ticket.approval_epoch = policy.approval_epoch;
        return gate_lab_sign(bytes, &ticket, GATE);
}

static struct span offer(void)
{
        return copied(image.envelope);
}

/* what lies there */
static struct span garbage(unsigned kind)
{
        switch (kind) {
        case 0:
                return repeated(0, 1);
        case 1:
                return repeated(0xff, 4096);
        case 2:
                return repeated(0x81, SITE_POLICY_MAX); /* arrays in arrays */
        case 3:
                return repeated(0x9f, 2000); /* of unknown length */
        case 4:
                return repeated(0xd8, 3000); /* tags */
        case 5:
                return repeated('{', 500);
        case 6:
                return noise(SITE_POLICY_MAX);
        case 7:
                return noise(37);
        case 8:
                return flipped(next_policy());
        case 9:
                return span_slice(next_policy(), 0, 200);
        case 10:
                return lonely_policy();
        case 11:
                return old_ticket();
        case 12:
                return flipped(offer());
        case 13:
                return span_slice(offer(), 0, image.envelope.size - 1);
        case 14:
                return repeated(0xa0, 1); /* an empty map */
        case 15:
                return repeated(0x5b, 9); /* a string of very many bytes */
        }
        return SPAN_EMPTY;
}

static void begin_with_updates(uint32_t seed)
{
        takes_updates = true;
        begin(seed);
}

static void assert_nothing_happened(void)
{
        uint64_t unix_s;

        assert_int_equal(policy.epoch, 1);
        assert_int_equal(vendor.epoch, 1);
        assert_int_equal(commands_run, 0);
        assert_int_equal(update.phase, UPDATE_PHASE_NONE);
        assert_false(gate_time(&device.gate, net.now, &unix_s));
        assert_int_equal(device.counters.refused, 0);
        for (uint32_t i = (SECTORS + 2) * SECTOR; i < sizeof(memory); i++)
                if (memory[i] != 0xff)
                        fail_msg("something was written at %u", (unsigned)i);
}

static void test_garbage_on_every_topic(void **state)
{
        (void)state;
        made_image(&image, 2, 11);
        for (unsigned kind = 0; garbage(kind).size > 0; kind++)
                for (size_t i = 0; i < ROWS(topics); i++) {
                        if (i == 0 && kind == 11) /* no ticket is an offer, but that is what the next test is for */
                                continue;
                        begin_with_updates((uint32_t)(1 + i + 100 * kind));
                        struct span left = garbage(kind);
                        for (unsigned broker = 0; broker < 2; broker++)
                                net_retain(&net, broker, topics[i], left);
                        pass(2000, true);
                        assert_int_equal(session(), 0);
                        net_cut(&net, 0); /* the same at the cloud */
                        pass(2000, true);
                        assert_int_equal(session(), 1);
                        pass(1000, false);
                        assert_nothing_happened();
                        assert_all_arrived();
                        assert_true(net_count_told(&net, "updates/refused") <= 1); /* told once */
                        assert_true(net_count_told(&net, "updates/status") <= 2);  /* once a session */
                }
}

/* everything everywhere at once, and new things all the time */
static void test_a_broker_full_of_garbage(void **state)
{
        (void)state;
        begin_with_updates(7);
        for (unsigned round = 0; round < 600; round++) {
                net_retain(&net, 0, topics[net_random(&net, ROWS(topics))], garbage(net_random(&net, 16)));
                pass(100, true);
        }
        assert_int_equal(session(), 0);
        pass(2000, false);
        assert_nothing_happened();
        assert_all_arrived();
        /* a minute: at most one a second */
        assert_true(net_count_told(&net, "updates/refused") <= 63);
}

/* An offer that is good, and then garbage wherever the device looks for approvals and pieces of the image. */
static void test_garbage_instead_of_approvals_and_pieces(void **state)
{
        char topic[TOPIC_MAX], hex[2 * SHA256_SIZE + 1];

        (void)state;
        begin_with_updates(8);
        net_retain(&net, 0, PREFIX "updates/offer", offer());
        pass(1000, true);
        (void)span_to_hex(SPAN_OF(image.manifest), hex, sizeof(hex));
        snprintf(topic, sizeof(topic), "sites/site-1/approvals/%.64s/0011223344556677", hex);
        for (unsigned kind = 0; garbage(kind).size > 0; kind++) {
                assert_true(net_send(&net, 0, topic, garbage(kind)));
                pass(100, true);
        }
        pass(5000, true);
        assert_int_equal(update.status.reason, REASON_NOT_APPROVED);
        assert_int_equal(update.approval_count, 0);
        for (unsigned i = 0; i < 2; i++)
                assert_true(net_send(&net, 0, topic, image.approvals[i]));
        pass(1000, true);
        assert_int_equal(update.phase, UPDATE_PHASE_LIST);
        topic_image_list(topic, image.digest, 0);
        for (unsigned kind = 0; garbage(kind).size > 0; kind++) {
                assert_true(net_send(&net, 0, topic, garbage(kind)));
                pass(100, true);
        }
        assert_int_equal(update.phase, UPDATE_PHASE_LIST);
        assert_true(net_send(&net, 0, topic, SPAN_OF(image.list)));
        pass(200, true);
        assert_int_equal(update.phase, UPDATE_PHASE_BLOCKS);
        for (uint32_t block = 0; block < 3; block++) {
                topic_image_block(topic, image.digest, block);
                for (unsigned kind = 0; garbage(kind).size > 0; kind++) {
                        assert_true(net_send(&net, 0, topic, garbage(kind)));
                        pass(100, true);
                }
        }
        assert_int_equal(update.blocks_done, 0);
        assert_int_equal(session(), 0);
        pass(1000, false);
        assert_all_arrived();
}

/* The list in flash lost a bit after it was checked: noticed at the next block, and fetched again. */
static void test_a_list_that_lost_a_bit(void **state)
{
        char topic[TOPIC_MAX], hex[2 * SHA256_SIZE + 1];

        (void)state;
        begin_with_updates(9);
        net_retain(&net, 0, PREFIX "updates/offer", offer());
        topic_image_list(topic, image.digest, 0);
        net_retain(&net, 0, topic, SPAN_OF(image.list));
        pass(1000, true);
        (void)span_to_hex(SPAN_OF(image.manifest), hex, sizeof(hex));
        snprintf(topic, sizeof(topic), "sites/site-1/approvals/%.64s/0011223344556677", hex);
        for (unsigned i = 0; i < 2; i++)
                assert_true(net_send(&net, 0, topic, image.approvals[i]));
        pass(1000, true);
        assert_int_equal(update.phase, UPDATE_PHASE_BLOCKS);
        memory[(SECTORS + 2 + 24) * SECTOR + 40] ^= 4; /* of block 1 */
        topic_image_block(topic, image.digest, 1);
        assert_true(net_send(&net, 0, topic, span_slice(SPAN_OF(image.bytes), IMAGE_BLOCK_SIZE, IMAGE_BLOCK_SIZE)));
        pass(200, true);
        assert_int_equal(update.phase, UPDATE_PHASE_NONE);
        assert_int_equal(update.status.reason, REASON_BLOCK_LIST_DIGEST);
        pass(60000, true);
        assert_int_equal(update.phase, UPDATE_PHASE_BLOCKS); /* begun anew, after a pause */
        assert_true(net_send(&net, 0, topic, span_slice(SPAN_OF(image.bytes), IMAGE_BLOCK_SIZE, IMAGE_BLOCK_SIZE)));
        pass(200, true);
        assert_int_equal(update.blocks_done, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_garbage_on_every_topic),
                cmocka_unit_test(test_a_broker_full_of_garbage),
                cmocka_unit_test(test_garbage_instead_of_approvals_and_pieces),
                cmocka_unit_test(test_a_list_that_lost_a_bit),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
