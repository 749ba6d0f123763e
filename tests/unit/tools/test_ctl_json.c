/* SPDX-License-Identifier: GPL-2.0-or-later */
/* D-Bus values as JSON, and names of errors. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/bus.h"

/* A message that can be read, on a connection that nobody serves. */
static sd_bus_message *message(sd_bus **bus, const char *types, ...)
{
        sd_bus_message *m = NULL;
        int pair[2];
        va_list list;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        assert_true(sd_bus_new(bus) >= 0);
        assert_true(sd_bus_set_fd(*bus, pair[0], pair[0]) >= 0);
        assert_true(sd_bus_start(*bus) >= 0);
        close(pair[1]);
        assert_true(sd_bus_message_new_method_call(*bus, &m, "a.b", "/", "a.b", "C") >= 0);
        va_start(list, types);
        assert_true(sd_bus_message_appendv(m, types, list) >= 0);
        va_end(list);
        assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
        return m;
}

static void check(sd_bus *bus, sd_bus_message *m, const char *expected)
{
        json_t *value = ctl_json(m);
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

        assert_non_null(text);
        assert_string_equal(text, expected);
        free(text);
        json_decref(value);
        assert_null(ctl_json(m));
        sd_bus_message_unref(m);
        sd_bus_close_unref(bus);
}

static void values(void **state)
{
        sd_bus *bus = NULL;
        sd_bus_message *m;
        (void)state;

        m = message(&bus, "s", "text");
        check(bus, m, "\"text\"");
        m = message(&bus, "t", UINT64_C(1763800000));
        check(bus, m, "1763800000");
        m = message(&bus, "b", 1);
        check(bus, m, "true");
        m = message(&bus, "v", "i", -3);
        check(bus, m, "-3");
        m = message(&bus, "ay", 3, 0, 255, 16);
        check(bus, m, "\"00ff10\"");
        m = message(&bus, "ay", 0);
        check(bus, m, "\"\"");
        m = message(&bus, "as", 2, "a", "b");
        check(bus, m, "[\"a\",\"b\"]");
        m = message(&bus, "a(ss)", 1, "device-1", "gate");
        check(bus, m, "[[\"device-1\",\"gate\"]]");
        m = message(&bus, "a{sv}", 2, "A", "u", 7, "B", "as", 0);
        check(bus, m, "{\"A\":7,\"B\":[]}");
        m = message(&bus, "a{oa{sa{sv}}}", 1, "/x", 1, "i.f", 1, "P", "ay", 1, 9);
        check(bus, m, "{\"/x\":{\"i.f\":{\"P\":\"09\"}}}");
}

static void error_names(void **state)
{
        char out[32];
        (void)state;

        ctl_kebab("NotApproved", out, sizeof(out));
        assert_string_equal(out, "not-approved");
        ctl_kebab("NotAnApprover", out, sizeof(out));
        assert_string_equal(out, "not-an-approver");
        ctl_kebab("", out, sizeof(out));
        assert_string_equal(out, "");
        ctl_kebab("AVeryLongNameThatDoesNotFitIntoTheRoomItHas", out, sizeof(out));
        assert_true(strlen(out) < sizeof(out));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(values), cmocka_unit_test(error_names) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
