/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate at the hub, what is asked for on the bus; see manager.h. */

#include <errno.h>
#include <stdio.h>

#include "hub/manager_internal.h"

static int refuse(struct refusal *refusal, enum reason reason, const char *text)
{
        refusal->reason = reason;
        snprintf(refusal->text, sizeof(refusal->text), "%s", text);
        return MANAGER_REFUSED;
}

static const char *way_out(enum reason reason)
{
        if (reason == REASON_REPLAYED_COMMAND)
                return "; sign it again with a higher counter";
        if (reason == REASON_EXPIRED_COMMAND)
                return "; sign it again with a later expiry";
        if (reason == REASON_NO_TRUSTED_TIME)
                return "; set the relay's clock";
        if (reason == REASON_BAD_SIGNATURE || reason == REASON_OUT_OF_SCOPE)
                return "; the site policy says whose key may run what (relayctl approvers)";
        if (reason == REASON_UNKNOWN_DEVICE)
                return "; relayctl devices list shows those that are";
        if (reason == REASON_QUOTA)
                return "; wait till the device took what waits for it";
        return "";
}

int manager_send_command(struct manager *m, const char *caller, struct span command, uint64_t *counter,
                         struct refusal *refusal)
{
        struct command_origin origin = { .actor = caller };
        char text[VIEW_TEXT_MAX];
        enum reason reason;

        manager_refresh(m);
        if (m->gate.only)
                return refuse(refusal, REASON_TOPIC,
                              "this is a stand-alone gate; devices get commands from their relay");
        reason = commands_take(&m->gate.commands, &origin, command, counter);
        if (reason == REASON_NONE)
                return 0;
        if (reason == REASON_STORE_FULL || reason == REASON_STORE_FAILED)
                return reason == REASON_STORE_FULL ? -ENOSPC : -EIO;
        snprintf(text, sizeof(text), "the command is refused: %s%s", reason_explanation(reason), way_out(reason));
        return refuse(refusal, reason, text);
}

uint64_t manager_command_counter(struct manager *m, const char *device, const uint8_t key_id[KEY_ID_SIZE])
{
        return commands_counter(&m->gate.commands, device, key_id);
}

struct span manager_checkpoint(struct manager *m)
{
        return checkpoints_last(&m->gate.checkpoints);
}

int manager_make_checkpoint(struct manager *m, struct span *checkpoint, struct refusal *refusal)
{
        int result;

        manager_refresh(m);
        if (!m->gate.key.there)
                return refuse(refusal, REASON_NOT_AUTHORISED,
                              "this relay has no gate key to sign with; name one in relayd.conf: [gate] key");
        result = checkpoints_make(&m->gate.checkpoints, &m->audit.head, m->broker->time);
        *checkpoint = checkpoints_last(&m->gate.checkpoints);
        return result < 0 ? result : 0;
}
