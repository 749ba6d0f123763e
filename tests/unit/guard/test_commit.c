/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transactions against a kernel of the test's own: which answers mean what, and what is tried again.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "guard/commit.h"
#include "guard/nfexpr.h"

#define STEPS_MAX 16

/* What the kernel does next: answers errno `error` to message `index`, or fails the call with `fail`. */
struct step {
        int fail;
        uint32_t index;
        int error;
};

struct kernel {
        struct step sends[STEPS_MAX], answers[STEPS_MAX];
        size_t send_count, answer_count, sent, answered;
        int room_error;
        uint32_t first;
        const struct nfbatch *batch;
};

static int room(void *context, size_t size)
{
        struct kernel *k = context;

        assert_int_equal(size, k->batch->size);
        return k->room_error;
}

static ssize_t send_datagram(void *context, const void *data, size_t size)
{
        struct kernel *k = context;

        (void)data;
        if (k->sent < k->send_count && k->sends[k->sent].fail)
                return k->sends[k->sent++].fail;
        k->sent++;
        return (ssize_t)size;
}

static uint16_t type_of(const struct nfbatch *batch, uint32_t index)
{
        struct nlmsghdr *header = (struct nlmsghdr *)batch->data;

        for (int left = (int)batch->size; index > 0; index--)
                header = nlmsg_next(header, &left);
        return header->nlmsg_type;
}

static ssize_t receive_datagram(void *context, void *data, size_t size)
{
        struct kernel *k = context;
        struct {
                struct nlmsghdr header;
                struct nlmsgerr answer;
        } datagram = { { sizeof(datagram), NLMSG_ERROR, 0, 0, 0 }, { 0 } };

        if (k->answered == k->answer_count)
                return -EAGAIN;
        const struct step *step = &k->answers[k->answered++];
        if (step->fail)
                return step->fail;
        assert_true(size >= sizeof(datagram));
        datagram.header.nlmsg_seq = k->first + step->index;
        datagram.answer.error = -step->error;
        datagram.answer.msg.nlmsg_type = type_of(k->batch, step->index);
        memcpy(data, &datagram, sizeof(datagram));
        return sizeof(datagram);
}

/* BEGIN, table (1), counter (2), counter (3), END: number 3 asks for the acknowledgement. */
static void make_batch(struct nfbatch *batch, uint32_t sequence)
{
        nfbatch_start(batch, sequence);
        nftable_add(batch, "t");
        nfcounter_add(batch, "t", "a");
        nfcounter_add(batch, "t", "b");
        assert_int_equal(nfbatch_finish(batch), 0);
}

static const struct {
        const char *name;
        struct step sends[STEPS_MAX], answers[STEPS_MAX];
        size_t send_count, answer_count;
        int result;
        uint32_t failed_index;
} rows[] = {
        { "taken", .answers = { { 0, 3, 0 } }, .answer_count = 1, .result = 0 },
        { "refused in the middle", .answers = { { 0, 2, EEXIST }, { 0, 3, 0 } }, .answer_count = 2, .result = -EEXIST,
          .failed_index = 2 },
        { "the first of several counts", .answers = { { 0, 3, ENOENT }, { 0, 1, EINVAL } }, .answer_count = 2,
          .result = -EINVAL, .failed_index = 1 },
        { "last one refused", .answers = { { 0, 3, ENOSPC } }, .answer_count = 1, .result = -ENOSPC,
          .failed_index = 3 },
        { "no right", .answers = { { 0, 0, EPERM } }, .answer_count = 1, .result = -EPERM },
        { "no nf_tables", .answers = { { 0, 0, EOPNOTSUPP } }, .answer_count = 1, .result = -EOPNOTSUPP },
        { "no answer at all", .result = 1 },
        { "overrun before the answer", .answers = { { -ENOBUFS, 0, 0 }, { 0, 3, 0 } }, .answer_count = 2, .result = 1 },
        { "overrun, but a refusal was seen", .answers = { { 0, 2, ENOMEM }, { -ENOBUFS, 0, 0 } }, .answer_count = 2,
          .result = -ENOMEM, .failed_index = 2 },
        { "interrupted reading", .answers = { { -EINTR, 0, 0 }, { 0, 3, 0 } }, .answer_count = 2, .result = 0 },
        { "socket broken", .answers = { { -EBADF, 0, 0 } }, .answer_count = 1, .result = -EBADF },
        { "interrupted sending", .sends = { { -EINTR, 0, 0 }, { -EINTR, 0, 0 } }, .send_count = 2,
          .answers = { { 0, 3, 0 } }, .answer_count = 1, .result = 0 },
        { "no memory for a moment", .sends = { { -ENOBUFS, 0, 0 }, { -ENOMEM, 0, 0 }, { -EAGAIN, 0, 0 } },
          .send_count = 3, .answers = { { 0, 3, 0 } }, .answer_count = 1, .result = 0 },
        { "no memory for long",
          .sends = { { -ENOBUFS, 0, 0 },
                     { -ENOBUFS, 0, 0 },
                     { -ENOBUFS, 0, 0 },
                     { -ENOBUFS, 0, 0 },
                     { -ENOBUFS, 0, 0 } },
          .send_count = 5, .result = -ENOBUFS },
        { "too large for the socket", .sends = { { -EMSGSIZE, 0, 0 } }, .send_count = 1, .result = -EMSGSIZE },
};

static void test_answers(void **state)
{
        struct nfbatch *batch;

        (void)state;
        assert_int_equal(nfbatch_new(&batch), 0);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct kernel k = { .send_count = rows[i].send_count,
                                    .answer_count = rows[i].answer_count,
                                    .first = UINT32_MAX - 1,
                                    .batch = batch };
                struct nf_transport transport = { &k, room, send_datagram, receive_datagram };
                struct nf_failure failure;

                memcpy(k.sends, rows[i].sends, sizeof(k.sends));
                memcpy(k.answers, rows[i].answers, sizeof(k.answers));
                make_batch(batch, k.first); /* sequence numbers that wrap */
                int r = nf_commit(&transport, batch, &failure);
                if (r != rows[i].result || failure.index != rows[i].failed_index)
                        fail_msg("%s: %d at %u", rows[i].name, r, failure.index);
        }
        nfbatch_free(batch);
}

static void test_answers_to_earlier_transactions_are_stepped_over(void **state)
{
        struct nfbatch *batch;
        struct kernel k = { .answers = { { 0, UINT32_MAX, EINVAL }, { 0, 3, 0 } }, .answer_count = 1, .first = 50 };
        struct nf_transport transport = { &k, room, send_datagram, receive_datagram };
        struct nf_failure failure;

        (void)state;
        assert_int_equal(nfbatch_new(&batch), 0);
        make_batch(batch, 50);
        k.batch = batch;
        k.first = 40; /* the only answer that comes is number 43's */
        k.answers[0] = (struct step){ 0, 3, EINVAL };
        assert_int_equal(nf_commit(&transport, batch, &failure), 1);
        nfbatch_free(batch);
}

static void test_room_is_needed(void **state)
{
        struct nfbatch *batch;
        struct kernel k = { .room_error = -EPERM };
        struct nf_transport transport = { &k, room, send_datagram, receive_datagram };
        struct nf_failure failure;

        (void)state;
        assert_int_equal(nfbatch_new(&batch), 0);
        make_batch(batch, 1);
        k.batch = batch;
        assert_int_equal(nf_commit(&transport, batch, &failure), -EPERM);
        assert_int_equal(k.sent, 0);
        nfbatch_free(batch);
}

static void test_sentences(void **state)
{
        static const struct {
                int error;
                struct nf_failure failure;
                const char *words;
        } texts[] = {
                { -EPERM, { 0, 0 }, "CAP_NET_ADMIN" },
                { -EOPNOTSUPP, { 0, 0 }, "no nf_tables" },
                { -EPROTONOSUPPORT, { 0, 0 }, "no nf_tables" },
                { -EINVAL, { 0, 0 }, "no nf_tables" },
                { -EEXIST,
                  { (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWSETELEM, 17 },
                  "addresses of a set (message 17)" },
                { -ENOMEM, { 0xff, 3 }, "the transaction" },
        };
        char out[300];

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_non_null(
                        strstr(nf_failure_text(texts[i].error, &texts[i].failure, out, sizeof(out)), texts[i].words));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_answers),
                cmocka_unit_test(test_answers_to_earlier_transactions_are_stepped_over),
                cmocka_unit_test(test_room_is_needed),
                cmocka_unit_test(test_sentences),
        };
        return cmocka_run_group_tests_name("guard commit", tests, NULL, NULL);
}
