/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Scope: which devices something is about.
 *     scope = [0] the whole site / [1, class id (bstr 16)] / [2, [+ device (tstr)]]
 */

#include "relay/cbor.h"

#define CLASS_ID_SIZE 16

enum scope_kind { SCOPE_SITE = 0, SCOPE_CLASS = 1, SCOPE_DEVICES = 2 };
