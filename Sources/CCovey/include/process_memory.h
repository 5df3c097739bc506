#pragma once

/// Lets all threads allocate from one heap. By default each thread gets one of its own, which keeps what it freed from all others: with the
/// few threads of a gateway that costs memory and saves nothing. Call it early.
void covey_share_one_heap(void);

/// Gives back the pages of code and constants that have been read so far. The kernel brings back, from its page cache, those that are used
/// again; what only the start needed stays away.
void covey_drop_code_pages(void);
/// Gives whole pages of the heap that hold nothing back to the kernel: a burst leaves them behind.
void covey_trim_heap(void);
