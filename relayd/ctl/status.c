/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl status, uplink show: what the relay says of itself. */

#include "ctl/bus.h"
#include "ctl/ctl.h"

#include "cli/output.h"

static const struct output_column status_fields[] = {
        { "Identity", "Relay", OUTPUT_TEXT },
        { "Version", "Version", OUTPUT_TEXT },
        { "Site", "Site", OUTPUT_TEXT },
        { "UplinkState", "Uplink", OUTPUT_WORD },
        { "UplinkSince", "Uplink since", OUTPUT_TIME },
        { "UplinkError", "Uplink error", OUTPUT_TEXT },
        { "GateState", "Gate", OUTPUT_WORD },
        { "GateUntil", "Gate until", OUTPUT_TIME },
        { "GateAnswers", "Gate in effect", OUTPUT_YES_NO },
        { "CountryEnforced", "Country policy by", OUTPUT_WORD },
        { "GuardState", "Guard", OUTPUT_WORD },
        { "GuardError", "Guard's error", OUTPUT_TEXT },
        { "CountryPendingUntil", "Country trial until", OUTPUT_TIME },
        { "Lockdown", "Lockdown", OUTPUT_YES_NO },
        { "OpenPorts", "Open beside ours", OUTPUT_TEXT },
        { "PolicyEpoch", "Policy epoch", OUTPUT_TEXT },
        { "PolicyDigest", "Policy digest", OUTPUT_TEXT },
        { "ApprovalEpoch", "Approval epoch", OUTPUT_TEXT },
        { "Threshold", "Approvals needed", OUTPUT_TEXT },
        { "Sessions", "Sessions", OUTPUT_TEXT },
        { "OutboxEvents", "Events waiting", OUTPUT_TEXT },
        { "OutboxBytes", "Outbox", OUTPUT_BYTES },
        { "StoreUsed", "Store", OUTPUT_BYTES },
        { "StoreMax", "Store at most", OUTPUT_BYTES },
        { "EventsReceived", "Events received", OUTPUT_TEXT },
        { "EventsForwarded", "Messages forwarded", OUTPUT_TEXT },
        { "EventsRepeated", "Repeats dropped", OUTPUT_TEXT },
        { "ImageBytesFetched", "Images fetched", OUTPUT_BYTES },
        { "ImageBytesServed", "Images served", OUTPUT_BYTES },
};
static const struct output_column uplink_fields[] = {
        { "UplinkState", "Uplink", OUTPUT_WORD },     { "UplinkSince", "Since", OUTPUT_TIME },
        { "UplinkError", "Last error", OUTPUT_TEXT }, { "OutboxEvents", "Events waiting", OUTPUT_TEXT },
        { "OutboxBytes", "Outbox", OUTPUT_BYTES },    { "EventsForwarded", "Messages forwarded", OUTPUT_TEXT },
};

static int show(struct cli *cli, const struct output_column *fields, size_t count)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ json_t *manager = NULL;
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = ctl_manager(cli, bus, &manager)) != CLI_OK)
                return r;
        return output_record(cli, manager, fields, count);
}

int ctl_status(struct cli *cli)
{
        return show(cli, status_fields, sizeof(status_fields) / sizeof(*status_fields));
}

int ctl_uplink_show(struct cli *cli)
{
        return show(cli, uplink_fields, sizeof(uplink_fields) / sizeof(*uplink_fields));
}
