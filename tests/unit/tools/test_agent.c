/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an ssh-agent answers, cut at every byte; OpenSSH's public lines. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/agent.h"
#include "relay/cursor.h"
#include "tls/sshkey.h"

/* of ssh-keygen -t ed25519, with its fingerprint as ssh-keygen -l shows it */
#define LINE        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAiyvJ/PgU9W981G/7BqLAPTgR4EpltlAWxoT5/4u04f anna"
#define FINGERPRINT "SHA256:AuuMpVmek7+3haHS8sDgKHAcsVyLu5QNSDwdEQP5YQU"

static void put_string(struct writer *w, struct span bytes)
{
        writer_u32(w, (uint32_t)bytes.size);
        writer_bytes(w, bytes);
}

static size_t make_list(uint8_t *out, size_t room, const struct public_key *key)
{
        uint8_t blob[SSH_BLOB_SIZE];
        struct writer w;

        ssh_blob_write(key, blob);
        writer_init(&w, out, room);
        writer_u8(&w, 12);
        writer_u32(&w, 2);
        put_string(&w, SPAN_LITERAL("\0\0\0\7ssh-rsa"));
        put_string(&w, SPAN_LITERAL("other"));
        put_string(&w, SPAN_OF(blob));
        put_string(&w, SPAN_LITERAL("anna"));
        assert_int_equal(writer_finish(&w), RELAY_OK);
        return w.at;
}

static void lists_cut_anywhere(void **state)
{
        struct agent_identity *list = calloc(AGENT_IDENTITIES_MAX, sizeof(*list));
        struct public_key key;
        uint8_t answer[256];
        size_t count = 7, size;
        (void)state;

        assert_int_equal(ssh_line_read(span_of_string(LINE), &key), 0);
        size = make_list(answer, sizeof(answer), &key);
        for (size_t cut = 0; cut < size; cut++)
                assert_int_equal(agent_read_identities(span_of(answer, cut), list, &count), -EPROTO);
        assert_int_equal(count, 7);
        assert_int_equal(agent_read_identities(span_of(answer, size), list, &count), 0);
        assert_int_equal(count, 1);
        assert_true(key_equal(&list[0].key, &key));
        assert_string_equal(list[0].comment, "anna");
        free(list);
}

static void more_keys_than_room(void **state)
{
        struct agent_identity *list = calloc(AGENT_IDENTITIES_MAX, sizeof(*list));
        struct public_key key;
        uint8_t blob[SSH_BLOB_SIZE], *answer = malloc(65536);
        size_t count = 0;
        struct writer w;
        (void)state;

        assert_int_equal(ssh_line_read(span_of_string(LINE), &key), 0);
        ssh_blob_write(&key, blob);
        writer_init(&w, answer, 65536);
        writer_u8(&w, 12);
        writer_u32(&w, AGENT_IDENTITIES_MAX + 5);
        for (size_t i = 0; i < AGENT_IDENTITIES_MAX + 5; i++) {
                put_string(&w, SPAN_OF(blob));
                put_string(&w, SPAN_EMPTY);
        }
        assert_int_equal(agent_read_identities(writer_span(&w), list, &count), 0);
        assert_int_equal(count, AGENT_IDENTITIES_MAX);
        free(answer);
        free(list);
}

static void signatures_cut_anywhere(void **state)
{
        uint8_t answer[128], inner[96], sig[SIGNATURE_SIZE], wanted[SIGNATURE_SIZE];
        struct writer w, i;
        (void)state;

        memset(wanted, 0x5a, sizeof(wanted));
        memset(sig, 0, sizeof(sig));
        writer_init(&i, inner, sizeof(inner));
        put_string(&i, SPAN_LITERAL("ssh-ed25519"));
        put_string(&i, SPAN_OF(wanted));
        writer_init(&w, answer, sizeof(answer));
        writer_u8(&w, 14);
        put_string(&w, writer_span(&i));
        for (size_t cut = 0; cut < w.at; cut++)
                assert_int_equal(agent_read_signature(span_of(answer, cut), sig), -EPROTO);
        assert_int_equal(sig[0], 0);
        assert_int_equal(agent_read_signature(writer_span(&w), sig), 0);
        assert_memory_equal(sig, wanted, sizeof(sig));
        assert_int_equal(agent_read_signature(SPAN_LITERAL("\5"), sig), -EACCES);
        assert_int_equal(agent_read_signature(SPAN_LITERAL("\6"), sig), -EPROTO);
}

static void public_lines(void **state)
{
        char fingerprint[SSH_FINGERPRINT_SIZE];
        struct public_key key = { 0 };
        (void)state;

        assert_int_equal(ssh_line_read(span_of_string(LINE "\nssh-rsa AAAA\n"), &key), 0);
        assert_int_equal(key.type, KEY_ED25519);
        assert_string_equal(ssh_fingerprint(&key, fingerprint), FINGERPRINT);
        assert_int_equal(ssh_line_read(span_of_string("-----BEGIN PUBLIC KEY-----\n"), &key), -ENOENT);
        assert_int_equal(ssh_line_read(span_of_string(""), &key), -ENOENT);
        assert_int_equal(ssh_line_read(span_of_string("ssh-rsa AAAA"), &key), -EBADMSG);
        for (size_t size = strlen("ssh-ed25519"); size < strlen(LINE) - 5; size++)
                assert_int_equal(ssh_line_read(span_of(LINE, size), &key), -EBADMSG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lists_cut_anywhere),
                cmocka_unit_test(more_keys_than_room),
                cmocka_unit_test(signatures_cut_anywhere),
                cmocka_unit_test(public_lines),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
