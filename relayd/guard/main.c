/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay-guardd: the country policy in the kernel.
 */
#include <getopt.h>
#include <pwd.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "guard/commit.h"
#include "guard/server.h"
#include "util/log.h"
#include "util/loop.h"

#define LOG_GROUP_DEFAULT    8883
#define SOURCE_RATE_DEFAULT  50
#define SOURCE_BURST_DEFAULT 200
#define BUDGET_DEFAULT       1000
#define BUDGET_BURST_DEFAULT 2000
#define PORT_DEFAULT         8883
#define ADMIN_PORT_DEFAULT   22

static const char usage[] =
        "usage: relay-guardd --channel PATH --hub-user NAME [OPTION]...\n"
        "       relay-guardd --remove\n"
        "\n"
        "  --channel PATH          the hub's socket for the guard\n"
        "  --hub-user NAME         the hub's user, by name or number: who is at the socket, and whose traffic is "
        "judged\n"
        "  --database FILE         addresses and countries, made by relay-country (" COUNTRY_FILE_DEFAULT ")\n"
        "  --ports PORT,...        ports of devices and applications (8883)\n"
        "  --admin-ports PORT,...  ports that a policy may leave open under lockdown (22)\n"
        "  --lockdown RULE         no, allowed, or required: what policies may say about it (no)\n"
        "  --source-rate N         new connections of one source per second, 0: no limit (50)\n"
        "  --source-burst N        how many may come at once (200)\n"
        "  --budget N              new connections of all sources per second, 0: no limit (1000)\n"
        "  --budget-burst N        how many may come at once (2000)\n"
        "  --log-group N           nflog group of refused packets (8883)\n"
        "  --remove                remove the table inet relayd from the kernel, and end\n"
        "  --help, --version\n";

struct arguments {
        struct server_options server;
        bool has_user, remove;
};

/* 0, or -EINVAL (logged) */
static int parse_number(const char *option, const char *text, uint32_t min, uint32_t max, uint32_t *value)
{
        char *end;
        unsigned long number = strtoul(text, &end, 10);

        if (*text < '0' || *text > '9' || *end || number < min || number > max) {
                log_error("--%s %s: expected a number from %u to %u", option, text, min, max);
                return -EINVAL;
        }
        *value = (uint32_t)number;
        return 0;
}

static int parse_ports(const char *option, const char *text, uint16_t *ports, size_t max, size_t *count)
{
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *word;
        uint32_t port;

        if (!copy)
                return -ENOMEM;
        *count = 0;
        while ((word = strsep(&rest, ","))) {
                int r = parse_number(option, word, 1, UINT16_MAX, &port);
                if (r < 0)
                        return r;
                if (*count == max) {
                        log_error("--%s: at most %zu ports", option, max);
                        return -EINVAL;
                }
                ports[(*count)++] = (uint16_t)port;
        }
        return 0;
}

static int parse_user(struct arguments *a, const char *text)
{
        const struct passwd *user = getpwnam(text);
        uint32_t uid;

        if (user) {
                a->server.rules.hub_uid = user->pw_uid;
        } else if (*text >= '0' && *text <= '9') {
                int r = parse_number("hub-user", text, 0, UINT32_MAX - 1, &uid);
                if (r < 0)
                        return r;
                a->server.rules.hub_uid = uid;
        } else {
                log_error("--hub-user %s: there is no such user", text);
                return -EINVAL;
        }
        a->has_user = true;
        return 0;
}

static int parse_lockdown(struct arguments *a, const char *text)
{
        static const char *const names[] = {
                [LOCKDOWN_NO] = "no", [LOCKDOWN_ALLOWED] = "allowed", [LOCKDOWN_REQUIRED] = "required"
        };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                if (strcmp(text, names[i]) == 0) {
                        a->server.lockdown = (enum lockdown_rule)i;
                        return 0;
                }
        }
        log_error("--lockdown %s: expected no, allowed or required", text);
        return -EINVAL;
}

enum option_code {
        OPTION_CHANNEL = 256,
        OPTION_DATABASE,
        OPTION_HUB_USER,
        OPTION_PORTS,
        OPTION_ADMIN_PORTS,
        OPTION_LOCKDOWN,
        OPTION_SOURCE_RATE,
        OPTION_SOURCE_BURST,
        OPTION_BUDGET,
        OPTION_BUDGET_BURST,
        OPTION_LOG_GROUP,
        OPTION_REMOVE,
        OPTION_HELP,
        OPTION_VERSION,
};

static const struct option options[] = {
        { "channel", required_argument, NULL, OPTION_CHANNEL },
        { "database", required_argument, NULL, OPTION_DATABASE },
        { "hub-user", required_argument, NULL, OPTION_HUB_USER },
        { "ports", required_argument, NULL, OPTION_PORTS },
        { "admin-ports", required_argument, NULL, OPTION_ADMIN_PORTS },
        { "lockdown", required_argument, NULL, OPTION_LOCKDOWN },
        { "source-rate", required_argument, NULL, OPTION_SOURCE_RATE },
        { "source-burst", required_argument, NULL, OPTION_SOURCE_BURST },
        { "budget", required_argument, NULL, OPTION_BUDGET },
        { "budget-burst", required_argument, NULL, OPTION_BUDGET_BURST },
        { "log-group", required_argument, NULL, OPTION_LOG_GROUP },
        { "remove", no_argument, NULL, OPTION_REMOVE },
        { "help", no_argument, NULL, OPTION_HELP },
        { "version", no_argument, NULL, OPTION_VERSION },
        { 0 },
};

static int parse_log_group(struct ruleset_options *rules)
{
        uint32_t group;

        int r = parse_number("log-group", optarg, 0, UINT16_MAX, &group);
        if (r == 0)
                rules->log_group = (uint16_t)group;
        return r;
}

/* 0, 1: done (help, version), -EINVAL (logged) */
static int parse_option(int option, struct arguments *a)
{
        struct ruleset_options *rules = &a->server.rules;

        switch (option) {
        case OPTION_CHANNEL:
                a->server.channel = optarg;
                return 0;
        case OPTION_DATABASE:
                a->server.database = optarg;
                return 0;
        case OPTION_HUB_USER:
                return parse_user(a, optarg);
        case OPTION_PORTS:
                return parse_ports("ports", optarg, rules->ports, RULESET_PORTS_MAX, &rules->port_count);
        case OPTION_ADMIN_PORTS:
                return parse_ports("admin-ports", optarg, a->server.admin_ports, COUNTRY_PORTS_MAX,
                                   &a->server.admin_port_count);
        case OPTION_LOCKDOWN:
                return parse_lockdown(a, optarg);
        case OPTION_SOURCE_RATE:
                return parse_number("source-rate", optarg, 0, 1000000, &rules->source_rate);
        case OPTION_SOURCE_BURST:
                return parse_number("source-burst", optarg, 1, 1000000, &rules->source_burst);
        case OPTION_BUDGET:
                return parse_number("budget", optarg, 0, 1000000, &rules->budget);
        case OPTION_BUDGET_BURST:
                return parse_number("budget-burst", optarg, 1, 1000000, &rules->budget_burst);
        case OPTION_LOG_GROUP:
                return parse_log_group(rules);
        case OPTION_REMOVE:
                a->remove = true;
                return 0;
        case OPTION_HELP:
                fputs(usage, stdout);
                return 1;
        case OPTION_VERSION:
                puts("relay-guardd " RELAYD_VERSION);
                return 1;
        }
        fputs(usage, stderr);
        return -EINVAL;
}

static int parse_arguments(int argc, char **argv, struct arguments *a)
{
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
                int r = parse_option(option, a);
                if (r != 0)
                        return r;
        }
        if (optind == argc && (a->remove || (a->server.channel && a->has_user)))
                return 0;
        if (optind < argc)
                log_error("%s: unexpected argument", argv[optind]);
        else
                log_error("--channel and --hub-user are needed");
        fputs(usage, stderr);
        return -EINVAL;
}

static int remove_table(void)
{
        _cleanup_(nf_socket_freep) struct nf_socket *kernel = NULL;
        _cleanup_(nfbatch_freep) struct nfbatch *batch = NULL;
        struct nf_failure failure = { 0 };
        char sentence[300];

        int r = nf_socket_new(&kernel);
        if (r == 0)
                r = nfbatch_new(&batch);
        if (r == 0)
                r = ruleset_remove(batch, 1);
        if (r == 0)
                r = nf_commit(nf_socket_transport(kernel), batch, &failure);
        if (r < 0)
                log_error("%s", nf_failure_text(r, &failure, sentence, sizeof(sentence)));
        return r;
}

static int run(const struct arguments *a)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(server_freep) struct server *server = NULL;

        int r = sd_event_new(&event);
        if (r >= 0)
                r = loop_end_on_signals(event);
        if (r < 0) {
                log_error("cannot start: %s", errno_string(r));
                return r;
        }
        r = server_new(&server, event, &a->server);
        if (r < 0)
                return r;
        sd_event_set_watchdog(event, true);
        sd_notify(0, "READY=1");
        r = sd_event_loop(event);
        sd_notify(0, "STOPPING=1");
        return r;
}

int main(int argc, char **argv)
{
        struct arguments a = { .server = { .database = COUNTRY_FILE_DEFAULT } };

        a.server.rules = (struct ruleset_options){ .ports = { PORT_DEFAULT },
                                                   .port_count = 1,
                                                   .log_group = LOG_GROUP_DEFAULT,
                                                   .source_rate = SOURCE_RATE_DEFAULT,
                                                   .source_burst = SOURCE_BURST_DEFAULT,
                                                   .budget = BUDGET_DEFAULT,
                                                   .budget_burst = BUDGET_BURST_DEFAULT };
        a.server.admin_ports[0] = ADMIN_PORT_DEFAULT;
        a.server.admin_port_count = 1;
        log_init("relay-guardd");
        int r = parse_arguments(argc, argv, &a);
        if (r != 0)
                return r > 0 ? 0 : 2;
        return (a.remove ? remove_table() : run(&a)) < 0 ? 1 : 0;
}
