/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relayctl publish: an approver hands signed objects to the cloud himself, so that a dead relay strands nobody.
 * Devices check them; the broker's rules say who may put them there.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/broker.h"
#include "cli/io.h"
#include "cli/signedset.h"
#include "ctl/ctl.h"
#include "relay/approval.h"
#include "util/cleanup.h"

const struct cli_option ctl_publish_options[] = { CLI_BROKER_OPTIONS, { 0 } };

/* sites/<site>/approvals/<manifest digest>/<approver key id> */
static bool approval_topic(struct span bytes, char topic[TOPIC_MAX])
{
        struct cose_sign1 sign1;
        struct approval approval;

        if (cose_sign1_decode(bytes, &sign1) != RELAY_OK || sign1.key_id.size != KEY_ID_SIZE ||
            approval_decode(sign1.payload, &approval) != RELAY_OK)
                return false;
        topic_approval(topic, approval.site, approval.manifest_digest, sign1.key_id.data);
        return true;
}

/* sites/<site>/policy/<epoch>, for a policy that enough approvers signed */
static bool policy_topic(struct span bytes, char topic[TOPIC_MAX])
{
        uint8_t scratch[SIGNED_SET_MAX + 128];
        struct site_policy policy;
        char rest[40];

        if (site_policy_accept_first(bytes, &policy, scratch, sizeof(scratch)) != REASON_NONE)
                return false;
        snprintf(rest, sizeof(rest), "policy/%" PRIu64, policy.epoch);
        topic_site(topic, policy.site, rest);
        return true;
}

int ctl_publish(struct cli *cli)
{
        _cleanup_(simple_closep) struct simple *client = NULL;
        _cleanup_free_ uint8_t *bytes = NULL;
        const char *path = cli_argument(cli, 0);
        char topic[TOPIC_MAX];
        struct simple_message message = { .topic = topic, .retain = true };
        size_t size;
        int r = cli_read(cli, path, SIGNED_SET_MAX, &bytes, &size);

        if (r != CLI_OK)
                return r;
        message.payload = span_of(bytes, size);
        if (!approval_topic(message.payload, topic) && !policy_topic(message.payload, topic))
                return cli_refuse(cli, REASON_MALFORMED, "%s is neither an approval nor a signed site policy", path);
        if ((r = cli_broker_open(cli, &client)) != CLI_OK ||
            (r = cli_broker_publish(cli, client, &message, 1, "publishing")) != CLI_OK)
                return r;
        if (!cli->json)
                printf("published as %s\n", topic);
        return CLI_OK;
}
