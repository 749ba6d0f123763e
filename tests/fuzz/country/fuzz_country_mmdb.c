/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MaxMind databases through libmaxminddb: cyclic trees, wrong types, pointers anywhere. */

#include <stdlib.h>
#include <sys/mman.h>

#include "country/build.h"
#include "util/files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);

/* MMDB_open() forgets the languages of a database whose metadata it refuses; relay-country opens one and ends. */
const char *__lsan_default_suppressions(void)
{
        return "leak:libmaxminddb";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(country_build_freep) struct country_build *build = NULL;
        _cleanup_close_ int fd = memfd_create("mmdb", MFD_CLOEXEC);
        struct country_info info = { 0 };
        char path[64], error[COUNTRY_ERROR_MAX] = "";

        if (fd < 0 || write(fd, data, size) != (ssize_t)size || country_build_new(&build) < 0)
                return 0;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        int r = country_read_mmdb(build, path, &info, error);
        if ((r < 0) != (error[0] != '\0'))
                abort();
        return 0;
}
