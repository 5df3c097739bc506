#include "session.h"

#include <stdio.h>
#include <string.h>

static covey_avahi_place *place_of(
    covey_avahi_session *session, AvahiIfIndex interface, AvahiProtocol protocol, const char *name) {
    for (size_t index = 0; index < COVEY_AVAHI_MOST_FOUND; index++) {
        covey_avahi_place *place = &session->places[index];
        if (place->resolver != NULL && place->interface == interface && place->protocol == protocol &&
            strcmp(place->name, name) == 0)
            return place;
    }
    return NULL;
}

static covey_avahi_place *free_place(covey_avahi_session *session) {
    for (size_t index = 0; index < COVEY_AVAHI_MOST_FOUND; index++)
        if (session->places[index].resolver == NULL) return &session->places[index];
    return NULL;
}

static void leave(covey_avahi_place *place) {
    place->session->library->avahi_service_resolver_free(place->resolver);
    memset(place, 0, sizeof *place);
}

/* What the announcement has behind `key=`, if that is short and of letters and digits: it comes from whoever speaks on this network. */
static void take_key(const covey_avahi_library *library, AvahiStringList *txt, char key[COVEY_AVAHI_KEY_BYTES]) {
    static const char prefix[] = "key=";
    const size_t skip = sizeof prefix - 1;
    key[0] = 0;
    AvahiStringList *entry = library->avahi_string_list_find(txt, "key");
    if (entry == NULL) return;
    const size_t size = library->avahi_string_list_get_size(entry);
    const char *text = (const char *)library->avahi_string_list_get_text(entry);
    if (size <= skip || size - skip >= COVEY_AVAHI_KEY_BYTES || memcmp(text, prefix, skip) != 0) return;
    for (size_t index = skip; index < size; index++) {
        const char byte = text[index];
        if (!((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f'))) return;
    }
    memcpy(key, text + skip, size - skip);
    key[size - skip] = 0;
}

/* The loop leads to this machine alone, and a link-local address of IPv6 nowhere without its interface. */
static bool leads_elsewhere(const AvahiAddress *address) {
    if (address->proto == AVAHI_PROTO_INET) return *(const uint8_t *)&address->data.ipv4.address != 127;
    static const uint8_t loop[16] = {[15] = 1};
    const uint8_t *bytes = address->data.ipv6.address;
    const bool is_link_local = bytes[0] == 0xFE && (bytes[1] & 0xC0) == 0x80;
    return !is_link_local && memcmp(bytes, loop, sizeof loop) != 0;
}

static void resolved(
    AvahiServiceResolver *resolver, AvahiIfIndex interface, AvahiProtocol protocol, AvahiResolverEvent event,
    const char *name, const char *type, const char *domain, const char *host, const AvahiAddress *address,
    uint16_t port, AvahiStringList *txt, AvahiLookupResultFlags flags, void *context) {
    (void)resolver, (void)interface, (void)protocol, (void)name, (void)type, (void)domain, (void)host;
    covey_avahi_place *place = context;
    covey_avahi_session *session = place->session;
    covey_avahi_gateway gateway = {{0}, 0, {0}};
    const bool is_usable = event == AVAHI_RESOLVER_FOUND && address != NULL && port != 0 &&
        !(flags & AVAHI_LOOKUP_RESULT_OUR_OWN) && leads_elsewhere(address);
    if (is_usable) {
        session->library->avahi_address_snprint(gateway.address, sizeof gateway.address, address);
        gateway.port = port;
        take_key(session->library, txt, gateway.key);
    }
    place->is_resolved = is_usable;
    place->gateway = gateway;
}

static void appeared(
    covey_avahi_session *session, AvahiClient *client, AvahiIfIndex interface, AvahiProtocol protocol,
    const char *name) {
    const covey_avahi_library *library = session->library;
    if (place_of(session, interface, protocol, name) != NULL) return;
    covey_avahi_place *place = free_place(session);
    if (place == NULL) {
        session->passed_over++;
        return;
    }
    memset(place, 0, sizeof *place);
    place->session = session;
    place->interface = interface;
    place->protocol = protocol;
    snprintf(place->name, sizeof place->name, "%s", name);
    place->resolver = library->avahi_service_resolver_new(
        client, interface, protocol, name, COVEY_AVAHI_TYPE, COVEY_AVAHI_DOMAIN,
        session->with_ipv6 ? AVAHI_PROTO_UNSPEC : AVAHI_PROTO_INET, 0, resolved, place);
    /* A name that the daemon does not take is somebody's nonsense; others go on. */
    if (place->resolver == NULL) session->passed_over++;
}

static void browsed(
    AvahiServiceBrowser *browser, AvahiIfIndex interface, AvahiProtocol protocol, AvahiBrowserEvent event,
    const char *name, const char *type, const char *domain, AvahiLookupResultFlags flags, void *context) {
    (void)browser, (void)type, (void)domain, (void)flags;
    covey_avahi_session *session = context;
    covey_avahi_place *place;
    switch (event) {
    case AVAHI_BROWSER_NEW: appeared(session, session->client, interface, protocol, name); break;
    case AVAHI_BROWSER_REMOVE:
        place = place_of(session, interface, protocol, name);
        if (place != NULL) leave(place);
        break;
    case AVAHI_BROWSER_FAILURE:
        covey_avahi_fail(session, "looking around", session->library->avahi_client_errno(session->client));
        break;
    case AVAHI_BROWSER_CACHE_EXHAUSTED:
    case AVAHI_BROWSER_ALL_FOR_NOW: break;
    }
}

void covey_avahi_browse(covey_avahi_session *session, AvahiClient *client) {
    if (session->browser != NULL) return;
    session->browser = session->library->avahi_service_browser_new(
        client, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, COVEY_AVAHI_TYPE, COVEY_AVAHI_DOMAIN, 0, browsed, session);
    if (session->browser == NULL)
        covey_avahi_fail(session, "looking around", session->library->avahi_client_errno(client));
}

size_t covey_avahi_found(const covey_avahi_session *session, covey_avahi_gateway found[COVEY_AVAHI_MOST_FOUND]) {
    size_t count = 0;
    for (size_t index = 0; index < COVEY_AVAHI_MOST_FOUND; index++)
        if (session->places[index].is_resolved) found[count++] = session->places[index].gateway;
    return count;
}
