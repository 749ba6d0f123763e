/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayd --new-store */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "hub/audit_log.h"
#include "hub/new_store.h"
#include "util/cleanup.h"
#include "util/files.h"
#include "util/log.h"
#include "util/time.h"

int hub_store_options(const struct conf *conf, struct store_options *options)
{
        char *path;

        if (asprintf(&path, "%s/" STORE_FOLDER, conf->state) < 0)
                return -ENOMEM;
        *options = (struct store_options){ .path = path,
                                           .size_max = conf->store_size_max,
                                           .commit_delay_ms = conf->commit_delay_ms };
        return 0;
}

/* 0 also if there is nothing to move */
static int move_aside(const char *path)
{
        _cleanup_free_ char *aside = NULL;
        time_t now = time(NULL);
        struct stat info;
        char stamp[32];
        struct tm utc;

        if (lstat(path, &info) < 0)
                return errno == ENOENT ? 0 : -errno;
        strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
        if (asprintf(&aside, "%s.damaged-%s", path, stamp) < 0)
                return -ENOMEM;
        if (lstat(aside, &info) == 0)
                return -EEXIST;
        if (rename(path, aside) < 0)
                return -errno;
        log_notice("the old store is kept in %s", aside);
        return file_sync_folder(path);
}

static int note_creation(const struct store_options *options)
{
        struct audit_log audit;
        struct store *store;
        char detail[200] = "";
        int result = store_open(options, &store, detail, sizeof(detail));

        if (result != 0) {
                log_error("the new store does not open: %s", *detail ? detail : errno_string(result));
                return result < 0 ? result : -EBADMSG;
        }
        result = audit_log_load(&audit, store);
        if (result == 0)
                result = audit_log_append(&audit, time_real_ms() / TIME_MS_PER_S, AUDIT_ACTOR_RELAY,
                                          AUDIT_STORE_CREATED, options->path, "");
        if (result == 0)
                result = store_sync(store);
        store_free(store);
        return result;
}

int hub_new_store(const struct conf *conf)
{
        struct store_options options;
        _cleanup_free_ char *path = NULL;
        int result = hub_store_options(conf, &options);

        if (result < 0)
                return result;
        path = (char *)options.path;
        result = file_make_folders(conf->state, 0700);
        if (result < 0) {
                log_error("%s: cannot be made: %s", conf->state, errno_string(result));
                return result;
        }
        result = move_aside(path);
        if (result < 0) {
                log_error("%s: cannot be moved aside: %s", path, errno_string(result));
                return result;
        }
        result = store_create(&options);
        if (result == 0)
                result = note_creation(&options);
        if (result < 0)
                log_error("%s: no store could be made: %s", path, errno_string(result));
        else
                log_notice("a new, empty store is in %s", path);
        return result;
}
