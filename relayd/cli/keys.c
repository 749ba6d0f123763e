/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key files on a command line. */

#include "cli/keys.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/output.h"
#include "cli/prompt.h"
#include "tls/keyfile.h"
#include "util/cleanup.h"
#include "util/files.h"

#define PASSPHRASE_MAX 1024
#define KEY_FILE_MAX   65536

const struct cli_option cli_keys_create_options[] = {
        { "passphrase-file", 0, "FILE", "protect the key with the first line of FILE" },
        { "no-passphrase", 0, NULL, "do not ask for a passphrase" },
        { 0 },
};

static const struct output_column key_fields[] = {
        { "file", "Key file", OUTPUT_TEXT },
        { "public_file", "Public key", OUTPUT_TEXT },
        { "type", "Type", OUTPUT_TEXT },
        { "key_id", "Key id", OUTPUT_TEXT },
        { "fingerprint", "Fingerprint", OUTPUT_TEXT },
};

static void wipe_free(char **secret)
{
        if (*secret)
                crypto_wipe(*secret, strlen(*secret));
        free(*secret);
}

static int passphrase_from_file(const struct cli *cli, const char *path, char **out)
{
        uint8_t *data = NULL;
        size_t size;
        int r = file_read(path, PASSPHRASE_MAX, &data, &size);

        if (r < 0)
                return cli_errno(cli, r, path);
        *out = (char *)data;
        (*out)[strcspn(*out, "\r\n")] = '\0';
        return **out ? CLI_OK : cli_fail(cli, CLI_FAILED, "%s: the first line, the passphrase, is empty", path);
}

static bool is_openssh(const char *path)
{
        static const char mark[] = "-----BEGIN OPENSSH PRIVATE KEY-----";
        _cleanup_free_ uint8_t *text = NULL;
        size_t size;
        bool is;

        if (file_read(path, KEY_FILE_MAX, &text, &size) < 0)
                return false;
        is = memmem(text, size, mark, strlen(mark)) != NULL;
        crypto_wipe(text, size);
        return is;
}

static int key_load_error(const struct cli *cli, int error, const char *path)
{
        if (error == -EBADMSG && is_openssh(path))
                return cli_fail(
                        cli, CLI_FAILED,
                        "%s is a private key of OpenSSH, which only its agent reads: 'ssh-add -c %s', then --agent "
                        "instead of --key",
                        path, path);
        if (error == -EBADMSG)
                return cli_fail(cli, CLI_FAILED, "%s: no Ed25519 private key (PKCS#8 PEM); '%s keys create' makes one",
                                path, cli->program->name);
        return cli_errno(cli, error, path);
}

static int load_with_passphrase(const struct cli *cli, const char *path, struct cli_key *out)
{
        _cleanup_(wipe_free) char *passphrase = NULL;
        const char *file = cli_value(cli, "passphrase-file");
        int r;

        if (file && (r = passphrase_from_file(cli, file, &passphrase)) != CLI_OK)
                return r;
        if (!file && !prompt_possible())
                return cli_fail(cli, CLI_FAILED, "%s is protected by a passphrase: add --passphrase-file FILE", path);
        if (!file)
                passphrase = prompt_secret("Passphrase of the key");
        r = keyfile_load(path, passphrase ? passphrase : "", out->seed);
        if (r == KEYFILE_PASSPHRASE)
                return cli_fail(cli, CLI_FAILED, "%s: the passphrase does not fit", path);
        return r < 0 ? key_load_error(cli, r, path) : CLI_OK;
}

int cli_key_load(const struct cli *cli, const char *path, struct cli_key *out)
{
        const struct rlimit none = { 0, 0 };
        int r;

        (void)setrlimit(RLIMIT_CORE, &none); /* the key is in memory from now on */
        r = keyfile_load(path, NULL, out->seed);

        if (r == KEYFILE_PASSPHRASE)
                r = load_with_passphrase(cli, path, out);
        else if (r < 0)
                r = key_load_error(cli, r, path);
        if (r != CLI_OK)
                return r;
        if (crypto_ed25519_public(out->seed, &out->public_key) != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "%s: the key is unusable", path);
        return CLI_OK;
}

void cli_key_wipe(struct cli_key *key)
{
        crypto_wipe(key->seed, sizeof(key->seed));
}

static int sign_with_seed(void *context, struct span message, uint8_t sig[SIGNATURE_SIZE])
{
        return crypto_ed25519_sign(context, message, sig);
}

struct signer cli_key_signer(struct cli_key *key)
{
        return (struct signer){ .key = key->public_key, .sign = sign_with_seed, .context = key->seed };
}

int cli_public_load(const struct cli *cli, const char *path, struct public_key *out)
{
        int r = keyfile_load_public(path, out);

        if (r == -EBADMSG)
                return cli_fail(cli, CLI_FAILED,
                                "%s: no public key or certificate in PEM (Ed25519 or P-256), nor a line of OpenSSH "
                                "(ssh-ed25519 AAAA...); the public half of a private key KEY is in KEY.pub",
                                path);
        return r < 0 ? cli_errno(cli, r, path) : CLI_OK;
}

int cli_public_load_all(const struct cli *cli, const char *option, size_t least, size_t max, struct public_key *out,
                        size_t *count)
{
        *count = cli_value_count(cli, option);
        if (*count < least)
                return cli_fail(cli, CLI_USAGE, "--%s FILE is missing: the public key of each %s", option, option);
        if (*count > max)
                return cli_fail(cli, CLI_USAGE, "--%s was given %zu times; at most %zu", option, *count, max);
        for (size_t i = 0; i < *count; i++) {
                int r = cli_public_load(cli, cli_value_at(cli, option, i), &out[i]);

                if (r != CLI_OK)
                        return r;
        }
        return CLI_OK;
}

char *cli_key_id_hex(const struct public_key *key, char out[2 * KEY_ID_SIZE + 1])
{
        uint8_t id[KEY_ID_SIZE] = { 0 };

        key_id(key, id);
        return span_to_hex(SPAN_OF(id), out, 2 * KEY_ID_SIZE + 1);
}

char *cli_fingerprint_hex(const struct public_key *key, char out[2 * SHA256_SIZE + 1])
{
        uint8_t digest[SHA256_SIZE] = { 0 };

        key_fingerprint(key, digest);
        return span_to_hex(SPAN_OF(digest), out, 2 * SHA256_SIZE + 1);
}

static json_t *describe_key(const struct public_key *key)
{
        char id[2 * KEY_ID_SIZE + 1], fingerprint[2 * SHA256_SIZE + 1];

        return json_pack("{s:s, s:s, s:s}", "type", key->type == KEY_P256 ? "p256" : "ed25519", "key_id",
                         cli_key_id_hex(key, id), "fingerprint", cli_fingerprint_hex(key, fingerprint));
}

int cli_key_create(const struct cli *cli, const char *path, const char *passphrase, struct public_key *key)
{
        _cleanup_(cli_key_wipe) struct cli_key made = { 0 };
        _cleanup_free_ char *public_path = NULL;
        int r;

        if (asprintf(&public_path, "%s.pub", path) < 0)
                return cli_errno(cli, -ENOMEM, path);
        if (access(public_path, F_OK) == 0)
                return cli_fail(cli, CLI_FAILED, "%s exists; it is never overwritten: choose another name",
                                public_path);
        if (crypto_random(made.seed, sizeof(made.seed)) != RELAY_OK ||
            crypto_ed25519_public(made.seed, &made.public_key) != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "%s: no random numbers", path);
        r = keyfile_save(path, made.seed, passphrase);
        if (r == -EEXIST)
                return cli_fail(cli, CLI_FAILED, "%s exists; a key is never overwritten: choose another name", path);
        if (r < 0)
                return cli_errno(cli, r, path);
        r = keyfile_save_public(public_path, &made.public_key);
        if (r < 0)
                return cli_errno(cli, r, public_path);
        if (key)
                *key = made.public_key;
        return CLI_OK;
}

static int ask_new_passphrase(const struct cli *cli, char **out)
{
        _cleanup_(wipe_free) char *again = NULL;

        *out = prompt_secret("Passphrase for the new key (empty: none)");
        if (!*out || !**out)
                return CLI_OK;
        again = prompt_secret("The same again");
        if (!again || strcmp(*out, again) != 0)
                return cli_fail(cli, CLI_FAILED, "the two passphrases differ; no key was made");
        return CLI_OK;
}

static int show_key(struct cli *cli, const char *file, const struct public_key *key, bool created)
{
        json_t *object = describe_key(key);
        int r;

        json_object_set_new(object, "file", json_string(file));
        if (created)
                json_object_set_new(object, "public_file", json_sprintf("%s.pub", file));
        r = output_record(cli, object, key_fields, sizeof(key_fields) / sizeof(*key_fields));
        json_decref(object);
        return r;
}

int cli_keys_create(struct cli *cli)
{
        _cleanup_(wipe_free) char *passphrase = NULL;
        const char *file = cli_value(cli, "passphrase-file");
        struct public_key key;
        int r = CLI_OK;

        if (file)
                r = passphrase_from_file(cli, file, &passphrase);
        else if (prompt_possible() && !cli_flag(cli, "no-passphrase"))
                r = ask_new_passphrase(cli, &passphrase);
        if (r == CLI_OK)
                r = cli_key_create(cli, cli_argument(cli, 0), passphrase, &key);
        return r == CLI_OK ? show_key(cli, cli_argument(cli, 0), &key, true) : r;
}

int cli_keys_show(struct cli *cli)
{
        struct public_key key;
        int r = cli_public_load(cli, cli_argument(cli, 0), &key);

        return r == CLI_OK ? show_key(cli, cli_argument(cli, 0), &key, false) : r;
}
