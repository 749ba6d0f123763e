/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration and role files: what is read, and what the sentence says when it is wrong. */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../store/folder.h"
#include "conf/conf.h"
#include "conf/roles.h"
#include "conf/table.h"
#include "util/cleanup.h"
#include "util/files.h"

CLEANUP_DEFINE(struct conf, conf_free)
CLEANUP_DEFINE(struct conf_roles, conf_roles_free)

struct fixture {
        struct folder folder, drop_ins;
        char file[256];
};
static char error[600];

static void write_file(const char *path, const char *text, size_t size)
{
        assert_int_equal(file_write(path, text, size, 0600), 0);
}

static int set_up(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));
        folder_make(&f->folder);
        folder_file(&f->folder, "relayd.conf", f->file);
        snprintf(f->drop_ins.path, sizeof(f->drop_ins.path), "%.140s.d", f->file);
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;
        folder_remove(&f->drop_ins);
        folder_remove(&f->folder);
        free(f);
        return 0;
}

static int load(struct fixture *f, const char *text, struct conf **ret)
{
        write_file(f->file, text, strlen(text));
        memset(error, 0, sizeof(error));
        return conf_load(f->file, ret, error, sizeof(error));
}

static void test_defaults(void **state)
{
        struct fixture *f = *state;
        _cleanup_(conf_freep) struct conf *conf = NULL;
        assert_int_equal(load(f, "# comment\n\n[relay]\nsite = s1\n", &conf), 0);
        assert_string_equal(conf->site, "s1");
        assert_string_equal(conf->identity, "relay.s1");
        assert_string_equal(conf->state, "/var/lib/relayd");
        assert_string_equal(conf->device_ca, "");
        assert_int_equal(conf->unknown, CONF_UNKNOWN_PENDING);
        assert_int_equal(conf->sessions_max, 10000);
        assert_int_equal(conf->uplink, CONF_UPLINK_NONE);
        assert_int_equal(conf->uplink_port, 8883);
        assert_int_equal(conf->uplink_keep_alive_s, 30);
        assert_int_equal(conf->store_size_max, 1 << 30);
        assert_int_equal(conf->commit_delay_ms, 20);
        assert_int_equal(conf->outbox_bytes_max, 256 << 20);
        assert_int_equal(conf->outbox_age_max_s, 30 * 86400);
        assert_int_equal(conf->when_full, CONF_FULL_REFUSE);
        assert_int_equal(conf->air_gapped, CONF_AIR_GAPPED_KEEP);
        assert_string_equal(conf->bus_address, "system");
}

static void test_everything_set(void **state)
{
        struct fixture *f = *state;
        _cleanup_(conf_freep) struct conf *conf = NULL;
        assert_int_equal(load(f,
                              "[relay]\r\nsite=farm-2\r\nidentity: gateway.farm\nstate = /s ; a comment\n"
                              "[devices]\nca = /ca.pem\nunknown = refuse\nsessions_max = 1\n"
                              "[uplink]\nmode = mqtt\nhost = cloud.example\nport = 1\ncertificate = /c\nkey = /k\n"
                              "pin = 0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF\n"
                              "keep_alive = 2m\n"
                              "[store]\nsize_max = 64M\ncommit_delay = 5ms\n"
                              "[outbox]\nbytes_max = 1048576\nage_max = 0\nwhen_full = drop-oldest\n"
                              "air_gapped = none\n"
                              "[bus]\naddress = unix:path=/tmp/bus\n",
                              &conf),
                         0);
        assert_string_equal(conf->site, "farm-2");
        assert_string_equal(conf->identity, "gateway.farm");
        assert_string_equal(conf->state, "/s");
        assert_int_equal(conf->unknown, CONF_UNKNOWN_REFUSE);
        assert_int_equal(conf->sessions_max, 1);
        assert_int_equal(conf->uplink, CONF_UPLINK_MQTT);
        assert_int_equal(conf->uplink_port, 1);
        assert_int_equal(conf->uplink_keep_alive_s, 120);
        assert_int_equal(conf->store_size_max, 64 << 20);
        assert_int_equal(conf->commit_delay_ms, 5);
        assert_int_equal(conf->outbox_bytes_max, 1 << 20);
        assert_int_equal(conf->outbox_age_max_s, 0);
        assert_int_equal(conf->when_full, CONF_FULL_DROP_OLDEST);
        assert_int_equal(conf->air_gapped, CONF_AIR_GAPPED_NONE);
        assert_string_equal(conf->bus_address, "unix:path=/tmp/bus");
}

#define SITE   "[relay]\nsite = s1\n"
#define UPLINK SITE "[uplink]\nmode = mqtt\n"
#define LONG                                                                                                   \
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_errors(void **state)
{
        struct fixture *f = *state;
        /* text, and what the sentence has to contain */
        static const char *const rows[][4] = {
                { "", "site in [relay] is missing", "1 to 40 characters" },
                { "[relay]\nsite = S1\n", ":2: ", "site = S1", "1 to 40 characters of a-z" },
                { "[relay]\nsite =\n", ":2: ", "site = ", "1 to 40 characters" },
                { SITE "identity = relay\n", ":3: ", "identity = relay", "a name with a dot" },
                { SITE "state = var/lib\n", ":3: ", "state = var/lib", "absolute path" },
                { SITE "site = s2\n", ":3: ", "site in [relay] was set on line 2" },
                { SITE "colour = red\n", ":3: ", "unknown key colour in [relay]", "there are site, identity, state" },
                { SITE "[rely]\nsite = s2\n", ":4: ", "unknown section [rely]", "there are relay, listener, devices" },
                { "site = s1\n", ":1: ", "before the first [section]" },
                { SITE "state\n", ":3: ", "neither a [section] nor key = value" },
                { SITE "[relay\n", ":3: ", "neither a [section] nor key = value" },
                { SITE "  identity = relay.x\n", ":3: ", "begins with a blank" },
                { SITE "state = /" LONG "\n", ":3: ", "too long", "197" },
                { SITE "# " LONG "\n", ":3: ", "too long" },
                { SITE "[devices]\nunknown = maybe\n", ":4: ", "unknown = maybe", "pending or refuse" },
                { SITE "[devices]\nsessions_max = 0\n", ":4: ", "from 1 to 1000000" },
                { SITE "[devices]\nsessions_max = -1\n", ":4: ", "sessions_max = -1" },
                { SITE "[devices]\nsessions_max = 10x\n", ":4: ", "sessions_max = 10x" },
                { SITE "[devices]\nsessions_max = 99999999999999999999999\n", ":4: ", "a number from" },
                { SITE "[store]\nsize_max = 1K\n", ":4: ", "from 16M to 1024G", "K, M, G" },
                { SITE "[store]\nsize_max = 18446744073709551615G\n", ":4: ", "a size from" },
                { SITE "[store]\nsize_max = 1 G\n", ":4: ", "a size from" },
                { SITE "[store]\ncommit_delay = 21\n", ":4: ", "from 0 to 20 ms" },
                { SITE "[outbox]\nage_max = 1y\n", ":4: ", "from 0 to 3650d", "s, m, h, d" },
                { SITE "[outbox]\nbytes_max = 900M\n", "bytes_max in [outbox]", "85 %" },
                { SITE "[uplink]\nport = 65536\n", ":4: ", "from 1 to 65535" },
                { SITE "[uplink]\npin = 12\n", ":4: ", "64 hexadecimal digits" },
                { SITE "[uplink]\nkeep_alive = 2h\n", ":4: ", "from 5s to 1h" },
                { UPLINK, "needs host" },
                { UPLINK "host = h\n", "needs certificate" },
                { UPLINK "host = h\ncertificate = /c\n", "needs key" },
                { UPLINK "host = h\ncertificate = /c\nkey = /k\n", "needs ca, pin, or both" },
                { SITE "[bus]\naddress = a\tb\n", ":4: ", "printable" },
        };
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct conf *conf = NULL;
                assert_int_equal(load(f, rows[i][0], &conf), -EBADMSG);
                assert_null(conf);
                assert_non_null(strstr(error, f->file));
                for (size_t k = 1; k < 4 && rows[i][k]; k++)
                        if (!strstr(error, rows[i][k]))
                                fail_msg("row %zu: \"%s\" is not in: %s", i, rows[i][k], error);
        }
}

static void test_bad_files(void **state)
{
        struct fixture *f = *state;
        struct conf *conf = NULL;
        assert_int_equal(conf_load(f->file, &conf, error, sizeof(error)), -ENOENT);
        assert_non_null(strstr(error, f->file));
        write_file(f->file, "[relay]\nsite = s1\0x\n", 20);
        assert_int_equal(conf_load(f->file, &conf, error, sizeof(error)), -EBADMSG);
        assert_non_null(strstr(error, ":2: the line has a NUL byte"));
        assert_int_equal(conf_load(f->folder.path, &conf, error, sizeof(error)), -EISDIR);
        assert_null(conf);
        assert_null(conf_free(NULL));
}

static void drop_in(struct fixture *f, const char *name, const char *text)
{
        char path[256];
        mkdir(f->drop_ins.path, 0700);
        write_file(folder_file(&f->drop_ins, name, path), text, strlen(text));
}

static void test_drop_ins(void **state)
{
        struct fixture *f = *state;
        drop_in(f, "10-a.conf", "[devices]\nsessions_max = 10\nunknown = refuse\n");
        drop_in(f, "20-b.conf", "[devices]\nsessions_max = 20\n");
        drop_in(f, "30-c.conf~", "[devices]\nsessions_max = 30\n");
        drop_in(f, ".40.conf", "[devices]\nsessions_max = 40\n");
        _cleanup_(conf_freep) struct conf *conf = NULL;
        assert_int_equal(load(f, SITE "[devices]\nsessions_max = 5\n", &conf), 0);
        assert_int_equal(conf->sessions_max, 20);
        assert_int_equal(conf->unknown, CONF_UNKNOWN_REFUSE);

        struct conf *none = NULL;
        drop_in(f, "50-d.conf", "[devices]\n\nsessions_max = many\n");
        assert_int_equal(load(f, SITE, &none), -EBADMSG);
        assert_non_null(strstr(error, "50-d.conf:3: sessions_max = many"));
        assert_null(none);
}

static void test_defaults_taken_literally(void **state)
{
        struct fixture *f = *state;
        _cleanup_(conf_freep) struct conf *conf = NULL;
        char *text;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        const char *section = "";

        for (size_t i = 0; i < conf_table_size; i++) {
                const struct conf_row *row = &conf_table[i];
                if (strcmp(section, row->section) != 0)
                        fprintf(out, "[%s]\n", section = row->section);
                fprintf(out, "%s = %s\n", row->key, row->fallback ? row->fallback : "garden");
        }
        fclose(out);
        assert_int_equal(load(f, text, &conf), 0);
        assert_string_equal(conf->identity, "relay.garden");
        assert_int_equal(conf->outbox_age_max_s, 30 * 86400);
        assert_int_equal(conf->commit_delay_ms, 20);
        free(text);
}

static void test_help_names_every_key(void **state)
{
        (void)state;
        char *text;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        conf_help(out);
        fclose(out);
        for (size_t i = 0; i < conf_table_size; i++) {
                char key[64];
                snprintf(key, sizeof(key), "\n``%s``\n", conf_table[i].key);
                assert_non_null(strstr(text, key));
                assert_non_null(strstr(text, conf_table[i].section));
        }
        free(text);
}

/* ---- roles */

#define PIN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void role(struct fixture *f, const char *name, const char *text)
{
        char path[256];
        write_file(folder_file(&f->folder, name, path), text, strlen(text));
}

static void test_roles(void **state)
{
        struct fixture *f = *state;
        role(f, "app.dashboard.conf",
             "[role]\nfingerprint = " PIN "\nread = sites/s1/#\nread = home/+\nwrite = sites/s1/devices/+/commands\n");
        role(f, "app.mute.conf", "[role]\nfingerprint = " PIN "\n");
        role(f, "README", "not a role");
        _cleanup_(conf_roles_freep) struct conf_roles *roles = NULL;
        assert_int_equal(conf_roles_load(f->folder.path, &roles, error, sizeof(error)), 0);
        assert_int_equal(roles->count, 2);
        const struct conf_role *r = conf_roles_find(roles, "app.dashboard");
        assert_non_null(r);
        assert_int_equal(r->fingerprint[1], 0x23);
        assert_int_equal(r->access.read_count, 2);
        assert_string_equal(r->access.read[1], "home/+");
        assert_int_equal(r->access.write_count, 1);
        assert_string_equal(r->access.write[0], "sites/s1/devices/+/commands");
        assert_int_equal(conf_roles_find(roles, "app.mute")->access.read_count, 0);
        assert_null(conf_roles_find(roles, "app.other"));
        assert_null(conf_roles_find(roles, "README"));
}

static void test_no_roles(void **state)
{
        struct fixture *f = *state;
        _cleanup_(conf_roles_freep) struct conf_roles *roles = NULL;
        assert_int_equal(conf_roles_load(f->drop_ins.path, &roles, error, sizeof(error)), 0);
        assert_int_equal(roles->count, 0);
        assert_null(conf_roles_free(NULL));
}

static void test_bad_roles(void **state)
{
        struct fixture *f = *state;
        static const char *const rows[][4] = {
                { "dashboard.conf", "[role]\nfingerprint = " PIN "\n", "no application's identity" },
                { "App.x.conf", "[role]\nfingerprint = " PIN "\n", "no application's identity" },
                { "app.x.conf", "[role]\nread = a\n", "fingerprint in [role] is missing" },
                { "app.x.conf", "", "fingerprint in [role] is missing" },
                { "app.x.conf", "[role]\nfingerprint = 12\n", ":2: fingerprint = 12", "64 hexadecimal digits" },
                { "app.x.conf", "[role]\nfingerprint = " PIN "\nfingerprint = " PIN "\n", ":3: ", "line 2 before" },
                { "app.x.conf", "[role]\nfingerprint = " PIN "\nread = a#\n", ":3: read = a#", "topic filter" },
                { "app.x.conf", "[role]\nfingerprint = " PIN "\nwrite =\n", ":3: write = ", "topic filter" },
                { "app.x.conf", "[role]\nfingerprint = " PIN "\nread = a\n  write = b\n",
                  ":4: ", "begins with a blank" },
                { "app.x.conf", "[role]\nadmin = yes\n", ":2: unknown key admin", "fingerprint, read, write" },
                { "app.x.conf", "[rule]\nread = a\n", ":2: unknown section [rule]" },
        };
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct conf_roles *roles = NULL;
                char path[256];
                role(f, rows[i][0], rows[i][1]);
                assert_int_equal(conf_roles_load(f->folder.path, &roles, error, sizeof(error)), -EBADMSG);
                assert_null(roles);
                for (size_t k = 2; k < 4 && rows[i][k]; k++)
                        if (!strstr(error, rows[i][k]))
                                fail_msg("row %zu: \"%s\" is not in: %s", i, rows[i][k], error);
                unlink(folder_file(&f->folder, rows[i][0], path));
        }
}

static void test_too_many_filters(void **state)
{
        struct fixture *f = *state;
        char text[2000] = "[role]\nfingerprint = " PIN "\n";
        for (int i = 0; i < ACCESS_FILTERS_MAX; i++)
                strcat(text, "read = a\nwrite = b\n");
        role(f, "app.x.conf", text);
        struct conf_roles *roles = NULL;
        assert_int_equal(conf_roles_load(f->folder.path, &roles, error, sizeof(error)), 0);
        roles = conf_roles_free(roles);
        strcat(text, "write = b\n");
        role(f, "app.x.conf", text);
        assert_int_equal(conf_roles_load(f->folder.path, &roles, error, sizeof(error)), -EBADMSG);
        assert_non_null(strstr(error, "more than 32 lines write"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_defaults),
                TEST(test_everything_set),
                TEST(test_errors),
                TEST(test_bad_files),
                TEST(test_drop_ins),
                TEST(test_defaults_taken_literally),
                TEST(test_help_names_every_key),
                TEST(test_roles),
                TEST(test_no_roles),
                TEST(test_bad_roles),
                TEST(test_too_many_filters),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
