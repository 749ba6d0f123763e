/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outbox in NOR flash.
 *
 *     sector: "outb" u32, serial u32, oldest serial that counts u32, dropped u64, CRC u32; then records, each at a
 *             multiple of 4. So opening a sector drops an old one in the same program operation, or not at all.
 *     record: size u16 (name and payload), name size u8, class u8, CRC u32, boot u32, seq u64, mark u32 (ones:
 * waiting), name, payload. The CRC covers all but itself and the mark.
 */

#include "app/outbox.h"

#include <string.h>

#include "relay/cursor.h"

#define SECTOR_MAGIC  UINT32_C(0x6f757462)
#define SECTOR_HEADER 24
/*
 * No flash lives that long. An application that was taken over could leave a higher one behind, and the good one that
 * follows it would never come to an end counting.
 */
#define SERIAL_MAX    UINT32_C(0x7fffffff)
#define RECORD_HEADER 24
#define RECORD_MARK   20 /* offset of the mark */
#define RECORD_MAX    (RECORD_HEADER + OUTBOX_NAME_MAX + OUTBOX_PAYLOAD_MAX)

struct sector_header {
        uint32_t serial; /* 0: none */
        uint32_t oldest; /* sectors with a lower serial are gone */
        uint64_t dropped;
};

static uint32_t sector_size(const struct outbox *o)
{
        return o->area.flash->sector_size;
}

static uint32_t record_size(size_t content)
{
        return (uint32_t)((RECORD_HEADER + content + 3u) & ~(size_t)3u);
}

static int read_sector_header(const struct outbox *o, uint32_t sector, struct sector_header *out)
{
        uint8_t bytes[SECTOR_HEADER];
        struct reader in;

        int r = flash_area_read(&o->area, sector * sector_size(o), bytes, sizeof(bytes));
        if (r < 0)
                return r;
        reader_init(&in, SPAN_OF(bytes));
        uint32_t magic = reader_u32(&in), serial = reader_u32(&in), oldest = reader_u32(&in);
        uint64_t dropped = reader_u64(&in);
        bool valid = magic == SECTOR_MAGIC && serial <= SERIAL_MAX &&
                     reader_u32(&in) == flash_crc(0, span_of(bytes, SECTOR_HEADER - 4));
        *out = valid ? (struct sector_header){ serial, oldest, dropped } : (struct sector_header){ 0 };
        return 0;
}

static uint32_t record_crc(const uint8_t *bytes, size_t content)
{
        uint32_t crc = flash_crc(0, span_of(bytes, 4));
        crc = flash_crc(crc, span_of(bytes + 8, 12));
        return flash_crc(crc, span_of(bytes + RECORD_HEADER, content));
}

/* what stands at a place in a sector */
enum found { FOUND_RECORD, FOUND_END, FOUND_DAMAGE };

struct entry {
        enum found found;
        uint32_t size; /* of the whole record */
        bool waiting;
};

static int classify_blank(const struct outbox *o, uint32_t base, uint32_t offset, struct entry *entry)
{
        bool erased;
        int r = flash_area_is_erased(&o->area, base + offset, sector_size(o) - offset, &erased);
        entry->found = erased ? FOUND_END : FOUND_DAMAGE;
        return r;
}

/* Reads what stands at offset of a sector; record may be NULL. Damage makes the rest of the sector unusable. */
static int read_entry(const struct outbox *o, uint32_t sector, uint32_t offset, struct entry *entry,
                      struct outbox_record *record)
{
        uint32_t base = sector * sector_size(o);
        uint8_t bytes[RECORD_MAX];
        struct reader in;

        *entry = (struct entry){ .found = FOUND_END };
        if (offset + RECORD_HEADER > sector_size(o))
                return 0;
        int r = flash_area_read(&o->area, base + offset, bytes, RECORD_HEADER);
        if (r < 0)
                return r;
        reader_init(&in, span_of(bytes, RECORD_HEADER));
        size_t content = reader_u16(&in), name = reader_u8(&in);
        uint8_t class = reader_u8(&in);
        uint32_t crc = reader_u32(&in), boot = reader_u32(&in);
        uint64_t seq = reader_u64(&in);
        uint32_t mark = reader_u32(&in);
        bool fits = name <= OUTBOX_NAME_MAX && name <= content && content - name <= OUTBOX_PAYLOAD_MAX &&
                    class <= OUTBOX_KEEP && offset + record_size(content) <= sector_size(o);
        if (!fits)
                return classify_blank(o, base, offset, entry);
        r = flash_area_read(&o->area, base + offset + RECORD_HEADER, bytes + RECORD_HEADER, (uint32_t)content);
        if (r < 0)
                return r;
        if (crc != record_crc(bytes, content)) {
                entry->found = FOUND_DAMAGE;
                return 0;
        }
        *entry = (struct entry){ FOUND_RECORD, record_size(content), mark == UINT32_MAX };
        if (record) {
                *record = (struct outbox_record){ .class = (enum outbox_class) class, .boot = boot, .seq = seq };
                record->place.offset = offset;
                record->name_size = name;
                record->payload_size = content - name;
                memcpy(record->name, bytes + RECORD_HEADER, name);
                memcpy(record->payload, bytes + RECORD_HEADER + name, content - name);
        }
        return 0;
}

struct sector_sum {
        uint32_t waiting; /* records */
        bool keep;        /* one of them may not be dropped */
        uint32_t end;     /* where the next record goes; sector size if it is full or damaged */
};

static int sum_sector(const struct outbox *o, uint32_t sector, struct sector_sum *sum)
{
        struct outbox_record record;
        struct entry entry;

        *sum = (struct sector_sum){ .end = SECTOR_HEADER };
        for (;;) {
                int r = read_entry(o, sector, sum->end, &entry, &record);
                if (r < 0)
                        return r;
                if (entry.found != FOUND_RECORD)
                        break;
                sum->waiting += entry.waiting;
                sum->keep = sum->keep || (entry.waiting && record.class == OUTBOX_KEEP);
                sum->end += entry.size;
        }
        if (entry.found == FOUND_DAMAGE)
                sum->end = sector_size(o);
        return 0;
}

static uint32_t next_sector(const struct outbox *o, uint32_t sector)
{
        return (sector + 1) % o->area.count;
}

/* The tail is the oldest sector of the unbroken run of serial numbers that ends at the head. */
static int find_tail(struct outbox *o, uint32_t oldest)
{
        struct sector_header header;

        o->tail = o->head;
        o->tail_serial = o->head_serial;
        for (uint32_t i = 1; i < o->area.count; i++) {
                uint32_t before = (o->tail + o->area.count - 1) % o->area.count;
                int r = read_sector_header(o, before, &header);
                if (r < 0)
                        return r;
                if (header.serial == 0 || header.serial != o->tail_serial - 1 || header.serial < oldest)
                        break;
                o->tail = before;
                o->tail_serial = header.serial;
        }
        return 0;
}

static int count_pending(struct outbox *o)
{
        uint32_t sector = o->tail;

        for (uint32_t serial = o->tail_serial; serial <= o->head_serial; serial++) {
                struct sector_sum sum;
                int r = sum_sector(o, sector, &sum);
                if (r < 0)
                        return r;
                o->pending += sum.waiting;
                if (serial == o->head_serial)
                        o->head_offset = sum.end;
                sector = next_sector(o, sector);
        }
        return 0;
}

int outbox_mount(struct outbox *o, const struct flash_area *area)
{
        uint32_t oldest = 0;

        *o = (struct outbox){ .area = *area };
        if (area->count < 3)
                return RELAY_E_RANGE;
        o->head = area->count - 1;
        o->head_offset = area->flash->sector_size;
        for (uint32_t sector = 0; sector < area->count; sector++) {
                struct sector_header header;
                int r = read_sector_header(o, sector, &header);
                if (r < 0)
                        return r;
                if (header.serial <= o->head_serial)
                        continue;
                o->head = sector;
                o->head_serial = header.serial;
                o->dropped = header.dropped;
                oldest = header.oldest;
        }
        if (o->head_serial == 0)
                return 0;
        int r = find_tail(o, oldest);
        return r < 0 ? r : count_pending(o);
}

/* Gives up sectors at the tail in which nothing waits. */
static int trim(struct outbox *o)
{
        while (o->tail_serial > 0 && o->tail_serial < o->head_serial) {
                struct sector_sum sum;
                int r = sum_sector(o, o->tail, &sum);
                if (r < 0)
                        return r;
                if (sum.waiting > 0)
                        return 0;
                o->tail = next_sector(o, o->tail);
                o->tail_serial++;
        }
        return 0;
}

/* What opening the next sector does to the tail: one sector always stays free, to be the next. */
static int plan_drop(const struct outbox *o, struct sector_header *plan, uint32_t *dropped)
{
        struct sector_sum sum;

        *plan = (struct sector_header){ o->head_serial + 1, o->tail_serial, o->dropped };
        *dropped = 0;
        if (o->head_serial == 0 || next_sector(o, next_sector(o, o->head)) != o->tail)
                return 0;
        int r = sum_sector(o, o->tail, &sum);
        if (r < 0)
                return r;
        if (sum.keep)
                return RELAY_E_SPACE;
        plan->oldest++;
        plan->dropped += sum.waiting;
        *dropped = sum.waiting;
        return 0;
}

static int write_sector_header(const struct outbox *o, uint32_t sector, const struct sector_header *header)
{
        uint8_t bytes[SECTOR_HEADER];
        struct writer w;

        int r = flash_area_erase(&o->area, sector);
        if (r < 0)
                return r;
        writer_init(&w, bytes, sizeof(bytes));
        writer_u32(&w, SECTOR_MAGIC);
        writer_u32(&w, header->serial);
        writer_u32(&w, header->oldest);
        writer_u64(&w, header->dropped);
        writer_u32(&w, flash_crc(0, writer_span(&w)));
        return flash_area_program(&o->area, sector * sector_size(o), writer_span(&w));
}

static int open_sector(struct outbox *o, uint32_t *dropped)
{
        uint32_t sector = next_sector(o, o->head);
        struct sector_header plan = { 0 };

        int r = trim(o);
        if (r == 0)
                r = plan_drop(o, &plan, dropped);
        if (r == 0)
                r = write_sector_header(o, sector, &plan);
        if (r < 0)
                return r;
        o->head = sector;
        o->head_serial = plan.serial;
        o->head_offset = SECTOR_HEADER;
        if (o->tail_serial == 0) {
                o->tail = sector;
                o->tail_serial = plan.serial;
        } else if (plan.oldest > o->tail_serial) {
                o->tail = next_sector(o, o->tail);
                o->tail_serial = plan.oldest;
                o->pending -= *dropped;
                o->dropped = plan.dropped;
        }
        return 0;
}

static void encode_record(uint8_t bytes[RECORD_MAX], enum outbox_class class, uint32_t boot, uint64_t seq,
                          struct span name, struct span payload)
{
        size_t content = name.size + payload.size;
        struct writer w;

        writer_init(&w, bytes, RECORD_MAX);
        writer_u16(&w, (uint16_t)content);
        writer_u8(&w, (uint8_t)name.size);
        writer_u8(&w, (uint8_t) class);
        writer_u32(&w, 0);
        writer_u32(&w, boot);
        writer_u64(&w, seq);
        writer_u32(&w, UINT32_MAX);
        writer_bytes(&w, name);
        writer_bytes(&w, payload);

        uint32_t crc = record_crc(bytes, content);
        writer_init(&w, bytes + 4, 4);
        writer_u32(&w, crc);
}

int outbox_put(struct outbox *o, enum outbox_class class, uint32_t boot, uint64_t seq, struct span name,
               struct span payload, uint32_t *dropped)
{
        size_t content = name.size + payload.size;
        uint8_t bytes[RECORD_MAX];
        uint32_t gone = 0;
        int r = 0;

        if (name.size > OUTBOX_NAME_MAX || payload.size > OUTBOX_PAYLOAD_MAX)
                return RELAY_E_RANGE;
        if (o->head_offset + record_size(content) > sector_size(o))
                r = open_sector(o, &gone);
        if (dropped)
                *dropped = gone;
        if (r < 0)
                return r;
        encode_record(bytes, class, boot, seq, name, payload);
        r = flash_area_program(&o->area, o->head * sector_size(o) + o->head_offset,
                               span_of(bytes, RECORD_HEADER + content));
        if (r < 0) {
                o->head_offset = sector_size(o); /* whatever is there now, nothing goes on top of it */
                return r;
        }
        o->head_offset += record_size(content);
        o->pending++;
        return 0;
}

int outbox_next(const struct outbox *o, struct outbox_place after, struct outbox_record *out)
{
        uint32_t offset = SECTOR_HEADER, serial = o->tail_serial;
        struct entry entry;

        if (o->tail_serial == 0)
                return RELAY_MORE;
        bool started = after.serial >= o->tail_serial;
        if (started) {
                serial = after.serial;
                offset = after.offset;
        }
        for (; serial <= o->head_serial; serial++, offset = SECTOR_HEADER) {
                uint32_t sector = (o->tail + (serial - o->tail_serial)) % o->area.count;
                uint32_t end = serial == o->head_serial ? o->head_offset : sector_size(o);
                for (; offset < end; offset += entry.size, started = false) {
                        int r = read_entry(o, sector, offset, &entry, out);
                        if (r < 0)
                                return r;
                        if (entry.found != FOUND_RECORD)
                                break;
                        out->place.serial = serial;
                        if (entry.waiting && !started)
                                return 0;
                }
                started = false;
        }
        return RELAY_MORE;
}

int outbox_acknowledge(struct outbox *o, struct outbox_place place)
{
        static const uint8_t cleared[4];
        struct entry entry;

        if (place.serial == 0 || place.serial < o->tail_serial || place.serial > o->head_serial)
                return 0;
        uint32_t sector = (o->tail + (place.serial - o->tail_serial)) % o->area.count;
        int r = read_entry(o, sector, place.offset, &entry, NULL);
        if (r < 0)
                return r;
        if (entry.found != FOUND_RECORD || !entry.waiting)
                return 0;
        r = flash_area_program(&o->area, sector * sector_size(o) + place.offset + RECORD_MARK, SPAN_OF(cleared));
        if (r < 0)
                return r;
        o->pending--;
        return trim(o);
}
