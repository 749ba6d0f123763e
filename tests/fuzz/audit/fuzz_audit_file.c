/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exported audit logs: what decodes, encodes to the same bytes; the check takes anything and ends. */

#include <stdlib.h>
#include <string.h>

#include "audit/auditfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct writer *w, struct span in, size_t size)
{
        if (writer_finish(w) != RELAY_OK || !span_equal(writer_span(w), span_slice(in, 0, size)))
                abort();
}

static struct span take_head(struct span in, struct audit_file_head *head)
{
        uint8_t out[AUDIT_ITEM_MAX];
        struct writer w;
        size_t size;

        if (audit_file_head_decode(in, head, &size) != RELAY_OK)
                return SPAN_EMPTY;
        writer_init(&w, out, sizeof(out));
        audit_file_head_encode(&w, head);
        check_same(&w, in, size);
        return span_slice(in, size, in.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const struct public_key key = { .type = KEY_ED25519, .bytes = { 1 } };
        struct audit_file_head head = { "s1", "relay.s1" };
        struct span in = take_head(span_of(data, size), &head);
        struct audit_check check;
        struct audit_item item;
        uint8_t out[AUDIT_ITEM_MAX];
        size_t taken;

        audit_check_start(&check, head.site, &key, 1, NULL, NULL);
        while (in.size > 0 && audit_item_decode(in, &item, &taken) == RELAY_OK) {
                struct writer w;

                if (taken == 0 || taken > AUDIT_ITEM_MAX)
                        abort();
                writer_init(&w, out, sizeof(out));
                audit_item_encode(&w, &item);
                check_same(&w, in, taken);
                bool fine = audit_check_next(&check, &item);
                if (fine != (check.verifier.what == AUDIT_INTACT))
                        abort();
                in = span_slice(in, taken, in.size);
        }
        bool whole = audit_check_end(&check);
        if (whole != (check.verifier.what == AUDIT_INTACT))
                abort();
        return 0;
}
