/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A broker named on a command line. */

#include "cli/broker.h"

#include <errno.h>
#include <string.h>

#include "cli/parse.h"
#include "cli/progress.h"
#include "relay/topic.h"
#include "tls/x509.h"
#include "util/cleanup.h"

static int take_pins(struct cli *cli, struct simple_options *options)
{
        options->pin_count = cli_value_count(cli, "pin");
        if (options->pin_count > 2)
                return cli_fail(cli, CLI_USAGE, "--pin: at most two, the pin and the backup pin");
        for (size_t i = 0; i < options->pin_count; i++)
                if (!parse_hex(cli_value_at(cli, "pin", i), options->pins[i], SHA256_SIZE))
                        return cli_fail(cli, CLI_USAGE, "--pin '%s': 64 hexadecimal digits are needed",
                                        cli_value_at(cli, "pin", i));
        if (!options->ca_file && options->pin_count == 0)
                return cli_fail(cli, CLI_USAGE, "--ca FILE or --pin HEX is missing: how the broker is recognised");
        return CLI_OK;
}

/* Brokers of ours take the certificate's name as user and client id. */
static int take_identity(struct cli *cli, const char *path, char identity[IDENTITY_SIZE])
{
        _cleanup_free_ uint8_t *der = NULL;
        struct x509_facts facts;
        size_t size;
        int r = x509_load_pem(path, &der, &size);

        if (r < 0)
                return cli_errno(cli, r, path);
        if (x509_parse(span_of(der, size), &facts) < 0 || !*facts.identity)
                return cli_fail(cli, CLI_FAILED, "%s: the certificate names no identity (one CN such as vendor.acme)",
                                path);
        memcpy(identity, facts.identity, IDENTITY_SIZE);
        return CLI_OK;
}

int cli_broker_open(struct cli *cli, struct simple **client)
{
        struct simple_options options = { .ca_file = cli_value(cli, "ca") };
        const char *port = cli_value(cli, "port");
        char identity[IDENTITY_SIZE], error[SIMPLE_ERROR_SIZE] = "";
        uint64_t number = 8883;
        int r;

        if ((r = cli_need(cli, "host", &options.host)) != CLI_OK ||
            (r = cli_need(cli, "certificate", &options.certificate_file)) != CLI_OK ||
            (r = cli_need(cli, "key", &options.key_file)) != CLI_OK || (r = take_pins(cli, &options)) != CLI_OK ||
            (r = take_identity(cli, options.certificate_file, identity)) != CLI_OK)
                return r;
        if (port && !parse_number(port, 1, 65535, &number))
                return cli_fail(cli, CLI_USAGE, "--port '%s': a number from 1 to 65535 is needed", port);
        options.port = (uint16_t)number;
        options.client_id = identity;
        r = simple_open(client, &options, error);
        if (r == -EACCES || r == -EKEYREJECTED)
                return cli_fail(cli, CLI_REFUSED, "%s:%u: %s", options.host, options.port, error);
        if (r < 0)
                return cli_fail(cli, CLI_UNREACHABLE, "%s:%u: %s", options.host, options.port, error);
        return CLI_OK;
}

static void show_progress(void *context, size_t acknowledged, size_t count)
{
        (void)count;
        progress_show(context, acknowledged);
}

int cli_broker_publish(struct cli *cli, struct simple *client, const struct simple_message *messages, size_t count,
                       const char *label)
{
        char error[SIMPLE_ERROR_SIZE] = "";
        struct progress progress;
        int r;

        if (count == 0)
                return CLI_OK;
        progress_start(&progress, label, count, cli->json);
        r = simple_publish(client, messages, count, show_progress, &progress, error);
        progress_end(&progress);
        if (r == -EACCES)
                return cli_fail(cli, CLI_REFUSED, "the broker refuses it: %s", error);
        return r < 0 ? cli_fail(cli, CLI_FAILED, "publishing stopped: %s; it can simply be repeated", error) : CLI_OK;
}
