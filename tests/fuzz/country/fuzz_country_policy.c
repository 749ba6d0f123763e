/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of country policies: what is read, is valid, is written the same again, and decides as its intervals do. */

#include <stdlib.h>

#include "policy/country_intervals.h"
#include "relay/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Without a database the exempt networks are all that is allowed, unless a rule is off. */
static void compare(const struct country_policy *policy, enum country_direction direction, uint16_t port,
                    enum address_family family)
{
        struct country_intervals intervals;
        struct address_range range;
        struct address behind = address_first(family);
        bool more = true;

        country_intervals_start(&intervals, policy, direction, port, family, NULL);
        while (country_intervals_next(&intervals, &range)) {
                if (!more || address_compare(&range.first, &behind) < 0 ||
                    address_compare(&range.first, &range.last) > 0)
                        abort();
                if (country_policy_decide(policy, direction, port, &range.last, COUNTRY_NO_DATABASE).decision.verdict !=
                    VERDICT_ALLOW)
                        abort();
                behind = range.last;
                more = address_next(&behind);
                if (more &&
                    country_policy_decide(policy, direction, port, &behind, COUNTRY_NO_DATABASE).decision.verdict ==
                            VERDICT_ALLOW)
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct country_policy policy;
        uint8_t record[COUNTRY_RECORD_MAX];
        size_t written;

        if (country_policy_decode(&policy, span_of(data, size)) != RELAY_OK)
                return 0;
        if (!country_policy_is_valid(&policy) ||
            country_policy_encode(&policy, record, sizeof record, &written) != RELAY_OK ||
            !span_equal(span_of(record, written), span_of(data, size)))
                abort();
        for (int direction = 0; direction < COUNTRY_DIRECTIONS; direction++) {
                compare(&policy, (enum country_direction)direction, 22, ADDRESS_IPV4);
                compare(&policy, (enum country_direction)direction, 22, ADDRESS_IPV6);
        }
        return 0;
}
