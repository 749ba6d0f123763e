/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first look at a database, by a child process: a truncated file is SIGBUS there, a wild page number SIGSEGV, a
 * zeroed page an assertion of LMDB. The child writes a sentence to a pipe and exits with 1, or just dies.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/lmdb_store.h"
#include "util/cleanup.h"
#include "util/time.h"

#define CHECK_MS    10000 /* so long the child reads values */
#define PATIENCE_MS 20000 /* so long the parent waits for the child */
#define SENTENCE    400

/* what the relay cannot do without comes first; images can be fetched again */
static const enum store_table order[STORE_TABLE_COUNT] = {
        STORE_META,     STORE_DEVICES,     STORE_POLICY, STORE_UPDATES,  STORE_APPROVALS,
        STORE_COMMANDS, STORE_CHECKPOINTS, STORE_KNOWN,  STORE_SESSIONS, STORE_RETAINED,
        STORE_ALERTS,   STORE_OUTBOX,      STORE_QUEUE,  STORE_AUDIT,    STORE_IMAGES,
};
static int child_pipe = -1; /* the child's only; LMDB's assertion callback has no context */

__attribute__((noreturn, format(printf, 1, 2))) static void complain(const char *format, ...)
{
        char sentence[SENTENCE];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(sentence, sizeof(sentence), format, arguments);
        va_end(arguments);
        ssize_t written = write(child_pipe, sentence, strlen(sentence));
        (void)written;
        _exit(1);
}

static void on_assertion(MDB_env *env, const char *message)
{
        (void)env;
        complain("a page is damaged (%.200s)", message);
}

static void require(int result, const char *what)
{
        if (result != 0)
                complain("%s cannot be read: %s", what, mdb_strerror(result));
}

/* each entry of LMDB's free list: count, then page numbers in descending order */
static void check_free_pages(MDB_env *env, MDB_txn *txn)
{
        MDB_cursor *cursor;
        MDB_envinfo info;
        MDB_val key, value;
        mdb_env_info(env, &info);
        require(mdb_cursor_open(txn, 0, &cursor), "the list of free pages");
        int result;
        while ((result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
                const size_t *pages = value.mv_data;
                if (value.mv_size < sizeof(*pages) || value.mv_size / sizeof(*pages) - 1 < pages[0])
                        complain("the list of free pages is damaged");
                for (size_t i = 1; i <= pages[0]; i++)
                        if (pages[i] < 2 || pages[i] > info.me_last_pgno || (i > 1 && pages[i] >= pages[i - 1]))
                                complain("the list of free pages names page %zu", pages[i]);
        }
        if (result != MDB_NOTFOUND)
                require(result, "the list of free pages");
        mdb_cursor_close(cursor);
}

static void check_table(MDB_txn *txn, enum store_table table, uint64_t deadline_ms)
{
        const char *name = lmdb_table_names[table];
        MDB_dbi dbi;
        MDB_stat stat;
        MDB_cursor *cursor;
        MDB_val key, value;
        size_t count = 0;
        int result = mdb_dbi_open(txn, name, 0, &dbi);
        if (result == MDB_NOTFOUND && table >= STORE_TABLES_FIRST)
                return;
        require(result, name);
        require(mdb_stat(txn, dbi, &stat), name);
        require(mdb_cursor_open(txn, dbi, &cursor), name);
        while ((result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
                struct span payload;
                if (lmdb_payload(table, (struct span){ key.mv_data, key.mv_size }, &value, &payload) != 0)
                        complain("record %zu of table %s is damaged (checksum)", count + 1, name);
                if (++count % 64 == 0 && time_monotonic_ms() > deadline_ms)
                        _exit(0);
        }
        if (result != MDB_NOTFOUND)
                require(result, name);
        if (count != stat.ms_entries)
                complain("table %s has %zu records instead of %zu", name, count, stat.ms_entries);
        mdb_cursor_close(cursor);
}

static void check_format(MDB_txn *txn)
{
        MDB_dbi dbi;
        MDB_val key = { lmdb_format_key.size, (void *)lmdb_format_key.data }, value;
        struct span format;
        require(mdb_dbi_open(txn, lmdb_table_names[STORE_META], 0, &dbi), "table meta");
        require(mdb_get(txn, dbi, &key, &value), "the format number");
        if (lmdb_payload(STORE_META, lmdb_format_key, &value, &format) != 0)
                complain("the format number is damaged (checksum)");
        if (!span_equal_string(format, LMDB_FORMAT))
                complain("its format is %.*s, this program knows " LMDB_FORMAT, (int)format.size, format.data);
}

__attribute__((noreturn)) static void run_child(const char *path)
{
        static const int signals[] = { SIGBUS, SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGTERM };
        for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
                signal(signals[i], SIG_DFL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        prctl(PR_SET_PDEATHSIG, SIGKILL);

        uint64_t deadline_ms = time_monotonic_ms() + CHECK_MS;
        MDB_env *env;
        MDB_txn *txn;
        require(mdb_env_create(&env), LMDB_DATA_FILE);
        mdb_env_set_assert(env, on_assertion);
        mdb_env_set_maxdbs(env, STORE_TABLE_COUNT);
        require(mdb_env_open(env, path, MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0600), LMDB_DATA_FILE);
        require(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), LMDB_DATA_FILE);
        check_format(txn);
        check_free_pages(env, txn);
        for (size_t i = 0; i < STORE_TABLE_COUNT; i++)
                check_table(txn, order[i], deadline_ms);
        _exit(0);
}

/* the child's sentence, till it closes the pipe or the time is over */
static void read_sentence(int fd, char *out, size_t out_size, uint64_t deadline_ms)
{
        size_t at = 0;
        for (uint64_t now; (now = time_monotonic_ms()) < deadline_ms;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                if (poll(&p, 1, (int)(deadline_ms - now)) <= 0)
                        continue;
                ssize_t got = at + 1 < out_size ? read(fd, out + at, out_size - 1 - at) : 0;
                if (got <= 0)
                        break;
                at += (size_t)got;
        }
        out[at] = '\0';
}

static int judge(const char *path, int status, const char *sentence, char *detail, size_t detail_size)
{
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        char fallback[SENTENCE];
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
                snprintf(fallback, sizeof(fallback), "reading it did not end");
        else if (WIFSIGNALED(status))
                snprintf(fallback, sizeof(fallback), "a page is damaged or missing (%s)", strsignal(WTERMSIG(status)));
        else
                snprintf(fallback, sizeof(fallback), "reading it failed");
        snprintf(detail, detail_size,
                 "%s/" LMDB_DATA_FILE
                 ": %s. Nothing was changed. Restore a backup into this folder, or move the folder "
                 "away and start with an empty store (relayd --new-store)",
                 path, sentence[0] ? sentence : fallback);
        return STORE_DAMAGED;
}

int lmdb_check(const char *path, char *detail, size_t detail_size)
{
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        pid_t child = fork();
        if (child == 0) {
                close(ends[0]);
                child_pipe = ends[1];
                run_child(path);
        }
        int error = errno;
        close(ends[1]);
        _cleanup_close_ int fd = ends[0];
        if (child < 0)
                return -error;

        char sentence[SENTENCE];
        uint64_t deadline_ms = time_monotonic_ms() + PATIENCE_MS;
        read_sentence(fd, sentence, sizeof(sentence), deadline_ms);
        if (time_monotonic_ms() >= deadline_ms)
                kill(child, SIGKILL);
        int status;
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return judge(path, status, sentence, detail, detail_size);
}
