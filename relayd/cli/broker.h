/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A broker named on a command line: connecting to it, publishing with progress. CLI_* with message. */

#include "cli/cli.h"
#include "uplink/simple.h"

#define CLI_BROKER_OPTIONS                                                                             \
        { "host", 0, "NAME", "the broker" }, { "port", 0, "NUMBER", "its port (default 8883)" },       \
                { "ca", 0, "FILE", "authority of the broker's certificate" },                          \
                { "pin", 0, "HEX", "SHA-256 of the broker's key (may be repeated), instead of --ca" }, \
                { "certificate", 0, "FILE", "your certificate" },                                      \
        {                                                                                              \
                "key", 0, "FILE", "its key"                                                            \
        }

/* By the options above; client id is the certificate's identity. CLI_UNREACHABLE, CLI_REFUSED, CLI_USAGE. */
int cli_broker_open(struct cli *cli, struct simple **client);
/* All of them, with progress under this label; CLI_REFUSED if the broker's rules forbid one. */
int cli_broker_publish(struct cli *cli, struct simple *client, const struct simple_message *messages, size_t count,
                       const char *label);
