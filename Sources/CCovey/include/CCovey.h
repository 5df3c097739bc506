#pragma once
#include "crc32c.h"
#include "kernel_clock.h"
#include "spawn_files.h"
