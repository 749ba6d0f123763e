/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Who a device is, as kept in flash. The device secret is written when the device is made and never again. Name, class
 * and certificates lie in one of two areas by turns: new certificates are written into the other one, and count when
 * the boot journal says so. At manufacture both areas get the same.
 */

#include "port/bundle.h"
#include "relay/dice.h"

#define IDENTITY_CERTIFICATES_MAX 2     /* the device certificate, and one between it and the factory's CA */
#define IDENTITY_CERTIFICATE_SIZE 1024u /* bytes of DER, each, at most */

struct device_identity {
        char name[IDENTITY_MAX + 1];
        uint8_t class_id[CLASS_ID_SIZE];
        struct span certificates[IDENTITY_CERTIFICATES_MAX]; /* DER, device certificate first */
        size_t certificate_count;                            /* 0: not certified yet */
};

/* Writes area 0 or 1, and reads it back. 0, RELAY_E_RANGE (a name, a count or a size), PORT_E_IO */
int identity_write(const struct port_flash *flash, unsigned area, const struct device_identity *identity);
/* Without its certificates: their count, and empty spans. 0, RELAY_E_STATE (nothing there), RELAY_E_MALFORMED, flash
 * errors */
int identity_read(const struct port_flash *flash, unsigned area, struct device_identity *out);
/* One of its certificates into buffer, IDENTITY_CERTIFICATE_SIZE bytes. As above; RELAY_E_RANGE: there is none. */
int identity_read_certificate(const struct port_flash *flash, unsigned area, size_t index, uint8_t *buffer,
                              struct span *certificate);

/* At manufacture. 0 or PORT_E_IO */
int identity_write_secret(const struct port_flash *flash, const uint8_t secret[DICE_SECRET_SIZE]);
/* Wipe it after use. 0, RELAY_E_STATE, RELAY_E_MALFORMED, flash errors */
int identity_read_secret(const struct port_flash *flash, uint8_t secret[DICE_SECRET_SIZE]);

/* Is this certificate one of this device: its subject has exactly one CN, which is the name? Nothing is verified. */
bool identity_is_named(struct span certificate, const char *name);
