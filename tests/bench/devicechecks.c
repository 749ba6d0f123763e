/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Results lie in static memory, so that the stack measured is the checks' own.
 */
#include <string.h>

#include "devicechecks.h"
#include "relay/approval.h"
#include "relay/command.h"
#include "relay/revocation.h"
#include "relay/ticket.h"

static struct site_policy policy, next_policy;
static struct vendor_keys vendor, next_vendor;
static struct manifest_unverified manifest_in;
static struct manifest_verified manifest;
static struct gate_request request;
static struct ticket ticket;
static struct command command;
static struct public_key commander;
static uint8_t scratch[SITE_POLICY_MAX];

struct span check_objects[OBJECTS_END];
uint64_t device_checks_verified, device_checks_verifying;

/* librelay's calls come here (--wrap) */
int __real_crypto_verify(const struct public_key *key, struct span message, const uint8_t sig[SIGNATURE_SIZE]);
int __wrap_crypto_verify(const struct public_key *key, struct span message, const uint8_t sig[SIGNATURE_SIZE]);

int __wrap_crypto_verify(const struct public_key *key, struct span message, const uint8_t sig[SIGNATURE_SIZE])
{
        uint64_t start = device_checks_clock();
        int result = __real_crypto_verify(key, message, sig);

        device_checks_verified++;
        device_checks_verifying += device_checks_clock() - start;
        return result;
}

static bool check_manifest(void)
{
        return manifest_decode(check_objects[OBJECT_MANIFEST], &manifest_in) == REASON_NONE &&
               manifest_verify(&manifest_in, &vendor, &manifest) == REASON_NONE;
}

static bool check_approvals(void)
{
        struct approval_facts facts = { .device = "device-1" };

        return approval_decide(&check_objects[OBJECT_APPROVAL_1], 2, manifest.digest, &policy, &facts).verdict ==
               VERDICT_ALLOW;
}

static bool check_ticket(void)
{
        struct ticket_facts facts = { "device-1", NULL, &request, 0, 0 };

        return ticket_check(check_objects[OBJECT_TICKET], &policy, &facts, &ticket) == REASON_NONE;
}

static bool check_command(void)
{
        return command_check(check_objects[OBJECT_COMMAND], &policy, &vendor, "device-1", NULL, &command, &commander) ==
               REASON_NONE;
}

static bool check_revocation(void)
{
        struct revocation out;

        return revocation_accept(check_objects[OBJECT_REVOCATION], &policy, 0, &out, scratch, sizeof(scratch)) ==
               REASON_NONE;
}

static bool check_next_policy(void)
{
        return site_policy_accept_next(check_objects[OBJECT_NEXT_POLICY], &policy, &next_policy, scratch,
                                       sizeof(scratch)) == REASON_NONE;
}

static bool check_next_vendor(void)
{
        return vendor_keys_accept_next(check_objects[OBJECT_NEXT_VENDOR], &vendor, &policy, &next_vendor, scratch,
                                       sizeof(scratch)) == REASON_NONE;
}

const struct device_check device_checks[DEVICE_CHECKS] = {
        { "manifest", check_manifest, OBJECT_MANIFEST, OBJECT_MANIFEST },
        { "approvals, 2 of 3", check_approvals, OBJECT_APPROVAL_1, OBJECT_APPROVAL_2 },
        { "ticket", check_ticket, OBJECT_TICKET, OBJECT_TICKET },
        { "command", check_command, OBJECT_COMMAND, OBJECT_COMMAND },
        { "revocation, 2 of 3", check_revocation, OBJECT_REVOCATION, OBJECT_REVOCATION },
        { "next site policy, 2 of 3", check_next_policy, OBJECT_NEXT_POLICY, OBJECT_NEXT_POLICY },
        { "next vendor key set, 2 of 3", check_next_vendor, OBJECT_NEXT_VENDOR, OBJECT_NEXT_VENDOR },
};

bool device_checks_begin(void)
{
        if (site_policy_decode(check_objects[OBJECT_POLICY], &policy) != RELAY_OK ||
            vendor_keys_decode(check_objects[OBJECT_VENDOR], &vendor) != RELAY_OK || !check_manifest())
                return false;
        request.has_digest = true;
        memcpy(request.manifest_digest, manifest.digest, SHA256_SIZE);
        return true;
}

size_t device_check_bytes(const struct device_check *check)
{
        size_t bytes = 0;

        for (enum check_object i = check->first; i <= check->last; i++)
                bytes += check_objects[i].size;
        return bytes;
}
