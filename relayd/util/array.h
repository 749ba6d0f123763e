/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Arrays that grow by doubling.
 */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define ARRAY_FIRST 16 /* items */

/* The array with twice the room (*room items of size bytes), or NULL: no memory, nothing changed. */
static inline void *array_doubled(void *array, size_t *room, size_t size)
{
        size_t larger = *room ? *room * 2 : ARRAY_FIRST;

        if (larger < *room)
                return NULL;
        array = reallocarray(array, larger, size);
        if (array)
                *room = larger;
        return array;
}

/* array (T *) has room for at least one item behind count afterwards: 0, or -ENOMEM. room: size_t, starts with 0 */
#define array_reserve(array, count, room)                                                  \
        ({                                                                                 \
                int _result = 0;                                                           \
                if ((count) >= (room)) {                                                   \
                        void *_larger = array_doubled((array), &(room), sizeof(*(array))); \
                        if (_larger)                                                       \
                                (array) = _larger;                                         \
                        else                                                               \
                                _result = -ENOMEM;                                         \
                }                                                                          \
                _result;                                                                   \
        })
