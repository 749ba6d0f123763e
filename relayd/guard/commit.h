/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Sending a transaction to the kernel and learning how it went. The kernel works while send() runs, so all answers are
 * there when it returns.
 */

#include "guard/nfmsg.h"

/* What talks to the kernel; tests have one of their own. */
struct nf_transport {
        void *context;
        /* makes room for a datagram of this size; 0 or -errno */
        int (*room)(void *context, size_t size);
        /* one datagram; bytes or -errno */
        ssize_t (*send)(void *context, const void *data, size_t size);
        /* one datagram, not blocking: bytes, or -errno (-EAGAIN: nothing there) */
        ssize_t (*receive)(void *context, void *data, size_t size);
};

struct nf_failure {
        uint16_t type;  /* message that the kernel refused: NFNL_MSG_BATCH_BEGIN or an nf_tables type */
        uint32_t index; /* in the transaction, 0: BATCH_BEGIN */
};

/*
 * 0: the whole transaction is in force. Negative: nothing of it is (*failure says which message the kernel refused
 * first; index 0 if it was none). 1: not known, an answer was lost: send a transaction that replaces everything.
 * EINTR and EAGAIN of send are tried again, ENOBUFS and ENOMEM a few times.
 */
int nf_commit(const struct nf_transport *transport, const struct nfbatch *batch, struct nf_failure *failure);
/* The number of the ruleset's generation: changes with every transaction of anybody. */
int nf_generation(const struct nf_transport *transport, uint32_t *generation);

/* Is there a table of this name in family inet? 0, -ENOENT, or another -errno */
int nf_table_exists(const struct nf_transport *transport, const char *table);

/* A sentence for people about what nf_commit() returned; returns out. */
const char *nf_failure_text(int error, const struct nf_failure *failure, char *out, size_t size);

/* The kernel's own transport. -EPROTONOSUPPORT: no netfilter netlink in this kernel */
struct nf_socket;
int nf_socket_new(struct nf_socket **ret);
struct nf_socket *nf_socket_free(struct nf_socket *socket);
CLEANUP_DEFINE(struct nf_socket, nf_socket_free)
const struct nf_transport *nf_socket_transport(struct nf_socket *socket);
