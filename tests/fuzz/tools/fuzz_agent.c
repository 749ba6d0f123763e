/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an ssh-agent answers, and OpenSSH's public lines: nothing is taken that is no Ed25519 key. */

#include <stdlib.h>
#include <string.h>

#include "cli/agent.h"
#include "tls/sshkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct agent_identity list[AGENT_IDENTITIES_MAX];
        uint8_t sig[SIGNATURE_SIZE], blob[SSH_BLOB_SIZE];
        struct public_key key, again;
        size_t count = 0;

        if (agent_read_identities(span_of(data, size), list, &count) == 0)
                for (size_t i = 0; i < count; i++)
                        if (list[i].key.type != KEY_ED25519 || !memchr(list[i].comment, '\0', AGENT_COMMENT_SIZE))
                                abort();
        (void)agent_read_signature(span_of(data, size), sig);
        if (ssh_line_read(span_of(data, size), &key) != 0)
                return 0;
        ssh_blob_write(&key, blob);
        if (ssh_blob_read(SPAN_OF(blob), &again) != RELAY_OK || !key_equal(&key, &again))
                abort();
        return 0;
}
