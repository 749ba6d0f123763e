/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The self-test of a board: the posix port passes; boards that are broken in one way each do not. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trust_lab.h"

#include "app/selftest.h"
#include "ports/posix/net_posix.h"
#include "ports/posix/posix.h"

#define SECTOR 4096u

/* ---- a good board: flash in memory, the rest of Linux, the boot stage as in other tests */

static uint8_t memory[4 * SECTOR];
static struct flash_ram ram;
static struct port_flash good_flash, flash;
static struct flash_area scratch;
static struct port_clock system_clock;
static struct port_entropy entropy;
static struct net_posix posix_net;
static struct port_net net;
static int epoll_fd = -1;
static uint16_t echo_port, closed_port;
static pid_t echo_server;
static char failed_line[160];

static int boot_port_status(void *context, struct port_boot_status *out)
{
        (void)context;
        boot_status(&device.boot, out);
        return 0;
}

static int boot_port_accept(void *context, enum port_boot_object object, struct span set, enum reason *refusal)
{
        (void)context;
        return boot_accept(&device.boot, object, set, refusal);
}

static int secret_sign(void *context, struct span text, uint8_t signature[SIGNATURE_SIZE])
{
        (void)context;
        return boot_sign(&device.boot, text, signature);
}

static int secret_attest(void *context, const struct attest_challenge *challenge, uint8_t *out, size_t size,
                         size_t *written)
{
        struct writer w;

        (void)context;
        writer_init(&w, out, size);
        int r = boot_attest(&device.boot, challenge, &w);
        *written = writer_needed(&w);
        return r;
}

static struct port_boot boot;
static struct port_secret secret;

static void feed(void *context)
{
        (void)context;
}

static const struct port_watchdog watchdog = { .feed = feed };

static void note_line(void *context, enum port_log_level level, const char *text)
{
        (void)context;
        if (level == PORT_LOG_ERROR && failed_line[0] == '\0')
                snprintf(failed_line, sizeof(failed_line), "%s", text);
}

static const struct port_log log_port = { .line = note_line };

static void wait_a_moment(void *context)
{
        struct epoll_event event;

        (void)context;
        (void)epoll_wait(epoll_fd, &event, 1, 5);
}

/* ---- a server that sends back what it gets */

static int listen_locally(uint16_t *port)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
        *port = ntohs(address.sin_port);
        return fd;
}

static void echo(int fd)
{
        char bytes[512];
        ssize_t n;

        while ((n = read(fd, bytes, sizeof(bytes))) > 0)
                if (send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
                        break;
        _exit(0);
}

static void serve(int fd)
{
        signal(SIGCHLD, SIG_IGN);
        for (;;) {
                int peer = accept(fd, NULL, NULL);
                if (peer >= 0 && fork() == 0)
                        echo(peer);
                close(peer);
        }
}

static int begin(void **state)
{
        (void)state;
        int fd = listen_locally(&echo_port);
        assert_int_equal(listen(fd, 8), 0);
        echo_server = fork();
        if (echo_server == 0)
                serve(fd);
        close(fd);
        (void)listen_locally(&closed_port); /* bound, and never listening: nobody else gets it */
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        return 0;
}

static int end(void **state)
{
        (void)state;
        kill(echo_server, SIGKILL);
        waitpid(echo_server, NULL, 0);
        return 0;
}

static int setup_board(void **state)
{
        setup(state);
        memset(memory, 0xff, sizeof(memory));
        flash_ram_init(&ram, memory, SECTOR, 4);
        flash = good_flash = flash_ram_port(&ram);
        scratch = (struct flash_area){ &flash, 1, 2 };
        system_clock = posix_clock();
        entropy = posix_entropy();
        net_posix_init(&posix_net, epoll_fd, NULL);
        net = net_posix_port(&posix_net);
        boot = (struct port_boot){ .status = boot_port_status, .accept = boot_port_accept };
        secret = (struct port_secret){ .key = device.boot.keys.key, .sign = secret_sign, .attest = secret_attest };
        failed_line[0] = '\0';
        return 0;
}

static unsigned run(void)
{
        const struct selftest test = {
                .log = &log_port,
                .scratch = &scratch,
                .clock = &system_clock,
                .entropy = &entropy,
                .watchdog = &watchdog,
                .boot = &boot,
                .secret = &secret,
                .net = &net,
                .echo_host = "127.0.0.1",
                .echo_port = echo_port,
                .closed_port = closed_port,
                .idle = wait_a_moment,
        };
        return selftest_run(&test);
}

static void test_a_good_board(void **state)
{
        (void)state;
        if (run() > 0)
                fail_msg("%s", failed_line);
        for (size_t i = 0; i < SECTOR; i++) { /* its neighbours are as they were */
                assert_int_equal(memory[i], 0xff);
                assert_int_equal(memory[3 * SECTOR + i], 0xff);
        }
        const struct selftest nothing = { 0 };
        assert_int_equal(selftest_run(&nothing), 0);
}

/* ---- broken ones */

static int erases_to_zero(void *context, uint32_t sector)
{
        (void)context;
        memset(memory + sector * SECTOR, 0, SECTOR);
        return 0;
}

static int erases_nothing(void *context, uint32_t sector)
{
        (void)context;
        (void)sector;
        return 0;
}

static int erases_two(void *context, uint32_t sector)
{
        memset(memory + sector * SECTOR, 0xff, 2 * SECTOR);
        return good_flash.erase(context, sector);
}

static int overwrites(void *context, uint32_t offset, struct span data)
{
        (void)context;
        if (offset % SECTOR + data.size > SECTOR || offset >= sizeof(memory))
                return RELAY_E_RANGE;
        memcpy(memory + offset, data.data, data.size);
        return 0;
}

static int programs_words(void *context, uint32_t offset, struct span data)
{
        return good_flash.program(context, offset & ~3u, data);
}

static int crosses(void *context, uint32_t offset, struct span data)
{
        (void)context;
        if (offset >= sizeof(memory))
                return RELAY_E_RANGE;
        for (size_t i = 0; i < data.size; i++)
                memory[offset + i] &= data.data[i];
        return 0;
}

static int has_no_end(void *context, uint32_t offset, void *out, uint32_t size)
{
        return offset >= sizeof(memory) ? 0 : good_flash.read(context, offset, out, size);
}

static uint64_t stands(void *context)
{
        (void)context;
        return 7;
}

static uint64_t jumps_back(void *context)
{
        static uint64_t count;

        (void)context;
        count++;
        return count % 5 == 0 ? count - 3 : count;
}

static int always_the_same(void *context, void *out, size_t size)
{
        (void)context;
        memset(out, 0x42, size);
        return 0;
}

static int believes(void *context, enum port_boot_object object, struct span set, enum reason *refusal)
{
        (void)context;
        (void)object;
        (void)set;
        *refusal = REASON_NONE;
        return 0;
}

static int changes(void *context, struct port_boot_status *out)
{
        boot_port_status(context, out);
        out->boot += (uint32_t)system_clock.now_ms(NULL) + ++device.boot.record.boot;
        return 0;
}

static int signs_all(void *context, struct span text, uint8_t signature[SIGNATURE_SIZE])
{
        (void)context;
        return crypto_ed25519_sign(device.boot.keys.seed, text, signature);
}

static int attests_another_challenge(void *context, const struct attest_challenge *challenge, uint8_t *out, size_t size,
                                     size_t *written)
{
        struct attest_challenge other = *challenge;

        other.nonce[0] ^= 1;
        return secret_attest(context, &other, out, size, written);
}

static int never_there(void *context, unsigned link)
{
        (void)context;
        (void)link;
        return PORT_E_IO;
}

static int damages(void *context, unsigned link, void *out, size_t size, size_t *done)
{
        struct net_posix *links = context;

        ssize_t n = recv(links->links[link].fd, out, size, MSG_DONTWAIT);
        *done = n > 0 ? (size_t)n : 0;
        if (n > 100)
                ((uint8_t *)out)[100] ^= 1;
        return n > 0 ? 0 : PORT_WANT;
}

static void test_broken_boards(void **state)
{
        for (unsigned which = 0;; which++) {
                const char *expected = NULL;

                setup_board(state);
                switch (which) {
                case 0:
                        flash.erase = erases_to_zero;
                        expected = "erased is all ones";
                        break;
                case 1:
                        flash.erase = erases_nothing;
                        memset(memory, 0x11, sizeof(memory));
                        expected = "erased is all ones";
                        break;
                case 2:
                        flash.erase = erases_two;
                        expected = "an erase ends at its sector";
                        break;
                case 3:
                        flash.program = overwrites;
                        expected = "only clears bits";
                        break;
                case 4:
                        flash.program = programs_words;
                        expected = "a single byte";
                        break;
                case 5:
                        flash.program = crosses;
                        expected = "across a sector's end";
                        break;
                case 6:
                        flash.read = has_no_end;
                        expected = "beyond its end";
                        break;
                case 7:
                        entropy.fill = always_the_same;
                        expected = "entropy: alive";
                        break;
                case 8:
                        boot.accept = believes;
                        expected = "believes no garbage";
                        break;
                case 9:
                        boot.status = changes;
                        expected = "stays as it was";
                        break;
                case 10:
                        secret.sign = signs_all;
                        expected = "signs nothing else";
                        break;
                case 11:
                        secret.key.type = KEY_P256;
                        expected = "its public half fits";
                        break;
                case 12:
                        secret.attest = attests_another_challenge;
                        expected = "proves this device";
                        break;
                case 13:
                        net.connected = never_there;
                        expected = "two links";
                        break;
                case 14:
                        net.receive = damages;
                        expected = "each link its own";
                        break;
                default:
                        return;
                }
                if (run() == 0 || !strstr(failed_line, expected))
                        fail_msg("board %u: \"%s\" instead of \"%s\"", which, failed_line, expected);
        }
}

static void test_broken_clocks(void **state)
{
        static uint64_t (*const clocks[])(void *) = { stands, jumps_back };

        (void)state;
        for (size_t i = 0; i < ROWS(clocks); i++) {
                const struct port_clock broken = { .now_ms = clocks[i] };
                const struct selftest test = { .clock = &broken };
                assert_int_equal(selftest_run(&test), i == 0 ? 1 : 2);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_a_good_board, setup_board),
                cmocka_unit_test(test_broken_boards),
                cmocka_unit_test(test_broken_clocks),
        };
        return cmocka_run_group_tests(tests, begin, end);
}
