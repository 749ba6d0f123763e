/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A rule in words. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "policy/country.h"

#define WORD_MAX 32

static const char *const mode_names[] = { [COUNTRY_OFF] = "off", [COUNTRY_ALLOW] = "allow", [COUNTRY_DENY] = "deny" };

struct words {
        const char *at;
        char *error; /* may be NULL */
        char word[WORD_MAX];
        unsigned number; /* of the word, from 1 */
};

static __attribute__((format(printf, 2, 3))) int fail(struct words *words, const char *format, ...)
{
        va_list arguments;

        if (words->error) {
                va_start(arguments, format);
                vsnprintf(words->error, COUNTRY_ERROR_MAX, format, arguments);
                va_end(arguments);
        }
        return -EINVAL;
}

static bool is_separator(char c)
{
        return c == ' ' || c == '\t' || c == ',';
}

/* The next word, shortened with dots if it is long and free of characters that would spoil a line; false: no more */
static bool next_word(struct words *words)
{
        size_t size = 0;

        while (is_separator(*words->at))
                words->at++;
        if (!*words->at)
                return false;
        for (; *words->at && !is_separator(*words->at); words->at++)
                if (size < WORD_MAX - 1) {
                        bool plain = *words->at > ' ' && *words->at < 127;
                        words->word[size++] = *words->at;
                        if (!plain)
                                words->word[size - 1] = '?';
                }
        words->word[size] = '\0';
        if (size == WORD_MAX - 1)
                memcpy(words->word + WORD_MAX - 4, "...", 3);
        words->number++;
        return true;
}

static int parse_mode(struct words *words, enum country_mode *mode)
{
        if (!next_word(words))
                return fail(words, "the rule is empty: write \"off\", or \"allow\" or \"deny\" and countries, "
                                   "like \"allow FI SE EU\"");
        for (size_t i = 0; i < sizeof mode_names / sizeof mode_names[0]; i++)
                if (strcasecmp(words->word, mode_names[i]) == 0) {
                        *mode = (enum country_mode)i;
                        return 0;
                }
        return fail(words, "word 1, \"%s\": a rule begins with \"off\", \"allow\" or \"deny\"", words->word);
}

static int parse_unknown(struct words *words, struct country_rule *rule)
{
        const char *value = words->word + strlen("unknown=");

        if (strcasecmp(value, "accept") != 0 && strcasecmp(value, "refuse") != 0)
                return fail(words, "word %u, \"%s\": write unknown=accept or unknown=refuse", words->number,
                            words->word);
        rule->accept_unknown = strcasecmp(value, "accept") == 0;
        return 0;
}

static int parse_country(struct words *words, struct country_rule *rule)
{
        const char *word = words->word;

        if (country_set_add_group(&rule->countries, word))
                return 0;
        country_code code = strlen(word) == 2 ? country_code_from_letters(word[0], word[1]) : COUNTRY_UNKNOWN;
        if (code >= COUNTRY_CODES)
                return fail(words,
                            "word %u, \"%s\", is neither a country's two letters (like FI) nor a group (like EU)",
                            words->number, word);
        if (!country_code_name(code))
                return fail(words,
                            "word %u: no country has the code \"%s\" (ISO 3166-1 has FI for Finland, DE for Germany)",
                            words->number, word);
        country_set_add(&rule->countries, code);
        return 0;
}

int country_rule_parse(struct country_rule *ret, const char *text, char *error)
{
        struct words words = { .at = text, .error = error };
        struct country_rule rule = { 0 };
        int r = parse_mode(&words, &rule.mode);

        if (r < 0)
                return r;
        rule.accept_unknown = rule.mode == COUNTRY_DENY;
        while (next_word(&words)) {
                if (rule.mode == COUNTRY_OFF)
                        return fail(&words, "word %u, \"%s\": nothing may stand behind \"off\"", words.number,
                                    words.word);
                r = strncasecmp(words.word, "unknown=", 8) == 0 ? parse_unknown(&words, &rule)
                                                                : parse_country(&words, &rule);
                if (r < 0)
                        return r;
        }
        if (rule.mode == COUNTRY_DENY && country_set_count(&rule.countries) == 0 && rule.accept_unknown)
                return fail(&words, "\"deny\" needs countries: write \"deny RU\", or \"off\" to allow every country");
        *ret = rule;
        return 0;
}

const char *country_rule_format(const struct country_rule *rule, char out[COUNTRY_RULE_TEXT_MAX])
{
        char code[COUNTRY_TEXT_SIZE];
        size_t at = (size_t)snprintf(out, COUNTRY_RULE_TEXT_MAX, "%s", mode_names[rule->mode]);

        if (rule->mode == COUNTRY_OFF)
                return out;
        for (country_code c = 0; c < COUNTRY_CODES; c++) {
                if (!country_set_has(&rule->countries, c))
                        continue;
                bool region = c == COUNTRY_CODE('E', 'U') || c == COUNTRY_CODE('A', 'P');
                at += (size_t)snprintf(out + at, COUNTRY_RULE_TEXT_MAX - at, " %s%s", country_code_text(c, code),
                                       region ? "-WIDE" : "");
        }
        if (rule->accept_unknown != (rule->mode == COUNTRY_DENY))
                snprintf(out + at, COUNTRY_RULE_TEXT_MAX - at, " unknown=%s",
                         rule->accept_unknown ? "accept" : "refuse");
        return out;
}
