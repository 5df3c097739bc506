#include "library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static covey_avahi_library library;
static bool is_open;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool take(void *handle, const char *name, void *place) {
    void *symbol = dlsym(handle, name);
    *(void **)place = symbol;
    return symbol != NULL;
}

static bool open_both(char *error, size_t size) {
    /* The names that Avahi 0.6.31 and later have had; Debian's package is libavahi-client3, and brings the other one along. */
    void *common = dlopen("libavahi-common.so.3", RTLD_NOW | RTLD_LOCAL);
    void *client = common == NULL ? NULL : dlopen("libavahi-client.so.3", RTLD_NOW | RTLD_LOCAL);
    if (client == NULL) {
        snprintf(error, size, "%s: install the package libavahi-client3", dlerror());
        if (common != NULL) dlclose(common);
        return false;
    }
#define COVEY_AVAHI_TAKE_COMMON(name) &&take(common, #name, &library.name)
#define COVEY_AVAHI_TAKE_CLIENT(name) &&take(client, #name, &library.name)
    if (true COVEY_AVAHI_COMMON(COVEY_AVAHI_TAKE_COMMON) COVEY_AVAHI_CLIENT(COVEY_AVAHI_TAKE_CLIENT)) return true;
    snprintf(error, size, "libavahi-client.so.3 is of another generation: %s", dlerror());
    dlclose(client);
    dlclose(common);
    return false;
}

const covey_avahi_library *covey_avahi_library_open(char *error, size_t size) {
    pthread_mutex_lock(&lock);
    if (!is_open) is_open = open_both(error, size);
    bool found = is_open;
    pthread_mutex_unlock(&lock);
    return found ? &library : NULL;
}
