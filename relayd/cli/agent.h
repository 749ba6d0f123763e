/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A client of ssh-agent (draft-ietf-sshm-ssh-agent): which Ed25519 keys it has, and signatures of them. The private
 * keys stay with the agent, and nothing it answers is believed: a signature is verified before it is used.
 * Functions answer 0 or a negative errno: -EPROTO for an answer that breaks the protocol, -EACCES if the agent says no.
 */

#include "relay/crypto.h"

#define AGENT_COMMENT_SIZE   128
#define AGENT_IDENTITIES_MAX 64
#define AGENT_ANSWER_MAX     (256u * 1024) /* bytes; OpenSSH's own limit */

struct agent_identity {
        struct public_key key;
        char comment[AGENT_COMMENT_SIZE]; /* cut to what fits; may hold anything but NUL */
};

struct agent {
        int fd; /* connected; -1: none */
};

/* path: of the agent's socket, SSH_AUTH_SOCK */
int agent_open(struct agent *agent, const char *path);
void agent_close(struct agent *agent);
/* The first AGENT_IDENTITIES_MAX Ed25519 keys; keys of other types are passed over. */
int agent_list(struct agent *agent, struct agent_identity out[AGENT_IDENTITIES_MAX], size_t *count);
/* Waits as long as the agent asks its person; -EKEYREJECTED if the signature is not this key's over the message. */
int agent_sign(struct agent *agent, const struct public_key *key, struct span message, uint8_t sig[SIGNATURE_SIZE]);

/* What an agent answered, without the length in front: pure, for tests and fuzzing. */
int agent_read_identities(struct span answer, struct agent_identity out[AGENT_IDENTITIES_MAX], size_t *count);
int agent_read_signature(struct span answer, uint8_t sig[SIGNATURE_SIZE]);
