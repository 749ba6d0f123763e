/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Country policies as records and rules as words: what is taken is valid and comes out as it went in. */
#include <stdlib.h>
#include <string.h>

#include "policy/country.h"
#include "relay/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(struct span in)
{
        static uint8_t again[COUNTRY_RECORD_MAX];
        struct country_policy policy;
        size_t size;

        if (country_policy_decode(&policy, in) != RELAY_OK)
                return;
        if (!country_policy_is_valid(&policy) || country_policy_encode(&policy, again, sizeof(again), &size) != 0 ||
            !span_equal(span_of(again, size), in))
                abort();
}

static void check_words(struct span in)
{
        char text[1024], error[COUNTRY_ERROR_MAX], words[COUNTRY_RULE_TEXT_MAX], more[COUNTRY_RULE_TEXT_MAX];
        struct country_rule rule, again;

        if (!span_to_string(in, text, sizeof(text)) || country_rule_parse(&rule, text, error) != 0)
                return;
        country_rule_format(&rule, words);
        if (country_rule_parse(&again, words, NULL) != 0 || strcmp(country_rule_format(&again, more), words) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        check_record(span_of(data, size));
        check_words(span_of(data, size));
        return 0;
}
