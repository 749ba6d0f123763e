/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/result.h"

const char *relay_result_string(int result)
{
        switch ((enum relay_result)result) {
        case RELAY_OK:
                return "success";
        case RELAY_MORE:
                return "more input is needed";
        case RELAY_E_TRUNCATED:
                return "the input is cut short";
        case RELAY_E_MALFORMED:
                return "the input breaks its format";
        case RELAY_E_RANGE:
                return "a value is outside its range";
        case RELAY_E_SPACE:
                return "a buffer is too small";
        case RELAY_E_SIGNATURE:
                return "a signature or digest does not match";
        case RELAY_E_KEY:
                return "the key is unusable";
        case RELAY_E_UNSUPPORTED:
                return "not in the supported profile";
        case RELAY_E_STATE:
                return "the call does not fit the state";
        case RELAY_E_CRYPTO:
                return "the crypto library failed";
        }
        return "unknown result";
}
