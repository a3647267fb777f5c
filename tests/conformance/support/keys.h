// The calls on keys; the C library has none.
#pragma once

#include "support/conformance.h"

namespace conformance {

inline constexpr int thread_keyring = -1, process_keyring = -2, session_keyring = -3, user_keyring = -4,
                     user_session_keyring = -5;

inline long add_key(const char* type, const char* description, const void* payload, size_t size, long ring) {
  return sys(SYS_add_key, type, description, payload, size, ring);
}
inline long request_key(const char* type, const char* description, const char* callout, long ring) {
  return sys(SYS_request_key, type, description, callout, ring);
}
inline long keyctl(int operation, long a = 0, long b = 0, long c = 0, long d = 0) {
  return sys(SYS_keyctl, operation, a, b, c, d);
}
inline long keyctl_text(int operation, long key, void* buffer, size_t size) {
  return keyctl(operation, key, (long)buffer, (long)size);
}

}  // namespace conformance
