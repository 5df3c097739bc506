#include "sqlite_trace.h"

#include <sqlite3.h>
#include <stddef.h>
#include <string.h>

/* A layer over the default file system of SQLite. Its files have the first version's methods alone: no mapping, and no shared memory, which
   a store with an exclusive lock does not use. */

typedef struct {
    sqlite3_file base;
    const char *path;
    sqlite3_file *real;
} traced_file;

static sqlite3_vfs *real_vfs;
static covey_deed_handler tell;
static void *tell_context;

static sqlite3_file *real(sqlite3_file *file) { return ((traced_file *)file)->real; }

static void told(sqlite3_file *file, int deed, long long position, const void *bytes, int count) {
    const char *path = ((traced_file *)file)->path;
    if (tell && path) tell(tell_context, deed, path, position, bytes, count);
}

static int traced_close(sqlite3_file *file) { return real(file)->pMethods ? real(file)->pMethods->xClose(real(file)) : SQLITE_OK; }

static int traced_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 position) {
    return real(file)->pMethods->xRead(real(file), bytes, count, position);
}

static int traced_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 position) {
    int status = real(file)->pMethods->xWrite(real(file), bytes, count, position);
    if (status == SQLITE_OK) told(file, COVEY_WRITE, position, bytes, count);
    return status;
}

static int traced_truncate(sqlite3_file *file, sqlite3_int64 size) {
    int status = real(file)->pMethods->xTruncate(real(file), size);
    if (status == SQLITE_OK) told(file, COVEY_TRUNCATE, size, NULL, 0);
    return status;
}

static int traced_sync(sqlite3_file *file, int flags) {
    int status = real(file)->pMethods->xSync(real(file), flags);
    if (status == SQLITE_OK) told(file, COVEY_SYNC, 0, NULL, 0);
    return status;
}

static int traced_size(sqlite3_file *file, sqlite3_int64 *size) { return real(file)->pMethods->xFileSize(real(file), size); }
static int traced_lock(sqlite3_file *file, int level) { return real(file)->pMethods->xLock(real(file), level); }
static int traced_unlock(sqlite3_file *file, int level) { return real(file)->pMethods->xUnlock(real(file), level); }
static int traced_reserved(sqlite3_file *file, int *is) { return real(file)->pMethods->xCheckReservedLock(real(file), is); }
static int traced_control(sqlite3_file *file, int op, void *argument) { return real(file)->pMethods->xFileControl(real(file), op, argument); }
static int traced_sector(sqlite3_file *file) { return real(file)->pMethods->xSectorSize(real(file)); }
static int traced_traits(sqlite3_file *file) { return real(file)->pMethods->xDeviceCharacteristics(real(file)); }

static const sqlite3_io_methods methods = {
    1, traced_close, traced_read, traced_write, traced_truncate, traced_sync, traced_size, traced_lock, traced_unlock,
    traced_reserved, traced_control, traced_sector, traced_traits,
    NULL, NULL, NULL, NULL, NULL, NULL,
};

static int traced_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *found) {
    (void)vfs;
    traced_file *traced = (traced_file *)file;
    traced->path = path;
    traced->real = (sqlite3_file *)(traced + 1);
    int status = real_vfs->xOpen(real_vfs, path, traced->real, flags, found);
    traced->base.pMethods = traced->real->pMethods ? &methods : NULL;
    return status;
}

static int traced_delete(sqlite3_vfs *vfs, const char *path, int is_durable) {
    (void)vfs;
    int status = real_vfs->xDelete(real_vfs, path, is_durable);
    if (status == SQLITE_OK && tell) tell(tell_context, COVEY_DELETE, path, is_durable != 0, NULL, 0);
    return status;
}

static sqlite3_vfs layer;

int covey_trace_sqlite(covey_deed_handler handler, void *context) {
    if (!real_vfs) {
        sqlite3_initialize();
        real_vfs = sqlite3_vfs_find(NULL);
        layer = *real_vfs;
        layer.zName = "covey-trace";
        layer.pNext = NULL;
        layer.szOsFile = (int)sizeof(traced_file) + real_vfs->szOsFile;
        layer.xOpen = traced_open;
        layer.xDelete = traced_delete;
    }
    tell = handler;
    tell_context = context;
    return sqlite3_vfs_register(&layer, 1);
}

void covey_leave_sqlite(void) {
    sqlite3_vfs_register(real_vfs, 1);
    tell = NULL;
    tell_context = NULL;
}
