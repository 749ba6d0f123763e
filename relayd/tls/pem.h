/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * PEM armour (RFC 7468).
 */

#include "relay/span.h"

#define PEM_FILE_MAX (256 * 1024)

#define PEM_CERTIFICATE           "CERTIFICATE"
#define PEM_PRIVATE_KEY           "PRIVATE KEY"
#define PEM_ENCRYPTED_PRIVATE_KEY "ENCRYPTED PRIVATE KEY"
#define PEM_PUBLIC_KEY            "PUBLIC KEY"

/* Takes the next block of *text: 0, label (NUL-terminated) and malloc'ed *der, *text moved behind it; 1: no more
 * blocks; -EBADMSG; -ENOMEM. Text between blocks is ignored. */
int pem_next(struct span *text, char label[32], uint8_t **der, size_t *size);
/* The first block with this label: 0, -ENOENT if there is none, or the errors above. */
int pem_find(struct span text, const char *label, uint8_t **der, size_t *size);
/* malloc'ed, NUL-terminated text; NULL: no memory */
char *pem_encode(const char *label, struct span der);
