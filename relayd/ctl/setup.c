/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl setup: keys, certificate, configuration, store and the proposal of the first site policy. */

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/describe.h"
#include "cli/io.h"
#include "cli/keys.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/prompt.h"
#include "conf/conf.h"
#include "ctl/bus.h"
#include "ctl/ctl.h"
#include "ctl/layout.h"
#include "ctl/policyfile.h"
#include "tls/x509.h"
#include "util/cleanup.h"

#define RELAY_DAYS      3650u
#define CERTIFICATE_MAX 4096

extern char **environ;

const struct cli_option ctl_setup_options[] = {
        POLICY_OPTIONS,
        { "listen", 0, "HOST:PORT", "where the front end listens" },
        { "address", 0, "HOST:PORT", "where devices reach it (default: --listen)" },
        { "uplink-ca", 0, "FILE", "authority of the cloud's certificate" },
        { "uplink-certificate", 0, "FILE", "the relay's certificate at the cloud" },
        { "uplink-key", 0, "FILE", "its key (default: a new one, to be certified by the vendor)" },
        { "device-ca", 0, "FILE", "factory authority of the devices' certificates" },
        { "bus-address", 0, "ADDRESS", "private D-Bus, for tests (default: the system bus)" },
        { "root", 0, "DIR", "put everything below DIR" },
        { "import-policy", 0, "FILE", "give the running relay its signed site policy, and end" },
        { "import-vendor", 0, "FILE", "give the running relay its vendor key set, and end" },
        { "yes", 'y', NULL, "do not ask for what is missing" },
        { 0 },
};

struct setup {
        struct layout layout;
        const char *listen;
        const char *address;         /* of the devices' endpoint */
        char host[PARSE_HOST_SIZE];  /* of address */
        char identity[SITE_MAX + 8]; /* relay.<site> */
        struct site_policy policy;
        uint8_t relay_pin[SHA256_SIZE];
};

static void setup_done(struct setup *setup)
{
        layout_done(&setup->layout);
}

/* What a person is asked for if it was not given; an empty answer leaves it out. after: asked only with that option. */
static const struct {
        const char *option, *question, *after;
        bool repeat;
} questions[] = {
        { "site", "Name of the site (a-z, 0-9, '-')", NULL, false },
        { "listen", "Address and port for devices (HOST:PORT)", NULL, false },
        { "approver", "File with an approver's public key (empty: no more)", NULL, true },
        { "threshold", "How many must approve (empty: more than half)", NULL, false },
        { "cloud", "The vendor's cloud (HOST:PORT; empty: none)", NULL, false },
        { "cloud-pin", "SHA-256 of the cloud's key (64 hexadecimal digits)", "cloud", false },
        { "device-ca", "File with the factory authority of the devices (empty: none)", NULL, false },
};

static int ask(struct cli *cli)
{
        if (cli_flag(cli, "yes") || !prompt_possible())
                return CLI_OK;
        for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); i++) {
                bool more = !cli_value(cli, questions[i].option) &&
                            (!questions[i].after || cli_value(cli, questions[i].after));

                while (more) {
                        char *answer = prompt_line(questions[i].question, NULL);
                        int r = CLI_OK;

                        more = answer && *answer && questions[i].repeat;
                        if (answer && *answer)
                                r = cli_answer(cli, questions[i].option, answer);
                        else
                                free(answer);
                        if (r != CLI_OK)
                                return r;
                }
        }
        return CLI_OK;
}

static int take_address(struct cli *cli, struct setup *setup)
{
        uint16_t port;

        setup->address = cli_value(cli, "address");
        if (!setup->address)
                setup->address = setup->listen;
        if (!parse_endpoint(setup->listen, 8883, setup->host, &port))
                return cli_fail(cli, CLI_USAGE, "--listen '%s': HOST:PORT is needed", setup->listen);
        if (!parse_endpoint(setup->address, 8883, setup->host, &port))
                return cli_fail(cli, CLI_USAGE, "--address '%s': HOST:PORT is needed", setup->address);
        if (strcmp(setup->host, "0.0.0.0") == 0 || strcmp(setup->host, "::") == 0)
                return cli_fail(cli, CLI_USAGE,
                                "--listen '%s' is every address: --address HOST:PORT says where devices find the relay",
                                setup->listen);
        return CLI_OK;
}

static int check_uplink(struct cli *cli)
{
        if (!cli_value(cli, "uplink-certificate") != !cli_value(cli, "uplink-key"))
                return cli_fail(cli, CLI_USAGE, "--uplink-certificate and --uplink-key belong together");
        if (cli_value(cli, "cloud") && !cli_value(cli, "cloud-pin"))
                return cli_fail(cli, CLI_USAGE, "--cloud-pin HEX is missing: how devices recognise the cloud");
        return CLI_OK;
}

/* Everything people said is checked before the first file is made. */
static int take_values(struct cli *cli, struct setup *setup)
{
        const char *site;
        int r;

        if ((r = ask(cli)) != CLI_OK || (r = cli_need(cli, "site", &site)) != CLI_OK ||
            (r = cli_need(cli, "listen", &setup->listen)) != CLI_OK)
                return r;
        if ((r = take_address(cli, setup)) != CLI_OK || (r = check_uplink(cli)) != CLI_OK)
                return r;
        setup->policy.epoch = 1;
        if ((r = policy_take_site(cli, NULL, &setup->policy, site)) != CLI_OK)
                return r;
        snprintf(setup->identity, sizeof(setup->identity), "relay.%s", setup->policy.site);
        return CLI_OK;
}

static int make_relay_key(struct cli *cli, struct setup *setup)
{
        const char *key_path = setup->layout.paths[LAYOUT_RELAY_KEY];
        const char *path = setup->layout.paths[LAYOUT_RELAY_CERTIFICATE];
        _cleanup_(cli_key_wipe) struct cli_key key = { 0 };
        struct x509_request request = { .common_name = setup->identity,
                                        .organisation = "relayd",
                                        .dns_name = setup->host,
                                        .days = RELAY_DAYS,
                                        .for_server = true };
        uint8_t der[CERTIFICATE_MAX];
        struct writer w;
        int r;

        if ((r = cli_key_create(cli, key_path, NULL, &request.key)) != CLI_OK ||
            (r = cli_key_load(cli, key_path, &key)) != CLI_OK)
                return r;
        if (key_fingerprint(&request.key, setup->relay_pin) != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "%s: unusable key", key_path);
        writer_init(&w, der, sizeof(der));
        if ((r = x509_make(&w, &request, SPAN_EMPTY, key.seed)) < 0)
                return cli_errno(cli, r, path);
        r = x509_save_pem(path, writer_span(&w), 0644);
        return r < 0 ? cli_errno(cli, r, path) : CLI_OK;
}

static int make_uplink(struct cli *cli, struct setup *setup)
{
        const char *certificate = cli_value(cli, "uplink-certificate"), *ca = cli_value(cli, "uplink-ca");
        int r = CLI_OK;

        if (!cli_value(cli, "cloud"))
                return CLI_OK;
        if (certificate)
                r = layout_copy(cli, &setup->layout, LAYOUT_UPLINK_CERTIFICATE, certificate, 0644);
        if (r == CLI_OK && certificate)
                r = layout_copy(cli, &setup->layout, LAYOUT_UPLINK_KEY, cli_value(cli, "uplink-key"), 0600);
        if (r == CLI_OK && !certificate)
                r = cli_key_create(cli, setup->layout.paths[LAYOUT_UPLINK_KEY], NULL, NULL);
        if (r == CLI_OK && ca)
                r = layout_copy(cli, &setup->layout, LAYOUT_UPLINK_CA, ca, 0644);
        return r;
}

static int make_policy(struct cli *cli, struct setup *setup, struct site_policy *checked)
{
        struct public_key gate;
        int r;

        if ((r = cli_key_create(cli, setup->layout.paths[LAYOUT_GATE_KEY], NULL, &gate)) != CLI_OK)
                return r;
        setup->policy.gates[setup->policy.gate_count++].key = gate;
        if ((r = policy_add_relay(cli, &setup->policy, setup->address, setup->relay_pin)) != CLI_OK ||
            (r = policy_add_cloud(cli, &setup->policy)) != CLI_OK)
                return r;
        return policy_create(cli, &setup->policy, setup->layout.paths[LAYOUT_POLICY], checked);
}

static void print_uplink(FILE *out, struct cli *cli, const struct layout *layout)
{
        char host[PARSE_HOST_SIZE];
        uint16_t port;

        fputs("\n[uplink]\n", out);
        if (!cli_value(cli, "cloud") || !parse_endpoint(cli_value(cli, "cloud"), 8883, host, &port)) {
                fputs("mode = none\n", out);
                return;
        }
        fprintf(out, "mode = mqtt\nhost = %s\nport = %u\npin = %s\n", host, port, cli_value(cli, "cloud-pin"));
        if (cli_value(cli, "uplink-ca"))
                fprintf(out, "ca = %s\n", layout->paths[LAYOUT_UPLINK_CA]);
        fprintf(out, "certificate = %s\nkey = %s\n", layout->paths[LAYOUT_UPLINK_CERTIFICATE],
                layout->paths[LAYOUT_UPLINK_KEY]);
}

/* The guard takes the port from root's files, not from the hub. */
static int make_guard(struct cli *cli, const struct setup *setup, uint16_t port)
{
        char text[160];
        int size = snprintf(text, sizeof(text),
                            "# Made by relayctl setup\n[Service]\nEnvironment=\"RELAY_GUARDD_OPTIONS=--ports %u\"\n",
                            port);

        return cli_create(cli, setup->layout.paths[LAYOUT_GUARD], span_of(text, (size_t)size), 0644);
}

/* systemd opens the front end's socket; this tells it where. */
static int make_socket(struct cli *cli, struct setup *setup)
{
        _cleanup_free_ char *text = NULL;
        char host[PARSE_HOST_SIZE];
        uint16_t port;
        int size;

        if (!parse_endpoint(setup->listen, 8883, host, &port))
                return CLI_USAGE;
        size = asprintf(&text, "# Made by relayctl setup\n[Socket]\nListenStream=\nListenStream=%s%s%s:%u\n",
                        strchr(host, ':') ? "[" : "", host, strchr(host, ':') ? "]" : "", port);
        if (size < 0)
                return cli_errno(cli, -ENOMEM, setup->layout.paths[LAYOUT_SOCKET]);
        int r = cli_create(cli, setup->layout.paths[LAYOUT_SOCKET], span_of(text, (size_t)size), 0644);
        return r == CLI_OK ? make_guard(cli, setup, port) : r;
}

/* What the hub will say when it reads this. */
static int check_conf(struct cli *cli, const char *path)
{
        struct conf *conf = NULL;
        char error[512] = "";
        int r = conf_load(path, &conf, error, sizeof(error));

        conf_free(conf);
        return r < 0 ? cli_fail(cli, CLI_FAILED, "the configuration just made is not valid: %s", error) : CLI_OK;
}

static int make_conf(struct cli *cli, struct setup *setup)
{
        char *const *paths = setup->layout.paths;
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        int r;

        if (!out)
                return cli_errno(cli, errno, paths[LAYOUT_CONF]);
        fprintf(out, "# Made by relayctl setup; every key: man relayd.conf\n[relay]\nsite = %s\nidentity = %s\n",
                setup->policy.site, setup->identity);
        fprintf(out, "state = %s\nruntime = %s\nroles = %s\n", paths[LAYOUT_STATE], paths[LAYOUT_RUNTIME],
                paths[LAYOUT_ROLES]);
        fprintf(out, "\n[listener]\ncertificate = %s\nkey = %s\n", paths[LAYOUT_RELAY_CERTIFICATE],
                paths[LAYOUT_RELAY_KEY]);
        fprintf(out, "\n[gate]\nkey = %s\n", paths[LAYOUT_GATE_KEY]);
        if (cli_value(cli, "device-ca"))
                fprintf(out, "\n[devices]\nca = %s\n", paths[LAYOUT_DEVICE_CA]);
        print_uplink(out, cli, &setup->layout);
        if (cli_value(cli, "bus-address"))
                fprintf(out, "\n[bus]\naddress = %s\n", cli_value(cli, "bus-address"));
        if (fclose(out) != 0)
                return cli_errno(cli, errno, paths[LAYOUT_CONF]);
        r = cli_create(cli, paths[LAYOUT_CONF], span_of(text, size), 0644);
        return r == CLI_OK ? check_conf(cli, paths[LAYOUT_CONF]) : r;
}

/* The hub beside this program: as installed, or in the build tree; else by PATH. */
static char *find_hub(void)
{
        static const char *const beside[] = { "/../sbin/relayd", "/../hub/relayd" };
        char self[4096];
        ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);

        if (size <= 0)
                return strdup("relayd");
        self[size] = '\0';
        *strrchr(self, '/') = '\0';
        for (size_t i = 0; i < sizeof(beside) / sizeof(*beside); i++) {
                char *path = NULL;

                if (asprintf(&path, "%s%s", self, beside[i]) < 0)
                        return NULL;
                if (access(path, X_OK) == 0)
                        return path;
                free(path);
        }
        return strdup("relayd");
}

/* As the hub's own user on the real system, so that the store is his. 0, or the errno of starting it. */
static int run_hub(const struct setup *setup, char *hub, int *status)
{
        bool as_user = setup->layout.system && geteuid() == 0;
        const char *arguments[] = {
                "runuser",     "-u", LAYOUT_HUB_USER, "--", hub, "--config", setup->layout.paths[LAYOUT_CONF],
                "--new-store", NULL
        };
        const char **first = as_user ? arguments : arguments + 4;
        pid_t pid;
        int r = posix_spawnp(&pid, *first, NULL, NULL, (char **)(uintptr_t)first, environ);

        if (r == 0 && waitpid(pid, status, 0) != pid)
                r = errno;
        return r;
}

static int make_store(struct cli *cli, struct setup *setup)
{
        const char *conf = setup->layout.paths[LAYOUT_CONF];
        _cleanup_free_ char *hub = find_hub();
        int status = 0, r;

        if (!hub)
                return cli_errno(cli, -ENOMEM, conf);
        fflush(stdout);
        r = run_hub(setup, hub, &status);
        if (r == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return CLI_OK;
        if (r == ENOENT) {
                cli_error(cli, "relayd is not installed here; where it is: relayd --config %s --new-store", conf);
                return CLI_OK;
        }
        return cli_fail(
                cli, CLI_FAILED,
                "the store was not made%s%s; everything else is in place: 'relayd --config %s --new-store' says why",
                r ? ": " : "", r ? strerror(r) : "", conf);
}

static int report(struct cli *cli, const struct setup *setup, const struct site_policy *policy)
{
        char *const *paths = setup->layout.paths;
        _cleanup_json_ json_t *object = NULL, *described = describe_policy(policy);
        bool ask_vendor = cli_value(cli, "cloud") && !cli_value(cli, "uplink-certificate");
        char groups[DESCRIBE_DIGEST_SIZE];

        object = json_pack("{s:s, s:s, s:o, s:O}", "config", paths[LAYOUT_CONF], "policy_file", paths[LAYOUT_POLICY],
                           "pin", json_hex(setup->relay_pin, SHA256_SIZE), "policy", described);
        if (cli->json)
                return output_json(object);
        show_policy(cli, described);
        printf("\nConfiguration: %s\nThe policy's digest, which everybody who signs, imports or claims by it "
               "compares:\n\n"
               "    %s\n\nNext:\n",
               paths[LAYOUT_CONF], describe_digest(policy->digest, groups));
        if (ask_vendor)
                printf("  - the vendor certifies %s.pub as %s; the certificate goes to %s\n", paths[LAYOUT_UPLINK_KEY],
                       setup->identity, paths[LAYOUT_UPLINK_CERTIFICATE]);
        printf("  - %zu of %zu approvers sign the site policy, each on a machine of his own:\n"
               "        relayctl approvers sign %s --key KEY\n",
               policy->threshold, policy->approver_count, paths[LAYOUT_POLICY]);
        if (setup->layout.system)
                puts("  - start the relay: systemctl enable --now relayd.service relay-mqttd.socket");
        else
                printf("  - start the relay: relayd --config %s\n"
                       "    and: relay-mqttd --listen %s --channel %s/mqtt.channel --sign %s/mqtt.sign --certificate "
                       "%s\n",
                       paths[LAYOUT_CONF], setup->listen, paths[LAYOUT_RUNTIME], paths[LAYOUT_RUNTIME],
                       paths[LAYOUT_RELAY_CERTIFICATE]);
        printf("  - relayctl approvers import %s\n  - relayctl vendor-keys import VENDOR-KEYS\n"
               "  - relayctl devices import FACTORY-LIST\n"
               "The gate is closed: approved updates wait until 'relayctl gate open', or a window ('relayctl gate "
               "window add').\n",
               paths[LAYOUT_POLICY]);
        return CLI_OK;
}

static int make_all(struct cli *cli, struct setup *setup)
{
        const char *device_ca = cli_value(cli, "device-ca");
        struct site_policy checked;
        int r;

        if ((r = layout_make_folders(cli, &setup->layout)) != CLI_OK || (r = make_relay_key(cli, setup)) != CLI_OK ||
            (r = make_uplink(cli, setup)) != CLI_OK)
                return r;
        if (device_ca && (r = layout_copy(cli, &setup->layout, LAYOUT_DEVICE_CA, device_ca, 0644)) != CLI_OK)
                return r;
        if ((r = make_policy(cli, setup, &checked)) != CLI_OK || (r = make_conf(cli, setup)) != CLI_OK ||
            (r = make_socket(cli, setup)) != CLI_OK || (r = layout_give(cli, &setup->layout)) != CLI_OK ||
            (r = make_store(cli, setup)) != CLI_OK)
                return r;
        return report(cli, setup, &checked);
}

static int import(struct cli *cli, const char *policy, const char *vendor)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = ctl_connect(cli, &bus);

        if (r == CLI_OK && policy)
                r = ctl_import_policy(cli, bus, policy);
        if (r == CLI_OK && vendor)
                r = ctl_import_vendor(cli, bus, vendor);
        return r;
}

int ctl_setup(struct cli *cli)
{
        const char *policy = cli_value(cli, "import-policy"), *vendor = cli_value(cli, "import-vendor");
        _cleanup_(setup_done) struct setup setup = { 0 };
        int r;

        if (policy || vendor)
                return import(cli, policy, vendor);
        if ((r = take_values(cli, &setup)) != CLI_OK || (r = layout_make(cli, &setup.layout)) != CLI_OK)
                return r;
        if (access(setup.layout.paths[LAYOUT_CONF], F_OK) == 0)
                return cli_fail(cli, CLI_FAILED, "%s exists: this relay is set up already; nothing was changed",
                                setup.layout.paths[LAYOUT_CONF]);
        return make_all(cli, &setup);
}
