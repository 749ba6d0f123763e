/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Results of librelay functions.
 *
 * Zero is success, negative is an error that travels up unchanged, positive is a documented answer of
 * one function. Verdicts ("may this happen?") are never results: see reason.h.
 */

enum relay_result {
        RELAY_OK = 0,
        RELAY_MORE = 1, /* mqtt_decode(), mqtt_client_next(): nothing complete yet */

        RELAY_E_TRUNCATED = -1,   /* the input ends inside an item */
        RELAY_E_MALFORMED = -2,   /* the input breaks its format; decoders refuse it whole */
        RELAY_E_RANGE = -3,       /* a value is outside what the format or this profile allows */
        RELAY_E_SPACE = -4,       /* the caller's buffer or fixed table is too small */
        RELAY_E_SIGNATURE = -5,   /* a signature does not verify */
        RELAY_E_KEY = -6,         /* a key is unusable: wrong type, wrong size, not on the curve */
        RELAY_E_UNSUPPORTED = -7, /* well-formed, but not in our profile (algorithm, SUIT command, ...) */
        RELAY_E_STATE = -8,       /* the call does not fit the object's state */
        RELAY_E_CRYPTO = -9,      /* the crypto library failed for a reason of its own (memory, entropy) */
};

/* A short lower-case English text for logs and tests; never NULL, static storage. */
const char *relay_result_string(int result);
