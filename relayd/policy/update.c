/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Order of what an update waits for: what people have to do first comes first. */

#include "policy/update.h"

static const char *const waits[UPDATE_WAIT_COUNT] = {
        [UPDATE_WAIT_NOTHING] = "installed", [UPDATE_WAIT_DENIED] = "denied",
        [UPDATE_WAIT_APPROVAL] = "approval", [UPDATE_WAIT_GATE] = "gate",
        [UPDATE_WAIT_IMAGE] = "image",       [UPDATE_WAIT_DEVICE] = "offline",
        [UPDATE_WAIT_ANSWER] = "offered",    [UPDATE_WAIT_APPLICATION] = "application-busy",
        [UPDATE_WAIT_FETCHING] = "fetching", [UPDATE_WAIT_TRYING] = "trying",
        [UPDATE_WAIT_REFUSED] = "refused",
};

static const char *const statuses[] = {
        [UPDATE_STATUS_NONE] = "none",           [UPDATE_STATUS_IDLE] = "idle",
        [UPDATE_STATUS_REFUSED] = "refused",     [UPDATE_STATUS_WAITING] = "waiting",
        [UPDATE_STATUS_FETCHING] = "fetching",   [UPDATE_STATUS_TRYING] = "trying",
        [UPDATE_STATUS_CONFIRMED] = "confirmed",
};

static enum update_wait device_wait(const struct update_facts *facts)
{
        if (!facts->device_online)
                return UPDATE_WAIT_DEVICE;
        switch (facts->status) {
        case UPDATE_STATUS_NONE:
        case UPDATE_STATUS_IDLE:
                return UPDATE_WAIT_ANSWER;
        case UPDATE_STATUS_REFUSED:
                return UPDATE_WAIT_REFUSED;
        case UPDATE_STATUS_WAITING:
                return UPDATE_WAIT_APPLICATION;
        case UPDATE_STATUS_FETCHING:
                return UPDATE_WAIT_FETCHING;
        case UPDATE_STATUS_TRYING:
                return UPDATE_WAIT_TRYING;
        case UPDATE_STATUS_CONFIRMED:
                return UPDATE_WAIT_NOTHING;
        }
        return UPDATE_WAIT_ANSWER;
}

enum update_wait update_wait(const struct update_facts *facts)
{
        if (facts->status == UPDATE_STATUS_CONFIRMED)
                return UPDATE_WAIT_NOTHING;
        if (facts->status == UPDATE_STATUS_TRYING) /* it restarts now, so being away is no news */
                return UPDATE_WAIT_TRYING;
        if (facts->denied)
                return UPDATE_WAIT_DENIED;
        if (facts->approval.verdict != VERDICT_ALLOW)
                return UPDATE_WAIT_APPROVAL;
        if (facts->gate.verdict != VERDICT_ALLOW)
                return UPDATE_WAIT_GATE;
        if (!facts->image_complete)
                return UPDATE_WAIT_IMAGE;
        return device_wait(facts);
}

const char *update_wait_name(enum update_wait wait)
{
        return wait < UPDATE_WAIT_COUNT ? waits[wait] : "unknown";
}

enum update_status update_status_from_name(struct span name)
{
        for (size_t i = 1; i < sizeof(statuses) / sizeof(statuses[0]); i++)
                if (span_equal_string(name, statuses[i]))
                        return (enum update_status)i;
        return UPDATE_STATUS_NONE;
}

const char *update_status_name(enum update_status status)
{
        return (size_t)status < sizeof(statuses) / sizeof(statuses[0]) ? statuses[status] : "none";
}
