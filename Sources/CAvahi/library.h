#ifndef COVEY_CAVAHI_LIBRARY_H
#define COVEY_CAVAHI_LIBRARY_H

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-client/publish.h>
#include <avahi-common/alternative.h>
#include <avahi-common/domain.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-common/simple-watch.h>
#include <stdbool.h>
#include <stddef.h>

/* What is called, by the library that has it. Types come from Avahi's own headers. */
#define COVEY_AVAHI_COMMON(CALL) \
    CALL(avahi_address_snprint) \
    CALL(avahi_alternative_service_name) \
    CALL(avahi_free) \
    CALL(avahi_simple_poll_free) \
    CALL(avahi_simple_poll_get) \
    CALL(avahi_simple_poll_iterate) \
    CALL(avahi_simple_poll_new) \
    CALL(avahi_simple_poll_wakeup) \
    CALL(avahi_strerror) \
    CALL(avahi_string_list_add_pair) \
    CALL(avahi_string_list_find) \
    CALL(avahi_string_list_free) \
    CALL(avahi_string_list_get_size) \
    CALL(avahi_string_list_get_text)

#define COVEY_AVAHI_CLIENT(CALL) \
    CALL(avahi_client_errno) \
    CALL(avahi_client_free) \
    CALL(avahi_client_new) \
    CALL(avahi_entry_group_add_service_strlst) \
    CALL(avahi_entry_group_commit) \
    CALL(avahi_entry_group_is_empty) \
    CALL(avahi_entry_group_new) \
    CALL(avahi_entry_group_reset) \
    CALL(avahi_service_browser_new) \
    CALL(avahi_service_resolver_free) \
    CALL(avahi_service_resolver_new)

#define COVEY_AVAHI_DECLARE(name) __typeof__(&name) name;
typedef struct {
    COVEY_AVAHI_COMMON(COVEY_AVAHI_DECLARE)
    COVEY_AVAHI_CLIENT(COVEY_AVAHI_DECLARE)
} covey_avahi_library;

/* The library, opened at the first call that finds it and kept; NULL with the reason where it is not there. */
const covey_avahi_library *covey_avahi_library_open(char *error, size_t size);

#endif
