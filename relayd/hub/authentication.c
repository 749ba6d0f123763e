/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is it? Enhanced authentication (MQTT 5 section 4.12): the host asks and judges, here is whose turn it is, and
 * what waits so long: a CONNECT takes effect only when its client has proven who it is.
 */

#include <stdlib.h>
#include <string.h>

#include "hub/authentication.h"

/* Whoever is between devices and hub can cause as many of these as there are devices. */
static const struct quota_rule alert_rule = { .per_second = 1, .burst = 20 };

void authentication_init(struct broker *b)
{
        quota_fill(&b->proofs.alerts, &alert_rule, b->now_ms);
}

static bool is_open(const struct link *link)
{
        return link->client;
}

/* ---- what waits */
static size_t count_of(const struct broker *b, const char *identity)
{
        size_t count = 0;

        for (const struct proof *p = b->proofs.first; p; p = p->next)
                count += strcmp(p->link->identity, identity) == 0;
        return count;
}

/* connect: empty for a session that is open. MQTT_SUCCESS or why not. */
static uint8_t remember(struct broker *b, struct link *link, struct span connect)
{
        struct proofs *proofs = &b->proofs;
        struct proof *p;

        if (proofs->count >= BROKER_PROOFS_MAX || proofs->bytes + connect.size > BROKER_PROOFS_BYTES_MAX ||
            count_of(b, link->identity) >= BROKER_PROOFS_IDENTITY)
                return MQTT_SERVER_BUSY;
        p = malloc(sizeof(*p) + connect.size);
        if (!p)
                return MQTT_SERVER_BUSY;
        *p = (struct proof){
                .next = proofs->first, .link = link, .due_ms = b->now_ms + BROKER_PROOF_MS, .size = connect.size
        };
        if (connect.size)
                memcpy(p->connect, connect.data, connect.size);
        if (p->next)
                p->next->previous = p;
        proofs->first = p;
        proofs->count++;
        proofs->bytes += p->size;
        link->proof = p;
        return MQTT_SUCCESS;
}

/* The proof is the caller's to free: its CONNECT may still be needed. */
static struct proof *take(struct broker *b, struct link *link)
{
        struct proof *p = link->proof;

        link->proof = NULL;
        if (!p)
                return NULL;
        if (p->previous)
                p->previous->next = p->next;
        else
                b->proofs.first = p->next;
        if (p->next)
                p->next->previous = p->previous;
        b->proofs.count--;
        b->proofs.staged -= p->commit != 0;
        b->proofs.bytes -= p->size;
        return p;
}

void authentication_drop(struct broker *b, struct link *link)
{
        free(take(b, link));
}

/* ---- what the host said */
static void send_auth(struct broker *b, struct link *link, uint8_t reason, struct span data)
{
        struct mqtt_packet packet = { .type = MQTT_AUTH, .ack.reason = reason };

        packet.props.present = MQTT_PROP(MQTT_P_AUTH_METHOD);
        packet.props.authentication_method = span_of_string(link->method);
        if (data.size) {
                packet.props.present |= MQTT_PROP(MQTT_P_AUTH_DATA);
                packet.props.authentication_data = data;
        }
        link_send(b, link, &packet);
}

static void finish_open(struct broker *b, struct link *link, uint8_t reason)
{
        authentication_drop(b, link);
        if (reason == MQTT_SUCCESS)
                send_auth(b, link, MQTT_SUCCESS, SPAN_EMPTY);
        else
                broker_close(b, link, reason, true);
}

static void finish_connect(struct broker *b, struct link *link, const struct mqtt_packet *connect, uint8_t reason)
{
        if (reason == MQTT_SUCCESS)
                session_open(b, link, connect);
        else
                session_refuse(b, link, connect, reason);
}

#define UNSEALED UINT64_MAX /* of this turn's commit, which has no number yet */

/* The CONNECT that waited; it was decoded once, so it can be again. */
static void finish(struct broker *b, struct link *link, uint8_t reason)
{
        struct mqtt_packet connect;
        struct proof *p;
        size_t consumed;
        uint8_t error = MQTT_UNSPECIFIED_ERROR;

        if (is_open(link)) {
                finish_open(b, link, reason);
                return;
        }
        p = take(b, link);
        if (mqtt_decode(span_of(p->connect, p->size), 0, BROKER_PACKET_MAX, &connect, &consumed, &error) == RELAY_OK)
                finish_connect(b, link, &connect, reason);
        else
                broker_close(b, link, error, false);
        free(p);
}

static uint8_t reason_of(const struct broker_answer *answer)
{
        return answer->step == BROKER_PROVEN ? MQTT_SUCCESS : answer->mqtt_reason;
}

/* What the host has to remember of it, it must not forget once the device was told. */
static void conclude(struct broker *b, struct link *link, const struct broker_answer *answer)
{
        if (answer->step != BROKER_PROVEN || !answer->staged || is_open(link)) {
                finish(b, link, reason_of(answer));
                return;
        }
        link->proof->commit = UNSEALED;
        b->proofs.staged++;
}

static struct proof *find_durable(const struct broker *b)
{
        for (struct proof *p = b->proofs.first; p; p = p->next)
                if (p->commit && p->commit <= b->durable)
                        return p;
        return NULL;
}

/* Each that opens may end others. */
void authentication_durable(struct broker *b)
{
        struct proof *p;

        while (b->proofs.staged > 0 && (p = find_durable(b)))
                finish(b, p->link, MQTT_SUCCESS);
}

void authentication_sealed(struct broker *b)
{
        for (struct proof *p = b->proofs.first; p && b->proofs.staged > 0; p = p->next)
                if (p->commit == UNSEALED)
                        p->commit = b->commit;
        authentication_durable(b);
}

/* ---- packets */
/* Of the first packet: CONNECT, or AUTH 0x19. */
static void ask_host(struct broker *b, struct link *link, const struct mqtt_props *props, struct broker_answer *answer)
{
        *answer = (struct broker_answer){ .mqtt_reason = MQTT_NOT_AUTHORIZED };
        if (props->authentication_data.size > BROKER_PROOF_DATA_MAX)
                answer->mqtt_reason = MQTT_PACKET_TOO_LARGE;
        else if (b->host.authenticate)
                b->host.authenticate(b->host.context, link, span_of_string(link->method), props->authentication_data,
                                     answer);
        else if (*link->method)
                answer->mqtt_reason = MQTT_BAD_AUTH_METHOD;
        else
                answer->step = BROKER_PROVEN;
        if (answer->step == BROKER_CONTINUE && !*link->method) /* there is no way to go on */
                *answer = (struct broker_answer){ .mqtt_reason = MQTT_NOT_AUTHORIZED };
}

static bool take_method(struct link *link, const struct mqtt_props *props)
{
        struct span method = props->authentication_method;

        if (!(props->present & MQTT_PROP(MQTT_P_AUTH_METHOD)))
                return true;
        return method.size > 0 && !memchr(method.data, 0, method.size) &&
               span_to_string(method, link->method, sizeof(link->method));
}

void authentication_begin(struct broker *b, struct link *link, const struct mqtt_packet *connect, struct span bytes)
{
        struct broker_answer answer;
        uint8_t reason;

        if (!take_method(link, &connect->props)) {
                session_refuse(b, link, connect, MQTT_BAD_AUTH_METHOD);
                return;
        }
        ask_host(b, link, &connect->props, &answer);
        if (answer.step != BROKER_CONTINUE) {
                finish_connect(b, link, connect, reason_of(&answer));
                return;
        }
        reason = remember(b, link, bytes);
        if (reason == MQTT_SUCCESS)
                send_auth(b, link, MQTT_CONTINUE_AUTHENTICATION, answer.data);
        else
                session_refuse(b, link, connect, reason);
}

/* MQTT 5 section 4.12.1; not in a hurry: each costs signatures */
static void begin_again(struct broker *b, struct link *link, const struct mqtt_packet *auth)
{
        struct broker_answer answer;
        uint8_t reason = b->now_ms < link->proof_next_ms ? MQTT_RATE_TOO_HIGH : remember(b, link, SPAN_EMPTY);

        if (reason != MQTT_SUCCESS) {
                broker_close(b, link, reason, true);
                return;
        }
        link->proof_next_ms = b->now_ms + BROKER_PROOF_MS;
        ask_host(b, link, &auth->props, &answer);
        if (answer.step == BROKER_CONTINUE)
                send_auth(b, link, MQTT_CONTINUE_AUTHENTICATION, answer.data);
        else
                finish(b, link, reason_of(&answer));
}

static void go_on(struct broker *b, struct link *link, const struct mqtt_packet *auth)
{
        struct broker_answer answer = { .mqtt_reason = MQTT_NOT_AUTHORIZED };

        if (auth->props.authentication_data.size > BROKER_PROOF_DATA_MAX)
                answer.mqtt_reason = MQTT_PACKET_TOO_LARGE;
        else
                b->host.authenticate_more(b->host.context, link, auth->props.authentication_data, &answer);
        if (answer.step == BROKER_CONTINUE)
                send_auth(b, link, MQTT_CONTINUE_AUTHENTICATION, answer.data);
        else
                conclude(b, link, &answer);
}

/* The front end checked the order as well; it may be in an attacker's hands. */
void authentication_packet(struct broker *b, struct link *link, const struct mqtt_packet *auth)
{
        bool again = auth->ack.reason == MQTT_REAUTHENTICATE, more = auth->ack.reason == MQTT_CONTINUE_AUTHENTICATION;
        uint8_t reason = MQTT_SUCCESS;

        if (!*link->method || (more && !link->proof) || (again && (link->proof || !is_open(link))) || (!more && !again))
                reason = MQTT_PROTOCOL_ERROR;
        else if (!span_equal_string(auth->props.authentication_method, link->method))
                reason = MQTT_BAD_AUTH_METHOD;
        if (reason != MQTT_SUCCESS && !is_open(link))
                finish(b, link, reason);
        else if (reason != MQTT_SUCCESS)
                broker_close(b, link, reason, true);
        else if (again)
                begin_again(b, link, auth);
        else
                go_on(b, link, auth);
}

void authentication_forget(struct broker *b, const char *identity)
{
        for (struct proof *p = b->proofs.first, *next; p; p = next) {
                next = p->next;
                if (!is_open(p->link) && strcmp(p->link->identity, identity) == 0)
                        finish(b, p->link, MQTT_NOT_AUTHORIZED);
        }
}

void authentication_tick(struct broker *b)
{
        for (struct proof *p = b->proofs.first, *next; p; p = next) {
                next = p->next;
                if (p->due_ms > b->now_ms)
                        continue;
                if (p->commit) { /* the disk takes too long */
                        finish(b, p->link, MQTT_SERVER_BUSY);
                        continue;
                }
                if (quota_take(&b->proofs.alerts, &alert_rule, b->now_ms).verdict == VERDICT_ALLOW)
                        b->host.alert(b->host.context, p->link->identity, REASON_NOT_ATTESTED,
                                      "it began to prove itself and did not finish in time: what is between may "
                                      "swallow AUTH packets");
                finish(b, p->link, MQTT_NOT_AUTHORIZED);
        }
}
