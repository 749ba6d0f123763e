/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the sending and the receiving half of the client engine share.
 */

#include "relay/mqttclient.h"

/* Appends a packet to tx; RELAY_E_SPACE leaves tx as it was. */
int mqtt_client_queue(struct mqtt_client *c, const struct mqtt_packet *packet);
/* Ends the engine. By us: a DISCONNECT is queued if there is room for it. */
void mqtt_client_close(struct mqtt_client *c, uint8_t reason, bool by_peer);
/* Removes the packet id that waits for this answer; false if there is none. */
bool mqtt_client_land(struct mqtt_client *c, uint16_t packet_id, enum mqtt_type answer);
