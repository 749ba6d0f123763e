/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relay-country: makes the compiled country database, and answers from it. Runs once, needs no rights. */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "country/build.h"
#include "util/files.h"
#include "util/log.h"
#include "util/time.h"

#define TOR4_DEFAULT "/usr/share/tor/geoip"
#define TOR6_DEFAULT "/usr/share/tor/geoip6"

struct options {
        const char *output, *tor4, *tor6, *mmdb;
        bool force;
};

static int usage(void)
{
        fputs("usage: relay-country compile [--output FILE] [--tor4 FILE --tor6 FILE | --mmdb FILE] [--force]\n"
              "       relay-country lookup FILE ADDRESS...\n"
              "       relay-country show [FILE]\n",
              stderr);
        return 2;
}

static int refuse(const char *error)
{
        log_error("%s", error);
        return 1;
}

/* The older of the two dates: the database is as old as its oldest part. */
static int read_tor_file(struct country_build *build, const char *path, enum address_family family,
                         struct country_info *info, char *error)
{
        _cleanup_fclose_ FILE *in = fopen(path, "re");
        struct stat status;

        if (!in || fstat(fileno(in), &status) < 0)
                return country_fail(error, -errno, "%.180s: %s", path, strerror(errno));
        int64_t date = status.st_mtime;
        int r = country_read_tor(build, in, path, family, &date, error);
        if (r == 0 && (info->date == 0 || date < info->date))
                info->date = date;
        return r;
}

static int read_sources(struct country_build *build, const struct options *options, struct country_info *info,
                        char *error)
{
        if (options->mmdb)
                return country_read_mmdb(build, options->mmdb, info, error);
        snprintf(info->source, sizeof info->source, "tor-geoipdb");
        int r = read_tor_file(build, options->tor4, ADDRESS_IPV4, info, error);
        return r < 0 ? r : read_tor_file(build, options->tor6, ADDRESS_IPV6, info, error);
}

/* A file that lost most of its ranges was cut at the end of a line, or is not what it says. */
static int compare_with_last(const char *path, const struct country_info *now, char *error)
{
        _cleanup_(country_freep) struct country *last = NULL;
        struct country_info before;

        if (country_open(&last, path, NULL) < 0)
                return 0;
        country_info(last, &before);
        if (now->ranges4 < before.ranges4 / 2 || now->ranges6 < before.ranges6 / 2 ||
            now->countries < before.countries / 2)
                return country_fail(
                        error, -EINVAL,
                        "the new database has %u + %u ranges and %u countries, the last one has %u + %u and %u: "
                        "check where it comes from; --force takes it all the same",
                        now->ranges4, now->ranges6, now->countries, before.ranges4, before.ranges6, before.countries);
        return 0;
}

static const char *date_text(int64_t date, char out[32])
{
        struct tm when;
        time_t seconds = (time_t)date;

        if (date <= 0 || !gmtime_r(&seconds, &when) || strftime(out, 32, "%Y-%m-%d", &when) == 0)
                return "unknown";
        return out;
}

static void print_info(const struct country_info *info)
{
        char date[32], compiled[32];

        printf("source:     %s\n", info->source);
        printf("date:       %s\n", date_text(info->date, date));
        printf("compiled:   %s\n", date_text(info->compiled, compiled));
        printf("countries:  %u\n", info->countries);
        printf("ranges:     %u IPv4, %u IPv6\n", info->ranges4, info->ranges6);
        printf("size:       %llu bytes\n", (unsigned long long)info->size);
}

static int compile(const struct options *options, struct country_info *info, char *error)
{
        _cleanup_(country_build_freep) struct country_build *build = NULL;
        _cleanup_free_ uint8_t *data = NULL;
        size_t size = 0;
        int r = country_build_new(&build);

        if (r < 0)
                return country_fail(error, r, "not enough memory");
        info->compiled = (int64_t)(time_real_ms() / TIME_MS_PER_S);
        r = read_sources(build, options, info, error);
        if (r < 0 || (r = country_build_image(build, info, &data, &size, error)) < 0)
                return r;
        country_image_info(data, info);
        if (!options->force && (r = compare_with_last(options->output, info, error)) < 0)
                return r;
        r = file_write(options->output, data, size, 0644);
        return r < 0 ? country_fail(error, r, "%.180s: cannot be written: %s", options->output, strerror(-r)) : 0;
}

static int verb_compile(int argc, char **argv)
{
        static const struct option long_options[] = {
                { "output", required_argument, NULL, 'o' }, { "tor4", required_argument, NULL, '4' },
                { "tor6", required_argument, NULL, '6' },   { "mmdb", required_argument, NULL, 'm' },
                { "force", no_argument, NULL, 'f' },        { NULL, 0, NULL, 0 },
        };
        struct options options = { .output = COUNTRY_FILE_DEFAULT };
        struct country_info info = { 0 };
        char error[COUNTRY_ERROR_MAX] = "";

        for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
                switch (c) {
                case 'o':
                        options.output = optarg;
                        break;
                case '4':
                        options.tor4 = optarg;
                        break;
                case '6':
                        options.tor6 = optarg;
                        break;
                case 'm':
                        options.mmdb = optarg;
                        break;
                case 'f':
                        options.force = true;
                        break;
                default:
                        return usage();
                }
        if (optind != argc || !options.tor4 != !options.tor6 || (options.mmdb && options.tor4))
                return usage();
        if (!options.tor4) {
                options.tor4 = TOR4_DEFAULT;
                options.tor6 = TOR6_DEFAULT;
        }
        if (compile(&options, &info, error) < 0)
                return refuse(error);
        print_info(&info);
        return 0;
}

static int open_or_refuse(struct country **country, const char *path)
{
        char error[COUNTRY_ERROR_MAX] = "", line[COUNTRY_ERROR_MAX + 64];
        int r = country_open(country, path, error);

        if (r < 0) {
                snprintf(line, sizeof line, "%.60s: %s", path, error[0] ? error : strerror(-r));
                refuse(line);
        }
        return r;
}

static int verb_lookup(int argc, char **argv)
{
        _cleanup_(country_freep) struct country *country = NULL;
        char text[ADDRESS_TEXT_SIZE], code_text[COUNTRY_TEXT_SIZE];
        struct address address;

        if (argc < 3)
                return usage();
        if (open_or_refuse(&country, argv[1]) < 0)
                return 1;
        for (int i = 2; i < argc; i++) {
                if (!address_parse(&address, argv[i])) {
                        log_error("\"%s\" is no address: write 192.0.2.7 or 2001:db8::1", argv[i]);
                        return 2;
                }
                country_code code = country_lookup(country, &address);
                const char *name = country_code_name(code);
                printf("%s %s %s\n", address_format(&address, text), country_code_text(code, code_text),
                       name ? name : "");
        }
        return 0;
}

static int verb_show(int argc, char **argv)
{
        _cleanup_(country_freep) struct country *country = NULL;
        struct country_info info;

        if (argc > 2)
                return usage();
        if (open_or_refuse(&country, argc == 2 ? argv[1] : COUNTRY_FILE_DEFAULT) < 0)
                return 1;
        country_info(country, &info);
        print_info(&info);
        return 0;
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                int (*run)(int argc, char **argv);
        } verbs[] = { { "compile", verb_compile }, { "lookup", verb_lookup }, { "show", verb_show } };

        log_init("relay-country");
        for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof verbs[0]; i++)
                if (strcmp(argv[1], verbs[i].name) == 0)
                        return verbs[i].run(argc - 1, argv + 1);
        if (argc == 2 && strcmp(argv[1], "--version") == 0) {
                puts("relay-country " RELAYD_VERSION);
                return 0;
        }
        if (argc == 2 && strcmp(argv[1], "--help") == 0) {
                usage();
                return 0;
        }
        return usage();
}
