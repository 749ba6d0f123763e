/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Which policies the guard takes from the hub at all. Pure.
 */

#include "guard/server.h"

/* 0, or -EACCES and a sentence that names the option which would allow it. */
int permit_policy(const struct server_options *options, const struct country_policy *policy, char *out, size_t size);
