/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Log lines on stderr with the <N> priority prefix that journald understands (sd-daemon(3)); without the prefix, and
 * with the program's name, if stderr is a terminal. Only whoever gives up logs, and once.
 */

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

/* name: shown in front of each line, kept by pointer; NULL: none. Level from $RELAYD_LOG (error, warning, info, debug),
 * else info. */
void log_init(const char *name);

/* One line; control characters are shown as '?', so that a peer cannot forge lines. errno is kept. */
void log_line(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_DEBUG, __VA_ARGS__)

/*
 * A bounded rate for lines a peer can cause: at most burst lines per interval.
 * Zero-initialise and set burst and interval_ms.
 */
struct log_rate {
        uint32_t burst;
        uint64_t interval_ms;
        uint64_t window_start_ms;
        uint32_t used;
        uint32_t dropped;
};
/* May a line be written now? If so and lines were dropped before, *dropped says how many (to be named in this line). */
bool log_rate_allow(struct log_rate *rate, uint64_t now_ms, uint32_t *dropped);

/* strerror() of a positive or negative errno, thread-safe, static storage */
const char *errno_string(int error);
