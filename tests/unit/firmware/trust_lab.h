/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A claimed device, and what changes whom it believes. */

#include "made.h"

static const enum who old_pair[] = { APPROVER_1, APPROVER_2 };
static const enum who all_four[] = { APPROVER_1, APPROVER_2, APPROVER_3, APPROVER_4 };

static struct made_device device;
static struct made_image first, second, third;
static struct boot_outcome outcome;
static struct port_boot_status status;

static inline int setup(void **state)
{
        (void)state;
        made_image(&first, 1, 10);
        made_image(&second, 2, 11);
        made_image(&third, 3, 12);
        made_device(&device, &first);
        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
        return 0;
}

static inline void assert_runs(const struct made_image *image)
{
        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
        assert_memory_equal(device.executed, image->digest, SHA256_SIZE);
        boot_status(&device.boot, &status);
}

static inline enum reason stage(void)
{
        enum reason refusal = REASON_COUNT;
        assert_int_equal(boot_stage(&device.boot, &refusal), 0);
        return refusal;
}

static inline enum reason write_and_stage(const struct made_image *image)
{
        assert_int_equal(made_write(&device, 1u - device.boot.record.confirmed_slot, image, 2), 0);
        return stage();
}

static inline enum reason hand_over(enum port_boot_object object, struct span set)
{
        enum reason refusal = REASON_COUNT;
        assert_int_equal(boot_accept(&device.boot, object, set, &refusal), 0);
        return refusal;
}

static inline void revoke_to(uint64_t epoch, uint64_t issued)
{
        assert_int_equal(hand_over(PORT_BOOT_REVOCATION, made_revocation("site-1", epoch, issued, old_pair, 2)),
                         REASON_NONE);
}

/* approvers 2 to 4 instead of 1 to 3 */
static inline struct site_policy rotated(void)
{
        struct site_policy next = made_next_policy(&device.boot.policy);

        for (size_t i = 0; i < 3; i++)
                next.approvers[i] = key_of(APPROVER_2 + (enum who)i);
        return next;
}

static inline struct vendor_keys rotated_vendor(void)
{
        struct vendor_keys next = made_next_vendor(&device.boot.vendor);

        next.organisation[0] = key_of(ORGANISATION_2);
        next.developer[0] = key_of(DEVELOPER_2);
        return next;
}

static inline struct span vendor_successor(const struct vendor_keys *keys)
{
        static const enum who signers[] = { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 };
        return made_vendor_set(keys, signers, 4);
}
