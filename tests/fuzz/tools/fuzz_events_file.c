/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of an export of events: what is kept are whole lines, and an event made of the bytes is read back. */

#include <stdlib.h>
#include <string.h>

#include "ctl/eventsfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* whatever a device sends, the export's own line is one that the export goes on from */
static void check_line(struct span payload)
{
        const struct events_line event = { .number = 7,
                                           .time = 1763800000,
                                           .boot = 3,
                                           .seq = 41,
                                           .site = "s1",
                                           .device = "device-1",
                                           .name = "soil",
                                           .keyed = true,
                                           .payload = payload };
        json_t *line = events_line_json(&event);
        char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
        size_t size, keep;
        uint64_t number;

        if (!text)
                abort();
        size = strlen(text);
        if (memchr(text, '\n', size))
                abort();
        text[size] = '\n';
        if (events_resume(span_of(text, size + 1), "s1", &keep, &number) != 0 || keep != size + 1 || number != 7)
                abort();
        free(text);
        json_decref(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        uint64_t number;
        size_t keep;

        if (events_resume(span_of(data, size), "s1", &keep, &number) == 0 &&
            (keep > size || (keep > 0 && (data[keep - 1] != '\n' || number == 0))))
                abort();
        check_line(span_of(data, size));
        return 0;
}
