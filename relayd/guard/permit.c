/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/permit.h"

static bool is_admin_port(const struct server_options *options, uint16_t port)
{
        for (size_t i = 0; i < options->admin_port_count; i++)
                if (options->admin_ports[i] == port)
                        return true;
        return false;
}

int permit_policy(const struct server_options *options, const struct country_policy *policy, char *out, size_t size)
{
        if (policy->lockdown && options->lockdown == LOCKDOWN_NO) {
                snprintf(out, size, "the guard was started without --lockdown: it may not close this host");
                return -EACCES;
        }
        if (!policy->lockdown && options->lockdown == LOCKDOWN_REQUIRED) {
                snprintf(out, size, "the guard was started with --lockdown required: it may not open this host");
                return -EACCES;
        }
        for (size_t i = 0; policy->lockdown && i < policy->lockdown_port_count; i++) {
                if (is_admin_port(options, policy->lockdown_ports[i]))
                        continue;
                snprintf(out, size, "port %u is not among the guard's --admin-ports: it may not be opened",
                         policy->lockdown_ports[i]);
                return -EACCES;
        }
        return 0;
}
