/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Topics from outside: rules that hold for any bytes, whatever the tables say. */

#include <stdlib.h>
#include <string.h>

#include "policy/access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool begins(struct span s, const char *with)
{
        return span_equal_string(span_slice(s, 0, strlen(with)), with);
}

static bool allowed(struct decision d)
{
        if ((d.verdict == VERDICT_ALLOW) != (d.reason == REASON_NONE))
                abort();
        return d.verdict == VERDICT_ALLOW;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const all[] = { "#" };
        static const struct access_role role = { all, 1, all, 1 };
        static const struct access_subject device = { "s1", "device-1", NULL }, application = { "s1", "app.x", &role };
        struct span topic = span_of(data, size);

        if (allowed(access_publish(&device, topic)) && !begins(topic, "sites/s1/devices/device-1/"))
                abort();
        if (allowed(access_subscribe(&device, topic)) && !begins(topic, "sites/s1/") && !begins(topic, "images/"))
                abort();
        if (allowed(access_publish(&application, topic)) &&
            (begins(topic, "images/") || (begins(topic, "sites/") && !begins(topic, "sites/s1/"))))
                abort();
        if (allowed(access_subscribe(&application, topic)) && topic.data[0] == '$')
                abort();
        struct topic_parts parts;
        enum access_uplink kind = access_uplink("s1", topic, 1, &parts);
        if (kind != ACCESS_UPLINK_REFUSED && (access_uplink_max(kind) == 0 || !topic_name_is_valid(topic)))
                abort();
        return 0;
}
