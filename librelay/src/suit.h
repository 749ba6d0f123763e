/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Labels of the SUIT manifest specification (IANA registry "SUIT") as far as the profile uses them, and our two
 * private ones. For manifest*.c only.
 */

enum {
        SUIT_ENVELOPE_TAG = 107,
        SUIT_AUTHENTICATION = 2,
        SUIT_MANIFEST = 3,

        SUIT_VERSION = 1,
        SUIT_SEQUENCE = 2,
        SUIT_COMMON = 3,
        SUIT_VALIDATE = 7,
        SUIT_INSTALL = 20,
        SUIT_TEXT = 23,

        SUIT_COMPONENTS = 2,
        SUIT_SHARED_SEQUENCE = 4,

        SUIT_CONDITION_VENDOR = 1,
        SUIT_CONDITION_CLASS = 2,
        SUIT_CONDITION_IMAGE_MATCH = 3,
        SUIT_OVERRIDE_PARAMETERS = 20,
        SUIT_FETCH = 21,

        SUIT_PARAMETER_VENDOR = 1,
        SUIT_PARAMETER_CLASS = 2,
        SUIT_PARAMETER_DIGEST = 3,
        SUIT_PARAMETER_SIZE = 14,
        SUIT_PARAMETER_URI = 21,
        SUIT_PARAMETER_BLOCK_LIST = -256, /* private */

        SUIT_TEXT_UPDATE_DESCRIPTION = 2,
        SUIT_TEXT_COMPONENT_VERSION = 6,
        SUIT_TEXT_URGENCY = -256, /* private */

        SUIT_ALG_SHA256 = -16,
        SUIT_REPORT_ALL = 15,    /* reporting policy: four bits */
        SUIT_REPORT_FAILURE = 2, /* system information on failure */
};

#define SUIT_COMPONENT SPAN_LITERAL("app")
#define SUIT_LANGUAGE  SPAN_LITERAL("en")
/* the image's place on the broker: "images/" and its digest in hexadecimal */
#define SUIT_URI_SIZE (7 + 2 * SHA256_SIZE)
char *suit_uri(const uint8_t image_digest[SHA256_SIZE], char out[SUIT_URI_SIZE + 1]);
bool suit_text_is_displayable(struct span text);
bool suit_word_is_valid(struct span text);
