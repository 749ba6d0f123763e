/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A device whose update agent is tested: the real boot stage behind it, a broker that may be hostile before it. */

#include "gate_lab.h"
#include "made.h"

#include "app/update.h"

static struct made_device device;
static struct made_image first, second, third;
static struct site_policy policy;
static struct vendor_keys vendor;
static struct update update;
static struct gate gate;
static bool busy;

/* how the gate answers */
enum gate_word { GATE_SAYS_NOTHING, GATE_SAYS_OPEN, GATE_SAYS_NO };
static enum gate_word gate_word;
static enum reason gate_reason; /* of NO */
static unsigned questions;      /* with a digest */

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

static int port_accept(void *context, enum port_boot_object object, struct span signed_set, enum reason *refusal)
{
        (void)context;
        return boot_accept(&device.boot, object, signed_set, refusal);
}

static int port_trusted(void *context, struct site_policy *out_policy, struct vendor_keys *out_vendor)
{
        (void)context;
        *out_policy = device.boot.policy;
        *out_vendor = device.boot.vendor;
        return 0;
}

static void port_reset(void *context)
{
        (void)context;
}

static const struct port_boot boot_port = { .status = port_status,
                                            .stage = port_stage,
                                            .confirm = port_confirm,
                                            .accept = port_accept,
                                            .trusted = port_trusted,
                                            .reset = port_reset };

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
                .gate = &gate,
                .boot = &boot_port,
                .manifests = { layout_manifest(&device.flash, 0), layout_manifest(&device.flash, 1) },
                .images = { layout_image(&device.flash, 0), layout_image(&device.flash, 1) },
                .list = layout_area(&device.flash, LAYOUT_LIST),
                .fetch = layout_area(&device.flash, LAYOUT_FETCH),
                .timing = update_timing_default,
                .consent = consent,
        };

        struct gate_config gate_config = {
                .device = "device-1",
                .class_id = update.config.class_id,
                .policy = &policy,
                .entropy = &gate_lab_entropy,
                .timing = gate_timing_default,
        };

        memset(config.class_id, 0xc1, CLASS_ID_SIZE);
        gate_init(&gate, &gate_config);
        gate_trust(&gate, policy.approval_epoch, policy.issued, now);
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

static inline int setup(void **state)
{
        (void)state;
        busy = false;
        asked_blocks = asked_lists = watched = most_watched = questions = 0;
        gate_word = GATE_SAYS_NOTHING;
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

static inline struct ticket gate_answer_to(struct span question)
{
        struct ticket ticket = gate_lab_ticket(&policy, question);

        ticket.time += now / 1000;
        if (ticket.has_digest && gate_word == GATE_SAYS_NO)
                ticket.decision = DECISION_DENY(gate_reason);
        return ticket;
}

static void serve_gate(void)
{
        uint8_t question_bytes[GATE_REQUEST_MAX], ticket_bytes[TICKET_MAX];
        struct span question;

        gate_tick(&gate, now);
        if (!gate_is_due(&gate, now))
                return;
        assert_int_equal(gate_ask(&gate, question_bytes, &question, now), 0);
        struct ticket ticket = gate_answer_to(question);
        questions += ticket.has_digest;
        if (gate_word == GATE_SAYS_NOTHING)
                return;
        assert_int_equal(gate_ticket(&gate, gate_lab_sign(ticket_bytes, &ticket, GATE), now), REASON_NONE);
}

/* everything the agent wants, until it wants nothing more for this moment */
static int serve(const struct made_image *image, size_t approvals, enum trick trick)
{
        struct update_action action;
        unsigned guard = 0;

        serve_gate();
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
        return device.ram.off ? PORT_E_IO : r;
}

static inline void serve_for(const struct made_image *image, size_t approvals, enum trick trick, uint64_t ms)
{
        for (uint64_t end = now + ms; now < end && !reset; now += 500)
                assert_int_equal(serve(image, approvals, trick), 0);
}

static inline unsigned count_told(enum update_state state, enum reason reason)
{
        unsigned n = 0;
        for (size_t i = 0; i < told_count && i < 64; i++)
                n += told[i].state == state && told[i].reason == reason;
        return n;
}

static inline void assert_untouched_spare(void)
{
        const uint8_t *spare = made_area(&device, LAYOUT_IMAGE_B);
        for (size_t i = 0; i < MADE_IMAGE_SIZE; i++)
                assert_int_equal(spare[i], 0xff);
}
