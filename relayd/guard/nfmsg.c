/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/nfmsg.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#define MESSAGE_ROOM (NFBATCH_LIST_MAX + 4096)
#define FIRST_ROOM   (64 * 1024)

int nfbatch_new(struct nfbatch **ret)
{
        struct nfbatch *batch = calloc(1, sizeof(*batch));

        if (!batch)
                return -ENOMEM;
        batch->message = nlmsg_alloc_size(MESSAGE_ROOM);
        if (!batch->message) {
                free(batch);
                return -ENOMEM;
        }
        *ret = batch;
        return 0;
}

struct nfbatch *nfbatch_free(struct nfbatch *batch)
{
        if (!batch)
                return NULL;
        nlmsg_free(batch->message);
        free(batch->data);
        free(batch);
        return NULL;
}

static void fail(struct nfbatch *batch, int error)
{
        if (batch->error == 0)
                batch->error = error;
}

static void reserve(struct nfbatch *batch, size_t size)
{
        size_t room = batch->room ? batch->room : FIRST_ROOM;

        while (room < batch->size + size)
                room *= 2;
        if (room == batch->room)
                return;
        uint8_t *data = realloc(batch->data, room);
        if (!data) {
                fail(batch, -ENOMEM);
                return;
        }
        batch->data = data;
        batch->room = room;
}

/* libnl never shrinks a message, so one is used again and again. */
static struct nl_msg *begin(struct nfbatch *batch, int type, int flags, uint16_t res_id, uint8_t family)
{
        struct nlmsghdr *header = nlmsg_hdr(batch->message);
        struct nfgenmsg *general;

        memset(header, 0, NLMSG_HDRLEN + sizeof(*general));
        header->nlmsg_len = NLMSG_HDRLEN;
        header->nlmsg_type = (uint16_t)type;
        header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
        header->nlmsg_seq = batch->sequence++;
        general = nlmsg_reserve(batch->message, sizeof(*general), NLMSG_ALIGNTO);
        if (!general) {
                fail(batch, -ENOMEM);
                return batch->message;
        }
        general->nfgen_family = family;
        general->version = NFNETLINK_V0;
        general->res_id = htons(res_id);
        return batch->message;
}

static void append(struct nfbatch *batch)
{
        const struct nlmsghdr *header = nlmsg_hdr(batch->message);
        size_t size = NLMSG_ALIGN(header->nlmsg_len);

        reserve(batch, size);
        if (batch->error != 0)
                return;
        memset(batch->data + batch->size, 0, size);
        memcpy(batch->data + batch->size, header, header->nlmsg_len);
        batch->last_at = batch->size;
        batch->size += size;
}

void nfbatch_start(struct nfbatch *batch, uint32_t sequence)
{
        batch->size = 0;
        batch->error = 0;
        batch->first_sequence = batch->sequence = sequence;
        begin(batch, NFNL_MSG_BATCH_BEGIN, 0, NFNL_SUBSYS_NFTABLES, AF_UNSPEC);
        append(batch);
}

struct nl_msg *nfbatch_message(struct nfbatch *batch, int type, int flags)
{
        return begin(batch, (NFNL_SUBSYS_NFTABLES << 8) | type, flags, 0, NFPROTO_INET);
}

void nfbatch_end_piece(struct nfbatch *batch)
{
        int (*piece)(struct nfbatch *, void *) = batch->piece;

        if (!piece || batch->error != 0 || batch->sequence == batch->first_sequence + 1) /* only its beginning */
                return;
        batch->piece = NULL; /* it ends the transaction by a message, too */
        fail(batch, piece(batch, batch->piece_context));
        batch->piece = piece;
}

void nfbatch_end_message(struct nfbatch *batch)
{
        append(batch);
        if (batch->size >= batch->piece_size)
                nfbatch_end_piece(batch);
}

int nfbatch_finish(struct nfbatch *batch)
{
        struct nlmsghdr *last = batch->error == 0 ? (struct nlmsghdr *)(batch->data + batch->last_at) : NULL;

        /* Kernels before 6.10 do not acknowledge BATCH_END. */
        if (last && last->nlmsg_type != NFNL_MSG_BATCH_BEGIN)
                last->nlmsg_flags |= NLM_F_ACK;
        begin(batch, NFNL_MSG_BATCH_END, 0, NFNL_SUBSYS_NFTABLES, AF_UNSPEC);
        size_t last_at = batch->last_at;
        append(batch);
        batch->last_at = last_at;
        return batch->error;
}

void nfput_bytes(struct nfbatch *batch, int attribute, const void *data, size_t size)
{
        if (nla_put(batch->message, attribute, (int)size, data) < 0)
                fail(batch, -EMSGSIZE);
}

void nfput_u8(struct nfbatch *batch, int attribute, uint8_t value)
{
        nfput_bytes(batch, attribute, &value, sizeof(value));
}

void nfput_u16(struct nfbatch *batch, int attribute, uint16_t value)
{
        value = htobe16(value);
        nfput_bytes(batch, attribute, &value, sizeof(value));
}

void nfput_u32(struct nfbatch *batch, int attribute, uint32_t value)
{
        value = htobe32(value);
        nfput_bytes(batch, attribute, &value, sizeof(value));
}

void nfput_u64(struct nfbatch *batch, int attribute, uint64_t value)
{
        value = htobe64(value);
        nfput_bytes(batch, attribute, &value, sizeof(value));
}

void nfput_text(struct nfbatch *batch, int attribute, const char *text)
{
        nfput_bytes(batch, attribute, text, strlen(text) + 1);
}

void *nfput_space(struct nfbatch *batch, size_t size)
{
        void *space = nlmsg_reserve(batch->message, size, NLMSG_ALIGNTO);

        if (!space)
                fail(batch, -EMSGSIZE);
        return space;
}

struct nlattr *nfput_nest(struct nfbatch *batch, int attribute)
{
        struct nlattr *nest = nla_nest_start(batch->message, attribute);

        if (!nest)
                fail(batch, -EMSGSIZE);
        return nest;
}

void nfput_nest_end(struct nfbatch *batch, struct nlattr *nest)
{
        if (nest)
                nla_nest_end_keep_empty(batch->message, nest);
}

size_t nfbatch_message_size(const struct nfbatch *batch)
{
        return nlmsg_hdr(batch->message)->nlmsg_len;
}
