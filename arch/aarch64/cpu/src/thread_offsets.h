// Where entry.S finds things in ThreadState; context.cpp checks it.
#pragma once

#define THREAD_STATE_USER_INTERRUPTION 36
