/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/commit.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "relay/cursor.h"
#include "util/log.h"

#define SEND_TRIES   5
#define ANSWERS_SIZE 32768

static int send_all(const struct nf_transport *transport, const void *data, size_t size)
{
        int tries = 0;
        ssize_t n;

        for (;;) {
                n = transport->send(transport->context, data, size);
                if (n >= 0)
                        return (size_t)n == size ? 0 : -EMSGSIZE;
                if (n == -EINTR)
                        continue;
                if (++tries == SEND_TRIES || (n != -EAGAIN && n != -ENOBUFS && n != -ENOMEM))
                        return (int)n;
        }
}

/* What was learned from the answers to one transaction. */
struct outcome {
        uint32_t first, last; /* sequence numbers */
        bool over;            /* the last message was answered, or the batch as a whole */
        int error;            /* of the first message that failed */
        struct nf_failure failure;
};

static void take_answer(struct outcome *o, const struct nlmsghdr *header)
{
        const struct nlmsgerr *answer = nlmsg_data(header);

        if (header->nlmsg_type != NLMSG_ERROR || nlmsg_datalen(header) < (int)sizeof(*answer) ||
            header->nlmsg_seq - o->first > o->last - o->first)
                return; /* of an earlier transaction */
        uint32_t index = header->nlmsg_seq - o->first;
        if (answer->error != 0 && (o->error == 0 || index < o->failure.index)) {
                o->error = answer->error;
                o->failure.type = answer->msg.nlmsg_type;
                o->failure.index = index;
        }
        if (header->nlmsg_seq == o->last || answer->msg.nlmsg_type == NFNL_MSG_BATCH_BEGIN)
                o->over = true;
}

static void take_datagram(struct outcome *o, void *data, size_t size)
{
        struct nlmsghdr *header = data;
        int left = (int)size;

        while (nlmsg_ok(header, left)) {
                take_answer(o, header);
                header = nlmsg_next(header, &left);
        }
}

/* 0: read to the end of the answers; 1: answers were lost; or -errno */
static int read_answers(const struct nf_transport *transport, struct outcome *o)
{
        _Alignas(struct nlmsghdr) uint8_t data[ANSWERS_SIZE];
        bool lost = false;

        for (;;) {
                ssize_t n = transport->receive(transport->context, data, sizeof(data));
                if (n == -EINTR)
                        continue;
                if (n == -EAGAIN)
                        return lost || !o->over ? 1 : 0;
                if (n == -ENOBUFS)
                        lost = true;
                else if (n < 0)
                        return (int)n;
                else
                        take_datagram(o, data, (size_t)n);
        }
}

int nf_commit(const struct nf_transport *transport, const struct nfbatch *batch, struct nf_failure *failure)
{
        struct outcome o = { .first = batch->first_sequence };
        const struct nlmsghdr *last = (const struct nlmsghdr *)(batch->data + batch->last_at);

        *failure = (struct nf_failure){ 0 };
        o.last = last->nlmsg_seq;
        int r = transport->room(transport->context, batch->size);
        if (r == 0)
                r = send_all(transport, batch->data, batch->size);
        if (r < 0)
                return r;
        r = read_answers(transport, &o);
        if (o.error != 0) {
                *failure = o.failure;
                return o.error;
        }
        return r;
}

static int parse_generation(struct nlmsghdr *header, int left, uint32_t *generation)
{
        for (; nlmsg_ok(header, left); header = nlmsg_next(header, &left)) {
                const struct nlmsgerr *answer = nlmsg_data(header);
                if (header->nlmsg_type == NLMSG_ERROR && nlmsg_datalen(header) >= (int)sizeof(*answer))
                        return answer->error != 0 ? answer->error : -EPROTO;
                if (header->nlmsg_type != ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN))
                        continue;
                struct nlattr *id = nlmsg_find_attr(header, sizeof(struct nfgenmsg), NFTA_GEN_ID);
                if (!id || nla_len(id) != 4)
                        return -EPROTO;
                struct reader r;
                reader_init(&r, span_of(nla_data(id), 4));
                *generation = reader_u32(&r);
                return 0;
        }
        return -EPROTO;
}

int nf_generation(const struct nf_transport *transport, uint32_t *generation)
{
        struct {
                struct nlmsghdr header;
                struct nfgenmsg general;
        } question = { { sizeof(question), (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN, NLM_F_REQUEST, 0, 0 }, { 0 } };
        _Alignas(struct nlmsghdr) uint8_t data[4096];
        ssize_t n;

        int r = send_all(transport, &question, sizeof(question));
        if (r < 0)
                return r;
        do
                n = transport->receive(transport->context, data, sizeof(data));
        while (n == -EINTR || n == -ENOBUFS);
        return n < 0 ? (int)n : parse_generation((struct nlmsghdr *)data, (int)n, generation);
}

/* The first answer is a table, or the error that there is none. */
static int take_table(struct nlmsghdr *header, int size)
{
        const struct nlmsgerr *answer = nlmsg_data(header);

        if (!nlmsg_ok(header, size))
                return -EPROTO;
        if (header->nlmsg_type == NLMSG_ERROR && nlmsg_datalen(header) >= (int)sizeof(*answer) && answer->error != 0)
                return answer->error;
        return header->nlmsg_type == ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWTABLE) ? 0 : -EPROTO;
}

int nf_table_exists(const struct nf_transport *transport, const char *table)
{
        _Alignas(struct nlmsghdr) uint8_t data[4096];
        _cleanup_(nfbatch_freep) struct nfbatch *question = NULL;
        ssize_t n;

        int r = nfbatch_new(&question);
        if (r < 0)
                return r;
        nfbatch_message(question, NFT_MSG_GETTABLE, 0);
        nfput_text(question, NFTA_TABLE_NAME, table);
        nfbatch_end_message(question);
        r = question->error != 0 ? question->error : send_all(transport, question->data, question->size);
        if (r < 0)
                return r;
        do
                n = transport->receive(transport->context, data, sizeof(data));
        while (n == -EINTR);
        return n < 0 ? (int)n : take_table((struct nlmsghdr *)data, (int)n);
}

const char *nf_failure_text(int error, const struct nf_failure *failure, char *out, size_t size)
{
        static const char *const names[] = {
                [NFT_MSG_NEWTABLE] = "a table", [NFT_MSG_DELTABLE] = "the old table",
                [NFT_MSG_NEWCHAIN] = "a chain", [NFT_MSG_NEWRULE] = "a rule",
                [NFT_MSG_NEWSET] = "a set",     [NFT_MSG_NEWSETELEM] = "addresses of a set",
                [NFT_MSG_NEWOBJ] = "a counter", [NFT_MSG_DELSETELEM] = "addresses to delete from a set",
        };
        unsigned type = failure->type & 0xffu;
        const char *what = failure->index && type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type]
                                                                                                    : "the transaction";

        if (error == -EPERM || error == -EACCES)
                snprintf(out, size, "no right to change the firewall: the guard needs CAP_NET_ADMIN (check its unit)");
        else if (error == -EOPNOTSUPP || error == -EPROTONOSUPPORT || (error == -EINVAL && failure->index == 0) ||
                 error == -EAFNOSUPPORT)
                snprintf(out, size,
                         "this kernel has no nf_tables (%s): load the module nf_tables or use a kernel that has it; "
                         "admission in the hub still holds",
                         errno_string(error));
        else
                snprintf(out, size, "the kernel refused %s (message %u): %s", what, failure->index,
                         errno_string(error));
        return out;
}
