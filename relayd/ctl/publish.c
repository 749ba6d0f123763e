/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relayctl publish: an approver hands signed objects to the cloud himself, so that a dead relay strands nobody.
 * Devices check them; the broker's rules say who may put them there.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/broker.h"
#include "cli/io.h"
#include "cli/output.h"
#include "cli/signedset.h"
#include "ctl/bus.h"
#include "ctl/ctl.h"
#include "ctl/trust.h"
#include "relay/approval.h"
#include "relay/revocation.h"
#include "util/cleanup.h"

const struct cli_option ctl_publish_options[] = {
        CLI_BROKER_OPTIONS,
        { "site", 0, "NAME", "for a vendor key set: the site's name" },
        { "policy", 0, "FILE", "the site policy by whose approvers it is checked (default: the one remembered)" },
        TRUST_FOLDER_OPTION,
        { 0 },
};

#define SCRATCH_SIZE (SIGNED_SET_MAX + 128)

/* A retained message takes the place of the one before: what too few signed is not published. */
static int find_policy(struct cli *cli, const char *path, const char *site, struct site_policy *policy)
{
        const char *file = cli_value(cli, "policy");
        uint8_t scratch[SCRATCH_SIZE];
        _cleanup_free_ uint8_t *bytes = NULL;
        enum reason why;
        bool known = false;
        size_t size;
        int r;

        if (!file) {
                r = trust_remembered_policy(cli, site, policy, &known);
                if (r == CLI_OK && !known)
                        return cli_fail(cli, CLI_USAGE, "%s: whose signatures count at %s? Add --policy FILE", path,
                                        site);
                return r;
        }
        if ((r = cli_read(cli, file, SIGNED_SET_MAX, &bytes, &size)) != CLI_OK)
                return r;
        why = site_policy_read(span_of(bytes, size), policy, scratch, sizeof(scratch));
        if (why != REASON_NONE)
                return cli_refuse(cli, why, "%s", file);
        return strcmp(policy->site, site) == 0
                       ? CLI_OK
                       : cli_refuse(cli, REASON_WRONG_SITE, "%s is of site %s", file, policy->site);
}

/* Each of the following: *is says whether it is this kind of object at all; then CLI_* with message. */

/* sites/<site>/approvals/<manifest digest>/<approver key id> */
static int take_approval(struct cli *cli, const char *path, struct span bytes, char topic[TOPIC_MAX], bool *is)
{
        struct cose_sign1 sign1;
        struct approval approval;
        struct site_policy policy;
        enum reason why;
        size_t approver;
        int r;

        *is = cose_sign1_decode(bytes, &sign1) == RELAY_OK && sign1.key_id.size == KEY_ID_SIZE &&
              approval_decode(sign1.payload, &approval) == RELAY_OK;
        if (!*is)
                return CLI_OK;
        topic_approval(topic, approval.site, approval.manifest_digest, sign1.key_id.data);
        if ((r = find_policy(cli, path, approval.site, &policy)) != CLI_OK)
                return r;
        why = approval_check(bytes, &policy, &approval, &approver);
        return why == REASON_NONE ? CLI_OK : cli_refuse(cli, why, "%s", path);
}

/* sites/<site>/policy/<epoch> */
static int take_policy(struct cli *cli, const char *path, struct span bytes, char topic[TOPIC_MAX], bool *is)
{
        uint8_t scratch[SCRATCH_SIZE];
        struct site_policy policy, before;
        struct cose_set set;
        enum reason why;
        bool known = false;
        char rest[40];
        int r;

        *is = cose_set_decode_proposal(bytes, &set) == RELAY_OK && site_policy_decode(set.payload, &policy) == RELAY_OK;
        if (!*is)
                return CLI_OK;
        why = set.count == 0 ? REASON_BAD_SIGNATURE : site_policy_read(bytes, &policy, scratch, sizeof(scratch));
        if (why == REASON_NONE && policy.has_predecessor) {
                if ((r = trust_remembered_policy(cli, policy.site, &before, &known)) != CLI_OK)
                        return r;
                if (known && before.epoch + 1 == policy.epoch)
                        why = site_policy_accept_next(bytes, &before, &policy, scratch, sizeof(scratch));
        }
        snprintf(rest, sizeof(rest), "policy/%" PRIu64, policy.epoch);
        topic_site(topic, policy.site, rest);
        return why == REASON_NONE ? CLI_OK : cli_refuse(cli, why, "%s", path);
}

/* sites/<site>/revocations */
static int take_revocation(struct cli *cli, const char *path, struct span bytes, char topic[TOPIC_MAX], bool *is)
{
        uint8_t scratch[SCRATCH_SIZE];
        struct revocation revocation;
        struct site_policy policy;
        struct cose_set set;
        enum reason why;
        int r = CLI_OK;

        *is = cose_set_decode_proposal(bytes, &set) == RELAY_OK &&
              revocation_decode(set.payload, &revocation) == RELAY_OK;
        if (!*is)
                return CLI_OK;
        r = find_policy(cli, path, revocation.site, &policy);
        if (r != CLI_OK)
                return r;
        why = set.count == 0
                      ? REASON_UNDER_SIGNED
                      : revocation_accept(bytes, &policy, policy.approval_epoch, &revocation, scratch, sizeof(scratch));
        topic_site(topic, revocation.site, "revocations");
        return why == REASON_NONE ? CLI_OK : cli_refuse(cli, why, "%s", path);
}

/* sites/<site>/vendor/<epoch>; a set does not say of which site it is */
static int take_vendor(struct cli *cli, const char *path, struct span bytes, char topic[TOPIC_MAX], bool *is)
{
        uint8_t scratch[SCRATCH_SIZE];
        struct vendor_keys keys;
        struct site_policy policy;
        struct cose_set set;
        const char *site;
        char rest[40];
        int r;

        *is = cose_set_decode_proposal(bytes, &set) == RELAY_OK && vendor_keys_decode(set.payload, &keys) == RELAY_OK;
        if (!*is)
                return CLI_OK;
        if ((r = cli_need(cli, "site", &site)) != CLI_OK || (r = find_policy(cli, path, site, &policy)) != CLI_OK)
                return r;
        if (keys.has_predecessor &&
            cose_set_count_valid(&set, span_of_string(VENDOR_KEYS_AAD), policy.approvers, policy.approver_count,
                                 scratch, sizeof(scratch)) < policy.threshold)
                return cli_refuse(cli, REASON_UNDER_SIGNED, "%s", path);
        snprintf(rest, sizeof(rest), "vendor/%" PRIu64, keys.epoch);
        topic_site(topic, policy.site, rest);
        return CLI_OK;
}

static int find_topic(struct cli *cli, const char *path, struct span bytes, char topic[TOPIC_MAX])
{
        static int (*const kinds[])(struct cli * cli, const char *path, struct span bytes, char topic[TOPIC_MAX],
                                    bool *is) = { take_approval, take_policy, take_vendor, take_revocation };
        bool is = false;
        int r = CLI_OK;

        for (size_t i = 0; !is && i < sizeof(kinds) / sizeof(*kinds); i++)
                r = kinds[i](cli, path, bytes, topic, &is);
        return is ? r
                  : cli_refuse(cli, REASON_MALFORMED, "%s is no approval, site policy, vendor key set or revocation",
                               path);
}

int ctl_publish(struct cli *cli)
{
        _cleanup_(simple_closep) struct simple *client = NULL;
        _cleanup_free_ uint8_t *bytes = NULL;
        _cleanup_json_ json_t *object = NULL;
        const char *path = cli_argument(cli, 0);
        char topic[TOPIC_MAX];
        struct simple_message message = { .topic = topic, .retain = true };
        size_t size;
        int r = cli_read(cli, path, SIGNED_SET_MAX, &bytes, &size);

        if (r != CLI_OK)
                return r;
        message.payload = span_of(bytes, size);
        if ((r = find_topic(cli, path, message.payload, topic)) != CLI_OK ||
            (r = cli_broker_open(cli, &client)) != CLI_OK ||
            (r = cli_broker_publish(cli, client, &message, 1, "publishing")) != CLI_OK)
                return r;
        object = json_pack("{s:s}", "topic", topic);
        return output_done(cli, object, "published as %s", topic);
}
