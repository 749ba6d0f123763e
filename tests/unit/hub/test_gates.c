/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate by scope, as people set it: whom an approved update is shown to, and what is refused. */
#include "updater_host.h"

#include "hub/manager.h"
#include "policy/gate.h"

static enum reason set(struct host *h, const char *scope, const char *state, uint64_t until, const char *window)
{
        const struct gate_change change = { scope, state, until, &window, window ? 1 : 0 };
        struct refusal refusal = { 0 };
        int r = updater_set_gate(h->updater, "uid:0", &change, &refusal);

        assert_int_equal(r, refusal.reason == REASON_NONE ? 0 : MANAGER_REFUSED);
        assert_int_equal(refusal.text[0] != '\0', refusal.reason != REASON_NONE);
        return refusal.reason;
}

static void reset(struct host *h, const char *scope)
{
        struct refusal refusal = { 0 };

        assert_int_equal(updater_reset_gate(h->updater, "uid:0", scope, &refusal), 0);
}

static bool shown(struct host *h, const char *device)
{
        return host_shown(h, device).size > 0;
}

static void the_narrower_setting_wins(void **state)
{
        static const char class_name[] = "class:c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1";
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];

        host_show_offer(h); /* the site's gate is open */
        assert_int_equal(set(h, "device:device-1", "closed", 0, NULL), REASON_NONE);
        assert_false(shown(h, "device-1"));
        assert_true(shown(h, "device-2"));
        assert_string_equal(host_waits(h, host_manifest(h, 7, out), "device-1"), "gate");
        assert_int_equal(set(h, class_name, "closed", 0, NULL), REASON_NONE);
        assert_false(shown(h, "device-2"));
        assert_int_equal(set(h, "device:device-1", "open", 0, NULL), REASON_NONE);
        assert_true(shown(h, "device-1"));
        assert_false(shown(h, "device-2"));
        reset(h, class_name);
        assert_true(shown(h, "device-2"));
        host_close_gate(h);
        assert_true(shown(h, "device-1"));
        assert_false(shown(h, "device-2"));
        reset(h, "device:device-1");
        assert_false(shown(h, "device-1"));
        unsigned before = h->audits[AUDIT_GATE_RESET];
        reset(h, "device:device-1"); /* nothing is there: nothing happens */
        assert_int_equal(h->audits[AUDIT_GATE_RESET], before);
}

static void settings_survive_a_restart(void **state)
{
        struct host *h = *state;

        host_show_offer(h);
        assert_int_equal(set(h, "device:device-1", "closed", 0, NULL), REASON_NONE);
        assert_int_equal(set(h, "device:device-2", "open", h->now_s + 100, NULL), REASON_NONE);
        host_commit(h);
        host_restart(h);
        assert_false(shown(h, "device-1"));
        assert_true(shown(h, "device-2"));
        h->now_s += 100;
        unsigned before = h->audits[AUDIT_GATE_CLOSED];
        updater_tick(h->updater);
        assert_false(shown(h, "device-2"));
        assert_int_equal(h->audits[AUDIT_GATE_CLOSED], before + 1);
}

static void a_store_of_the_version_before_is_read(void **state)
{
        static const uint8_t open[9] = { 1 };
        struct host *h = *state;

        host_show_offer(h);
        assert_int_equal(store_put(h->store, STORE_META, SPAN_LITERAL("gate"), SPAN_OF(open)), 0);
        host_commit(h);
        host_restart(h);
        assert_true(shown(h, "device-1"));
}

static void what_makes_no_sense_is_refused(void **state)
{
        static const struct {
                const char *scope, *state;
                uint64_t until;
                const char *window;
                enum reason reason;
        } rows[] = {
                { "sites", "open", 0, NULL, REASON_MALFORMED },
                { "device:A", "open", 0, NULL, REASON_MALFORMED },
                { "site", "ajar", 0, NULL, REASON_MALFORMED },
                { "site", "open", 5, NULL, REASON_OUTSIDE_WINDOW },
                { "site", "closed", 1900000000, NULL, REASON_MALFORMED },
                { "site", "windows", 0, NULL, REASON_MALFORMED },
                { "site", "windows", 0, "Someday 02:00-04:00", REASON_MALFORMED },
                { "site", "open", 0, "Sun 02:00-04:00", REASON_MALFORMED },
                { "site", "windows", 1900000000, "Sun 02:00-04:00", REASON_MALFORMED },
        };
        struct host *h = *state;

        for (size_t i = 0; i < ROWS(rows); i++) {
                print_message("# row %zu\n", i);
                assert_int_equal(set(h, rows[i].scope, rows[i].state, rows[i].until, rows[i].window), rows[i].reason);
        }
        h->time_trusted = false;
        assert_int_equal(set(h, "site", "open", 1900000000, NULL), REASON_NO_TRUSTED_TIME);
        for (int i = 0; i < GATE_ENTRIES_MAX; i++) {
                char scope[32];
                snprintf(scope, sizeof(scope), "device:d-%d", i);
                assert_int_equal(set(h, scope, "open", 0, NULL), REASON_NONE);
        }
        assert_int_equal(set(h, "site", "open", 0, NULL), REASON_QUOTA);
}

static int count_windows(void *context, const struct gate_change *setting)
{
        char *text = context;

        assert_string_equal(setting->scope, "site");
        assert_string_equal(setting->state, "windows");
        for (size_t i = 0; i < setting->window_count; i++)
                strcat(strcat(text, setting->windows[i]), ";");
        return 0;
}

static void windows_are_shown_as_they_hold(void **state)
{
        struct host *h = *state;
        char text[400] = "";

        assert_int_equal(set(h, "site", "windows", 0, "daily 03:00-04:00"), REASON_NONE);
        assert_int_equal(updater_walk_gate(h->updater, count_windows, text), 0);
        assert_non_null(strstr(text, "Mon 03:00-04:00;"));
        assert_non_null(strstr(text, "Sun 03:00-04:00;"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                HOST_ROW(the_narrower_setting_wins),
                HOST_ROW(settings_survive_a_restart),
                HOST_ROW(a_store_of_the_version_before_is_read),
                HOST_ROW(what_makes_no_sense_is_refused),
                HOST_ROW(windows_are_shown_as_they_hold),
        };
        return cmocka_run_group_tests_name("gates", tests, NULL, NULL);
}
