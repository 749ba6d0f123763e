/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of what the hub shows. */

#include "hub/views.h"

const char *registration_name(enum registration registration)
{
        switch (registration) {
        case REGISTRATION_PENDING:
                return "pending";
        case REGISTRATION_REGISTERED:
                return "registered";
        case REGISTRATION_REVOKED:
                return "revoked";
        }
        return "pending";
}

const char *uplink_view_name(enum uplink_view_state state)
{
        switch (state) {
        case UPLINK_VIEW_NONE:
                return "none";
        case UPLINK_VIEW_DOWN:
                return "down";
        case UPLINK_VIEW_UP:
                return "up";
        }
        return "none";
}

const char *country_enforced_name(enum country_enforced enforced)
{
        switch (enforced) {
        case COUNTRY_ENFORCED_OFF:
                return "off";
        case COUNTRY_ENFORCED_HUB:
                return "hub";
        case COUNTRY_ENFORCED_KERNEL:
                return "kernel";
        }
        return "off";
}

const char *image_source_name(enum image_source source)
{
        switch (source) {
        case IMAGE_APPROVED:
                return "approved";
        case IMAGE_FACTORY:
                return "factory";
        case IMAGE_ADDED:
                return "added";
        }
        return "added";
}
