/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hub/signer.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "channel/message.h"
#include "channel/socket.h"
#include "tls/keyfile.h"
#include "util/cleanup.h"

#define CLIENTS_MAX  16
#define REQUEST_SIZE 64 /* the largest is 54 bytes */

enum place { PLACE_STOP, PLACE_LISTENER, PLACE_CLIENTS };

struct signer {
        pthread_t thread;
        bool running;
        int stop_fd, listen_fd;
        char *path;
        uid_t peer_uid;
        uint8_t seed[ED25519_SEED_SIZE];
        struct public_key key;
        atomic_uint_fast64_t count;
        struct pollfd fds[PLACE_CLIENTS + CLIENTS_MAX];
        size_t fd_count;
};

static const char context_string[] = "TLS 1.3, server CertificateVerify"; /* its NUL is the 0 byte of the content */

size_t signer_content(struct span hash, uint8_t out[SIGNER_CONTENT_MAX])
{
        if (hash.size != 32 && hash.size != 48)
                return 0;
        memset(out, ' ', 64);
        memcpy(out + 64, context_string, sizeof(context_string));
        memcpy(out + 64 + sizeof(context_string), hash.data, hash.size);
        return 64 + sizeof(context_string) + hash.size;
}

static void accept_client(struct signer *signer)
{
        int fd = accept4(signer->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
                return;
        if (signer->fd_count == PLACE_CLIENTS + CLIENTS_MAX ||
            channel_socket_check_peer(fd, signer->peer_uid, NULL) < 0) {
                close(fd);
                return;
        }
        signer->fds[signer->fd_count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

/* status 1 in the answer: no signature for this request */
static void answer(struct signer *signer, const struct channel_sign_request *request, struct writer *w)
{
        uint8_t content[SIGNER_CONTENT_MAX], signature[SIGNATURE_SIZE];
        struct channel_sign_answer out = { .token = request->token, .status = 1 };
        size_t size = signer_content(request->hash, content);

        if (size && crypto_ed25519_sign(signer->seed, span_of(content, size), signature) == RELAY_OK) {
                out.status = 0;
                out.signature = SPAN_OF(signature);
                atomic_fetch_add(&signer->count, 1);
        }
        channel_sign_answer_encode(w, &out);
}

/* false: drop this client */
static bool serve(struct signer *signer, int fd)
{
        uint8_t in[REQUEST_SIZE], out[REQUEST_SIZE + SIGNATURE_SIZE];
        struct channel_sign_request request;
        struct writer w;
        struct iovec part = { in, sizeof(in) };
        struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

        ssize_t n = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        if (n == 0 || header.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
            channel_sign_request_decode(span_of(in, (size_t)n), &request) != RELAY_OK)
                return false;
        writer_init(&w, out, sizeof(out));
        answer(signer, &request, &w);
        /* a client asks one at a time; if it does not even take answers it is dropped */
        return send(fd, out, w.at, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)w.at;
}

static void *run(void *context)
{
        struct signer *signer = context;

        for (;;) {
                if (poll(signer->fds, signer->fd_count, -1) < 0)
                        continue; /* EINTR */
                if (signer->fds[PLACE_STOP].revents)
                        return NULL;
                for (size_t i = signer->fd_count; i-- > PLACE_CLIENTS;) {
                        if (!signer->fds[i].revents || serve(signer, signer->fds[i].fd))
                                continue;
                        close(signer->fds[i].fd);
                        signer->fds[i] = signer->fds[--signer->fd_count];
                }
                if (signer->fds[PLACE_LISTENER].revents)
                        accept_client(signer);
        }
}

/* the hub's signals are its loop's */
static int start_thread(struct signer *signer)
{
        sigset_t all, before;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int r = pthread_create(&signer->thread, NULL, run, signer);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r != 0)
                return -r;
        signer->running = true;
        return 0;
}

int signer_start(struct signer **ret, const struct signer_options *options)
{
        struct signer *signer = calloc(1, sizeof(*signer));

        if (!signer)
                return -ENOMEM;
        signer->listen_fd = signer->stop_fd = -1;
        signer->peer_uid = options->peer_uid;
        signer->path = strdup(options->path);
        int r = signer->path ? keyfile_load(options->key_file, options->passphrase, signer->seed) : -ENOMEM;
        if (r == 0 && crypto_ed25519_public(signer->seed, &signer->key) != RELAY_OK)
                r = -EIO;
        if (r == 0) {
                signer->stop_fd = eventfd(0, EFD_CLOEXEC);
                r = signer->stop_fd < 0 ? -errno : 0;
        }
        if (r == 0) {
                signer->listen_fd = channel_socket_listen(options->path, options->group);
                r = signer->listen_fd < 0 ? signer->listen_fd : 0;
        }
        if (r == 0) {
                signer->fds[PLACE_STOP] = (struct pollfd){ .fd = signer->stop_fd, .events = POLLIN };
                signer->fds[PLACE_LISTENER] = (struct pollfd){ .fd = signer->listen_fd, .events = POLLIN };
                signer->fd_count = PLACE_CLIENTS;
                r = start_thread(signer);
        }
        if (r != 0) {
                signer_stop(signer);
                return r;
        }
        *ret = signer;
        return 0;
}

struct signer *signer_stop(struct signer *signer)
{
        if (!signer)
                return NULL;
        if (signer->running) {
                eventfd_write(signer->stop_fd, 1);
                pthread_join(signer->thread, NULL);
        }
        for (size_t i = PLACE_CLIENTS; i < signer->fd_count; i++)
                close(signer->fds[i].fd);
        if (signer->listen_fd >= 0)
                unlink(signer->path);
        close_safe(signer->listen_fd);
        close_safe(signer->stop_fd);
        crypto_wipe(signer->seed, sizeof(signer->seed));
        free(signer->path);
        free(signer);
        return NULL;
}

void signer_public_key(const struct signer *signer, struct public_key *key)
{
        *key = signer->key;
}

uint64_t signer_count(const struct signer *signer)
{
        return atomic_load(&signer->count);
}
