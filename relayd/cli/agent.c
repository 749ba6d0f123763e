/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of ssh-agent. */

#include "cli/agent.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "relay/cursor.h"
#include "tls/sshkey.h"
#include "util/cleanup.h"

/* message numbers of the protocol */
#define AGENT_FAILURE            5
#define AGENT_REQUEST_IDENTITIES 11
#define AGENT_IDENTITIES_ANSWER  12
#define AGENT_SIGN_REQUEST       13
#define AGENT_SIGN_RESPONSE      14

#define PATIENCE_S 10 /* with an agent that lists its keys; signing waits for a person */
#define SIGNED_MAX 65536

static struct span read_string(struct reader *r)
{
        return reader_bytes(r, reader_u32(r));
}

static void write_string(struct writer *w, struct span bytes)
{
        writer_u32(w, (uint32_t)bytes.size);
        writer_bytes(w, bytes);
}

int agent_open(struct agent *agent, const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
                int error = errno;

                close(fd);
                return -error;
        }
        agent->fd = fd;
        return 0;
}

void agent_close(struct agent *agent)
{
        agent->fd = close_safe(agent->fd);
}

static int send_all(int fd, struct span bytes)
{
        while (bytes.size > 0) {
                ssize_t sent = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);

                if (sent < 0 && errno != EINTR)
                        return -errno;
                if (sent > 0)
                        bytes = span_slice(bytes, (size_t)sent, bytes.size);
        }
        return 0;
}

static int receive_all(int fd, uint8_t *out, size_t size)
{
        while (size > 0) {
                ssize_t got = recv(fd, out, size, 0);

                if (got == 0)
                        return -EPROTO;
                if (got < 0 && errno != EINTR)
                        return errno == EAGAIN ? -ETIMEDOUT : -errno;
                if (got > 0) {
                        out += got;
                        size -= (size_t)got;
                }
        }
        return 0;
}

/* One question, one answer; *answer is malloc'ed. patience_s: 0 waits for ever */
static int ask(struct agent *agent, struct span question, unsigned patience_s, uint8_t **answer, size_t *size)
{
        const struct timeval patience = { .tv_sec = patience_s };
        uint8_t head[4];
        struct reader reader;
        uint8_t *bytes;
        int r;

        if (setsockopt(agent->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
                return -errno;
        if ((r = send_all(agent->fd, question)) < 0 || (r = receive_all(agent->fd, head, sizeof(head))) < 0)
                return r;
        reader_init(&reader, SPAN_OF(head));
        *size = reader_u32(&reader);
        if (*size == 0 || *size > AGENT_ANSWER_MAX)
                return -EPROTO;
        bytes = malloc(*size);
        if (!bytes)
                return -ENOMEM;
        r = receive_all(agent->fd, bytes, *size);
        if (r < 0) {
                free(bytes);
                return r;
        }
        *answer = bytes;
        return 0;
}

/* What stands behind the message's number; -EACCES if the agent refused. */
static int open_answer(struct reader *r, struct span answer, uint8_t wanted)
{
        uint8_t type;

        reader_init(r, answer);
        type = reader_u8(r);
        if (r->result != RELAY_OK || (type != wanted && type != AGENT_FAILURE))
                return -EPROTO;
        return type == wanted ? 0 : -EACCES;
}

static void take_comment(struct span comment, char out[AGENT_COMMENT_SIZE])
{
        comment = span_slice(comment, 0, AGENT_COMMENT_SIZE - 1);
        if (!span_to_string(comment, out, AGENT_COMMENT_SIZE))
                out[0] = '\0';
}

int agent_read_identities(struct span answer, struct agent_identity out[AGENT_IDENTITIES_MAX], size_t *count)
{
        struct reader r;
        int result = open_answer(&r, answer, AGENT_IDENTITIES_ANSWER);
        size_t found = 0;

        if (result < 0)
                return result;
        for (uint32_t left = reader_u32(&r); left > 0 && r.result == RELAY_OK; left--) {
                struct span blob = read_string(&r), comment = read_string(&r);

                if (r.result != RELAY_OK || found == AGENT_IDENTITIES_MAX ||
                    ssh_blob_read(blob, &out[found].key) != RELAY_OK)
                        continue;
                take_comment(comment, out[found++].comment);
        }
        if (reader_finish(&r) != RELAY_OK)
                return -EPROTO;
        *count = found;
        return 0;
}

int agent_read_signature(struct span answer, uint8_t sig[SIGNATURE_SIZE])
{
        struct reader r, inner;
        int result = open_answer(&r, answer, AGENT_SIGN_RESPONSE);

        if (result < 0)
                return result;
        reader_init(&inner, read_string(&r));
        struct span type = read_string(&inner), bytes = read_string(&inner);
        if (reader_finish(&r) != RELAY_OK || reader_finish(&inner) != RELAY_OK ||
            !span_equal_string(type, "ssh-ed25519") || bytes.size != SIGNATURE_SIZE)
                return -EPROTO;
        memcpy(sig, bytes.data, SIGNATURE_SIZE);
        return 0;
}

int agent_list(struct agent *agent, struct agent_identity out[AGENT_IDENTITIES_MAX], size_t *count)
{
        static const uint8_t question[] = { 0, 0, 0, 1, AGENT_REQUEST_IDENTITIES };
        _cleanup_free_ uint8_t *answer = NULL;
        size_t size;
        int r = ask(agent, SPAN_OF(question), PATIENCE_S, &answer, &size);

        return r < 0 ? r : agent_read_identities(span_of(answer, size), out, count);
}

int agent_sign(struct agent *agent, const struct public_key *key, struct span message, uint8_t sig[SIGNATURE_SIZE])
{
        uint8_t blob[SSH_BLOB_SIZE], made[SIGNATURE_SIZE];
        _cleanup_free_ uint8_t *question = NULL, *answer = NULL;
        size_t room = 4 + 1 + 4 + sizeof(blob) + 4 + message.size + 4, size;
        struct writer w;
        int r;

        if (message.size > SIGNED_MAX)
                return -EMSGSIZE;
        question = malloc(room);
        if (!question)
                return -ENOMEM;
        ssh_blob_write(key, blob);
        writer_init(&w, question, room);
        writer_u32(&w, (uint32_t)room - 4);
        writer_u8(&w, AGENT_SIGN_REQUEST);
        write_string(&w, SPAN_OF(blob));
        write_string(&w, message);
        writer_u32(&w, 0); /* no flags */
        if ((r = ask(agent, writer_span(&w), 0, &answer, &size)) < 0 ||
            (r = agent_read_signature(span_of(answer, size), made)) < 0)
                return r;
        if (crypto_verify(key, message, made) != RELAY_OK)
                return -EKEYREJECTED;
        memcpy(sig, made, SIGNATURE_SIZE);
        return 0;
}
