/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A topic of ours that parses is what the writers make of its parts; a filter covers what it matches. */
#include <stdlib.h>
#include <string.h>

#include "relay/topic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_and_write(struct span topic)
{
        char site[SITE_MAX + 1], device[IDENTITY_MAX + 1], rest[TOPIC_MAX], out[TOPIC_MAX] = "";
        struct topic_parts parts;

        switch (topic_parse(topic, &parts)) {
        case TOPIC_FOREIGN:
                return;
        case TOPIC_DEVICE:
        case TOPIC_SITE:
                if (topic.size >= TOPIC_MAX)
                        return;
                if (!span_to_string(parts.site, site, sizeof(site)) ||
                    !span_to_string(parts.rest, rest, sizeof(rest)) ||
                    !span_to_string(parts.device, device, sizeof(device)))
                        abort();
                if (parts.kind == TOPIC_DEVICE)
                        topic_device(out, site, device, rest);
                else
                        topic_site(out, site, rest);
                break;
        case TOPIC_IMAGE_BLOCK:
                topic_image_block(out, parts.digest, parts.index);
                break;
        case TOPIC_IMAGE_LIST:
                topic_image_list(out, parts.digest, parts.index);
                break;
        }
        if (!span_equal_string(topic, out))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct span whole = span_of(data, size);
        size_t half = size / 2;
        struct span filter = span_slice(whole, 0, half), topic = span_slice(whole, half, size);

        parse_and_write(whole);
        if (topic_name_is_valid(whole) && whole.data[0] != '$' && !topic_matches(SPAN_LITERAL("#"), whole))
                abort();
        if (topic_name_is_valid(whole) && (!topic_filter_is_valid(whole) || !topic_matches(whole, whole)))
                abort();
        if (topic_filter_is_valid(filter) && topic_name_is_valid(topic) &&
            topic_matches(filter, topic) != topic_filter_covers(filter, topic))
                abort();
        return 0;
}
