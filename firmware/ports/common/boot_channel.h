/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What application and boot stage say to each other, the same on every board: one request, one answer, in one buffer.
 * How a message gets across is the board's: a socket pair, a call into the secure side.
 * Request: one byte, then its argument. Answer: one byte (0 done, 1 failed), then the result. Big-endian.
 */

#include "port/port.h"
#include "relay/attest.h"
#include "relay/sitepolicy.h"

#define BOOT_CHAIN_MAX   3072                      /* bytes of the certificates that a device shows */
#define BOOT_MESSAGE_MAX (2 + SITE_POLICY_MAX + 6) /* the largest message: a signed set with its kind */

enum boot_request {
        BOOT_REQUEST_STATUS = 'S',
        BOOT_REQUEST_STAGE = 'T',
        BOOT_REQUEST_CONFIRM = 'C',
        BOOT_REQUEST_SIGN = 'G',     /* content of a TLS 1.3 client CertificateVerify -> signature */
        BOOT_REQUEST_IDENTITY = 'I', /* -> name, class, public key, does it attest, certificates */
        BOOT_REQUEST_ATTEST = 'D',   /* nonce, relay key (32 bytes each) -> the statement of DICE-1 */
        BOOT_REQUEST_ACCEPT = 'A',   /* object (one byte), signed set -> reason */
        BOOT_REQUEST_TRUSTED = 'U',  /* object (one byte: enum boot_object) -> its payload */
        BOOT_REQUEST_FEED = 'W',     /* the watchdog */
};

/* what BOOT_REQUEST_TRUSTED gives */
enum boot_object { BOOT_OBJECT_VENDOR = 0, BOOT_OBJECT_POLICY = 1 };
