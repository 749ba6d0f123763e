/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Text that people are shown. */

#include "relay/span.h"

/*
 * An approver decides by it: UTF-8 without control characters (terminal sequences; those in allowed aside) and without
 * Unicode's direction overrides, which make a text read other than it is.
 */
bool text_is_displayable(struct span text, const char *allowed);
