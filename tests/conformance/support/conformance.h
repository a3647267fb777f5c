// Everything that a case of the suite usually needs.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "support/child.h"
#include "support/expect.h"
#include "support/memory.h"
#include "support/scoped_fd.h"
#include "support/syscall.h"
#include "support/temp_dir.h"
