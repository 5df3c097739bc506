#define _GNU_SOURCE
#include "spawn_files.h"

#include <spawn.h>

int covey_spawn_close_from(void *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}
