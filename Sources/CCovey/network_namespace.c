#define _GNU_SOURCE
#include "network_namespace.h"

#include <errno.h>
#include <sched.h>

int covey_enter_network_namespace(int descriptor) {
    return setns(descriptor, CLONE_NEWNET) == 0 ? 0 : errno;
}
