/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * recovery, the application of last resort: the boot stage runs it when no slot holds an image that may run. There is
 * no product in it: the runtime's update agent fetches the confirmed image again, or a newer approved one, by relay or
 * by cloud, and restarts into it. It is written at the factory, where no application can change it, so it should be
 * small, and do nothing that a product's later self might disagree with. A product whose outputs need a safe state
 * brings its own: start() for the pins, step() for what must not stop.
 */

#include "app/application.h"

#ifndef FIRMWARE_VERSION
#        define FIRMWARE_VERSION "1.0.0"
#endif

const struct application application = { .version = FIRMWARE_VERSION "-recovery" };
