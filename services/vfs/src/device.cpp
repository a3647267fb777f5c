#include "vfs/device.h"

#include "core/sync/mutex.h"
#include "core/sync/rcu.h"
#include "vfs/file.h"
#include "vfs_internal.h"

namespace vfs {

namespace {

struct Registration {
  Registration* next = nullptr;
  DeviceNumber first;
  std::uint32_t count = 0;
  std::atomic<DeviceOperations*> operations{nullptr};  // null: unregistered, the entry may be used again
  std::string_view name;
};

// Entries are never freed, so that an open needs no lock; there are as many as drivers.
struct Registry {
  core::Mutex mutex{"device registry"};
  std::atomic<Registration*> first{nullptr};
};
constinit Registry registries[2];
Registry& registry_of(DeviceKind kind) { return registries[kind == DeviceKind::block]; }

constinit std::atomic<FifoOpen> fifo_open{nullptr};

bool covers(const Registration& entry, DeviceNumber device) {
  return entry.first.major == device.major && device.minor >= entry.first.minor &&
         device.minor - entry.first.minor < entry.count;
}

}  // namespace

Result<void> register_devices(DeviceKind kind, DeviceNumber first, std::uint32_t count,
                              DeviceOperations& operations, std::string_view name) {
  Registry& registry = registry_of(kind);
  core::MutexGuard guard{registry.mutex};
  for (Registration* at = registry.first.load(std::memory_order_relaxed); at; at = at->next) {
    if (!at->operations.load(std::memory_order_relaxed) || at->first.major != first.major) continue;
    if (first.minor < at->first.minor + at->count && at->first.minor < first.minor + count)
      return error(Errno::ebusy);
  }
  auto* entry = new (std::nothrow) Registration;
  if (!entry) return error(Errno::enomem);
  entry->first = first;
  entry->count = count;
  entry->name = name;
  entry->operations.store(&operations, std::memory_order_relaxed);
  entry->next = registry.first.load(std::memory_order_relaxed);
  registry.first.store(entry, std::memory_order_release);
  return {};
}

void unregister_devices(DeviceKind kind, DeviceNumber first, std::uint32_t count) {
  Registry& registry = registry_of(kind);
  core::MutexGuard guard{registry.mutex};
  for (Registration* at = registry.first.load(std::memory_order_relaxed); at; at = at->next)
    if (at->first == first && at->count == count) at->operations.store(nullptr, std::memory_order_release);
}

namespace {
DeviceOperations* find_operations(DeviceKind kind, DeviceNumber device) {
  for (Registration* at = registry_of(kind).first.load(std::memory_order_acquire); at; at = at->next) {
    if (!covers(*at, device)) continue;
    if (DeviceOperations* operations = at->operations.load(std::memory_order_acquire)) return operations;
  }
  return nullptr;
}
}  // namespace

Result<RefPtr<File>> open_device(DeviceKind kind, DeviceNumber device, const OpenRequest& request) {
  DeviceOperations* operations = find_operations(kind, device);
  if (!operations) return error(Errno::enxio);
  return operations->open(device, request);
}

void add_device_attributes(DeviceKind kind, DeviceNumber device, Attributes& out) {
  if (DeviceOperations* operations = find_operations(kind, device)) operations->add_attributes(device, out);
}

void for_each_device_major(DeviceKind kind, base::FunctionRef<void(std::uint32_t, std::string_view)> visit) {
  Registry& registry = registry_of(kind);
  core::MutexGuard guard{registry.mutex};
  // Smallest next; the list is short and in no order. A driver with many pieces of one major is named once.
  std::int64_t last = -1;
  std::int64_t named_major = -1;
  std::string_view named;
  for (;;) {
    Registration* best = nullptr;
    auto key = [](const Registration& entry) {
      return static_cast<std::int64_t>(std::uint64_t{entry.first.major} << 32 | entry.first.minor);
    };
    for (Registration* at = registry.first.load(std::memory_order_relaxed); at; at = at->next) {
      if (!at->operations.load(std::memory_order_relaxed) || key(*at) <= last) continue;
      if (!best || key(*at) < key(*best)) best = at;
    }
    if (!best) return;
    last = key(*best);
    if (best->first.major == named_major && best->name == named) continue;
    named_major = best->first.major, named = best->name;
    visit(best->first.major, best->name);
  }
}

void set_fifo_open(FifoOpen function) { fifo_open.store(function, std::memory_order_release); }

Result<RefPtr<File>> open_fifo(Inode& inode, const OpenRequest& request) {
  FifoOpen function = fifo_open.load(std::memory_order_acquire);
  if (!function) return error(Errno::enxio);
  return function(inode, request);
}

// ---- Nodes in /dev: remembered until devtmpfs stands ----

namespace {

struct PendingNode {
  base::String path, target;
  NewInode properties;
};
struct NodeStore {
  core::Mutex mutex{"device nodes"};
  DeviceNodeStore* store = nullptr;
  base::Vector<PendingNode>* pending = nullptr;
};
[[clang::no_destroy]] constinit NodeStore nodes;

Result<void> put_off(std::string_view path, std::string_view target, const NewInode& properties) {
  if (!nodes.pending) {
    nodes.pending = new (std::nothrow) base::Vector<PendingNode>;
    if (!nodes.pending) return error(Errno::enomem);
  }
  PendingNode node{TRY(base::String::create(path)), TRY(base::String::create(target)), properties};
  return nodes.pending->try_push_back(std::move(node));
}

}  // namespace

Result<void> create_device_node(std::string_view path, Mode mode, DeviceNumber device, UserId uid,
                                GroupId gid) {
  NewInode properties{mode, uid, gid, device};
  core::MutexGuard guard{nodes.mutex};
  if (nodes.store) return nodes.store->create_node(path, properties);
  return put_off(path, "", properties);
}

Result<void> create_device_symlink(std::string_view path, std::string_view target) {
  core::MutexGuard guard{nodes.mutex};
  if (nodes.store) return nodes.store->create_symlink(path, target);
  return put_off(path, target, NewInode{mode_symlink | 0777, 0, 0, {}});
}

void remove_device_node(std::string_view path) {
  core::MutexGuard guard{nodes.mutex};
  if (nodes.store) nodes.store->remove(path);
}

void set_device_node_store(DeviceNodeStore& store) {
  core::MutexGuard guard{nodes.mutex};
  nodes.store = &store;
  if (!nodes.pending) return;
  for (PendingNode& node : *nodes.pending) {
    // One that cannot be made is missing in /dev; the device itself works.
    if (is_symlink(node.properties.mode))
      (void)store.create_symlink(node.path, node.target);
    else
      (void)store.create_node(node.path, node.properties);
  }
  delete nodes.pending;
  nodes.pending = nullptr;
}

}  // namespace vfs
