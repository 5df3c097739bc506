#ifndef COVEY_SQLITE_TRACE_H
#define COVEY_SQLITE_TRACE_H

/* What SQLite asked of a file; `position` is the new size for COVEY_TRUNCATE, and 1 for a COVEY_DELETE that is durable at once. */
enum covey_deed { COVEY_WRITE = 1, COVEY_SYNC = 2, COVEY_TRUNCATE = 3, COVEY_DELETE = 4 };

typedef void (*covey_deed_handler)(
    void *context, int deed, const char *path, long long position, const void *bytes, int count);

/* From now on every file that SQLite opens goes through a layer that tells `handler` what has been done, in order, before the call returns.
   Returns an SQLite status. */
int covey_trace_sqlite(covey_deed_handler handler, void *context);

/* Files opened from now on are on their own again. */
void covey_leave_sqlite(void);

#endif
