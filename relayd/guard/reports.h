/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the hub hears of refused packets: REFUSED at a bounded rate, and COUNTERS when it asks.
 */

#include "guard/commit.h"
#include "guard/droplog.h"
#include "guard/message.h"

struct reports;
typedef void (*reports_sender)(const struct guard_message *message, void *context);

int reports_new(struct reports **ret, sd_event *event, reports_sender send, void *context);
struct reports *reports_free(struct reports *reports);
CLEANUP_DEFINE(struct reports, reports_free)

void reports_note(struct reports *reports, const struct droplog_packet *packet, country_code country);
/* transport: of a kernel that has our table, else NULL */
void reports_counters(struct reports *reports, const struct nf_transport *transport);
