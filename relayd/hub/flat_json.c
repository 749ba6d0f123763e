/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hub/flat_json.h"

#include "relay/cursor.h"

static void skip_space(struct reader *r)
{
        while (reader_left(r) > 0 && (r->in.data[r->at] == ' ' || r->in.data[r->at] == '\t' ||
                                      r->in.data[r->at] == '\n' || r->in.data[r->at] == '\r'))
                reader_u8(r);
}

static uint8_t peek(struct reader *r)
{
        skip_space(r);
        return reader_left(r) > 0 ? r->in.data[r->at] : 0;
}

static void expect(struct reader *r, uint8_t c)
{
        skip_space(r);
        if (reader_u8(r) != c)
                reader_fail(r, RELAY_E_MALFORMED);
}

static int hex_digit(uint8_t c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What stands behind a backslash: a quote, a backslash, or u0000 to u001f. Gives the byte it means. */
static uint8_t read_escape(struct reader *r)
{
        uint8_t c = reader_u8(r);
        int high, low;

        if (c == '"' || c == '\\')
                return c;
        if (c != 'u' || reader_u8(r) != '0' || reader_u8(r) != '0') {
                reader_fail(r, RELAY_E_MALFORMED);
                return 0;
        }
        high = hex_digit(reader_u8(r));
        low = hex_digit(reader_u8(r));
        if (high < 0 || high > 1 || low < 0) {
                reader_fail(r, RELAY_E_MALFORMED);
                return 0;
        }
        return (uint8_t)((high << 4) + low);
}

/* escaped: NULL where no escape is allowed */
static struct span read_string(struct reader *r, bool *escaped)
{
        expect(r, '"');
        size_t from = r->at, end = from;

        while (reader_left(r) > 0) {
                uint8_t c = reader_u8(r);
                if (c == '"')
                        break;
                if (c < 0x20 || (c == '\\' && !escaped))
                        reader_fail(r, RELAY_E_MALFORMED);
                if (c == '\\' && escaped) {
                        *escaped = true;
                        read_escape(r);
                }
                end = r->at;
        }
        /* an end without a quote: the next expect() fails, as the smallest object ends with more than a string */
        struct span text = r->result == RELAY_OK ? span_slice(r->in, from, end - from) : SPAN_EMPTY;
        if (!span_is_utf8(text))
                reader_fail(r, RELAY_E_MALFORMED);
        return text;
}

static uint64_t read_number(struct reader *r)
{
        uint64_t number = 0;
        size_t digits = 0;
        bool leading_zero = peek(r) == '0';

        while (reader_left(r) > 0 && r->in.data[r->at] >= '0' && r->in.data[r->at] <= '9') {
                uint8_t digit = (uint8_t)(reader_u8(r) - '0');
                if (number > (UINT64_MAX - digit) / 10)
                        reader_fail(r, RELAY_E_RANGE);
                number = number * 10 + digit;
                digits++;
        }
        if (digits == 0 || (leading_zero && digits > 1))
                reader_fail(r, RELAY_E_MALFORMED);
        return number;
}

static bool read_bool(struct reader *r)
{
        bool value = peek(r) == 't';
        struct span word = value ? SPAN_LITERAL("true") : SPAN_LITERAL("false");

        if (!span_equal(reader_bytes(r, word.size), word))
                reader_fail(r, RELAY_E_MALFORMED);
        return value;
}

static void read_value(struct reader *r, struct flat_json_member *member)
{
        uint8_t c = peek(r);

        if (c == '"') {
                member->type = FLAT_JSON_STRING;
                member->string = read_string(r, &member->escaped);
        } else if (c == 't' || c == 'f') {
                member->type = FLAT_JSON_BOOL;
                member->number = read_bool(r);
        } else {
                member->type = FLAT_JSON_NUMBER;
                member->number = read_number(r);
        }
}

static const struct flat_json_member *find(const struct flat_json *json, struct span name)
{
        for (size_t i = 0; i < json->count; i++)
                if (span_equal(json->members[i].name, name))
                        return &json->members[i];
        return NULL;
}

static void read_member(struct reader *r, struct flat_json *json)
{
        struct flat_json_member member = { .name = read_string(r, NULL) };

        expect(r, ':');
        read_value(r, &member);
        if (find(json, member.name))
                reader_fail(r, RELAY_E_MALFORMED);
        if (json->count == FLAT_JSON_MEMBERS)
                reader_fail(r, RELAY_E_RANGE);
        if (r->result == RELAY_OK)
                json->members[json->count++] = member;
}

int flat_json_decode(struct span in, struct flat_json *out)
{
        struct flat_json json = { 0 };
        struct reader r;

        if (in.size > FLAT_JSON_MAX)
                return RELAY_E_RANGE;
        reader_init(&r, in);
        expect(&r, '{');
        if (peek(&r) != '}') {
                read_member(&r, &json);
                while (r.result == RELAY_OK && peek(&r) == ',') {
                        expect(&r, ',');
                        read_member(&r, &json);
                }
        }
        expect(&r, '}');
        skip_space(&r);
        int result = reader_finish(&r);
        if (result == RELAY_OK)
                *out = json;
        return result == RELAY_E_TRUNCATED ? RELAY_E_MALFORMED : result;
}

struct span flat_json_string(const struct flat_json *json, const char *name)
{
        const struct flat_json_member *member = find(json, span_of_string(name));

        return member && member->type == FLAT_JSON_STRING && !member->escaped ? member->string : SPAN_EMPTY;
}

uint64_t flat_json_number(const struct flat_json *json, const char *name, uint64_t fallback)
{
        const struct flat_json_member *member = find(json, span_of_string(name));

        return member && member->type == FLAT_JSON_NUMBER ? member->number : fallback;
}

bool flat_json_bool(const struct flat_json *json, const char *name)
{
        const struct flat_json_member *member = find(json, span_of_string(name));

        return member && member->type == FLAT_JSON_BOOL && member->number;
}

size_t flat_json_text(const struct flat_json *json, const char *name, uint8_t *out, size_t size)
{
        const struct flat_json_member *member = find(json, span_of_string(name));
        size_t at = 0;
        struct reader r;

        reader_init(&r, member && member->type == FLAT_JSON_STRING ? member->string : SPAN_EMPTY);
        while (reader_left(&r) > 0 && at < size) {
                uint8_t c = reader_u8(&r);

                out[at++] = c == '\\' ? read_escape(&r) : c;
        }
        return at;
}
