/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What every test of the firmware includes. */
#include "../librelay/unit.h"
