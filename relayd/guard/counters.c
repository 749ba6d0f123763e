/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/counters.h"

#include <endian.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

static uint64_t get_u64(struct nlattr *attribute)
{
        uint64_t value = 0;

        if (attribute && nla_len(attribute) == (int)sizeof(value))
                memcpy(&value, nla_data(attribute), sizeof(value));
        return be64toh(value);
}

static bool take_counter(struct nlmsghdr *header, const char *const *names, struct nf_counter *out)
{
        struct nlattr *object[NFTA_OBJ_MAX + 1], *data[NFTA_COUNTER_MAX + 1];

        if (nlmsg_parse(header, sizeof(struct nfgenmsg), object, NFTA_OBJ_MAX, NULL) < 0 || !object[NFTA_OBJ_NAME] ||
            !object[NFTA_OBJ_DATA] || nla_parse_nested(data, NFTA_COUNTER_MAX, object[NFTA_OBJ_DATA], NULL) < 0)
                return false;
        for (; *names; names++) {
                if (nla_strcmp(object[NFTA_OBJ_NAME], *names) != 0)
                        continue;
                *out = (struct nf_counter){ *names, get_u64(data[NFTA_COUNTER_PACKETS]),
                                            get_u64(data[NFTA_COUNTER_BYTES]) };
                return true;
        }
        return false;
}

/* 0: more may come, 1: the end, or -errno */
static int take_datagram(void *data, int left, const char *const *names, struct nf_counter *out, size_t *count,
                         size_t room)
{
        for (struct nlmsghdr *header = data; nlmsg_ok(header, left); header = nlmsg_next(header, &left)) {
                if (header->nlmsg_type == NLMSG_DONE)
                        return 1;
                if (header->nlmsg_type == NLMSG_ERROR) {
                        const struct nlmsgerr *answer = nlmsg_data(header);
                        return nlmsg_datalen(header) >= (int)sizeof(*answer) && answer->error ? answer->error : -EPROTO;
                }
                if (header->nlmsg_type == ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWOBJ) && *count < room &&
                    take_counter(header, names, &out[*count]))
                        (*count)++;
        }
        return 0;
}

int nf_counters(const struct nf_transport *transport, const char *table, const char *const *names,
                struct nf_counter *out, size_t *count)
{
        _Alignas(struct nlmsghdr) uint8_t data[32768];
        _cleanup_(nfbatch_freep) struct nfbatch *question = NULL;
        size_t room = 0;

        while (names[room])
                room++;
        *count = 0;
        int r = nfbatch_new(&question);
        if (r < 0)
                return r;
        nfbatch_message(question, NFT_MSG_GETOBJ, NLM_F_DUMP);
        nfput_text(question, NFTA_OBJ_TABLE, table);
        nfput_u32(question, NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
        nfbatch_end_message(question);
        if (question->error != 0)
                return question->error;
        ssize_t n = transport->send(transport->context, question->data, question->size);
        for (r = n < 0 ? (int)n : 0; r == 0;) {
                n = transport->receive(transport->context, data, sizeof(data));
                if (n == -EAGAIN)
                        return -EIO;
                if (n < 0 && n != -EINTR)
                        return (int)n;
                if (n > 0)
                        r = take_datagram(data, (int)n, names, out, count, room);
        }
        return r == 1 ? 0 : r;
}
