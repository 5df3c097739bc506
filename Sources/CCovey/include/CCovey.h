#pragma once
#include "crc32c.h"
#include "kernel_clock.h"
#include "network_namespace.h"
#include "process_memory.h"
#include "spawn_files.h"
