/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of exported events: what a line says, and where an interrupted export goes on. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/eventsfile.h"

static void expect_line(const struct events_line *event, const char *expected)
{
        json_t *line = events_line_json(event);
        char *text = json_dumps(line, JSON_COMPACT);

        assert_string_equal(text, expected);
        free(text);
        json_decref(line);
}

static void says_what_came(void **state)
{
        struct events_line event = { .number = 7,
                                     .time = 1763800000,
                                     .boot = 3,
                                     .seq = 41,
                                     .site = "s1",
                                     .device = "device-1",
                                     .name = "soil",
                                     .keyed = true };

        (void)state;
        event.payload = SPAN_LITERAL("{\"wet\":1}\n");
        expect_line(&event,
                    "{\"number\":7,\"site\":\"s1\",\"device\":\"device-1\",\"boot\":3,\"seq\":41,\"name\":\"soil\","
                    "\"time\":1763800000,\"text\":\"{\\\"wet\\\":1}\\n\"}");
        event.keyed = false;
        event.payload = SPAN_LITERAL("\0\1\2\3");
        expect_line(&event,
                    "{\"number\":7,\"site\":\"s1\",\"device\":\"device-1\",\"name\":\"soil\",\"time\":1763800000,"
                    "\"base64\":\"AAECAw==\"}");
        event.payload = SPAN_LITERAL("\xff\xfe\xfd");
        expect_line(&event,
                    "{\"number\":7,\"site\":\"s1\",\"device\":\"device-1\",\"name\":\"soil\",\"time\":1763800000,"
                    "\"base64\":\"//79\"}");
        event.payload = SPAN_LITERAL("a\033[2Jb"); /* nobody writes on a terminal that shows the file */
        expect_line(&event,
                    "{\"number\":7,\"site\":\"s1\",\"device\":\"device-1\",\"name\":\"soil\",\"time\":1763800000,"
                    "\"base64\":\"YRtbMkpi\"}");
        event.payload = SPAN_EMPTY;
        expect_line(&event,
                    "{\"number\":7,\"site\":\"s1\",\"device\":\"device-1\",\"name\":\"soil\",\"time\":1763800000,"
                    "\"text\":\"\"}");
}

#define WHOLE "{\"number\":7,\"site\":\"s1\"}\n{\"number\":9,\"site\":\"s1\"}\n"
static const struct {
        const char *what, *end;
        int result;
        size_t keep;
        uint64_t number;
} resumes[] = {
        { "a new file", "", 0, 0, 0 },
        { "nothing but a line that was cut", "{\"number\":7,\"si", 0, 0, 0 },
        { "whole lines", WHOLE, 0, sizeof(WHOLE) - 1, 9 },
        { "a cut line at the end", WHOLE "{\"number\":10,\"site\":\"s1\"}", 0, sizeof(WHOLE) - 1, 9 },
        { "another site's", "{\"number\":7,\"site\":\"s2\"}\n", -EBADMSG, 0, 0 },
        { "no site", "{\"number\":7}\n", -EBADMSG, 0, 0 },
        { "no number", "{\"site\":\"s1\"}\n", -EBADMSG, 0, 0 },
        { "number zero", "{\"number\":0,\"site\":\"s1\"}\n", -EBADMSG, 0, 0 },
        { "a number that is none", "{\"number\":\"7\",\"site\":\"s1\"}\n", -EBADMSG, 0, 0 },
        { "some other file", "root:x:0:0\n", -EBADMSG, 0, 0 },
        { "an empty last line", WHOLE "\n", -EBADMSG, 0, 0 },
};

static void goes_on_where_it_ended(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(resumes) / sizeof(*resumes); i++) {
                size_t keep;
                uint64_t number;

                assert_int_equal(events_resume(span_of_string(resumes[i].end), "s1", &keep, &number),
                                 resumes[i].result);
                assert_int_equal(keep, resumes[i].keep);
                assert_int_equal(number, resumes[i].number);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(says_what_came),
                                            cmocka_unit_test(goes_on_where_it_ended) };

        return cmocka_run_group_tests_name("events_file", tests, NULL, NULL);
}
