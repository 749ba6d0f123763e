/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device-boot: the hardware and the boot stage of one device as a process. Verifies a slot, copies its image into
 * sealed memory, measures that memory, and executes it as a child: the application. The child's end is a reset.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ports/common/boot_server.h"
#include "ports/posix/flash_file.h"
#include "ports/posix/posix.h"

#define CHILD_OPTIONS_MAX 32
#define RESET_PAUSE_MS    300 /* between two starts, so that a broken image does not spin */

struct machine {
        const char *flash_path;
        uint64_t cut_after;
        uint64_t confirm_ms, watchdog_ms;
        const char *child_options[CHILD_OPTIONS_MAX];
        size_t child_option_count;

        struct flash_file flash;
        struct boot boot;
        struct boot_server server;
        int image_fd; /* what load() made last */
        int signals;
        bool started; /* before in this process: the next start is a reset, not a return of power */
        struct port_clock clock;
};

static void say(const struct machine *m, int priority, const char *text, const char *detail)
{
        fprintf(stderr, "<%d>%s: boot: %s%s\n", priority,
                m->boot.identity[0] != '\0' ? m->boot.identity : m->flash_path, text, detail);
}

/* ---- memory that is executed */

static int copy_image(int fd, const struct flash_area *image, uint32_t size)
{
        uint8_t part[LAYOUT_SECTOR_SIZE];

        for (uint32_t at = 0; at < size; at += sizeof(part)) {
                uint32_t n = size - at < sizeof(part) ? size - at : (uint32_t)sizeof(part);
                int r = flash_area_read(image, at, part, n);
                if (r < 0)
                        return r;
                if (write(fd, part, n) != (ssize_t)n)
                        return PORT_E_IO;
        }
        return 0;
}

static int measure(int fd, uint32_t size, uint8_t digest[SHA256_SIZE])
{
        void *memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED)
                return PORT_E_IO;
        int r = crypto_sha256(span_of(memory, size), digest);
        munmap(memory, size);
        return r;
}

/* Sealed before it is measured: nobody, not even this process, can change what was measured. */
static int load(void *context, const struct flash_area *image, uint32_t size, uint8_t digest[SHA256_SIZE])
{
        struct machine *m = context;

        if (m->image_fd >= 0)
                close(m->image_fd);
        m->image_fd = memfd_create("application", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (m->image_fd < 0)
                return PORT_E_IO;
        int r = copy_image(m->image_fd, image, size);
        if (r < 0)
                return r;
        if (fcntl(m->image_fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
                return PORT_E_IO;
        return measure(m->image_fd, size, digest);
}

/* ---- the child */

static void execute(struct machine *m, int channel)
{
        char flash_fd[16], boot_fd[16], counter_fd[16], cut[24];
        char *argv[CHILD_OPTIONS_MAX + 16] = { "application", "--flash-fd", flash_fd, "--boot-fd", boot_fd };
        char *none[] = { NULL };
        size_t n = 5;
        sigset_t all;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        snprintf(flash_fd, sizeof(flash_fd), "%d", dup(m->flash.fd));
        snprintf(boot_fd, sizeof(boot_fd), "%d", dup(channel));
        if (m->cut_after > 0) {
                snprintf(counter_fd, sizeof(counter_fd), "%d", dup(m->flash.counter_fd));
                snprintf(cut, sizeof(cut), "%llu", (unsigned long long)m->cut_after);
                argv[n++] = "--counter-fd";
                argv[n++] = counter_fd;
                argv[n++] = "--cut-after";
                argv[n++] = cut;
        }
        for (size_t i = 0; i < m->child_option_count; i++)
                argv[n++] = (char *)m->child_options[i];
        sigfillset(&all);
        sigprocmask(SIG_UNBLOCK, &all, NULL);
        fexecve(m->image_fd, argv, environ[0] ? environ : none);
        fprintf(stderr, "<3>boot: the image cannot be executed: %s\n", strerror(errno));
        _exit(127);
}

static int answer_requests(struct machine *m, int channel)
{
        for (;;) {
                ssize_t n = recv(channel, m->server.message, BOOT_MESSAGE_MAX, MSG_DONTWAIT);
                if (n <= 0)
                        return n == 0 ? -EPIPE : 0;
                size_t size = boot_server_answer(&m->server, (size_t)n);
                (void)send(channel, m->server.message, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
}

static int milliseconds_until(uint64_t now, uint64_t deadline)
{
        if (deadline <= now)
                return 0;
        return deadline - now > 60000 ? 60000 : (int)(deadline - now);
}

struct watch {
        uint64_t confirm_at, feed_at;
};

/* Kills an application that missed the confirm deadline or stopped feeding the watchdog. */
static bool has_failed(const struct machine *m, const struct watch *watch, uint64_t now)
{
        if (m->boot.record.trial == BOOT_TRIAL_RUNNING && now >= watch->confirm_at) {
                say(m, 4, "the new image did not confirm in time", "");
                return true;
        }
        if (now >= watch->feed_at) {
                say(m, 4, "watchdog: the application stands still", "");
                return true;
        }
        return false;
}

/* true if a signal ended this process's job; the child is gone afterwards either way */
static bool supervise(struct machine *m, pid_t child, int channel, int *status)
{
        uint64_t now = m->clock.now_ms(NULL);
        struct watch watch = { now + m->confirm_ms, now + m->watchdog_ms };
        struct pollfd fds[] = { { .fd = m->signals, .events = POLLIN }, { .fd = channel, .events = POLLIN } };
        bool killed = false;

        for (;;) {
                struct signalfd_siginfo info;
                uint64_t next = watch.feed_at;
                if (m->boot.record.trial == BOOT_TRIAL_RUNNING && watch.confirm_at < next)
                        next = watch.confirm_at;
                (void)poll(fds, 2, killed ? 60000 : milliseconds_until(m->clock.now_ms(NULL), next));
                if (answer_requests(m, channel) < 0)
                        fds[1].fd = -1;
                now = m->clock.now_ms(NULL);
                if (m->server.fed)
                        watch.feed_at = now + m->watchdog_ms;
                m->server.fed = false;
                if (!killed && has_failed(m, &watch, now))
                        killed = kill(child, SIGKILL) == 0;
                if (read(m->signals, &info, sizeof(info)) != sizeof(info))
                        continue;
                if (info.ssi_signo != SIGCHLD)
                        kill(child, SIGKILL);
                if (waitpid(child, status, info.ssi_signo != SIGCHLD ? 0 : WNOHANG) == child)
                        return info.ssi_signo != SIGCHLD;
        }
}

static int run_application(struct machine *m, bool *finished)
{
        int pair[2], status = 0;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        pid_t child = fork();
        if (child == 0)
                execute(m, pair[1]);
        close(pair[1]);
        if (child > 0)
                *finished = supervise(m, child, pair[0], &status);
        close(pair[0]);
        if (child < 0)
                return -EAGAIN;
        if (WIFEXITED(status) && WEXITSTATUS(status) == POSIX_EXIT_CUT)
                exit(POSIX_EXIT_CUT);
        return 0;
}

/* ---- one start after the other */

static void wait_for_end(const struct machine *m, int timeout_ms, bool *finished)
{
        struct pollfd fd = { .fd = m->signals, .events = POLLIN };
        struct signalfd_siginfo info;

        if (poll(&fd, 1, timeout_ms) > 0 && read(m->signals, &info, sizeof(info)) == sizeof(info))
                *finished = info.ssi_signo != SIGCHLD;
}

static void tell_outcome(const struct machine *m, int answer, const struct boot_outcome *outcome)
{
        static const char *const slots[] = { "slot A: ", "slot B: " };
        char text[96];

        for (unsigned i = 0; i < 2; i++)
                if (outcome->reasons[i] != REASON_NONE)
                        say(m, 4, slots[i], reason_name(outcome->reasons[i]));
        if (outcome->recovery != REASON_NONE)
                say(m, 4,
                    "recovery image: ", boot_has_recovery(&m->boot) ? reason_name(outcome->recovery) : "there is none");
        if (answer == BOOT_STUCK) {
                say(m, 2, "stuck: no image may be executed; provision this device again", "");
                return;
        }
        if (answer == BOOT_UNCLAIMED) {
                say(m, 4, "unclaimed: no site owns this device; stop it and claim it with device-local", "");
                return;
        }
        if (outcome->keys != 0)
                say(m, 3, "no key to connect with: ",
                    outcome->keys == RELAY_E_STATE && m->boot.certificate_count == 0
                            ? "this device has no certificate yet (device-local certificate)"
                            : relay_result_string(outcome->keys));
        if (answer == BOOT_RECOVERY) {
                say(m, 3, "recovery: no slot may run; the recovery image asks for one", "");
                return;
        }
        snprintf(text, sizeof(text), "start %u, slot %c, sequence %llu", (unsigned)m->boot.record.boot,
                 outcome->slot == 0 ? 'A' : 'B', (unsigned long long)m->boot.image.sequence);
        say(m, 6, text, outcome->trying ? ", on trial" : "");
}

static int start_once(struct machine *m, bool *finished)
{
        struct boot_board board = { .flash = &m->flash.port, .load = load, .context = m, .power_on = !m->started };
        struct boot_outcome outcome;

        m->started = true;
        int answer = boot_start(&m->boot, &board, &outcome);
        if (answer < 0) {
                say(m, 2, "the flash is not that of a provisioned device: ", relay_result_string(answer));
                return -EIO;
        }
        tell_outcome(m, answer, &outcome);
        if (answer != BOOT_RUN && answer != BOOT_RECOVERY) {
                while (!*finished)
                        wait_for_end(m, -1, finished);
                return 0;
        }
        boot_server_init(&m->server, &m->boot);
        int r = run_application(m, finished);
        if (r == 0 && !*finished)
                wait_for_end(m, RESET_PAUSE_MS, finished);
        return r;
}

static int prepare(struct machine *m)
{
        sigset_t set;

        int r = flash_file_open(&m->flash, m->flash_path);
        if (r < 0) {
                fprintf(stderr, "device-boot: %s: %s (%s)\n", m->flash_path, strerror(-r),
                        r == -EBUSY ? "this device runs already" : "make one with device-provision");
                return r;
        }
        if (m->cut_after > 0) {
                int counter = memfd_create("operations", 0);
                if (counter < 0 || ftruncate(counter, sizeof(uint64_t)) < 0 ||
                    flash_file_adopt(&m->flash, m->flash.fd, counter, m->cut_after) < 0)
                        return -EIO;
        }
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigprocmask(SIG_BLOCK, &set, NULL);
        m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return m->signals < 0 ? -errno : 0;
}

static int parse(struct machine *m, int argc, char **argv)
{
        for (int i = 1; i < argc; i++) {
                const char *value = i + 1 < argc ? argv[i + 1] : NULL;
                if (value && strcmp(argv[i], "--flash") == 0)
                        m->flash_path = argv[++i];
                else if (value && strcmp(argv[i], "--cut-after") == 0)
                        m->cut_after = strtoull(argv[++i], NULL, 10);
                else if (value && strcmp(argv[i], "--confirm-ms") == 0)
                        m->confirm_ms = strtoull(argv[++i], NULL, 10);
                else if (value && strcmp(argv[i], "--watchdog-ms") == 0)
                        m->watchdog_ms = strtoull(argv[++i], NULL, 10);
                else if (m->child_option_count < CHILD_OPTIONS_MAX)
                        m->child_options[m->child_option_count++] = argv[i];
                else
                        return -E2BIG;
        }
        return m->flash_path ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
        static struct machine m = { .confirm_ms = 60000, .watchdog_ms = 30000, .image_fd = -1 };
        static uint8_t message[BOOT_MESSAGE_MAX];
        bool finished = false;

        m.server.message = message;
        m.clock = posix_clock();
        if (parse(&m, argc, argv) < 0) {
                fprintf(stderr, "usage: device-boot --flash FILE [--confirm-ms N] [--watchdog-ms N] [--cut-after N] "
                                "[options of the application]\n");
                return 2;
        }
        int r = prepare(&m);
        while (r == 0 && !finished)
                r = start_once(&m, &finished);
        return r < 0 ? 1 : 0;
}
