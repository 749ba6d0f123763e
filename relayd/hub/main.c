/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayd, the hub: options, store, signing thread, bus, loop. */

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "bus/bus.h"
#include "hub/manager.h"
#include "hub/manager_open.h"
#include "hub/new_store.h"
#include "hub/signer.h"
#include "tls/keyfile.h"
#include "util/cleanup.h"
#include "util/files.h"
#include "util/log.h"

#define EXIT_USAGE     2
#define FRONT_END_USER "relay-mqttd"
#define GUARD_USER     "relay-guard"

CLEANUP_DEFINE(struct conf, conf_free)
CLEANUP_DEFINE(struct store, store_free)
CLEANUP_DEFINE(struct signer, signer_stop)

enum task { TASK_RUN, TASK_CHECK, TASK_NEW_STORE };
struct arguments {
        const char *config;
        enum task task;
        bool gate_only;
};

static const char usage[] = "usage: relayd --config FILE [--gate-only | --check-config | --new-store]\n"
                            "\n"
                            "  --config FILE   the configuration, see relayd.conf(5)\n"
                            "  --gate-only     a stand-alone gate: answers gate requests, keeps approvals, and nothing "
                            "else\n"
                            "  --check-config  says what is wrong with it, and exits\n"
                            "  --new-store     makes an empty store, moves one that is there aside\n"
                            "  --help, --version\n";

/* 0: go on; 1: answered, exit with success; negative: wrong */
static int parse_arguments(int argc, char **argv, struct arguments *out)
{
        enum { OPTION_CONFIG = 1, OPTION_GATE_ONLY, OPTION_CHECK, OPTION_NEW_STORE, OPTION_HELP, OPTION_VERSION };
        static const struct option options[] = {
                { "config", required_argument, NULL, OPTION_CONFIG },
                { "gate-only", no_argument, NULL, OPTION_GATE_ONLY },
                { "check-config", no_argument, NULL, OPTION_CHECK },
                { "new-store", no_argument, NULL, OPTION_NEW_STORE },
                { "help", no_argument, NULL, OPTION_HELP },
                { "version", no_argument, NULL, OPTION_VERSION },
                { 0 },
        };
        int option;

        *out = (struct arguments){ "/etc/relayd/relayd.conf", TASK_RUN, false };
        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
                switch (option) {
                case OPTION_CONFIG:
                        out->config = optarg;
                        break;
                case OPTION_GATE_ONLY:
                        out->gate_only = true;
                        break;
                case OPTION_CHECK:
                        out->task = TASK_CHECK;
                        break;
                case OPTION_NEW_STORE:
                        out->task = TASK_NEW_STORE;
                        break;
                case OPTION_HELP:
                        fputs(usage, stdout);
                        return 1;
                case OPTION_VERSION:
                        puts("relayd " RELAYD_VERSION);
                        return 1;
                default:
                        return -EINVAL;
                }
        return optind == argc ? 0 : -EINVAL;
}

/* ---- the parts that are not the manager's */
static int open_store(const struct conf *conf, struct store **ret)
{
        struct store_options options;
        _cleanup_free_ char *path = NULL;
        char detail[400] = "";
        int result = hub_store_options(conf, &options);

        if (result < 0)
                return result;
        path = (char *)options.path;
        result = store_open(&options, ret, detail, sizeof(detail));
        if (result == STORE_DAMAGED || result == STORE_MISSING) {
                log_error("the store cannot be used: %s%s", detail,
                          strstr(detail, "--new-store") ? "" : "; restore a backup or run relayd --new-store");
                return -EBADMSG;
        }
        if (result < 0)
                log_error("%s: %s", path, *detail ? detail : errno_string(result));
        return result;
}

/* relay-mqttd and relay-guardd run under users of their own, if they were installed by the package. */
static uid_t uid_of(const char *name)
{
        const struct passwd *user = getpwnam(name);

        return user ? user->pw_uid : (uid_t)-1;
}

/* A stand-alone gate that is asked by the uplink only has no front end, and no TLS key for one. */
static int start_signer(const struct conf *conf, bool gate_only, struct signer **ret)
{
        struct signer_options options = { .key_file = conf->key,
                                          .peer_uid = uid_of(FRONT_END_USER),
                                          .group = (gid_t)-1 };
        _cleanup_free_ char *path = NULL;
        int result;

        if (gate_only && access(conf->key, F_OK) < 0 && errno == ENOENT) {
                log_info("%s is not there: devices ask this gate by the uplink only", conf->key);
                return 0;
        }
        if (asprintf(&path, "%s/mqtt.sign", conf->runtime) < 0)
                return -ENOMEM;
        options.path = path;
        result = signer_start(ret, &options);
        if (result == KEYFILE_PASSPHRASE)
                log_error("%s: the relay's TLS key must not have a passphrase: nobody could type it at boot",
                          conf->key);
        else if (result < 0)
                log_error("%s, %s: %s", path, conf->key, errno_string(result));
        return result == KEYFILE_PASSPHRASE ? -EACCES : result;
}

static int on_end(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
        struct manager *m = context;

        log_info("ends: signal %u", info->ssi_signo);
        sd_notify(false, "STOPPING=1");
        manager_stop(m);
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
        (void)source, (void)info;
        manager_reload(context);
        return 0;
}

static int add_signals(sd_event *event, struct manager *m)
{
        int result = sd_event_add_signal(event, NULL, SIGTERM, on_end, m);

        if (result >= 0)
                result = sd_event_add_signal(event, NULL, SIGINT, on_end, m);
        if (result >= 0)
                result = sd_event_add_signal(event, NULL, SIGHUP, on_hangup, m);
        return result < 0 ? result : 0;
}

/* Before any thread exists, so that signals reach the loop only. */
static int block_signals(void)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        signal(SIGPIPE, SIG_IGN);
        return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
}

static int loop(sd_event *event, struct manager *m)
{
        int result = manager_start(m);

        if (result < 0) {
                log_error("start: %s", errno_string(result));
                return result;
        }
        sd_event_set_watchdog(event, true);
        log_info("relayd " RELAYD_VERSION " is ready");
        sd_notify(false, "READY=1");
        return sd_event_loop(event);
}

static int run(const struct conf *conf, bool gate_only)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(store_freep) struct store *store = NULL;
        _cleanup_(signer_stopp) struct signer *signer = NULL;
        _cleanup_(manager_freep) struct manager *m = NULL;
        _cleanup_(bus_freep) struct bus *bus = NULL;
        struct manager_options options = {
                .conf = conf,
                .gate_only = gate_only,
                .listen = true,
                .front_uid = uid_of(FRONT_END_USER),
                .guard_uid = uid_of(GUARD_USER),
        };
        char error[VIEW_TEXT_MAX] = "";
        struct public_key tls_key;
        int result = block_signals();

        if (result == 0)
                result = sd_event_default(&event);
        if (result < 0) {
                log_error("event loop: %s", errno_string(result));
                return result;
        }
        result = file_make_folders(conf->runtime, 0750);
        if (result < 0) {
                log_error("%s: %s", conf->runtime, errno_string(result));
                return result;
        }
        result = open_store(conf, &store);
        if (result == 0)
                result = start_signer(conf, gate_only, &signer);
        if (result < 0)
                return result;
        if (signer) {
                signer_public_key(signer, &tls_key);
                options.tls_key = &tls_key;
        }
        options.event = event;
        options.store = store;
        result = manager_new(&m, &options, error, sizeof(error));
        if (result < 0) {
                log_error("%s", *error ? error : errno_string(result));
                return result;
        }
        result = bus_new(&bus, event, conf->bus_address, m);
        if (result < 0) {
                log_error("D-Bus at [bus] address = %s: %s", conf->bus_address, errno_string(result));
                return result;
        }
        result = add_signals(event, m);
        return result < 0 ? result : loop(event, m);
}

int main(int argc, char **argv)
{
        _cleanup_(conf_freep) struct conf *conf = NULL;
        struct arguments arguments;
        char error[600] = "";
        int result = parse_arguments(argc, argv, &arguments);

        if (result > 0)
                return EXIT_SUCCESS;
        if (result < 0) {
                fputs(usage, stderr);
                return EXIT_USAGE;
        }
        log_init("relayd");
        result = conf_load(arguments.config, &conf, error, sizeof(error));
        if (result < 0) {
                log_error("%s", *error ? error : errno_string(result));
                return EXIT_FAILURE;
        }
        if (arguments.gate_only && (!conf->gate_key || !*conf->gate_key)) {
                log_error("%s: --gate-only needs [gate] key", arguments.config);
                return EXIT_FAILURE;
        }
        switch (arguments.task) {
        case TASK_CHECK:
                return EXIT_SUCCESS;
        case TASK_NEW_STORE:
                return hub_new_store(conf) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        case TASK_RUN:
                break;
        }
        return run(conf, arguments.gate_only) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
