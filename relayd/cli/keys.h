/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Key files on a command line: loading with passphrases, showing, creating. */

#include "cli/cli.h"
#include "relay/cose.h"

struct cli_key {
        uint8_t seed[ED25519_SEED_SIZE];
        struct public_key public_key;
};
/* Private key; the passphrase comes from --passphrase-file or, on a terminal, is asked for. CLI_* with message. */
int cli_key_load(const struct cli *cli, const char *path, struct cli_key *out);
void cli_key_wipe(struct cli_key *key);            /* for _cleanup_ */
struct signer cli_key_signer(struct cli_key *key); /* key must outlive it */
/* public key, certificate, or (NAME without .pub given for a private key) the error that says so */
int cli_public_load(const struct cli *cli, const char *path, struct public_key *out);
/* every value of an option as public keys: at most max; CLI_USAGE if more or fewer than least */
int cli_public_load_all(const struct cli *cli, const char *option, size_t least, size_t max, struct public_key *out,
                        size_t *count);

/* key id as 16 hexadecimal digits; fingerprint as 64 */
char *cli_key_id_hex(const struct public_key *key, char out[2 * KEY_ID_SIZE + 1]);
char *cli_fingerprint_hex(const struct public_key *key, char out[2 * SHA256_SIZE + 1]);

/* Makes FILE and FILE.pub; *key (may be NULL) gets the public half. CLI_* with message. */
int cli_key_create(const struct cli *cli, const char *path, const char *passphrase, struct public_key *key);

/* commands of both programs */
extern const struct cli_option cli_keys_create_options[];
int cli_keys_create(struct cli *cli);
int cli_keys_show(struct cli *cli);
