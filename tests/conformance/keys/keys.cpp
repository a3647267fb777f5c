// add_key(2), request_key(2), keyctl(2), keyrings(7).
#include "support/keys.h"

#include <linux/keyctl.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>

#include "support/each_allocation.h"
#include "support/helper.h"

namespace {
using namespace conformance;

// Each case works in a child with a session keyring of its own.
class Keys : public testing::Test {
 protected:
  void SetUp() override {
    if (keyctl(KEYCTL_GET_KEYRING_ID, process_keyring, 1) < 0 && errno == ENOSYS)
      GTEST_SKIP() << "this kernel has no keys";
  }
  static void in_session(const std::function<void()>& body) {
    EXPECT_CHILD_OK([&] {
      ASSERT_OK(keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0));
      body();
    });
  }
  static long user_key(const char* description, const char* text, long ring = session_keyring) {
    return add_key("user", description, text, strlen(text), ring);
  }
  static std::string read_key(long key) {
    char buffer[256] = {};
    const long size = keyctl_text(KEYCTL_READ, key, buffer, sizeof buffer);
    return size < 0 ? "error " + std::to_string(errno) : std::string(buffer, size);
  }
  static std::string describe(long key) {
    char buffer[256] = {};
    const long size = keyctl_text(KEYCTL_DESCRIBE, key, buffer, sizeof buffer);
    return size < 1 ? "error " + std::to_string(errno) : std::string(buffer, size - 1);
  }
  static std::vector<int> members(long ring) {
    int numbers[64];
    const long size = keyctl_text(KEYCTL_READ, ring, numbers, sizeof numbers);
    return size < 0 ? std::vector<int>{-1} : std::vector<int>(numbers, numbers + size / 4);
  }
};

TEST_F(Keys, AddReadUpdate) {
  in_session([] {
    const long key = user_key("conformance:a", "secret");
    ASSERT_OK(key);
    EXPECT_GT(key, 2);
    EXPECT_EQ(read_key(key), "secret");
    EXPECT_EQ(describe(key), "user;" + std::to_string(getuid()) + ";" + std::to_string(getgid()) +
                                 ";3f010000;conformance:a");
    EXPECT_EQ(user_key("conformance:a", "another"), key) << "the same name: the same key";
    EXPECT_EQ(read_key(key), "another");
    EXPECT_EQ(keyctl(KEYCTL_UPDATE, key, (long)"third", 5), 0);
    EXPECT_EQ(read_key(key), "third");
    EXPECT_ERRNO(keyctl(KEYCTL_UPDATE, key, 0, 0), EINVAL);
    EXPECT_EQ(keyctl_text(KEYCTL_READ, key, nullptr, 0), 5) << "how long it is";
  });
}

TEST_F(Keys, AddErrors) {
  in_session([] {
    EXPECT_ERRNO(add_key("nonsense", "a", "x", 1, session_keyring), ENODEV);
    EXPECT_ERRNO(add_key("", "a", "x", 1, session_keyring), EINVAL);
    EXPECT_ERRNO(add_key(".user", "a", "x", 1, session_keyring), EPERM);
    EXPECT_ERRNO(add_key("keyring", ".name", nullptr, 0, session_keyring), EPERM);
    EXPECT_ERRNO(add_key("user", "", "x", 1, session_keyring), EINVAL);
    EXPECT_ERRNO(add_key("user", "a", nullptr, 0, session_keyring), EINVAL);
    EXPECT_ERRNO(add_key("user", "a", (const void*)8, 1, session_keyring), EFAULT);
    EXPECT_ERRNO(add_key((const char*)8, "a", "x", 1, session_keyring), EFAULT);
    EXPECT_ERRNO(add_key("user", "a", "x", 1 << 20, session_keyring), EINVAL);
    EXPECT_ERRNO(add_key("user", "a", std::string(32768, 'x').data(), 32768, session_keyring), EINVAL);
    EXPECT_ERRNO(add_key("keyring", "a", "x", 1, session_keyring), EINVAL);
    EXPECT_ERRNO(add_key("user", "a", "x", 1, 0), EINVAL);
    EXPECT_ERRNO(add_key("user", "a", "x", 1, -6), EINVAL);
    EXPECT_ERRNO(add_key("logon", "no-colon", "x", 1, session_keyring), EINVAL);
    const long key = user_key("a", "x");
    EXPECT_ERRNO(user_key("b", "x", key), ENOTDIR);
    EXPECT_ERRNO(keyctl(12345), EOPNOTSUPP);
  });
}

TEST_F(Keys, LogonKeysCannotBeRead) {
  in_session([] {
    const long key = add_key("logon", "conformance:logon", "secret", 6, session_keyring);
    ASSERT_OK(key);
    EXPECT_EQ(describe(key).substr(0, 6), "logon;");
    char buffer[16];
    const long result = keyctl_text(KEYCTL_READ, key, buffer, sizeof buffer);
    EXPECT_EQ(result, -1);
    EXPECT_TRUE(errno == EOPNOTSUPP || errno == EACCES) << errno;
  });
}

TEST_F(Keys, KeyringsNestAndAreSearched) {
  in_session([] {
    const long ring = add_key("keyring", "ring", nullptr, 0, session_keyring);
    ASSERT_OK(ring);
    const long inner = add_key("keyring", "inner", nullptr, 0, ring);
    const long key = user_key("deep", "x", inner);
    ASSERT_OK(key);
    EXPECT_EQ(keyctl(KEYCTL_SEARCH, session_keyring, (long)"user", (long)"deep", 0), key);
    EXPECT_EQ(keyctl(KEYCTL_SEARCH, session_keyring, (long)"keyring", (long)"inner", 0), inner);
    EXPECT_ERRNO(keyctl(KEYCTL_SEARCH, session_keyring, (long)"user", (long)"none", 0), ENOKEY);
    EXPECT_ERRNO(keyctl(KEYCTL_SEARCH, key, (long)"user", (long)"deep", 0), ENOTDIR);
    EXPECT_EQ(request_key("user", "deep", nullptr, 0), key);
    EXPECT_ERRNO(request_key("user", "none", nullptr, 0), ENOKEY);
    // What is found can be linked elsewhere in the same call.
    const long other = add_key("keyring", "other", nullptr, 0, session_keyring);
    EXPECT_EQ(request_key("user", "deep", nullptr, other), key);
    EXPECT_EQ(members(other), std::vector<int>{(int)key});
    // Not into itself.
    EXPECT_ERRNO(keyctl(KEYCTL_LINK, ring, inner), EDEADLK);
    EXPECT_ERRNO(keyctl(KEYCTL_LINK, ring, ring), EDEADLK);
  });
}

TEST_F(Keys, TooManyLevels) {
  in_session([] {
    long ring = session_keyring;
    std::vector<long> rings;
    for (int level = 0; level < 8; level++) {
      ring = add_key("keyring", ("level" + std::to_string(level)).c_str(), nullptr, 0, ring);
      if (ring < 0) break;
      rings.push_back(ring);
    }
    // From below one may always add; a tree that is too deep cannot be linked into another.
    ASSERT_EQ(rings.size(), 8u);
    const long other = add_key("keyring", "other", nullptr, 0, process_keyring);
    EXPECT_ERRNO(keyctl(KEYCTL_LINK, rings[0], other), ELOOP);
    EXPECT_OK(keyctl(KEYCTL_LINK, rings[5], other));
  });
}

TEST_F(Keys, LinkUnlinkClear) {
  in_session([] {
    const long ring = add_key("keyring", "ring", nullptr, 0, session_keyring);
    const long key = user_key("k", "x");
    EXPECT_OK(keyctl(KEYCTL_LINK, key, ring));
    EXPECT_OK(keyctl(KEYCTL_LINK, key, ring)) << "twice is once";
    EXPECT_EQ(members(ring), std::vector<int>{(int)key});
    EXPECT_OK(keyctl(KEYCTL_UNLINK, key, session_keyring));
    EXPECT_ERRNO(keyctl(KEYCTL_UNLINK, key, session_keyring), ENOENT);
    EXPECT_EQ(read_key(key), "x");
    EXPECT_ERRNO(keyctl(KEYCTL_CLEAR, key), ENOTDIR);
    EXPECT_OK(keyctl(KEYCTL_CLEAR, ring));
    EXPECT_TRUE(members(ring).empty());
  });
}

TEST_F(Keys, ALinkTakesThePlaceOfItsNamesake) {
  in_session([] {
    const long ring = add_key("keyring", "ring", nullptr, 0, session_keyring);
    const long first = user_key("same", "1", ring), second = user_key("same", "2", session_keyring);
    ASSERT_NE(first, second);
    EXPECT_OK(keyctl(KEYCTL_LINK, second, ring));
    EXPECT_EQ(members(ring), std::vector<int>{(int)second});
  });
}

TEST_F(Keys, Move) {
  in_session([] {
    const long a = add_key("keyring", "a", nullptr, 0, session_keyring);
    const long b = add_key("keyring", "b", nullptr, 0, session_keyring);
    const long key = user_key("k", "x", a);
    EXPECT_OK(keyctl(KEYCTL_MOVE, key, a, b, 0));
    EXPECT_TRUE(members(a).empty());
    EXPECT_EQ(members(b), std::vector<int>{(int)key});
    EXPECT_ERRNO(keyctl(KEYCTL_MOVE, key, a, b, 0), ENOENT);
    EXPECT_ERRNO(keyctl(KEYCTL_MOVE, key, b, a, 2), EINVAL);
    user_key("k", "y", a);
    EXPECT_ERRNO(keyctl(KEYCTL_MOVE, key, b, a, KEYCTL_MOVE_EXCL), EEXIST);
    EXPECT_OK(keyctl(KEYCTL_MOVE, key, b, a, 0));
    EXPECT_EQ(members(a), std::vector<int>{(int)key});
  });
}

TEST_F(Keys, RevokeAndInvalidate) {
  in_session([] {
    const long key = user_key("k", "x");
    EXPECT_OK(keyctl(KEYCTL_REVOKE, key));
    EXPECT_ERRNO(keyctl_text(KEYCTL_READ, key, nullptr, 0), EKEYREVOKED);
    EXPECT_ERRNO(keyctl(KEYCTL_REVOKE, key), EKEYREVOKED);
    EXPECT_ERRNO(request_key("user", "k", nullptr, 0), EKEYREVOKED);
    EXPECT_NE(user_key("k", "y"), key) << "a new one in its place";
    const long other = user_key("o", "x");
    EXPECT_OK(keyctl(KEYCTL_INVALIDATE, other));
    // Linux takes it out of the keyring a little later; who does not possess it by then may not even ask.
    EXPECT_EQ(keyctl_text(KEYCTL_READ, other, nullptr, 0), -1);
    EXPECT_TRUE(errno == ENOKEY || errno == EACCES) << strerror(errno);
    EXPECT_EQ(request_key("user", "o", nullptr, 0), -1);
    EXPECT_TRUE(errno == ENOKEY || errno == EKEYREVOKED) << strerror(errno);
  });
}

TEST_F(Keys, Timeouts) {
  in_session([] {
    const long key = user_key("k", "x");
    EXPECT_OK(keyctl(KEYCTL_SET_TIMEOUT, key, 1));
    EXPECT_EQ(read_key(key), "x");
    sleep_milliseconds(2100);
    EXPECT_ERRNO(keyctl_text(KEYCTL_READ, key, nullptr, 0), EKEYEXPIRED);
    EXPECT_ERRNO(request_key("user", "k", nullptr, 0), ENOKEY);
    EXPECT_ERRNO(keyctl(KEYCTL_SEARCH, session_keyring, (long)"user", (long)"k", 0), EKEYEXPIRED);
    EXPECT_ERRNO(keyctl(KEYCTL_SET_TIMEOUT, key, 0), EKEYEXPIRED);
    EXPECT_EQ(user_key("k", "y"), key) << "an update gives it new life";
    EXPECT_EQ(read_key(key), "y");
  });
}

TEST_F(Keys, Permissions) {
  in_session([] {
    const long key = user_key("k", "x");
    EXPECT_ERRNO(keyctl(KEYCTL_SETPERM, key, 0x80000000), EINVAL);
    EXPECT_OK(keyctl(KEYCTL_SETPERM, key, 0x3d000000));  // possessor: all but read
    EXPECT_EQ(read_key(key), "x") << "whoever may search for it may read it";
    EXPECT_OK(keyctl(KEYCTL_SETPERM, key, 0x21000000));  // view, set attributes
    EXPECT_ERRNO(keyctl_text(KEYCTL_READ, key, nullptr, 0), EACCES);
  });
}

TEST_F(Keys, OthersMayNot) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  in_session([] {
    const long key = user_key("k", "x");
    const long open_key = user_key("open", "y");
    EXPECT_OK(keyctl(KEYCTL_SETPERM, open_key, 0x3f01000b));  // others: view, read, search
    EXPECT_CHILD_OK([&] {
      ASSERT_OK(keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0));
      drop_privileges();
      EXPECT_ERRNO(keyctl_text(KEYCTL_READ, key, nullptr, 0), EACCES);
      EXPECT_ERRNO(keyctl_text(KEYCTL_DESCRIBE, key, nullptr, 0), EACCES);
      EXPECT_EQ(read_key(open_key), "y");
      EXPECT_ERRNO(keyctl(KEYCTL_SETPERM, open_key, 0x3f3f3f3f), EACCES);
      EXPECT_ERRNO(keyctl(KEYCTL_REVOKE, open_key), EACCES);
      EXPECT_ERRNO(keyctl(KEYCTL_LINK, open_key, thread_keyring), EACCES);
    });
    EXPECT_OK(keyctl(KEYCTL_CHOWN, key, other_user, -1));
    EXPECT_EQ(describe(key).substr(0, 11), "user;12345;");
  });
}

TEST_F(Keys, WhoseKeyringIsWhose) {
  in_session([] {
    const long thread = keyctl(KEYCTL_GET_KEYRING_ID, thread_keyring, 1);
    const long process = keyctl(KEYCTL_GET_KEYRING_ID, process_keyring, 1);
    const long session = keyctl(KEYCTL_GET_KEYRING_ID, session_keyring, 0);
    EXPECT_EQ(describe(thread).substr(0, 8), "keyring;");
    EXPECT_NE(describe(thread).find(";3f010000;_tid"), std::string::npos) << describe(thread);
    EXPECT_NE(describe(process).find(";3f010000;_pid"), std::string::npos);
    EXPECT_NE(describe(session).find(";3f030000;_ses"), std::string::npos);
    const std::string uid = std::to_string(getuid());
    EXPECT_NE(describe(user_keyring).find(";1f3f0000;_uid." + uid), std::string::npos);
    EXPECT_NE(describe(user_session_keyring).find(";1f3f0000;_uid_ses." + uid), std::string::npos);
    const auto in_user_session = members(user_session_keyring);
    EXPECT_TRUE(std::count(in_user_session.begin(), in_user_session.end(),
                           keyctl(KEYCTL_GET_KEYRING_ID, user_keyring, 0)));
    EXPECT_CHILD_OK([&] {
      EXPECT_EQ(keyctl(KEYCTL_GET_KEYRING_ID, session_keyring, 0), session) << "fork inherits the session's";
      EXPECT_ERRNO(keyctl(KEYCTL_GET_KEYRING_ID, thread_keyring, 0), ENOKEY);
      EXPECT_ERRNO(keyctl(KEYCTL_GET_KEYRING_ID, process_keyring, 0), ENOKEY);
    });
  });
}

TEST_F(Keys, ThreadsShareTheProcessKeyring) {
  in_session([] {
    static long process, seen_process, seen_thread;
    process = keyctl(KEYCTL_GET_KEYRING_ID, process_keyring, 1);
    pthread_t thread;
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
          seen_process = keyctl(KEYCTL_GET_KEYRING_ID, process_keyring, 0);
          seen_thread = keyctl(KEYCTL_GET_KEYRING_ID, thread_keyring, 0) < 0 ? errno : 0;
          return nullptr;
        },
        nullptr);
    pthread_join(thread, nullptr);
    EXPECT_EQ(seen_process, process);
    EXPECT_EQ(seen_thread, ENOKEY);
  });
}

TEST_F(Keys, ExecKeepsTheSessionOnly) {
  in_session([] {
    const long key = user_key("kept", "x");
    ASSERT_OK(user_key("lost", "x", process_keyring));
    EXPECT_CHILD_OK([&] {
      ASSERT_OK(user_key("lost", "x", process_keyring));
      execute_helper("look_for_keys", {std::to_string(key)});
      FAIL();
    });
  });
}

HELPER(look_for_keys) {
  if (request_key("user", "kept", nullptr, 0) != atol(arguments[0])) return 1;
  return request_key("user", "lost", nullptr, 0) == -1 && errno == ENOKEY ? 0 : 2;
}

TEST_F(Keys, NamedSessions) {
  in_session([] {
    const std::string name = "conformance-" + std::to_string(getpid());
    const long session = keyctl(KEYCTL_JOIN_SESSION_KEYRING, (long)name.c_str());
    ASSERT_OK(session);
    EXPECT_NE(describe(session).find(";" + name), std::string::npos);
    EXPECT_EQ(keyctl(KEYCTL_GET_KEYRING_ID, session_keyring, 0), session);
    EXPECT_OK(keyctl(KEYCTL_SETPERM, session, 0x3f3b0000)) << "the owner may search";
    EXPECT_CHILD_OK([&] {
      ASSERT_OK(keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0));
      EXPECT_NE(keyctl(KEYCTL_GET_KEYRING_ID, session_keyring, 0), session);
      EXPECT_EQ(keyctl(KEYCTL_JOIN_SESSION_KEYRING, (long)name.c_str()), session);
    });
    EXPECT_ERRNO(keyctl(KEYCTL_JOIN_SESSION_KEYRING, (long)".dot"), EPERM);
  });
}

TEST_F(Keys, QuotaOfAnOrdinaryUser) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  in_session([] {
    drop_privileges(other_user + 7);
    ASSERT_OK(keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0));
    int made = 0;
    while (made < 300 && user_key(("k" + std::to_string(made)).c_str(), "x") > 0) made++;
    EXPECT_EQ(errno, EDQUOT);
    EXPECT_GT(made, 150);
    EXPECT_LT(made, 200);
    EXPECT_OK(keyctl(KEYCTL_CLEAR, session_keyring));
    for (int tries = 0; tries < 50 && user_key("again", "x") < 0; tries++) sleep_milliseconds(20);
    EXPECT_ERRNO(user_key("big", std::string(20000, 'x').c_str()), EDQUOT);
    EXPECT_OK(user_key("room", std::string(10000, 'x').c_str()));
  });
}

TEST_F(Keys, RestrictedKeyringTakesNothing) {
  in_session([] {
    const long ring = add_key("keyring", "r", nullptr, 0, session_keyring);
    const long key = user_key("k", "x");
    EXPECT_OK(keyctl(KEYCTL_RESTRICT_KEYRING, ring, 0, 0));
    EXPECT_ERRNO(keyctl(KEYCTL_LINK, key, ring), EPERM);
    EXPECT_ERRNO(keyctl(KEYCTL_RESTRICT_KEYRING, ring, 0, 0), EEXIST);
    EXPECT_ERRNO(keyctl(KEYCTL_RESTRICT_KEYRING, key, 0, 0), ENOTDIR);
  });
}

TEST_F(Keys, AuthorityIsForHelpers) {
  in_session([] {
    const long key = user_key("k", "x");
    EXPECT_ERRNO(keyctl(KEYCTL_INSTANTIATE, key, (long)"x", 1, 0), EPERM);
    EXPECT_ERRNO(keyctl(KEYCTL_NEGATE, key, 1, 0), EPERM);
    EXPECT_OK(keyctl(KEYCTL_ASSUME_AUTHORITY, 0));
    EXPECT_ERRNO(keyctl(KEYCTL_ASSUME_AUTHORITY, key), ENOKEY);
    EXPECT_EQ(keyctl(KEYCTL_SET_REQKEY_KEYRING, -1), 0);
    EXPECT_EQ(keyctl(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_USER_KEYRING), 0);
    EXPECT_EQ(keyctl(KEYCTL_SET_REQKEY_KEYRING, -1), KEY_REQKEY_DEFL_USER_KEYRING);
    EXPECT_ERRNO(keyctl(KEYCTL_SET_REQKEY_KEYRING, 77), EINVAL);
  });
}

TEST_F(Keys, ListedInProc) {
  in_session([] {
    const long key = user_key("conformance:proc", "four");
    char line[128];
    snprintf(line, sizeof line, "%08lx I--Q---", key);
    const std::string keys = slurp("/proc/keys");
    const size_t at = keys.find(line);
    ASSERT_NE(at, std::string::npos) << keys;
    const std::string rest = keys.substr(at, keys.find('\n', at) - at);
    EXPECT_NE(rest.find(" perm 3f010000 "), std::string::npos) << rest;
    EXPECT_NE(rest.find(" user      conformance:proc: 4"), std::string::npos) << rest;
    EXPECT_NE(slurp("/proc/key-users").find("    0: "), std::string::npos);
  });
}

TEST_F(Keys, EachAllocation) {
  AllocationSweep sweep({ENOMEM});
  SWEEP_OR_SKIP(sweep);
  const long ring = keyctl(KEYCTL_GET_KEYRING_ID, process_keyring, 1);
  ASSERT_OK(ring);
  sweep.run({.call = [&] { return user_key("swept", "payload", ring); },
             .undo = [&](long key) { EXPECT_OK(keyctl(KEYCTL_UNLINK, key, ring)); },
             .unchanged = [&] { return members(ring).empty(); }});
  EXPECT_GT(sweep.failures(), 2);
  const long key = user_key("swept", "payload", ring);
  char text[64];
  sweep.run({.call = [&] { return keyctl_text(KEYCTL_DESCRIBE, key, text, sizeof text); }});
  sweep.run({.call = [&] { return keyctl_text(KEYCTL_READ, key, text, sizeof text); }});
  keyctl(KEYCTL_CLEAR, ring);
}

}  // namespace
