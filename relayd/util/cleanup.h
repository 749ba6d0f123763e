/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Scope-bound release of memory, file descriptors and objects:
 *     _cleanup_free_ char *text = NULL;    _cleanup_(store_freep) struct store *store = NULL;
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

/* Makes <free>p() for use with _cleanup_ from an x_free() that is NULL-safe. */
#define CLEANUP_DEFINE(type, free_function)                                         \
        static inline __attribute__((unused)) void free_function##p(type **pointer) \
        {                                                                           \
                free_function(*pointer);                                            \
        }

static inline void cleanup_free(void *pointer)
{
        free(*(void **)pointer);
}

/* Closes fd if it is one, keeps errno; returns -1, so "fd = close_safe(fd)". */
static inline int close_safe(int fd)
{
        if (fd >= 0) {
                int error = errno;
                close(fd);
                errno = error;
        }
        return -1;
}

static inline void cleanup_close(const int *fd)
{
        close_safe(*fd);
}

static inline void cleanup_fclose(FILE **file)
{
        if (*file)
                fclose(*file);
}

#define _cleanup_free_   _cleanup_(cleanup_free)
#define _cleanup_close_  _cleanup_(cleanup_close)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)

/* Gives the pointer away: returns it and leaves NULL behind. */
#define steal_pointer(pointer)                           \
        ({                                               \
                __typeof__(pointer) _stolen = (pointer); \
                (pointer) = NULL;                        \
                _stolen;                                 \
        })

/* The same for a file descriptor; -1 stays behind. */
static inline int steal_fd(int *fd)
{
        int stolen = *fd;
        *fd = -1;
        return stolen;
}
