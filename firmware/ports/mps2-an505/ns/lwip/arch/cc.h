/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* lwIP's compiler and platform: newlib, no console of its own */
#include <stdint.h>
#include <stdlib.h>

#define LWIP_NO_CTYPE_H         0
#define LWIP_PLATFORM_DIAG(x)   ((void)0)
#define LWIP_PLATFORM_ASSERT(x) abort()
#define LWIP_TIMEVAL_PRIVATE    0

typedef int sys_prot_t;
