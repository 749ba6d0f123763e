/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The real transport: TCP by uplink/dial.h, TLS 1.3 by tls/tls.h. */

#include "tls/tls.h"
#include "uplink/transport.h"

/* context: borrowed, must outlive the links */
struct uplink_transport tls_link_transport(struct tls_context *context);
