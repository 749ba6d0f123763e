/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links as lwIP's connections; everything happens inside net_lwip_poll() and the port's calls, in one thread. */

#include "ports/mps2-an505/ns/net_lwip.h"

#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/tcp.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

#include "ports/mps2-an505/ns/clock.h"
#include "ports/mps2-an505/ns/lan9118.h"

enum state { LINK_CLOSED, LINK_RESOLVING, LINK_CONNECTING, LINK_OPEN, LINK_FAILED };

struct link {
        enum state state;
        int error;  /* port_result, when LINK_FAILED */
        bool ended; /* the peer sends no more */
        uint16_t port;
        unsigned attempt; /* tells a name's late answer from this attempt's */
        struct tcp_pcb *pcb;
        struct pbuf *received;
};

static struct link links[PORT_LINKS];
static struct netif netif;
static bool up;

/* ---- frames */

static err_t frame_out(struct netif *interface, struct pbuf *frame)
{
        (void)interface;
        LWIP_ASSERT("one buffer", frame->next == NULL); /* LWIP_NETIF_TX_SINGLE_PBUF */
        return lan9118_send(frame->payload, frame->len) ? ERR_OK : ERR_WOULDBLOCK;
}

/* no memory for it: the frame is lost, and its sender will send it again */
static void frame_in(size_t size)
{
        size_t words = (size + 3) / 4;
        struct pbuf *frame = pbuf_alloc(PBUF_RAW, (u16_t)(4 * words), PBUF_POOL);

        if (!frame) {
                lan9118_drop(size);
                return;
        }
        for (struct pbuf *part = frame; part; part = part->next)
                lan9118_read(part->payload, part->len / 4u);
        pbuf_realloc(frame, (u16_t)(size - 4)); /* without CRC */
        if (netif.input(frame, &netif) != ERR_OK)
                pbuf_free(frame);
}

static err_t start_interface(struct netif *interface)
{
        interface->name[0] = 'e';
        interface->name[1] = 'n';
        interface->mtu = 1500;
        interface->hwaddr_len = 6;
        interface->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
        interface->output = etharp_output;
        interface->linkoutput = frame_out;
        return lan9118_init(interface->hwaddr) ? ERR_OK : ERR_IF;
}

int net_lwip_init(void)
{
        ip4_addr_t address, mask, gateway;
        ip_addr_t names;

        lwip_init();
        IP4_ADDR(&address, 10, 0, 2, 15);
        IP4_ADDR(&mask, 255, 255, 255, 0);
        IP4_ADDR(&gateway, 10, 0, 2, 2);
        IP4_ADDR(&names, 10, 0, 2, 3);
        up = netif_add(&netif, &address, &mask, &gateway, NULL, start_interface, ethernet_input) != NULL;
        if (!up)
                return PORT_E_IO;
        netif_set_default(&netif);
        netif_set_up(&netif);
        dns_setserver(0, &names);
        return 0;
}

void net_lwip_poll(void)
{
        size_t size;

        if (!up)
                return;
        lan9118_quiet(); /* before looking: what arrives after the look wakes us again */
        while ((size = lan9118_waiting()) > 0)
                frame_in(size);
        sys_check_timeouts();
}

uint64_t net_lwip_deadline(void)
{
        u32_t sleep = up ? sys_timeouts_sleeptime() : SYS_TIMEOUTS_SLEEPTIME_INFINITE;

        return sleep == SYS_TIMEOUTS_SLEEPTIME_INFINITE ? UINT64_MAX : clock_now_ms() + sleep;
}

u32_t sys_now(void)
{
        return (u32_t)clock_now_ms();
}

/* ---- connections */

static void fail(struct link *link, int error)
{
        link->state = LINK_FAILED;
        link->error = error;
}

static err_t on_connected(void *argument, struct tcp_pcb *pcb, err_t error)
{
        struct link *link = argument;

        (void)pcb;
        (void)error; /* always fine: failures go to on_error() */
        link->state = LINK_OPEN;
        return ERR_OK;
}

/* lwIP has freed the pcb */
static void on_error(void *argument, err_t error)
{
        struct link *link = argument;

        link->pcb = NULL;
        fail(link, error == ERR_RST && link->state == LINK_CONNECTING ? PORT_E_REFUSED : PORT_E_IO);
}

static err_t on_received(void *argument, struct tcp_pcb *pcb, struct pbuf *data, err_t error)
{
        struct link *link = argument;

        (void)pcb;
        (void)error;
        if (!data)
                link->ended = true;
        else if (link->received)
                pbuf_cat(link->received, data);
        else
                link->received = data;
        return ERR_OK;
}

static void start_connect(struct link *link, const ip_addr_t *address)
{
        link->pcb = tcp_new();
        if (!link->pcb) {
                fail(link, PORT_E_IO);
                return;
        }
        tcp_arg(link->pcb, link);
        tcp_err(link->pcb, on_error);
        tcp_recv(link->pcb, on_received);
        tcp_nagle_disable(link->pcb);
        link->state = LINK_CONNECTING;
        if (tcp_connect(link->pcb, address, link->port, on_connected) != ERR_OK)
                fail(link, PORT_E_IO);
}

static void on_name(const char *name, const ip_addr_t *address, void *argument)
{
        unsigned number = (uintptr_t)argument % PORT_LINKS, attempt = (uintptr_t)argument / PORT_LINKS;
        struct link *link = &links[number];

        (void)name;
        if (link->state != LINK_RESOLVING || link->attempt != attempt)
                return; /* closed meanwhile */
        if (address)
                start_connect(link, address);
        else
                fail(link, PORT_E_NAME);
}

static int net_open(void *context, unsigned number, const char *host, uint16_t port)
{
        struct link *link = &links[number];
        ip_addr_t address;

        (void)context;
        if (!up || link->state != LINK_CLOSED)
                return PORT_E_IO;
        *link = (struct link){ .state = LINK_RESOLVING, .port = port, .attempt = link->attempt + 1 };
        err_t error = dns_gethostbyname(host, &address, on_name,
                                        (void *)(uintptr_t)(link->attempt * PORT_LINKS + number)); /* NOLINT */
        if (error == ERR_OK)
                start_connect(link, &address);
        else if (error != ERR_INPROGRESS)
                fail(link, PORT_E_NAME);
        return 0;
}

static int net_connected(void *context, unsigned number)
{
        const struct link *link = &links[number];

        (void)context;
        switch (link->state) {
        case LINK_RESOLVING:
        case LINK_CONNECTING:
                return PORT_WANT;
        case LINK_OPEN:
                return 0;
        case LINK_FAILED:
                return link->error;
        case LINK_CLOSED:
                break;
        }
        return PORT_E_IO;
}

static int net_send(void *context, unsigned number, struct span data, size_t *done)
{
        struct link *link = &links[number];

        (void)context;
        if (link->state != LINK_OPEN)
                return PORT_E_IO;
        u16_t room = tcp_sndbuf(link->pcb);
        if (room == 0)
                return PORT_WANT;
        u16_t size = data.size < room ? (u16_t)data.size : room;
        err_t error = tcp_write(link->pcb, data.data, size, TCP_WRITE_FLAG_COPY);
        if (error == ERR_MEM)
                return PORT_WANT;
        if (error != ERR_OK)
                return PORT_E_IO;
        (void)tcp_output(link->pcb); /* what does not go now goes with the next timer */
        *done = size;
        return 0;
}

static int net_receive(void *context, unsigned number, void *out, size_t size, size_t *done)
{
        struct link *link = &links[number];

        (void)context;
        if (!link->received) {
                if (link->state != LINK_OPEN)
                        return PORT_E_IO;
                return link->ended ? PORT_CLOSED : PORT_WANT;
        }
        u16_t n = pbuf_copy_partial(link->received, out, size < UINT16_MAX ? (u16_t)size : UINT16_MAX, 0);
        link->received = pbuf_free_header(link->received, n);
        if (link->pcb)
                tcp_recved(link->pcb, n);
        *done = n;
        return 0;
}

static void net_close(void *context, unsigned number)
{
        struct link *link = &links[number];

        (void)context;
        if (link->pcb) {
                tcp_arg(link->pcb, NULL);
                tcp_err(link->pcb, NULL);
                tcp_recv(link->pcb, NULL);
                if (tcp_close(link->pcb) != ERR_OK)
                        tcp_abort(link->pcb);
        }
        if (link->received)
                pbuf_free(link->received);
        *link = (struct link){ .attempt = link->attempt };
}

struct port_net net_lwip_port(void)
{
        return (struct port_net){ .open = net_open,
                                  .connected = net_connected,
                                  .send = net_send,
                                  .receive = net_receive,
                                  .close = net_close };
}
