/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Alerts on their way out: to the journal, to local subscribers and to the cloud at once, on the bus when they are on
 * the disk. So a number that somebody was told is never another alert's after a crash, and who follows misses none.
 */

#include <inttypes.h>

#include "hub/manager_internal.h"

#define PATIENCE_MS 2000 /* a disk that is full does not keep alerts about it back for longer */

void manager_tell_alerts(struct manager *m)
{
        const struct alert *alert;

        while ((alert = alerts_next_untold(&m->alerts))) {
                char topic[TOPIC_MAX], json[ALERT_JSON_MAX];
                struct span payload = span_of(json, alert_json(alert, json));

                log_warning("alert %" PRIu64 ": %s %s: %s", alert->number, *alert->device ? alert->device : "relay",
                            alert->reason, alert->detail);
                topic_site(topic, m->conf->site, "alerts");
                broker_publish(m->broker, topic, payload, false);
                broker_send_up(m->broker, topic, payload, false);
        }
}

/* Those told since the last ones became durable wait for this commit together. */
void manager_seal_alerts(struct manager *m)
{
        if (m->alerts_signalled < m->alerts_sealed || m->alerts.told <= m->alerts_sealed)
                return;
        m->alerts_sealed = m->alerts.told;
        m->alerts_commit = m->broker->commit;
        m->alerts_late_ms = m->broker->now_ms + PATIENCE_MS;
}

static int signal_one(void *context, const struct alert_view *alert)
{
        struct manager *m = context;

        if (alert->number > m->alerts_sealed)
                return 1;
        if (m->listener.alert)
                m->listener.alert(m->listener.context, alert);
        return 0;
}

void manager_signal_alerts(struct manager *m)
{
        uint64_t from = m->alerts_signalled + 1;

        if (m->alerts_signalled == m->alerts_sealed ||
            (m->broker->durable < m->alerts_commit && m->broker->now_ms < m->alerts_late_ms))
                return;
        m->alerts_signalled = m->alerts_sealed;
        (void)alerts_walk(&m->alerts, from, signal_one, m);
        manager_seal_alerts(m);
}

struct walk {
        int (*fn)(void *context, const struct alert_view *alert);
        void *context;
        uint64_t last;
};

static int walk_one(void *context, const struct alert_view *alert)
{
        const struct walk *walk = context;

        return alert->number > walk->last ? 1 : walk->fn(walk->context, alert);
}

int manager_walk_alerts(struct manager *m, uint64_t from, int (*fn)(void *context, const struct alert_view *alert),
                        void *context)
{
        struct walk walk = { fn, context, m->alerts_signalled };

        return alerts_walk(&m->alerts, from, walk_one, &walk);
}
