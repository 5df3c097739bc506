#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void covey_avahi_fail(covey_avahi_session *session, const char *what, int code) {
    if (session->has_failed) return;
    session->has_failed = true;
    snprintf(session->failure, sizeof session->failure, "%s: %s", what, session->library->avahi_strerror(code));
}

/* May be called before avahi_client_new has returned, so it uses the client that it is given. */
static void client_changed(AvahiClient *client, AvahiClientState state, void *context) {
    covey_avahi_session *session = context;
    switch (state) {
    case AVAHI_CLIENT_S_RUNNING:
        covey_avahi_announce(session, client);
        covey_avahi_browse(session, client);
        break;
    case AVAHI_CLIENT_S_COLLISION:
    case AVAHI_CLIENT_S_REGISTERING:
        /* The machine's own name changes; with it, what is announced. */
        session->is_announced = false;
        if (session->group != NULL) session->library->avahi_entry_group_reset(session->group);
        break;
    case AVAHI_CLIENT_FAILURE:
        covey_avahi_fail(session, "avahi-daemon", session->library->avahi_client_errno(client));
        break;
    case AVAHI_CLIENT_CONNECTING: break;
    }
}

covey_avahi_session *covey_avahi_start(
    const char *name, uint16_t port, const char *version, const char *key, bool with_ipv6,
    char error[COVEY_AVAHI_ERROR_BYTES]) {
    const covey_avahi_library *library = covey_avahi_library_open(error, COVEY_AVAHI_ERROR_BYTES);
    if (library == NULL) return NULL;
    covey_avahi_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        snprintf(error, COVEY_AVAHI_ERROR_BYTES, "no memory");
        return NULL;
    }
    session->library = library;
    snprintf(session->name, sizeof session->name, "%s", name);
    session->port = port;
    session->with_ipv6 = with_ipv6;
    session->txt = library->avahi_string_list_add_pair(NULL, "version", version);
    session->txt = library->avahi_string_list_add_pair(session->txt, "key", key);
    session->poll = library->avahi_simple_poll_new();
    int code = AVAHI_ERR_NO_MEMORY;
    if (session->poll != NULL && session->txt != NULL) {
        session->client = library->avahi_client_new(
            library->avahi_simple_poll_get(session->poll), 0, client_changed, session, &code);
    }
    if (session->client != NULL && !session->has_failed) return session;
    if (session->client == NULL) covey_avahi_fail(session, "avahi-daemon", code);
    memcpy(error, session->failure, COVEY_AVAHI_ERROR_BYTES);
    covey_avahi_stop(session);
    return NULL;
}

bool covey_avahi_work(covey_avahi_session *session, int milliseconds, char error[COVEY_AVAHI_ERROR_BYTES]) {
    if (!session->has_failed && session->library->avahi_simple_poll_iterate(session->poll, milliseconds) != 0)
        covey_avahi_fail(session, "waiting for avahi-daemon", AVAHI_ERR_FAILURE);
    if (session->has_failed) memcpy(error, session->failure, COVEY_AVAHI_ERROR_BYTES);
    return !session->has_failed;
}

void covey_avahi_wake(covey_avahi_session *session) {
    session->library->avahi_simple_poll_wakeup(session->poll);
}

uint64_t covey_avahi_passed_over(const covey_avahi_session *session) {
    return session->passed_over;
}

bool covey_avahi_is_announced(const covey_avahi_session *session) {
    return session->is_announced;
}

void covey_avahi_stop(covey_avahi_session *session) {
    /* The client takes everything along that was made with it. */
    if (session->client != NULL) session->library->avahi_client_free(session->client);
    if (session->poll != NULL) session->library->avahi_simple_poll_free(session->poll);
    if (session->txt != NULL) session->library->avahi_string_list_free(session->txt);
    free(session);
}
