/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Asks the hub's signing thread for handshake signatures. Blocking (wolfSSL has no asynchronous signing here), so with
 * a short deadline; connects when needed.
 */

#include "relay/crypto.h"

struct sign_client;

/* path: the hub's signing socket, copied; connects when first asked to sign. 0, -ENOMEM */
int sign_client_new(struct sign_client **ret, const char *path);
struct sign_client *sign_client_free(struct sign_client *client);
/* For struct tls_server_options. 0; -ETIMEDOUT; -EACCES: the hub refuses; or -errno of the connection */
int sign_client_sign(void *client, struct span transcript_hash, uint8_t signature[SIGNATURE_SIZE]);
