/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules in words, networks and end points: what is read, is written as words that read the same. */

#include <stdlib.h>
#include <string.h>

#include "policy/country.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rule(const char *text)
{
        struct country_rule rule, again;
        char words[COUNTRY_RULE_TEXT_MAX], error[COUNTRY_ERROR_MAX] = "";

        if (country_rule_parse(&rule, text, error) < 0) {
                if (!error[0] || strchr(error, '\n'))
                        abort();
                return;
        }
        if (country_rule_parse(&again, country_rule_format(&rule, words), NULL) < 0 || again.mode != rule.mode ||
            again.accept_unknown != rule.accept_unknown || !country_set_equal(&again.countries, &rule.countries))
                abort();
}

static void check_network(const char *text)
{
        struct network network, again;
        char back[NETWORK_TEXT_SIZE];

        if (network_parse(&network, text) == 0 &&
            (!network_is_valid(&network) || network_parse(&again, network_format(&network, back)) != 0 ||
             address_compare(&again.first, &network.first) != 0 || again.prefix != network.prefix))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char text[4096];
        struct address address;
        uint16_t port;

        if (size >= sizeof text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';
        check_rule(text);
        check_network(text);
        address_parse_endpoint(&address, &port, span_of(data, size));
        return 0;
}
