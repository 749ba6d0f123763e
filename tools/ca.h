/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A factory's certificate authority, for all commands that issue. Every failure is printed; the answer is CLI_*. */

#include "cli/cli.h"
#include "tls/x509.h"

/* --days of the command line, for a certificate that is no authority */
int ca_take_days(struct cli *cli, uint32_t *days);
/* Issues by the authority in this folder, into a new PEM file. */
int ca_issue(struct cli *cli, const char *folder, const char *path, const struct x509_request *request);
