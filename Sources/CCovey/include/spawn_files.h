#pragma once

/// Closes every descriptor from `first` on in the child to be spawned; `actions` is a `posix_spawn_file_actions_t *`. (glibc hides its own
/// name for this behind `_GNU_SOURCE`.) Returns 0 or an error number.
int covey_spawn_close_from(void *actions, int first);
