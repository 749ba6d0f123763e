/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *log_name;
static int log_level = LOG_INFO;
static bool log_terminal;

void log_init(const char *name)
{
        static const struct {
                const char *name;
                int level;
        } levels[] = { { "error", LOG_ERR }, { "warning", LOG_WARNING }, { "info", LOG_INFO }, { "debug", LOG_DEBUG } };
        const char *wanted = getenv("RELAYD_LOG");

        log_name = name;
        log_terminal = isatty(STDERR_FILENO) == 1;
        for (size_t i = 0; wanted && i < sizeof(levels) / sizeof(levels[0]); i++)
                if (strcmp(wanted, levels[i].name) == 0)
                        log_level = levels[i].level;
}

static void hide_controls(char *text)
{
        for (; *text; text++)
                if ((unsigned char)*text < 0x20 || *text == 0x7f)
                        *text = '?';
}

void log_line(int level, const char *format, ...)
{
        char text[2048];
        int saved_errno = errno;
        va_list arguments;

        if (level > log_level)
                return;
        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        hide_controls(text);

        /* one write per line: threads and processes share stderr */
        if (log_terminal)
                fprintf(stderr, "%s%s%s\n", log_name ? log_name : "", log_name ? ": " : "", text);
        else
                fprintf(stderr, "<%d>%s\n", level, text);
        errno = saved_errno;
}

bool log_rate_allow(struct log_rate *rate, uint64_t now_ms, uint32_t *dropped)
{
        if (rate->used == 0 || now_ms - rate->window_start_ms >= rate->interval_ms) {
                rate->window_start_ms = now_ms;
                rate->used = 0;
        }
        if (rate->used >= rate->burst) {
                rate->dropped++;
                return false;
        }
        rate->used++;
        *dropped = rate->dropped;
        rate->dropped = 0;
        return true;
}

const char *errno_string(int error)
{
        const char *text = strerrordesc_np(error < 0 ? -error : error);
        return text ? text : "unknown error";
}
