/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Questions on the terminal. Nothing is asked where standard input is none. */

#include "cli/cli.h"

bool prompt_possible(void); /* Is there a terminal to ask on? */
/* "question [y/N] ": true only for an explicit yes */
bool prompt_yes(const char *question);
/* One line without its end (malloc'ed); preset (may be NULL) if it is empty. NULL at the end of input. */
char *prompt_line(const char *question, const char *preset);
/* The same without echo; the caller wipes and frees. */
char *prompt_secret(const char *question);

/*
 * What must be agreed to before something is signed or changed: --yes, or a person's yes on the terminal.
 * CLI_OK, CLI_FAILED (said no), CLI_USAGE (nobody to ask, and the message says so).
 */
int prompt_confirm(const struct cli *cli, const char *question);
/* For what a script may do without saying --yes: asks only where somebody can answer. */
int prompt_confirm_person(const struct cli *cli, const char *question);
