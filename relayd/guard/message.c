/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/message.h"

#include <string.h>

#include "relay/cbor.h"

#define COUNTER_NAME_MAX 32

static void get_array(struct reader *r, size_t items)
{
        if (cbor_get_array(r) != items)
                reader_fail(r, RELAY_E_MALFORMED);
}

static struct span get_text(struct reader *r, size_t max)
{
        struct span text = cbor_get_tstr(r);

        if (text.size > max)
                reader_fail(r, RELAY_E_RANGE);
        return text;
}

static void put_text(struct writer *w, struct span text, size_t max)
{
        if (text.size > max)
                writer_fail(w, RELAY_E_RANGE);
        cbor_put_tstr(w, text);
}

static uint64_t get_token(struct reader *r)
{
        uint64_t token = cbor_get_uint(r);

        if (token == 0)
                reader_fail(r, RELAY_E_RANGE);
        return token;
}

static void put_token(struct writer *w, uint64_t token)
{
        if (token == 0)
                writer_fail(w, RELAY_E_RANGE);
        cbor_put_uint(w, token);
}

static bool is_country(struct span text)
{
        if (text.size != 2)
                return false;
        if (text.data[0] == '?' && text.data[1] == '?')
                return true;
        return text.data[0] >= 'A' && text.data[0] <= 'Z' && text.data[1] >= 'A' && text.data[1] <= 'Z';
}

static void get_country(struct reader *r, char out[3])
{
        struct span text = cbor_get_tstr(r);

        if (!is_country(text)) {
                reader_fail(r, RELAY_E_RANGE);
                return;
        }
        memcpy(out, text.data, 2);
        out[2] = '\0';
}

static void put_country(struct writer *w, const char country[3])
{
        struct span text = span_of(country, strnlen(country, 3));

        if (!is_country(text))
                writer_fail(w, RELAY_E_RANGE);
        cbor_put_tstr(w, text);
}

static void get_ready(struct reader *r, struct guard_message *m)
{
        m->ready.result = (uint32_t)cbor_get_uint_max(r, UINT16_MAX);
        m->ready.sentence = get_text(r, GUARD_SENTENCE_MAX);
        m->ready.database_date = cbor_get_uint(r);
        m->ready.active_token = cbor_get_uint(r);
        m->ready.pending_token = cbor_get_uint(r);
        m->ready.seconds_left = (uint32_t)cbor_get_uint_max(r, GUARD_CONFIRM_MAX);
}

static void put_ready(struct writer *w, const struct guard_message *m)
{
        if (m->ready.result > UINT16_MAX || m->ready.seconds_left > GUARD_CONFIRM_MAX)
                writer_fail(w, RELAY_E_RANGE);
        cbor_put_uint(w, m->ready.result);
        put_text(w, m->ready.sentence, GUARD_SENTENCE_MAX);
        cbor_put_uint(w, m->ready.database_date);
        cbor_put_uint(w, m->ready.active_token);
        cbor_put_uint(w, m->ready.pending_token);
        cbor_put_uint(w, m->ready.seconds_left);
}

static void get_policy(struct reader *r, struct guard_message *m)
{
        m->policy.token = get_token(r);
        m->policy.policy = cbor_get_bstr(r);
        if (m->policy.policy.size > GUARD_POLICY_MAX)
                reader_fail(r, RELAY_E_RANGE);
        m->policy.confirm_seconds = (uint32_t)cbor_get_uint_max(r, GUARD_CONFIRM_MAX);
}

static void put_policy(struct writer *w, const struct guard_message *m)
{
        if (m->policy.policy.size > GUARD_POLICY_MAX || m->policy.confirm_seconds > GUARD_CONFIRM_MAX)
                writer_fail(w, RELAY_E_RANGE);
        put_token(w, m->policy.token);
        cbor_put_bstr(w, m->policy.policy);
        cbor_put_uint(w, m->policy.confirm_seconds);
}

static void get_confirm(struct reader *r, struct guard_message *m)
{
        m->confirm = get_token(r);
}

static void put_confirm(struct writer *w, const struct guard_message *m)
{
        put_token(w, m->confirm);
}

static void get_uplink(struct reader *r, struct guard_message *m)
{
        m->air_gapped = cbor_get_bool(r);
}

static void put_uplink(struct writer *w, const struct guard_message *m)
{
        cbor_put_bool(w, m->air_gapped);
}

static void get_nothing(struct reader *r, struct guard_message *m)
{
        (void)r, (void)m;
}

static void put_nothing(struct writer *w, const struct guard_message *m)
{
        (void)w, (void)m;
}

static void get_applied(struct reader *r, struct guard_message *m)
{
        m->applied.token = cbor_get_uint(r);
        m->applied.result = (uint32_t)cbor_get_uint_max(r, UINT16_MAX);
        m->applied.sentence = get_text(r, GUARD_SENTENCE_MAX);
        m->applied.microseconds = cbor_get_uint(r);
        m->applied.intervals4 = (uint32_t)cbor_get_uint_max(r, UINT32_MAX);
        m->applied.intervals6 = (uint32_t)cbor_get_uint_max(r, UINT32_MAX);
        m->applied.bytes = cbor_get_uint(r);
}

static void put_applied(struct writer *w, const struct guard_message *m)
{
        if (m->applied.result > UINT16_MAX)
                writer_fail(w, RELAY_E_RANGE);
        cbor_put_uint(w, m->applied.token);
        cbor_put_uint(w, m->applied.result);
        put_text(w, m->applied.sentence, GUARD_SENTENCE_MAX);
        cbor_put_uint(w, m->applied.microseconds);
        cbor_put_uint(w, m->applied.intervals4);
        cbor_put_uint(w, m->applied.intervals6);
        cbor_put_uint(w, m->applied.bytes);
}

static void get_rolled_back(struct reader *r, struct guard_message *m)
{
        m->rolled_back.token = get_token(r);
        m->rolled_back.active_token = cbor_get_uint(r);
}

static void put_rolled_back(struct writer *w, const struct guard_message *m)
{
        put_token(w, m->rolled_back.token);
        cbor_put_uint(w, m->rolled_back.active_token);
}

static void get_restored(struct reader *r, struct guard_message *m)
{
        m->restored = cbor_get_uint(r);
}

static void put_restored(struct writer *w, const struct guard_message *m)
{
        cbor_put_uint(w, m->restored);
}

static bool is_address(struct span address)
{
        return address.size == 4 || address.size == 16;
}

static void get_refused(struct reader *r, struct guard_message *m)
{
        m->refused.direction = (uint8_t)cbor_get_uint_max(r, 2);
        m->refused.address = cbor_get_bstr(r);
        if (!is_address(m->refused.address))
                reader_fail(r, RELAY_E_RANGE);
        m->refused.port = (uint16_t)cbor_get_uint_max(r, UINT16_MAX);
        get_country(r, m->refused.country);
        m->refused.count = (uint32_t)cbor_get_uint_max(r, UINT32_MAX);
        if (m->refused.count == 0)
                reader_fail(r, RELAY_E_RANGE);
}

static void put_refused(struct writer *w, const struct guard_message *m)
{
        if (m->refused.direction > 2 || !is_address(m->refused.address) || m->refused.count == 0)
                writer_fail(w, RELAY_E_RANGE);
        cbor_put_uint(w, m->refused.direction);
        cbor_put_bstr(w, m->refused.address);
        cbor_put_uint(w, m->refused.port);
        put_country(w, m->refused.country);
        cbor_put_uint(w, m->refused.count);
}

static size_t get_count(struct reader *r, size_t max)
{
        size_t count = cbor_get_array(r);

        if (count > max) {
                reader_fail(r, RELAY_E_RANGE);
                return 0;
        }
        return count;
}

static void get_counters(struct reader *r, struct guard_message *m)
{
        m->counters.count = get_count(r, GUARD_COUNTERS_MAX);
        for (size_t i = 0; i < m->counters.count; i++) {
                get_array(r, 3);
                m->counters.counters[i].name = get_text(r, COUNTER_NAME_MAX);
                m->counters.counters[i].packets = cbor_get_uint(r);
                m->counters.counters[i].bytes = cbor_get_uint(r);
        }
        m->counters.country_count = get_count(r, GUARD_COUNTRIES_MAX);
        for (size_t i = 0; i < m->counters.country_count; i++) {
                get_array(r, 2);
                get_country(r, m->counters.countries[i].country);
                m->counters.countries[i].refused = cbor_get_uint(r);
        }
}

static void put_counters(struct writer *w, const struct guard_message *m)
{
        const struct guard_counters *c = &m->counters;

        if (c->count > GUARD_COUNTERS_MAX || c->country_count > GUARD_COUNTRIES_MAX) {
                writer_fail(w, RELAY_E_RANGE);
                return;
        }
        cbor_put_array(w, c->count);
        for (size_t i = 0; i < c->count; i++) {
                cbor_put_array(w, 3);
                put_text(w, c->counters[i].name, COUNTER_NAME_MAX);
                cbor_put_uint(w, c->counters[i].packets);
                cbor_put_uint(w, c->counters[i].bytes);
        }
        cbor_put_array(w, c->country_count);
        for (size_t i = 0; i < c->country_count; i++) {
                cbor_put_array(w, 2);
                put_country(w, c->countries[i].country);
                cbor_put_uint(w, c->countries[i].refused);
        }
}

static void get_link(struct reader *r, struct guard_message *m)
{
        m->link.kind = (enum guard_link_kind)cbor_get_uint_max(r, GUARD_LINK_ROUTE);
        m->link.interface = get_text(r, GUARD_INTERFACE_MAX);
        m->link.up = cbor_get_bool(r);
        m->link.default_route4 = cbor_get_bool(r);
        m->link.default_route6 = cbor_get_bool(r);
}

static void put_link(struct writer *w, const struct guard_message *m)
{
        if ((unsigned)m->link.kind > GUARD_LINK_ROUTE)
                writer_fail(w, RELAY_E_RANGE);
        cbor_put_uint(w, m->link.kind);
        put_text(w, m->link.interface, GUARD_INTERFACE_MAX);
        cbor_put_bool(w, m->link.up);
        cbor_put_bool(w, m->link.default_route4);
        cbor_put_bool(w, m->link.default_route6);
}

static const struct fields {
        void (*get)(struct reader *r, struct guard_message *m);
        void (*put)(struct writer *w, const struct guard_message *m);
        size_t count;
} fields[] = {
        [GUARD_READY] = { get_ready, put_ready, 6 },
        [GUARD_POLICY] = { get_policy, put_policy, 3 },
        [GUARD_CONFIRM] = { get_confirm, put_confirm, 1 },
        [GUARD_UPLINK] = { get_uplink, put_uplink, 1 },
        [GUARD_RELOAD] = { get_nothing, put_nothing, 0 },
        [GUARD_COUNT] = { get_nothing, put_nothing, 0 },
        [GUARD_APPLIED] = { get_applied, put_applied, 7 },
        [GUARD_ROLLED_BACK] = { get_rolled_back, put_rolled_back, 2 },
        [GUARD_RESTORED] = { get_restored, put_restored, 1 },
        [GUARD_REFUSED] = { get_refused, put_refused, 5 },
        [GUARD_COUNTERS] = { get_counters, put_counters, 2 },
        [GUARD_LINK] = { get_link, put_link, 5 },
};
#define TYPE_COUNT (sizeof(fields) / sizeof(fields[0]))

int guard_message_decode(struct span in, struct guard_message *out)
{
        struct guard_message m = { 0 };
        struct reader r;

        if (in.size > GUARD_MESSAGE_MAX)
                return RELAY_E_RANGE;
        reader_init(&r, in);
        size_t items = cbor_get_array(&r);
        uint64_t type = cbor_get_uint(&r);
        if (r.result != RELAY_OK)
                return r.result;
        if (type < GUARD_READY || type >= TYPE_COUNT || items != 1 + fields[type].count)
                return RELAY_E_RANGE;
        m.type = (enum guard_type)type;
        fields[type].get(&r, &m);
        if (reader_finish(&r) != RELAY_OK)
                return r.result;
        *out = m;
        return RELAY_OK;
}

int guard_message_encode(struct writer *w, const struct guard_message *message)
{
        unsigned type = message->type;

        if (type < GUARD_READY || type >= TYPE_COUNT)
                return RELAY_E_RANGE;
        cbor_put_array(w, 1 + fields[type].count);
        cbor_put_uint(w, type);
        fields[type].put(w, message);
        return writer_finish(w);
}
