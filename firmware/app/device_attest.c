/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device engine: DICE-1, how the device proves itself to a relay's hub (relay/attest.h). To relays and gates only;
 * a cloud's broker is no verifier, and gets a plain CONNECT.
 */

#include "app/device_internal.h"

#include <string.h>

bool device_may_attest(const struct device *d, unsigned number)
{
        const struct port_secret *secret = d->config.secret;

        return secret && secret->attest && (number == d->gate_link || d->links[number].endpoint.kind == ENDPOINT_RELAY);
}

/* The hub's word for itself must be what this site's policy says of the endpoint we dialled. */
static bool is_dialled(const struct site_endpoint *endpoint, const uint8_t relay[SHA256_SIZE])
{
        return memcmp(endpoint->pin, relay, SHA256_SIZE) == 0 ||
               (endpoint->has_backup_pin && memcmp(endpoint->backup_pin, relay, SHA256_SIZE) == 0);
}

static void refuse(struct device *d, struct device_link *link, uint8_t reason, const char *why)
{
        device_log(d, PORT_LOG_ERROR, "relay: ", why);
        mqtt_client_refuse(&link->client, reason);
}

static void answer(struct device *d, struct device_link *link, const struct attest_challenge *challenge)
{
        const struct port_secret *secret = d->config.secret;
        uint8_t statement[ATTEST_STATEMENT_MAX];
        size_t size;

        if (secret->attest(secret->context, challenge, statement, sizeof(statement), &size) != 0 ||
            mqtt_client_auth(&link->client, span_of(statement, size)) != RELAY_OK)
                refuse(d, link, MQTT_UNSPECIFIED_ERROR, "the boot stage gives no proof of this device");
}

void device_prove(struct device *d, unsigned number, struct span data)
{
        struct device_link *link = &d->links[number];
        struct attest_challenge challenge;

        if (link->proved)
                refuse(d, link, MQTT_PROTOCOL_ERROR, "asked twice for a proof of this device");
        else if (attest_challenge_decode(data, &challenge) != RELAY_OK)
                refuse(d, link, MQTT_MALFORMED_PACKET, "what it asked to prove this device is no challenge");
        else if (!is_dialled(&link->endpoint, challenge.relay))
                refuse(d, link, MQTT_NOT_AUTHORIZED, "its challenge is of another relay");
        else
                answer(d, link, &challenge);
        link->proved = true;
}
