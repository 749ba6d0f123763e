/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uplink/inflight.h"

void inflight_clear(struct inflight *in)
{
        in->head = in->count = 0;
}

bool inflight_is_full(const struct inflight *in)
{
        return in->count == INFLIGHT_MAX;
}

void inflight_add(struct inflight *in, uint16_t id, uint64_t cookie)
{
        size_t at = (in->head + in->count++) % INFLIGHT_MAX;

        in->entries[at].id = id;
        in->entries[at].cookie = cookie;
}

bool inflight_take(struct inflight *in, uint16_t id, uint64_t *cookie)
{
        for (size_t i = 0; i < in->count && id != 0; i++) {
                size_t at = (in->head + i) % INFLIGHT_MAX;

                if (in->entries[at].id != id)
                        continue;
                *cookie = in->entries[at].cookie;
                in->entries[at].id = 0;
                while (in->count > 0 && in->entries[in->head].id == 0) {
                        in->head = (in->head + 1) % INFLIGHT_MAX;
                        in->count--;
                }
                return true;
        }
        return false;
}
