/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table as a manual page chapter. */

#include <string.h>

#include "conf/table.h"

#define WIDTH 76

/* words of text, each line begun by prefix and not longer than WIDTH */
static void print_wrapped(FILE *out, const char *prefix, const char *text)
{
        size_t at = 0;
        while (*text) {
                size_t word = strcspn(text, " ");
                if (at > 0 && at + 1 + word > WIDTH) {
                        fputc('\n', out);
                        at = 0;
                }
                at += (size_t)fprintf(out, "%s%.*s", at == 0 ? prefix : " ", (int)word, text);
                text += word;
                text += strspn(text, " ");
        }
        fputc('\n', out);
}

static void help_row(FILE *out, const struct conf_row *row)
{
        char allowed[200];
        fprintf(out, "\n``%s``\n", row->key);
        print_wrapped(out, "    ", row->help);
        fprintf(out, "\n    Allowed: %s. ", conf_allowed(row, allowed, sizeof(allowed)));
        if (!row->fallback)
                fputs("Has to be set.\n", out);
        else if (row->fallback[0])
                fprintf(out, "Default: ``%s``.\n", row->fallback);
        else
                fputs("Default: empty.\n", out);
}

void conf_help(FILE *out)
{
        for (size_t s = 0; s < conf_sections_size; s++) {
                const char *name = conf_sections[s].name;
                fprintf(out, "%s[%s]\n", s ? "\n" : "", name);
                for (size_t i = strlen(name) + 2; i > 0; i--)
                        fputc('-', out);
                fputc('\n', out);
                print_wrapped(out, "", conf_sections[s].help);
                for (size_t i = 0; i < conf_table_size; i++)
                        if (strcmp(conf_table[i].section, name) == 0)
                                help_row(out, &conf_table[i]);
        }
}
