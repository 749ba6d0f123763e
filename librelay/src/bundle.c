/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/bundle.h"

#include "relay/image.h"
#include "text.h"

#define FILE_TYPE    SPAN_LITERAL("relayd-update")
#define FILE_VERSION 1
#define FILE_ITEMS   5

static bool parts_fit(struct span envelope, struct span notes, uint64_t image_size)
{
        return envelope.size >= 1 && envelope.size <= MANIFEST_MAX && notes.size <= UPDATE_FILE_NOTES_MAX &&
               text_is_displayable(notes, "\n\t") && image_size >= 1 && image_size <= IMAGE_SIZE_MAX;
}

int update_file_decode(struct span start, uint64_t file_size, struct update_file *out)
{
        struct update_file file;
        uint64_t image_size;
        struct reader r;

        reader_init(&r, start);
        if (cbor_get_array(&r) != FILE_ITEMS || !span_equal(cbor_get_tstr(&r), FILE_TYPE) ||
            cbor_get_uint(&r) != FILE_VERSION)
                reader_fail(&r, RELAY_E_MALFORMED);
        file.envelope = cbor_get_bstr(&r);
        file.notes = cbor_get_tstr(&r);
        image_size = cbor_get_bstr_head(&r);
        if (r.result != RELAY_OK)
                return r.result;
        if (!parts_fit(file.envelope, file.notes, image_size))
                return RELAY_E_RANGE;
        if (file_size < r.at || file_size - r.at != image_size)
                return file_size < r.at || file_size - r.at < image_size ? RELAY_E_TRUNCATED : RELAY_E_MALFORMED;
        file.image_offset = r.at;
        file.image_size = (uint32_t)image_size;
        *out = file;
        return RELAY_OK;
}

int update_file_encode_head(struct writer *w, struct span envelope, struct span notes, uint32_t image_size)
{
        if (!parts_fit(envelope, notes, image_size))
                return RELAY_E_RANGE;
        cbor_put_array(w, FILE_ITEMS);
        cbor_put_tstr(w, FILE_TYPE);
        cbor_put_uint(w, FILE_VERSION);
        cbor_put_bstr(w, envelope);
        cbor_put_tstr(w, notes);
        cbor_put_bstr_head(w, image_size);
        return writer_finish(w);
}
