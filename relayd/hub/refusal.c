/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stdio.h>

#include "hub/manager.h"
#include "hub/refusal.h"

int refusal_set(struct refusal *refusal, enum reason reason, const char *format, ...)
{
        va_list arguments;

        refusal->reason = reason;
        va_start(arguments, format);
        vsnprintf(refusal->text, sizeof(refusal->text), format, arguments);
        va_end(arguments);
        return MANAGER_REFUSED;
}
