/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/engine.h"

#include <string.h>

#include "util/time.h"

/* Smaller costs the kernel time (it sorts a set at each commit), larger costs memory. */
#define PIECE_SIZE (640 * 1024)

struct engine {
        const struct nf_transport *transport;
        uint32_t sequence;
        bool trusted;          /* the kernel has what present says */
        struct nfbatch *shape; /* of present */
        struct ruleset present;
        struct country_policy policy; /* of present */
};

static uint64_t now_us(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int engine_new(struct engine **ret, const struct nf_transport *transport)
{
        struct engine *engine = calloc(1, sizeof(*engine));

        if (!engine)
                return -ENOMEM;
        engine->transport = transport;
        engine->sequence = 1;
        *ret = engine;
        return 0;
}

struct engine *engine_free(struct engine *engine)
{
        if (!engine)
                return NULL;
        nfbatch_free(engine->shape);
        free(engine);
        return NULL;
}

void engine_distrust(struct engine *engine)
{
        engine->trusted = false;
}

static int commit(struct engine *engine, const struct nfbatch *batch, struct engine_result *result)
{
        uint64_t start = now_us();
        int r = nf_commit(engine->transport, batch, &result->failure);

        engine->sequence = batch->sequence;
        result->kernel_microseconds += now_us() - start;
        result->bytes += batch->size;
        result->transactions += r == 0;
        return r;
}

struct pieces {
        struct engine *engine;
        struct engine_result *result;
};

static int commit_piece(struct nfbatch *batch, void *context)
{
        struct pieces *pieces = context;

        int r = nfbatch_finish(batch);
        if (r == 0)
                r = commit(pieces->engine, batch, pieces->result);
        nfbatch_start(batch, batch->sequence);
        return r == 1 ? -EAGAIN : r;
}

/* Where there is no table yet, it may grow in pieces that need less memory here and in the kernel: without rules it
 * judges nothing. 0, or -errno: try it as a whole */
static int build_up(struct engine *engine, const struct ruleset *wanted, struct nfbatch *batch,
                    struct engine_result *result)
{
        struct pieces pieces = { engine, result };

        batch->piece = commit_piece;
        batch->piece_context = &pieces;
        batch->piece_size = PIECE_SIZE;
        int r = ruleset_replace(batch, wanted, engine->sequence, &result->counts);
        batch->piece = NULL;
        if (r == 0)
                r = commit(engine, batch, result);
        return r == 1 ? -EAGAIN : r;
}

static int replace(struct engine *engine, const struct ruleset *wanted, struct nfbatch *batch,
                   struct engine_result *result)
{
        int r = nf_table_exists(engine->transport, RULESET_TABLE) == -ENOENT ? build_up(engine, wanted, batch, result)
                                                                             : -EEXIST;

        result->replaced = true;
        if (r == 0)
                return 0;
        r = ruleset_replace(batch, wanted, engine->sequence, &result->counts);
        if (r == 0)
                r = commit(engine, batch, result);
        if (r == 1) /* it may be in force or not; once more decides */
                r = commit(engine, batch, result);
        return r == 1 ? -EIO : r;
}

static bool same_shape(const struct engine *engine, const struct nfbatch *shape)
{
        return engine->trusted && engine->shape && engine->shape->size == shape->size &&
               memcmp(engine->shape->data, shape->data, shape->size) == 0;
}

/* 0, or the kernel must get it as a whole: 1 */
static int change(struct engine *engine, const struct ruleset *wanted, struct nfbatch *batch,
                  struct engine_result *result)
{
        int r = ruleset_change(batch, &engine->present, wanted, engine->sequence, &result->counts);

        if (r != 0)
                return r == 1 ? 0 : r;
        r = commit(engine, batch, result);
        if (r != 0) /* what the kernel has is not what we thought */
                engine->trusted = false;
        return r == 0 ? 0 : 1;
}

static void remember(struct engine *engine, const struct ruleset *wanted, struct nfbatch **shape)
{
        nfbatch_free(engine->shape);
        engine->shape = steal_pointer(*shape);
        engine->policy = *wanted->policy;
        engine->present = *wanted;
        engine->present.policy = &engine->policy;
        engine->trusted = true;
}

int engine_apply(struct engine *engine, const struct ruleset *wanted, struct engine_result *result)
{
        _cleanup_(nfbatch_freep) struct nfbatch *shape = NULL;
        _cleanup_(nfbatch_freep) struct nfbatch *batch = NULL;
        uint64_t start = now_us();

        *result = (struct engine_result){ 0 };
        int r = nfbatch_new(&shape);
        if (r == 0)
                r = nfbatch_new(&batch);
        if (r == 0)
                r = ruleset_shape(shape, wanted);
        if (r < 0)
                return r;
        r = same_shape(engine, shape) ? change(engine, wanted, batch, result) : 1;
        if (r == 1)
                r = replace(engine, wanted, batch, result);
        if (r == 0)
                remember(engine, wanted, &shape);
        result->microseconds = now_us() - start;
        return r;
}
