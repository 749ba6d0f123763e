/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The hub's store in the state folder: its options, and an empty one in place of what is there. */

#include "conf/conf.h"
#include "store/store.h"

#define STORE_FOLDER "store" /* below [relay] state */

/* options->path is malloc'ed */
int hub_store_options(const struct conf *conf, struct store_options *options);
/* Moves a store that is there to store.damaged-<time>, makes an empty one, notes it in its audit log. Says what it did
 * or what went wrong; 0 or -errno. */
int hub_new_store(const struct conf *conf);
