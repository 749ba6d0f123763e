/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A country policy as names and values, the way it travels on D-Bus:
 *   inbound, uplink, admin   a rule in words ("allow FI SE EU unknown=accept", "off")
 *   port 8884                the same for what comes to this port; "" takes it away
 *   exempt                   +203.0.113.0/24 adds a network, - takes it away
 *   local                    "exempt": private and link-local networks are not judged, "judge": they are
 *   lockdown                 "on", "off"
 *   open                     +22 keeps a port open under lockdown, -22 closes it
 */

#include "policy/country.h"

/* Changes one thing. 0, or -EINVAL and a sentence (COUNTRY_ERROR_MAX bytes) with name, value and the way out. */
int country_settings_apply(struct country_policy *policy, const char *name, const char *value, char *error);
/* Every setting, with plain values (without + and -). fn's other answers than 0 end the walk and are passed on. */
int country_settings_walk(const struct country_policy *policy,
                          int (*fn)(void *context, const char *name, const char *value), void *context);
