/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Does a connected socket still have its way to the other end? Asks the kernel's routes, sends nothing. */

#include <stdbool.h>

/*
 * false: there is no route to the peer any more, or it starts from another address than this connection's. What cannot
 * be asked counts as being there.
 */
bool way_holds(int fd);
/* Does the way start at this interface? false too if it cannot be asked. */
bool way_goes_over(int fd, const char *interface);
