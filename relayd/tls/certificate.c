/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls/certificate.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "relay/der.h"

static uint64_t two_digits(struct reader *r)
{
        uint8_t tens = (uint8_t)(reader_u8(r) - '0'), ones = (uint8_t)(reader_u8(r) - '0');

        if (tens > 9 || ones > 9)
                reader_fail(r, RELAY_E_MALFORMED);
        return tens * 10u + ones;
}

/* days since 1970-01-01 in the proleptic Gregorian calendar, year >= 1970 */
static uint64_t days_since_1970(uint64_t year, uint64_t month, uint64_t day)
{
        uint64_t y = month <= 2 ? year - 1 : year;
        uint64_t era = y / 400, year_of_era = y % 400;
        uint64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
        uint64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

        return era * 146097 + day_of_era - 719468;
}

/* section 4.1.2.5: YYMMDDHHMMSSZ (50 and above: 19xx) or YYYYMMDDHHMMSSZ */
static uint64_t get_time(struct reader *r)
{
        uint8_t tag;
        struct reader t;
        struct span text = der_get_any(r, &tag);

        reader_init(&t, text);
        uint64_t year = two_digits(&t);
        if (tag == DER_GENERALIZED_TIME)
                year = year * 100 + two_digits(&t);
        else if (tag == DER_UTC_TIME)
                year += year >= 50 ? 1900 : 2000;
        else
                reader_fail(&t, RELAY_E_MALFORMED);
        uint64_t month = two_digits(&t), day = two_digits(&t);
        uint64_t hour = two_digits(&t), minute = two_digits(&t), second = two_digits(&t);
        if (reader_u8(&t) != 'Z' || reader_finish(&t) != RELAY_OK || month < 1 || month > 12 || day < 1 || day > 31 ||
            hour > 23 || minute > 59 || second > 59)
                reader_fail(r, RELAY_E_MALFORMED);
        if (r->result != RELAY_OK || year < 1970)
                return 0;
        return days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

static enum certificate_algorithm get_algorithm(struct span identifier)
{
        struct reader r;

        reader_init(&r, identifier);
        struct reader inner = der_enter(&r, DER_SEQUENCE);
        struct span oid = der_get(&inner, DER_OID);
        if (reader_finish(&inner) != RELAY_OK) /* neither algorithm of ours has parameters */
                return CERTIFICATE_UNKNOWN;
        if (span_equal(oid, OID_ED25519))
                return CERTIFICATE_ED25519;
        return span_equal(oid, OID_ECDSA_SHA256) ? CERTIFICATE_ECDSA_SHA256 : CERTIFICATE_UNKNOWN;
}

static int parse_basic_constraints(struct reader *value, struct certificate *out)
{
        struct reader r = der_enter(value, DER_SEQUENCE);

        if (der_next_is(&r, DER_BOOLEAN)) {
                struct span flag = der_get(&r, DER_BOOLEAN);
                if (flag.size != 1 || flag.data[0] != 0xff) /* DER: FALSE is left out */
                        return RELAY_E_MALFORMED;
                out->is_ca = true;
        }
        if (der_next_is(&r, DER_INTEGER)) {
                out->has_path_length = true;
                out->path_length = der_get_u64(&r);
        }
        return reader_finish(&r);
}

static int parse_key_usage(struct reader *value, struct certificate *out)
{
        struct span bits = der_get(value, DER_BIT_STRING);

        if (bits.size < 2 || bits.size > 3 || bits.data[0] > 7)
                return RELAY_E_MALFORMED;
        out->has_usage = true;
        out->usage = bits.data[1];
        return RELAY_OK;
}

static int parse_alternative_names(struct reader *value, struct certificate *out)
{
        out->alternative_names = der_get(value, DER_SEQUENCE);
        return value->result;
}

static int parse_name_constraints(struct reader *value, struct certificate *out)
{
        struct reader r = der_enter(value, DER_SEQUENCE);

        out->has_constraints = true;
        if (der_next_is(&r, DER_CONTEXT_CONSTRUCTED(0)))
                out->permitted = der_get(&r, DER_CONTEXT_CONSTRUCTED(0));
        if (der_next_is(&r, DER_CONTEXT_CONSTRUCTED(1)))
                out->excluded = der_get(&r, DER_CONTEXT_CONSTRUCTED(1));
        if (out->permitted.size == 0 && out->excluded.size == 0) /* not even the section allows that */
                return RELAY_E_MALFORMED;
        return reader_finish(&r);
}

static int parse_subject_key_identifier(struct reader *value, struct certificate *out)
{
        out->subject_key_identifier = der_get(value, DER_OCTET_STRING);
        return value->result;
}

static int parse_extended_usage(struct reader *value, struct certificate *out)
{
        struct reader r = der_enter(value, DER_SEQUENCE);

        out->has_purposes = true;
        while (reader_left(&r) > 0) {
                struct span purpose = der_get(&r, DER_OID);
                out->for_clients |= span_equal(purpose, OID_CLIENT_AUTH) || span_equal(purpose, OID_ANY_PURPOSE);
        }
        return reader_finish(&r);
}

static int parse_extension(struct reader *r, struct certificate *out, uint32_t *seen)
{
        static const struct {
                struct span oid;
                int (*parse)(struct reader *value, struct certificate *out);
        } known[] = {
                { { (const uint8_t *)"\x55\x1d\x13", 3 }, parse_basic_constraints },
                { { (const uint8_t *)"\x55\x1d\x0e", 3 }, parse_subject_key_identifier },
                { { (const uint8_t *)"\x55\x1d\x0f", 3 }, parse_key_usage },
                { { (const uint8_t *)"\x55\x1d\x11", 3 }, parse_alternative_names },
                { { (const uint8_t *)"\x55\x1d\x1e", 3 }, parse_name_constraints },
                { { (const uint8_t *)"\x55\x1d\x25", 3 }, parse_extended_usage },
        };
        struct reader extension = der_enter(r, DER_SEQUENCE), value;
        struct span oid = der_get(&extension, DER_OID);
        bool critical = false;

        if (der_next_is(&extension, DER_BOOLEAN)) {
                critical = span_equal(der_get(&extension, DER_BOOLEAN), SPAN_LITERAL("\xff"));
                if (!critical) /* DER: FALSE is left out, TRUE has one form */
                        return RELAY_E_MALFORMED;
        }
        reader_init(&value, der_get(&extension, DER_OCTET_STRING));
        if (reader_finish(&extension) != RELAY_OK)
                return RELAY_E_MALFORMED;

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
                if (!span_equal(oid, known[i].oid))
                        continue;
                if (*seen & 1u << i) /* section 4.2: never twice */
                        return RELAY_E_MALFORMED;
                *seen |= 1u << i;
                int result = known[i].parse(&value, out);
                return result != RELAY_OK ? result : reader_finish(&value);
        }
        if (critical)
                out->unknown_critical = true;
        return RELAY_OK;
}

static int parse_extensions(struct reader *tbs, struct certificate *out)
{
        struct reader explicit_tag = der_enter(tbs, DER_CONTEXT_CONSTRUCTED(3));
        struct reader list = der_enter(&explicit_tag, DER_SEQUENCE);
        uint32_t seen = 0;

        if (reader_finish(&explicit_tag) != RELAY_OK)
                return RELAY_E_MALFORMED;
        while (reader_left(&list) > 0) {
                int result = parse_extension(&list, out, &seen);
                if (result != RELAY_OK)
                        return result;
        }
        return reader_finish(&list);
}

static int parse_tbs(struct span content, struct certificate *out, struct span *algorithm)
{
        struct reader r;
        uint64_t version = 0;

        reader_init(&r, content);
        if (der_next_is(&r, DER_CONTEXT_CONSTRUCTED(0))) {
                struct reader explicit_tag = der_enter(&r, DER_CONTEXT_CONSTRUCTED(0));
                version = der_get_u64(&explicit_tag);
                if (reader_finish(&explicit_tag) != RELAY_OK || version < 1 || version > 2)
                        return RELAY_E_MALFORMED;
        }
        der_get(&r, DER_INTEGER); /* serial number */
        *algorithm = der_get_whole(&r, DER_SEQUENCE);
        out->issuer = der_get_whole(&r, DER_SEQUENCE);
        struct reader validity = der_enter(&r, DER_SEQUENCE);
        out->not_before = get_time(&validity);
        out->not_after = get_time(&validity);
        if (reader_finish(&validity) != RELAY_OK)
                return RELAY_E_MALFORMED;
        out->subject = der_get_whole(&r, DER_SEQUENCE);
        out->spki = der_get_whole(&r, DER_SEQUENCE);
        for (uint8_t unique_id = 1; unique_id <= 2; unique_id++)
                if (der_next_is(&r, DER_CONTEXT(unique_id)))
                        der_get(&r, DER_CONTEXT(unique_id));
        if (version == 2 && der_next_is(&r, DER_CONTEXT_CONSTRUCTED(3))) {
                int result = parse_extensions(&r, out);
                if (result != RELAY_OK)
                        return result;
        }
        return reader_finish(&r);
}

int certificate_parse(struct span der, struct certificate *out)
{
        struct certificate c = { 0 };
        struct span inner_algorithm;
        struct reader r;

        reader_init(&r, der);
        struct reader outer = der_enter(&r, DER_SEQUENCE);
        c.tbs = der_get_whole(&outer, DER_SEQUENCE);
        struct span algorithm = der_get_whole(&outer, DER_SEQUENCE);
        c.signature = der_get_bits(&outer);
        if (reader_finish(&outer) != RELAY_OK)
                return outer.result;
        if (reader_finish(&r) != RELAY_OK)
                return RELAY_E_MALFORMED;

        struct reader tbs;
        reader_init(&tbs, c.tbs);
        int result = parse_tbs(der_get(&tbs, DER_SEQUENCE), &c, &inner_algorithm);
        if (result != RELAY_OK)
                return result;
        if (!span_equal(algorithm, inner_algorithm)) /* section 4.1.1.2 */
                return RELAY_E_MALFORMED;
        c.algorithm = get_algorithm(algorithm);
        *out = c;
        return RELAY_OK;
}

void certificate_identity(struct span subject, char out[IDENTITY_SIZE])
{
        struct reader r;
        struct span name = SPAN_EMPTY;
        size_t count = 0;

        out[0] = 0;
        reader_init(&r, subject);
        struct reader names = der_enter(&r, DER_SEQUENCE);
        while (reader_left(&names) > 0) {
                struct reader set = der_enter(&names, DER_SET);
                while (reader_left(&set) > 0) {
                        uint8_t tag;
                        struct reader attribute = der_enter(&set, DER_SEQUENCE);
                        struct span oid = der_get(&attribute, DER_OID);
                        struct span value = der_get_any(&attribute, &tag);
                        if (reader_finish(&attribute) != RELAY_OK)
                                return;
                        if (!span_equal(oid, OID_COMMON_NAME))
                                continue;
                        count++;
                        name = tag == DER_UTF8_STRING || tag == DER_PRINTABLE_STRING ? value : SPAN_EMPTY;
                }
                if (set.result != RELAY_OK)
                        return;
        }
        if (names.result == RELAY_OK && count == 1 && (identity_is_device(name) || identity_is_dotted(name)))
                span_to_string(name, out, IDENTITY_SIZE);
}

static bool dns_name_matches(struct span pattern, const char *host)
{
        char text[256];

        if (!span_to_string(pattern, text, sizeof(text)))
                return false;
        if (strncmp(text, "*.", 2) != 0)
                return strcasecmp(text, host) == 0;
        const char *dot = strchr(host, '.');
        return dot && dot != host && strcasecmp(text + 1, dot) == 0;
}

bool certificate_names_host(const struct certificate *certificate, const char *host)
{
        uint8_t address[16];
        size_t address_size = inet_pton(AF_INET, host, address) == 1    ? 4
                              : inet_pton(AF_INET6, host, address) == 1 ? 16
                                                                        : 0;
        struct reader names;

        reader_init(&names, certificate->alternative_names);
        while (reader_left(&names) > 0) {
                uint8_t tag;
                struct span name = der_get_any(&names, &tag);
                if (names.result != RELAY_OK)
                        return false;
                if (address_size && tag == DER_CONTEXT(7) && span_equal(name, span_of(address, address_size)))
                        return true;
                if (!address_size && tag == DER_CONTEXT(2) && dns_name_matches(name, host))
                        return true;
        }
        return false;
}
