#ifndef COVEY_CAVAHI_SESSION_H
#define COVEY_CAVAHI_SESSION_H

#include "CAvahi.h"
#include "library.h"

/* DNS-SD's name for the covey's port, which is UDP and TCP; the standard wants `_udp` for what is not TCP alone. */
#define COVEY_AVAHI_TYPE "_covey._udp"
/* mDNS knows no other; a browser without a domain might ask name servers elsewhere. */
#define COVEY_AVAHI_DOMAIN "local"

/* One announcement as one interface and protocol shows it. */
typedef struct {
    struct covey_avahi_session *session;
    /* NULL where the place is free. It stays as long as the announcement, and tells of new addresses. */
    AvahiServiceResolver *resolver;
    AvahiIfIndex interface;
    AvahiProtocol protocol;
    char name[AVAHI_LABEL_MAX];
    bool is_resolved;
    covey_avahi_gateway gateway;
} covey_avahi_place;

struct covey_avahi_session {
    const covey_avahi_library *library;
    AvahiSimplePoll *poll;
    AvahiClient *client;
    /* Both are the client's, and go with it. */
    AvahiEntryGroup *group;
    AvahiServiceBrowser *browser;
    char name[AVAHI_LABEL_MAX];
    uint16_t port;
    AvahiStringList *txt;
    bool with_ipv6;
    bool is_announced;
    bool has_failed;
    char failure[COVEY_AVAHI_ERROR_BYTES];
    uint64_t passed_over;
    covey_avahi_place places[COVEY_AVAHI_MOST_FOUND];
};

/* The session is of no use any more. The first reason stays. */
void covey_avahi_fail(covey_avahi_session *session, const char *what, int code);

void covey_avahi_announce(covey_avahi_session *session, AvahiClient *client);
void covey_avahi_browse(covey_avahi_session *session, AvahiClient *client);

#endif
