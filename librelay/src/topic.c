/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/topic.h"

#include "relay/cursor.h"

static bool is_label_char(uint8_t c)
{
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool identity_is_device(struct span name)
{
        if (name.size < 1 || name.size > IDENTITY_MAX)
                return false;
        for (size_t i = 0; i < name.size; i++)
                if (!is_label_char(name.data[i]))
                        return false;
        return true;
}

bool identity_is_dotted(struct span name)
{
        size_t dots = 0;
        bool label_empty = true;

        if (name.size > IDENTITY_SIZE - 1)
                return false;
        for (size_t i = 0; i < name.size; i++) {
                bool dot = name.data[i] == '.';
                if (dot ? label_empty : !is_label_char(name.data[i]))
                        return false;
                dots += dot;
                label_empty = dot;
        }
        return dots > 0 && !label_empty;
}

bool topic_name_is_valid(struct span topic)
{
        if (topic.size < 1 || topic.size > UINT16_MAX)
                return false;
        for (size_t i = 0; i < topic.size; i++)
                if (topic.data[i] == '+' || topic.data[i] == '#')
                        return false;
        return span_is_utf8(topic);
}

/* the levels of a name or filter, taken one by one; an empty rest after a '/' is one more (empty) level */
struct levels {
        struct span rest;
        bool more;
};

static struct levels levels_of(struct span s)
{
        return (struct levels){ .rest = s, .more = true };
}

static bool level_next(struct levels *l, struct span *level)
{
        size_t size = 0;

        if (!l->more)
                return false;
        while (size < l->rest.size && l->rest.data[size] != '/')
                size++;
        *level = span_slice(l->rest, 0, size);
        l->more = size < l->rest.size;
        l->rest = span_slice(l->rest, size + 1, l->rest.size);
        return true;
}

static bool level_is(struct span level, char wildcard)
{
        return level.size == 1 && level.data[0] == (uint8_t)wildcard;
}

static bool level_has_wildcard(struct span level)
{
        for (size_t i = 0; i < level.size; i++)
                if (level.data[i] == '+' || level.data[i] == '#')
                        return true;
        return false;
}

bool topic_filter_is_valid(struct span filter)
{
        struct levels levels = levels_of(filter);
        struct span level;

        if (filter.size < 1 || filter.size > UINT16_MAX || !span_is_utf8(filter))
                return false;
        while (level_next(&levels, &level)) {
                if (level_is(level, '#'))
                        return !levels.more;
                if (level_has_wildcard(level) && !level_is(level, '+'))
                        return false;
        }
        return true;
}

/* level by level; a '+' or '#' in inner stands for every level, so only a wildcard covers it */
static bool levels_cover(struct span outer, struct span inner)
{
        struct levels a = levels_of(outer), b = levels_of(inner);
        struct span outer_level, inner_level;

        while (level_next(&a, &outer_level)) {
                if (level_is(outer_level, '#'))
                        return true;
                if (!level_next(&b, &inner_level) || level_is(inner_level, '#'))
                        return false;
                if (!level_is(outer_level, '+') && !span_equal(outer_level, inner_level))
                        return false;
        }
        return !b.more;
}

static bool starts_with_wildcard(struct span filter)
{
        return filter.size > 0 && (filter.data[0] == '+' || filter.data[0] == '#');
}

static bool starts_with_dollar(struct span topic)
{
        return topic.size > 0 && topic.data[0] == '$';
}

bool topic_matches(struct span filter, struct span topic)
{
        if (starts_with_wildcard(filter) && starts_with_dollar(topic))
                return false;
        return levels_cover(filter, topic);
}

bool topic_filter_covers(struct span outer, struct span inner)
{
        return topic_matches(outer, inner);
}

/* decimal without leading zeros */
static bool parse_index(struct span digits, uint32_t *out)
{
        uint64_t value = 0;

        if (digits.size < 1 || digits.size > 10 || (digits.data[0] == '0' && digits.size > 1))
                return false;
        for (size_t i = 0; i < digits.size; i++) {
                if (digits.data[i] < '0' || digits.data[i] > '9')
                        return false;
                value = 10 * value + (digits.data[i] - '0');
        }
        if (value > UINT32_MAX)
                return false;
        *out = (uint32_t)value;
        return true;
}

static bool is_lower_hex(struct span s)
{
        for (size_t i = 0; i < s.size; i++)
                if (s.data[i] >= 'A' && s.data[i] <= 'F')
                        return false;
        return true;
}

static bool parse_image(struct levels levels, struct topic_parts *out)
{
        struct span digest, index;
        bool list;

        if (!level_next(&levels, &digest) || !level_next(&levels, &index) || levels.more)
                return false;
        if (!is_lower_hex(digest) || !span_from_hex(digest, out->digest, SHA256_SIZE))
                return false;
        list = index.size > 0 && index.data[0] == 'l';
        out->kind = list ? TOPIC_IMAGE_LIST : TOPIC_IMAGE_BLOCK;
        return parse_index(list ? span_slice(index, 1, index.size) : index, &out->index);
}

static bool parse_site(struct levels levels, struct topic_parts *out)
{
        struct span level;

        if (!level_next(&levels, &out->site) || !identity_is_device(out->site) || !levels.more)
                return false;
        out->kind = TOPIC_SITE;
        out->rest = levels.rest;
        level_next(&levels, &level);
        if (span_equal_string(level, "devices")) {
                if (!level_next(&levels, &out->device) || !identity_is_device(out->device) || !levels.more)
                        return false;
                out->kind = TOPIC_DEVICE;
                out->rest = levels.rest;
        }
        return out->rest.size > 0;
}

enum topic_kind topic_parse(struct span topic, struct topic_parts *out)
{
        struct topic_parts parts = { .kind = TOPIC_FOREIGN };
        struct levels levels = levels_of(topic);
        struct span first;
        bool ours = false;

        if (topic_name_is_valid(topic) && level_next(&levels, &first)) {
                if (span_equal_string(first, "sites"))
                        ours = parse_site(levels, &parts);
                else if (span_equal_string(first, "images"))
                        ours = parse_image(levels, &parts);
        }
        *out = ours ? parts : (struct topic_parts){ .kind = TOPIC_FOREIGN };
        return out->kind;
}

static void put_text(struct writer *w, const char *text)
{
        writer_bytes(w, span_of_string(text));
}

static void put_hex(struct writer *w, const uint8_t *bytes, size_t size)
{
        for (size_t i = 0; i < size; i++) {
                char pair[3];
                put_text(w, span_to_hex(span_of(bytes + i, 1), pair, sizeof(pair)));
        }
}

static void put_decimal(struct writer *w, uint32_t value)
{
        char digits[11];
        size_t at = sizeof(digits);

        digits[--at] = 0;
        do
                digits[--at] = (char)('0' + value % 10);
        while ((value /= 10) > 0);
        put_text(w, digits + at);
}

/* a name too long for its place becomes "", which no broker accepts, rather than a cut one */
static char *finish(struct writer *w, char *out)
{
        writer_u8(w, 0);
        if (writer_finish(w) != RELAY_OK)
                out[0] = 0;
        return out;
}

static void start_site(struct writer *w, char *out, const char *site)
{
        writer_init(w, out, TOPIC_MAX);
        put_text(w, "sites/");
        put_text(w, site);
        put_text(w, "/");
}

char *topic_device(char out[TOPIC_MAX], const char *site, const char *device, const char *rest)
{
        struct writer w;

        start_site(&w, out, site);
        put_text(&w, "devices/");
        put_text(&w, device);
        put_text(&w, "/");
        put_text(&w, rest);
        return finish(&w, out);
}

char *topic_site(char out[TOPIC_MAX], const char *site, const char *rest)
{
        struct writer w;

        start_site(&w, out, site);
        put_text(&w, rest);
        return finish(&w, out);
}

static char *topic_image(char *out, const uint8_t digest[SHA256_SIZE], const char *prefix, uint32_t index)
{
        struct writer w;

        writer_init(&w, out, TOPIC_MAX);
        put_text(&w, "images/");
        put_hex(&w, digest, SHA256_SIZE);
        put_text(&w, prefix);
        put_decimal(&w, index);
        return finish(&w, out);
}

char *topic_image_block(char out[TOPIC_MAX], const uint8_t digest[SHA256_SIZE], uint32_t index)
{
        return topic_image(out, digest, "/", index);
}

char *topic_image_list(char out[TOPIC_MAX], const uint8_t digest[SHA256_SIZE], uint32_t index)
{
        return topic_image(out, digest, "/l", index);
}

char *topic_approval(char out[TOPIC_MAX], const char *site, const uint8_t manifest_digest[SHA256_SIZE],
                     const uint8_t approver_key_id[8])
{
        struct writer w;

        start_site(&w, out, site);
        put_text(&w, "approvals/");
        put_hex(&w, manifest_digest, SHA256_SIZE);
        put_text(&w, "/");
        put_hex(&w, approver_key_id, 8);
        return finish(&w, out);
}
