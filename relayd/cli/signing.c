/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who signs: a key file, or a key of ssh-agent. */

#include "cli/signing.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "tls/sshkey.h"
#include "util/cleanup.h"

#define LEAST_DIGITS 8 /* of a fingerprint that stands for a key */

static bool is_called(const struct agent_identity *identity, const char *name)
{
        char fingerprint[2 * SHA256_SIZE + 1], ssh[SSH_FINGERPRINT_SIZE];
        size_t size = strlen(name);

        cli_fingerprint_hex(&identity->key, fingerprint); /* begins with the key id */
        return strcmp(name, identity->comment) == 0 || strcmp(name, ssh_fingerprint(&identity->key, ssh)) == 0 ||
               (size >= LEAST_DIGITS && strncasecmp(fingerprint, name, size) == 0);
}

static int no_agent(struct cli *cli, int error, const char *path)
{
        if (error == -EACCES)
                return cli_fail(cli, CLI_FAILED, "%s: the agent refuses to list its keys (is it locked? 'ssh-add -X')",
                                path);
        if (error == -EPROTO)
                return cli_fail(cli, CLI_FAILED, "%s: what answers there is no ssh-agent", path);
        return cli_errno(cli, error, path);
}

/* The one identity that is meant: by name, or the one whose key may sign. */
static int choose(struct cli *cli, const struct agent_identity *list, size_t listed, const struct public_key *may,
                  size_t count, const char *what, struct cli_signer *out)
{
        const char *name = cli_value(cli, "agent");
        size_t found = 0;

        for (size_t i = 0; i < listed; i++)
                if (name ? is_called(&list[i], name) : key_find(may, count, &list[i].key) >= 0) {
                        out->key = list[i].key;
                        found++;
                }
        if (found == 1)
                return CLI_OK;
        if (found > 1)
                return cli_fail(
                        cli, CLI_FAILED,
                        "%zu keys of the agent fit; name one by its fingerprint ('ssh-add -l'): --agent=SHA256:...",
                        found);
        if (name)
                return cli_fail(cli, CLI_FAILED,
                                "none of the agent's %zu Ed25519 keys is called '%s'; 'ssh-add -l' lists "
                                "them, 'ssh-add -c FILE' adds one",
                                listed, name);
        return cli_fail(cli, CLI_FAILED, "none of the agent's %zu Ed25519 keys is one of %s; 'ssh-add -c FILE' adds it",
                        listed, what);
}

static int open_agent(struct cli *cli, const struct public_key *may, size_t count, const char *what,
                      struct cli_signer *out)
{
        _cleanup_free_ struct agent_identity *list = calloc(AGENT_IDENTITIES_MAX, sizeof(*list));
        const char *path = getenv("SSH_AUTH_SOCK");
        size_t listed = 0;
        int r;

        if (!list)
                return cli_errno(cli, -ENOMEM, "agent");
        if (!path || !*path)
                return cli_fail(cli, CLI_FAILED, "--agent: no ssh-agent runs here (SSH_AUTH_SOCK is not set)");
        if ((r = agent_open(&out->agent, path)) < 0)
                return no_agent(cli, r, path);
        out->by_agent = true;
        out->what = "the agent's key";
        if ((r = agent_list(&out->agent, list, &listed)) < 0)
                return no_agent(cli, r, path);
        return choose(cli, list, listed, may, count, what, out);
}

int cli_signer_open(struct cli *cli, const struct public_key *may, size_t count, const char *what,
                    struct cli_signer *out)
{
        const char *file = cli_value(cli, "key");
        int r;

        if (file && cli_flag(cli, "agent"))
                return cli_fail(cli, CLI_USAGE, "--key and --agent exclude each other");
        if (cli_flag(cli, "agent"))
                return open_agent(cli, may, count, what, out);
        if (!file)
                return cli_fail(cli, CLI_USAGE, "--key FILE is missing (or --agent, for a key of ssh-agent)");
        out->what = file;
        r = cli_key_load(cli, file, &out->file);
        out->key = out->file.public_key;
        return r;
}

void cli_signer_close(struct cli_signer *signer)
{
        cli_key_wipe(&signer->file);
        if (signer->by_agent)
                agent_close(&signer->agent);
}

static int sign_by_agent(void *context, struct span message, uint8_t sig[SIGNATURE_SIZE])
{
        struct cli_signer *signer = context;

        signer->error = agent_sign(&signer->agent, &signer->key, message, sig);
        return signer->error < 0 ? RELAY_E_SIGNATURE : RELAY_OK;
}

struct signer cli_signer_use(struct cli_signer *signer)
{
        if (!signer->by_agent)
                return cli_key_signer(&signer->file);
        return (struct signer){ .key = signer->key, .sign = sign_by_agent, .context = signer };
}

int cli_signing_failed(const struct cli *cli, const struct cli_signer *signer, int result)
{
        const char *why = relay_result_string(result);

        if (signer->error == -EACCES)
                why = "the agent refuses (nobody confirmed it?)";
        else if (signer->error == -EKEYREJECTED)
                why = "what the agent answered is no signature of this key";
        else if (signer->error == -EPROTO)
                why = "the agent's answer breaks the protocol";
        else if (signer->error < 0)
                why = strerror(-signer->error);
        return cli_fail(cli, CLI_FAILED, "cannot sign: %s", why);
}
