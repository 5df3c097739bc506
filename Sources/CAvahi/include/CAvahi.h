#ifndef COVEY_CAVAHI_H
#define COVEY_CAVAHI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Avahi's client library, opened at run time: a machine without it lacks discovery and nothing else. One session announces a service
 * and watches for others of its type; whoever owns it calls everything but covey_avahi_wake from one thread.
 */

/* Gateways that are watched at a time: as many as a covey takes seeds. What is announced beyond them is passed over and counted. */
enum { COVEY_AVAHI_MOST_FOUND = 64 };
/* Bytes of an address in text, of a TXT value that is kept and of an error, each with the 0 that ends it. */
enum { COVEY_AVAHI_ADDRESS_BYTES = 40, COVEY_AVAHI_KEY_BYTES = 17, COVEY_AVAHI_ERROR_BYTES = 256 };

typedef struct covey_avahi_session covey_avahi_session;

typedef struct {
    /* In numbers, IPv6 without brackets. */
    char address[COVEY_AVAHI_ADDRESS_BYTES];
    uint16_t port;
    /* The TXT record's `key`; empty where there is none or it is too long. */
    char key[COVEY_AVAHI_KEY_BYTES];
} covey_avahi_gateway;

/*
 * Connects to the daemon, which may take as long as D-Bus lets it. `name` is cut to what a label holds, and numbered by Avahi where it is
 * taken. NULL with the reason in `error` where there is no library, no D-Bus or no daemon.
 */
covey_avahi_session *covey_avahi_start(
    const char *name, uint16_t port, const char *version, const char *key, bool with_ipv6,
    char error[COVEY_AVAHI_ERROR_BYTES]);

/* Works for at most so many milliseconds; a negative number waits for ever. False once the session is of no use, with the reason. */
bool covey_avahi_work(covey_avahi_session *session, int milliseconds, char error[COVEY_AVAHI_ERROR_BYTES]);

/* Makes covey_avahi_work return; from any thread, while the session is there. */
void covey_avahi_wake(covey_avahi_session *session);

/* Copies the gateways that are there now and resolved, this session's own announcement not among them; their number. */
size_t covey_avahi_found(const covey_avahi_session *session, covey_avahi_gateway found[COVEY_AVAHI_MOST_FOUND]);

/* Announcements that were passed over as too many were there. */
uint64_t covey_avahi_passed_over(const covey_avahi_session *session);

/* Whether others can see this session's announcement. */
bool covey_avahi_is_announced(const covey_avahi_session *session);

void covey_avahi_stop(covey_avahi_session *session);

#endif
