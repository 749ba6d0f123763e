/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Who signs on a command line: a key file (--key FILE), or a key of ssh-agent (--agent[=NAME]). */

#include "cli/agent.h"
#include "cli/keys.h"

struct cli_signer {
        struct public_key key;
        struct cli_key file;
        struct agent agent;
        bool by_agent;
        int error;        /* negative errno: why the agent did not sign */
        const char *what; /* "anna.key", "the agent's key": for messages */
};
/*
 * Opens what the options name. may: the keys that are looked for if the agent's key is not named; what: how people call
 * them ("approver"). Whether the key may sign is the caller's to judge. CLI_* with message.
 */
int cli_signer_open(struct cli *cli, const struct public_key *may, size_t count, const char *what,
                    struct cli_signer *out);
void cli_signer_close(struct cli_signer *signer);        /* for _cleanup_; also of a zeroed one */
struct signer cli_signer_use(struct cli_signer *signer); /* signer must outlive it */
/* "cannot sign: ..." after signing answered this enum relay_result; gives CLI_FAILED */
int cli_signing_failed(const struct cli *cli, const struct cli_signer *signer, int result);

#define CLI_SIGNER_OPTIONS(whose)                                                                              \
        { "key", 0, "FILE", whose }, { "passphrase-file", 0, "FILE", "the key's passphrase" },                 \
        {                                                                                                      \
                "agent", 0, "[=NAME]",                                                                         \
                        "or a key of ssh-agent, by comment, key id or fingerprint (default: the one that may)" \
        }
