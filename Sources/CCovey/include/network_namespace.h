#pragma once

/// Lets the calling thread see the network namespace that `descriptor` is open on, until it ends. (glibc hides its own name for this
/// behind `_GNU_SOURCE`.) Returns 0 or an error number.
int covey_enter_network_namespace(int descriptor);
