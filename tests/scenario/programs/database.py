"""sqlite3 on a file: transactions, rollback, a second connection that waits for the lock, write-ahead logging."""
import os
import sqlite3
import threading

path = "/tmp/test.db"
for suffix in ("", "-wal", "-shm"):
    if os.path.exists(path + suffix):
        os.unlink(path + suffix)
database = sqlite3.connect(path)
database.execute("create table t (id integer primary key, name text, value real)")
with database:
    database.executemany("insert into t (name, value) values (?, ?)", ((f"n{i}", i / 2) for i in range(5000)))
try:
    with database:
        database.execute("delete from t")
        raise KeyError
except KeyError:
    pass
assert database.execute("select count(*), sum(value) from t").fetchone() == (5000, 6248750.0)
database.execute("create index i on t (name)")
assert database.execute("select id from t where name = 'n77'").fetchone() == (78,)

# A writer elsewhere holds the lock for a moment; this one waits for it.
other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
other.execute("begin immediate")
timer = threading.Timer(0.5, lambda: other.execute("commit"))
timer.start()
with database:
    database.execute("update t set value = 0 where id = 1")
timer.join()

assert database.execute("pragma journal_mode = wal").fetchone() == ("wal",)
with database:
    database.execute("insert into t (name) values ('wal')")
assert other.execute("select count(*) from t").fetchone() == (5001,)
assert database.execute("pragma integrity_check").fetchone() == ("ok",)
database.close()
other.close()
print("sqlite ok")
