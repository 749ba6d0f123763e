/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An application that tries what it must not: one attempt each start (the boot counter says which one), then a word of
 * how it ended, unless the attempt itself ended it. tests/mcu/test_secure.py starts it, and knows what must come.
 */

#include <string.h>

#include "boot/layout.h"
#include "ports/common/boot_channel.h"
#include "ports/mps2-an505/flash_psram.h"
#include "ports/mps2-an505/registers.h"
#include "ports/mps2-an505/veneer.h"

#define SECTOR(area) (AN505_FLASH + (area)*LAYOUT_SECTOR_SIZE)
#define LAST_SECURE  (SECTOR(LAYOUT_SECURE_SECTORS) - 4)

enum { JOURNAL = 0, SECRET = 2, IDENTITY = 4, TRUST = 8, RECOVERY = 18, SETTINGS = 445 }; /* boot/layout.h */

typedef void (*vector)(void);

extern uint8_t data_start[], data_end[], data_load[], bss_start[], bss_end[];
extern uint32_t stack_top[];

_Noreturn void reset(void);

static uint8_t message[BOOT_MESSAGE_MAX];

/* ---- console and restart */

static void say(const char *text)
{
        for (; *text != '\0'; text++) {
                while (*an505_register(AN505_UART_CONSOLE, UART_STATE) & UART_STATE_FULL)
                        ;
                *an505_register(AN505_UART_CONSOLE, UART_DATA) = (uint8_t)*text;
        }
}

static void say_word(uint32_t word)
{
        char text[9] = { 0 };

        for (unsigned i = 0; i < 8; i++)
                text[i] = "0123456789abcdef"[word >> (28 - 4 * i) & 15];
        say(text);
}

static _Noreturn void restart(void)
{
        __asm__ volatile("dsb" ::: "memory");
        *an505_register(SCS, SCS_AIRCR) = SCS_AIRCR_RESET;
        for (;;)
                ;
}

static _Noreturn void fault(void)
{
        say("own fault\n");
        restart();
}

/* ---- attempts: what they return is told as "got" or "refused" */

#define REFUSED 0xffffffffu

static uint32_t get(uint32_t address)
{
        return *(volatile uint32_t *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr) */
}

static uint32_t put(uint32_t address)
{
        *(volatile uint32_t *)(uintptr_t)address = 0; /* NOLINT(performance-no-int-to-ptr) */
        return 0;
}

/* a register that reads zero and holds nothing is not there for us */
static uint32_t hold(uint32_t address)
{
        *(volatile uint32_t *)(uintptr_t)address = AN505_SECURE_RAM; /* NOLINT(performance-no-int-to-ptr) */
        return get(address) == 0 ? REFUSED : get(address);
}

static uint32_t call(uint32_t address)
{
        ((vector)(uintptr_t)(address | 1))(); /* NOLINT(performance-no-int-to-ptr) */
        return 0;
}

/* the SAU's registers are not for this side: writing them does nothing */
static uint32_t open_sau(uint32_t address)
{
        *an505_register(SCS, 0xdd8u) = 0;
        *an505_register(SCS, 0xddcu) = address;
        *an505_register(SCS, 0xde0u) = 0xffffffe1u;
        *an505_register(SCS, 0xdd0u) = 0;
        return get(address);
}

/* a stack in secure RAM: what is pushed would be written there */
static uint32_t stack_there(uint32_t address)
{
        __asm__ volatile("msr msp, %0\n push {r0-r3}" ::"r"(address + 256) : "memory");
        return 0;
}

static size_t ask(enum boot_request request, const void *argument, size_t size)
{
        message[0] = (uint8_t)request;
        if (size > 0)
                memcpy(message + 1, argument, size);
        return secure_request(message, 1 + size, sizeof(message));
}

static uint32_t answer_to(void *buffer, size_t size, size_t max)
{
        return secure_request(buffer, size, max) == 0 ? REFUSED : 0;
}

static uint32_t give_pointer(uint32_t address)
{
        return answer_to((void *)(uintptr_t)address, 1, BOOT_MESSAGE_MAX); /* NOLINT(performance-no-int-to-ptr) */
}

static uint32_t give_size(uint32_t size)
{
        message[0] = BOOT_REQUEST_STATUS;
        return answer_to(message, size, sizeof(message));
}

static uint32_t give_max(uint32_t max)
{
        message[0] = BOOT_REQUEST_STATUS;
        return answer_to(message, 1, max);
}

static uint32_t straddle(uint32_t address)
{
        return answer_to((void *)(uintptr_t)address, 1, 128); /* NOLINT(performance-no-int-to-ptr) */
}

static uint32_t sign(uint32_t size)
{
        static uint8_t text[130];

        memset(text, ' ', sizeof(text));
        if (size > 0)
                memcpy(text + 64, "TLS 1.3, server CertificateVerify", 34);
        return ask(BOOT_REQUEST_SIGN, text, 130) > 0 && message[0] == 0 ? 0 : REFUSED;
}

static bool may_sign(void)
{
        static uint8_t text[130];

        memset(text, ' ', 64);
        memcpy(text + 64, "TLS 1.3, client CertificateVerify", 34);
        return ask(BOOT_REQUEST_SIGN, text, sizeof(text)) == 65 && message[0] == 0;
}

/* RFC 8032 section 7.1, test 2 */
static bool verify_at(const uint8_t *text, size_t size)
{
        static const uint8_t key[32] = { 0x3d, 0x40, 0x17, 0xc3, 0xe8, 0x43, 0x89, 0x5a, 0x92, 0xb7, 0x0a,
                                         0xa7, 0x4d, 0x1b, 0x7e, 0xbc, 0x9c, 0x98, 0x2c, 0xcf, 0x2e, 0xc4,
                                         0x96, 0x8c, 0xc0, 0xcd, 0x55, 0xf1, 0x2a, 0xf4, 0x66, 0x0c };
        static const uint8_t signature[64] = { 0x92, 0xa0, 0x09, 0xa9, 0xf0, 0xd4, 0xca, 0xb8, 0x72, 0x0e, 0x82,
                                               0x0b, 0x5f, 0x64, 0x25, 0x40, 0xa2, 0xb2, 0x7b, 0x54, 0x16, 0x50,
                                               0x3f, 0x8f, 0xb3, 0x76, 0x22, 0x23, 0xeb, 0xdb, 0x69, 0xda, 0x08,
                                               0x5a, 0xc1, 0xe4, 0x3e, 0x15, 0x99, 0x6e, 0x45, 0x8f, 0x36, 0x13,
                                               0xd0, 0xf1, 0x1d, 0x8c, 0x38, 0x7b, 0x2e, 0xae, 0xb4, 0x30, 0x2a,
                                               0xee, 0xb0, 0x0d, 0x29, 0x16, 0x12, 0xbb, 0x0c, 0x00 };

        return secure_verify(key, signature, text, size);
}

static bool may_verify(void)
{
        return verify_at((const uint8_t *)"\x72", 1) && !verify_at((const uint8_t *)"\x73", 1);
}

/* what the secure side would hash */
static uint32_t verify_there(uint32_t address)
{
        return verify_at((const uint8_t *)(uintptr_t)address, 1) ? 0 : REFUSED; /* NOLINT(performance-no-int-to-ptr) */
}

static uint32_t verify_size(uint32_t size)
{
        return verify_at(message, size) ? 0 : REFUSED;
}

static uint32_t ask_unknown(uint32_t request)
{
        return ask((enum boot_request)request, NULL, 0) > 0 && message[0] == 0 ? 0 : REFUSED;
}

/*
 * Interrupts that change the request while it is judged: a signature takes long enough for thousands of them, and none
 * may come in between.
 */
static volatile uint32_t ticks;

static void tick(void)
{
        ticks++;
        message[0] = BOOT_REQUEST_CONFIRM;
}

static uint32_t change_meanwhile(uint32_t most)
{
        uint32_t between;

        *an505_register(SCS, SCS_SYST_RVR) = 2000; /* 0.1 ms */
        *an505_register(SCS, SCS_SYST_CVR) = 0;
        *an505_register(SCS, SCS_SYST_CSR) = 7;
        while (ticks == 0)
                ;
        between = ticks;
        (void)may_sign();
        between = ticks - between;
        *an505_register(SCS, SCS_SYST_CSR) = 0;
        return between <= most ? REFUSED : between;
}

static uint32_t stand_still(uint32_t nothing)
{
        while (ticks == nothing)
                ;
        return 0;
}

/* with the secure side of peek.c: a word of secure memory; with the real one: refused */
static uint32_t peek(uint32_t address)
{
        uint32_t word;

        if (ask((enum boot_request)'P', &address, sizeof(address)) != 5 || message[0] != 0)
                return REFUSED;
        memcpy(&word, message + 1, sizeof(word));
        return word;
}

static const struct {
        const char *name;
        uint32_t (*attempt)(uint32_t argument);
        uint32_t argument;
} attempts[] = {
        { "have the secure side read the journal", peek, SECTOR(JOURNAL) },
        { "have the secure side read the device secret", peek, SECTOR(SECRET) },
        { "read secure RAM", get, AN505_SECURE_RAM },
        { "write secure RAM", put, AN505_SECURE_RAM + 0x100 },
        { "read secure RAM by the other alias", get, AN505_SECURE_RAM - 0x10000000u },
        { "read secure code", get, AN505_SECURE_CODE },
        { "read secure code by the other alias", get, AN505_SECURE_CODE - 0x10000000u },
        { "read secure code by the third alias", get, 0x00400000u },
        { "read RAM behind its own", get, AN505_APPLICATION_RAM + AN505_APPLICATION_RAM_SIZE },
        { "write code memory behind its own", put, AN505_APPLICATION_CODE + AN505_APPLICATION_CODE_SIZE },
        { "read the device secret", get, SECTOR(SECRET) },
        { "read the journal", get, SECTOR(JOURNAL) },
        { "write the journal", put, SECTOR(JOURNAL) },
        { "write the identity", put, SECTOR(IDENTITY) },
        { "write the site policy", put, SECTOR(TRUST) },
        { "write the recovery image", put, SECTOR(RECOVERY) },
        { "read the last secure word of the flash", get, LAST_SECURE },
        { "read across the border in the flash", get, LAST_SECURE + 2 },
        { "read flash behind the last sector", get, SECTOR(LAYOUT_SECTORS) },
        { "call the middle of secure code", call, AN505_SECURE_CODE + 0x400 },
        { "call behind the veneer's gate", call, AN505_VENEERS + 4 },
        { "call the page of the veneers where there is none", call, AN505_VENEERS + 0x40 },
        { "turn the SAU off", open_sau, AN505_SECURE_RAM },
        { "set a memory protection controller", put, 0x58007000u },
        { "set the peripheral protection", put, 0x50080080u },
        { "stop the watchdog", put, 0x50081008u },
        { "use DMA", hold, 0x40110100u },
        { "use the secure timer", get, 0x40000000u },
        { "put its stack into secure RAM", stack_there, AN505_SECURE_RAM },
        { "write flash without the driver", put, SECTOR(SETTINGS) },
        { "hand over a secure buffer", give_pointer, AN505_SECURE_RAM },
        { "hand over secure code", give_pointer, AN505_SECURE_CODE },
        { "hand over nothing", give_pointer, 0 },
        { "hand over the end of the address space", give_pointer, 0xffffff00u },
        { "hand over the device secret", give_pointer, SECTOR(SECRET) },
        { "hand over its own flash", give_pointer, SECTOR(SETTINGS) },
        { "hand over its own code", give_pointer, AN505_APPLICATION_CODE },
        { "hand over a device's registers", give_pointer, AN505_UART_CONSOLE },
        { "hand over a buffer that begins in secure RAM", straddle, AN505_APPLICATION_RAM - 64 },
        { "hand over a buffer that ends behind its RAM", straddle,
          AN505_APPLICATION_RAM + AN505_APPLICATION_RAM_SIZE - 64 },
        { "ask with a huge size", give_size, 0xffffffffu },
        { "ask with a size above the largest", give_size, BOOT_MESSAGE_MAX + 1 },
        { "ask for an endless answer", give_max, 0xfffffff0u },
        { "ask for an answer without room", give_max, 1 },
        { "sign what is no handshake", sign, 0 },
        { "sign a server's handshake", sign, 1 },
        { "have secure memory verified", verify_there, AN505_SECURE_RAM },
        { "have the device secret verified", verify_there, SECTOR(SECRET) },
        { "have a huge message verified", verify_size, 0xffffff00u },
        { "ask what is not known", ask_unknown, 'X' },
        { "ask nothing", ask_unknown, 0 },
        { "change a request while it is judged", change_meanwhile, 3 },
        { "stand still", stand_still, 0 },
};
#define ATTEMPTS (sizeof(attempts) / sizeof(attempts[0]))

/* ---- what it may do: the attempts would prove nothing on a board where nothing works */

static bool may_use_flash(void)
{
        struct port_flash flash = flash_psram_port();
        uint32_t offset = SETTINGS * LAYOUT_SECTOR_SIZE, word = 0;

        return flash.erase(flash.context, SETTINGS) == 0 &&
               flash.program(flash.context, offset, SPAN_LITERAL("\x12\x34\x56\x78")) == 0 &&
               flash.read(flash.context, offset, &word, sizeof(word)) == 0 && word == 0x78563412u &&
               flash.erase(flash.context, SECRET) < 0 && flash.read(flash.context, 0, &word, sizeof(word)) < 0;
}

static bool may_wait(void)
{
        return *an505_register(AN505_FPGAIO, FPGAIO_COUNTER) != 0 && ask(BOOT_REQUEST_FEED, NULL, 0) == 1;
}

/* ---- one start */

/* the boot counter, from 1 */
static uint32_t starts(void)
{
        if (ask(BOOT_REQUEST_STATUS, NULL, 0) < 5 || message[0] != 0)
                return 0;
        return (uint32_t)message[1] << 24 | (uint32_t)message[2] << 16 | (uint32_t)message[3] << 8 | message[4];
}

static _Noreturn void run(void)
{
        uint32_t number = starts(), result;

        *an505_register(AN505_UART_CONSOLE, UART_CTRL) = UART_CTRL_TX;
        flash_psram_init(NULL);
        say("probe: it may: ");
        say(may_use_flash() ? "flash " : "");
        say(may_sign() ? "sign " : "");
        say(may_verify() ? "verify " : "");
        say(may_wait() ? "wait\n" : "\n");
        if (number == 0 || number > ATTEMPTS) {
                say("probe: runs on\n");
                for (;;)
                        (void)ask(BOOT_REQUEST_FEED, NULL, 0);
        }
        say("probe: ");
        say(attempts[number - 1].name);
        say(": ");
        result = attempts[number - 1].attempt(attempts[number - 1].argument);
        say(result == REFUSED ? "refused" : "GOT ");
        if (result != REFUSED)
                say_word(result);
        say("\n");
        restart();
}

_Noreturn void reset(void)
{
        memcpy(data_start, data_load, (size_t)(data_end - data_start));
        memset(bss_start, 0, (size_t)(bss_end - bss_start));
        run();
}

/* stack pointer, reset, NMI, the faults, the timer */
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
        (vector)(void *)stack_top,
        reset,
        fault,
        fault,
        fault,
        fault,
        fault,
        fault,
        fault,
        fault,
        fault,
        fault,
        fault,
        fault,
        fault,
        tick,
};
