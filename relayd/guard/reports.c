/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/reports.h"

#include <string.h>

#include "guard/counters.h"
#include "guard/ruleset.h"
#include "util/time.h"

#define SUMS_US      (UINT64_C(1000) * DROPLOG_SUM_MS)
#define COUNTERS_MAX 16

struct reports {
        reports_sender send;
        void *context;
        sd_event_source *timer;
        struct droplog_sums sums;
};

static void send_report(struct reports *reports, const struct droplog_report *report)
{
        struct guard_message m = { .type = GUARD_REFUSED };
        uint8_t address[16];

        m.refused.direction = (uint8_t)report->packet.direction;
        m.refused.address = span_of(address, address_to_bytes(&report->packet.address, address));
        m.refused.port = report->packet.port;
        country_code_text(report->country == COUNTRY_NO_DATABASE ? COUNTRY_UNKNOWN : report->country,
                          m.refused.country);
        m.refused.count = report->count;
        reports->send(&m, reports->context);
}

static void arm(struct reports *reports)
{
        sd_event_source_set_time_relative(reports->timer, SUMS_US);
        sd_event_source_set_enabled(reports->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t now, void *context)
{
        struct reports *reports = context;
        struct droplog_report report;

        (void)source, (void)now;
        while (droplog_next(&reports->sums, time_monotonic_ms(), &report))
                send_report(reports, &report);
        if (reports->sums.count > 0)
                arm(reports);
        return 0;
}

void reports_note(struct reports *reports, const struct droplog_packet *packet, country_code country)
{
        struct droplog_report report;
        int enabled = SD_EVENT_OFF;

        if (droplog_note(&reports->sums, packet, country, time_monotonic_ms(), &report))
                send_report(reports, &report);
        sd_event_source_get_enabled(reports->timer, &enabled);
        if (enabled == SD_EVENT_OFF)
                arm(reports);
}

static void fill_countries(const struct droplog_sums *sums, struct guard_counters *counters)
{
        for (country_code code = 0; code <= COUNTRY_UNKNOWN; code++) {
                if (sums->refused[code] == 0 || counters->country_count == GUARD_COUNTRIES_MAX)
                        continue;
                struct guard_country_count *c = &counters->countries[counters->country_count++];
                country_code_text(code, c->country);
                c->refused = sums->refused[code];
        }
}

void reports_counters(struct reports *reports, const struct nf_transport *transport)
{
        struct guard_message m = { .type = GUARD_COUNTERS };
        struct nf_counter counters[COUNTERS_MAX];
        size_t count = 0;

        if (transport && nf_counters(transport, RULESET_TABLE, ruleset_counters, counters, &count) < 0)
                count = 0;
        for (size_t i = 0; i < count; i++) {
                struct span name = span_of(counters[i].name, strlen(counters[i].name));
                m.counters.counters[i] = (struct guard_counter){ name, counters[i].packets, counters[i].bytes };
        }
        m.counters.count = count;
        fill_countries(&reports->sums, &m.counters);
        reports->send(&m, reports->context);
}

int reports_new(struct reports **ret, sd_event *event, reports_sender send, void *context)
{
        struct reports *reports = calloc(1, sizeof(*reports));

        if (!reports)
                return -ENOMEM;
        reports->send = send;
        reports->context = context;
        int r = sd_event_add_time(event, &reports->timer, CLOCK_MONOTONIC, 0, 1, on_timer, reports);
        if (r >= 0)
                r = sd_event_source_set_enabled(reports->timer, SD_EVENT_OFF);
        if (r < 0) {
                reports_free(reports);
                return r;
        }
        *ret = reports;
        return 0;
}

struct reports *reports_free(struct reports *reports)
{
        if (!reports)
                return NULL;
        sd_event_source_disable_unref(reports->timer);
        free(reports);
        return NULL;
}
