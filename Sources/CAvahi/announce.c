#include "session.h"

#include <stdio.h>

static void group_changed(AvahiEntryGroup *group, AvahiEntryGroupState state, void *context);

/* Avahi's way to a name that is free: "shed", "shed #2", ... */
static void rename_service(covey_avahi_session *session) {
    char *other = session->library->avahi_alternative_service_name(session->name);
    if (other == NULL) return covey_avahi_fail(session, "announcing", AVAHI_ERR_NO_MEMORY);
    snprintf(session->name, sizeof session->name, "%s", other);
    session->library->avahi_free(other);
}

/* Names may be taken on this machine already; that is known at once, what others have only later. */
enum { most_names = 16 };

static void fill(covey_avahi_session *session, AvahiEntryGroup *group) {
    const covey_avahi_library *library = session->library;
    int code = AVAHI_ERR_COLLISION;
    for (int tries = 0; code == AVAHI_ERR_COLLISION && tries < most_names && !session->has_failed; tries++) {
        if (tries > 0) rename_service(session);
        code = library->avahi_entry_group_add_service_strlst(
            group, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, 0, session->name, COVEY_AVAHI_TYPE, COVEY_AVAHI_DOMAIN, NULL,
            session->port, session->txt);
    }
    if (code == AVAHI_OK) code = library->avahi_entry_group_commit(group);
    if (code != AVAHI_OK) covey_avahi_fail(session, "announcing", code);
}

static void group_changed(AvahiEntryGroup *group, AvahiEntryGroupState state, void *context) {
    covey_avahi_session *session = context;
    session->is_announced = state == AVAHI_ENTRY_GROUP_ESTABLISHED;
    switch (state) {
    case AVAHI_ENTRY_GROUP_COLLISION:
        rename_service(session);
        fill(session, group);
        break;
    case AVAHI_ENTRY_GROUP_FAILURE: covey_avahi_fail(session, "announcing", AVAHI_ERR_FAILURE); break;
    case AVAHI_ENTRY_GROUP_UNCOMMITED:
    case AVAHI_ENTRY_GROUP_REGISTERING:
    case AVAHI_ENTRY_GROUP_ESTABLISHED: break;
    }
}

void covey_avahi_announce(covey_avahi_session *session, AvahiClient *client) {
    const covey_avahi_library *library = session->library;
    if (session->group == NULL) session->group = library->avahi_entry_group_new(client, group_changed, session);
    if (session->group == NULL) return covey_avahi_fail(session, "announcing", library->avahi_client_errno(client));
    if (library->avahi_entry_group_is_empty(session->group)) fill(session, session->group);
}
