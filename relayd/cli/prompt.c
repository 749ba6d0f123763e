/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions on the terminal: asked on standard error, so that standard output stays for results. */

#include "cli/prompt.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <termios.h>

#include "util/cleanup.h"

bool prompt_possible(void)
{
        return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static char *read_line(void)
{
        char *line = NULL;
        size_t room = 0;
        ssize_t size = getline(&line, &room, stdin);

        if (size < 0) {
                free(line);
                return NULL;
        }
        line[strcspn(line, "\r\n")] = '\0';
        return line;
}

bool prompt_yes(const char *question)
{
        _cleanup_free_ char *answer = NULL;

        fflush(stdout);
        fprintf(stderr, "%s [y/N] ", question);
        answer = read_line();
        return answer && (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0);
}

char *prompt_line(const char *question, const char *preset)
{
        char *answer;

        fflush(stdout);
        if (preset)
                fprintf(stderr, "%s [%s]: ", question, preset);
        else
                fprintf(stderr, "%s: ", question);
        answer = read_line();
        if (answer && !*answer && preset) {
                free(answer);
                answer = strdup(preset);
        }
        return answer;
}

char *prompt_secret(const char *question)
{
        struct termios before, silent;
        char *answer;

        fprintf(stderr, "%s: ", question);
        if (tcgetattr(STDIN_FILENO, &before) != 0)
                return NULL;
        silent = before;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
        answer = read_line();
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
        return answer;
}

int prompt_confirm(const struct cli *cli, const char *question)
{
        if (cli_flag(cli, "yes"))
                return CLI_OK;
        if (!prompt_possible())
                return cli_fail(cli, CLI_USAGE, "nobody to ask here: read what is shown above, then add --yes");
        return prompt_yes(question) ? CLI_OK : cli_fail(cli, CLI_FAILED, "not confirmed; nothing was changed");
}

int prompt_confirm_person(const struct cli *cli, const char *question)
{
        return prompt_possible() ? prompt_confirm(cli, question) : CLI_OK;
}
