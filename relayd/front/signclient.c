/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "front/signclient.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "channel/message.h"
#include "channel/socket.h"
#include "util/cleanup.h"
#include "util/time.h"

#define DEADLINE_S 2
#define PAUSE_MS   1000 /* after a missed deadline: sessions that are open must not wait again at once */

struct sign_client {
        char *path;
        int fd;
        uint32_t token;
        uint64_t paused_until_ms;
};

int sign_client_new(struct sign_client **ret, const char *path)
{
        struct sign_client *client = calloc(1, sizeof(*client));

        if (!client)
                return -ENOMEM;
        client->fd = -1;
        client->path = strdup(path);
        if (!client->path) {
                free(client);
                return -ENOMEM;
        }
        *ret = client;
        return 0;
}

struct sign_client *sign_client_free(struct sign_client *client)
{
        if (!client)
                return NULL;
        close_safe(client->fd);
        free(client->path);
        free(client);
        return NULL;
}

static int ensure_connected(struct sign_client *client)
{
        struct timeval deadline = { .tv_sec = DEADLINE_S };

        if (client->fd >= 0)
                return 0;
        client->fd = channel_socket_connect(client->path, true);
        if (client->fd < 0)
                return client->fd;
        if (setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline)) < 0 ||
            setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline)) < 0)
                return -errno;
        return 0;
}

static int ask(struct sign_client *client, struct span hash, uint8_t signature[SIGNATURE_SIZE])
{
        struct channel_sign_request request = { .token = ++client->token, .hash = hash };
        struct channel_sign_answer answer;
        uint8_t out[64], in[128];
        struct writer w;

        int r = ensure_connected(client);
        if (r < 0)
                return r;
        writer_init(&w, out, sizeof(out));
        if (channel_sign_request_encode(&w, &request) != RELAY_OK)
                return -EINVAL;
        if (send(client->fd, out, w.at, MSG_NOSIGNAL) != (ssize_t)w.at)
                return -errno;
        ssize_t n = recv(client->fd, in, sizeof(in), 0);
        if (n <= 0)
                return n == 0 ? -ECONNRESET : errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (channel_sign_answer_decode(span_of(in, (size_t)n), &answer) != RELAY_OK || answer.token != request.token)
                return -EBADMSG;
        if (answer.status != 0)
                return -EACCES;
        memcpy(signature, answer.signature.data, SIGNATURE_SIZE);
        return 0;
}

static void drop_connection(struct sign_client *client, int error)
{
        /* a late answer must not be taken for the next one */
        client->fd = close_safe(client->fd);
        if (error == -ETIMEDOUT || error == -EAGAIN)
                client->paused_until_ms = time_monotonic_ms() + PAUSE_MS;
}

int sign_client_sign(void *context, struct span transcript_hash, uint8_t signature[SIGNATURE_SIZE])
{
        struct sign_client *client = context;
        bool had_connection = client->fd >= 0;

        if (time_monotonic_ms() < client->paused_until_ms)
                return -ETIMEDOUT;
        int r = ask(client, transcript_hash, signature);
        if (r == 0 || r == -EACCES)
                return r;
        drop_connection(client, r);
        if (!had_connection || time_monotonic_ms() < client->paused_until_ms)
                return r;
        r = ask(client, transcript_hash, signature); /* a restarted hub has a new socket */
        if (r < 0 && r != -EACCES)
                drop_connection(client, r);
        return r;
}
