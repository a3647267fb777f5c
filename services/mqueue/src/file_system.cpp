// The file system of message queues: one directory, whose names are kept by the dentry cache.
#include "vfs/file_system.h"
#include "core/init/init_step.h"
#include "core/memory/io_buffer.h"
#include "core/sched/thread.h"
#include "mqueue/mqueue.h"
#include "vfs/inode.h"
#include "vfs/mount.h"
#include "vfs/operations.h"

namespace mqueue {

using base::Errno;
using base::error;

constinit Limits limits;

namespace {

constexpr std::uint64_t file_system_magic = 0x19800202;
constexpr std::uint64_t text_size = 80, entry_size = 20;
constexpr std::uint64_t messages_hard_max = 65536, message_size_hard_max = 16 << 20;
// What Linux counts for a message besides its bytes.
constexpr std::uint64_t bytes_per_message = 48, bytes_per_priority = 48;

constinit std::atomic<ChargeHook> charge_hook{nullptr};
constinit std::atomic<OwnerHook> owner_hook{nullptr};
constinit std::atomic<std::uint32_t> queue_count{0};

Result<RefPtr<vfs::FileSystem>> mount_shared(const vfs::MountOptions& options);
constinit vfs::FileSystemType mqueue_type{"mqueue", vfs::FileSystemType::no_device, mount_shared};

class QueueFile final : public vfs::File {
 public:
  static constexpr int kind_tag = 0;
  QueueFile(Queue& its_queue) : File(has_position), queue(its_queue) {}
  const void* kind() const override { return &kind_tag; }
  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset, vfs::IoFlags) override {
    char memory[128];
    base::TextBuffer text(memory);
    queue.put_text(text);
    if (offset >= text.view().size()) return 0;
    std::string_view rest = text.view().substr(offset);
    std::size_t size = rest.size() < buffer.remaining() ? rest.size() : buffer.remaining();
    std::size_t done = buffer.copy_out(std::as_bytes(std::span(rest.data(), size)));
    if (done < size) return error(Errno::efault);
    return done;
  }
  vfs::PollEvents poll(vfs::PollWaiter* waiter) override { return queue.poll(waiter); }
  Result<void> flush() override {
    if (OwnerHook hook = owner_hook.load()) queue.remove_notification(hook());
    return {};
  }

  Queue& queue;  // of the inode, which the path keeps
};

class QueueInode final : public vfs::Inode {
 public:
  QueueInode(vfs::FileSystem& file_system, std::uint64_t number, const vfs::NewInode& properties,
             const Attributes& attributes, RefPtr<Charge> charge)
      : Inode(file_system, number, properties), queue(attributes, std::move(charge)) {
    set_size(text_size);
    queue_count.fetch_add(1, std::memory_order_relaxed);
  }
  ~QueueInode() override { queue_count.fetch_sub(1, std::memory_order_relaxed); }
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest&) override {
    return RefPtr<vfs::File>(TRY(base::try_make_ref<QueueFile>(queue)));
  }
  // O_TRUNC means nothing to a queue.
  Result<void> truncate(std::uint64_t) override { return {}; }

  Queue queue;
};

Result<void> check(const Attributes& attributes, bool privileged) {
  if (!attributes.messages_max || !attributes.message_size_max) return error(Errno::einval);
  std::uint64_t count_max = privileged ? messages_hard_max : limits.messages_max.load();
  std::uint64_t size_max = privileged ? message_size_hard_max : limits.message_size_max.load();
  if (attributes.messages_max > count_max || attributes.message_size_max > size_max)
    return error(Errno::einval);
  return {};
}

std::uint64_t charged_bytes(const Attributes& a) {
  std::uint64_t priorities = a.messages_max < priority_end ? a.messages_max : priority_end;
  return a.messages_max * (bytes_per_message + a.message_size_max) + priorities * bytes_per_priority;
}

// What mq_open() wants of the queue that the thread is about to create.
struct Creation {
  core::Mutex lock{"creation of a message queue"};
  std::atomic<const core::Thread*> creator{nullptr};
  const Attributes* attributes = nullptr;
  bool privileged = false;
};
constinit Creation creation;

class QueueFileSystem;
class RootInode final : public vfs::Inode {
 public:
  RootInode(vfs::FileSystem& file_system, const vfs::NewInode& properties)
      : Inode(file_system, 1, properties) {
    set_flag(complete_directory);
    set_link_count(2);
    set_size(2 * entry_size);
  }
  Result<RefPtr<vfs::Inode>> create(vfs::Dentry&, const vfs::NewInode& properties) override {
    Attributes attributes{limits.messages_default.load(), limits.message_size_default.load()};
    bool privileged = false;
    if (creation.creator.load() == &core::Thread::current()) {
      privileged = creation.privileged;
      if (creation.attributes) attributes = *creation.attributes;
    }
    if (queue_count.load() >= limits.queues_max.load() && !privileged) return error(Errno::enospc);
    TRY(check(attributes, privileged));
    RefPtr<Charge> charge;
    if (ChargeHook hook = charge_hook.load()) charge = TRY(hook(charged_bytes(attributes)));
    auto* inode = new (std::nothrow)
        QueueInode(file_system(), next_number_.fetch_add(1), properties, attributes, std::move(charge));
    if (!inode) return error(Errno::enomem);
    set_size(size() + entry_size);
    touch_modified();
    return RefPtr<vfs::Inode>::adopt(inode);
  }
  Result<void> unlink(vfs::Dentry& entry) override {
    entry.inode()->drop_link();
    entry.inode()->touch_changed();
    set_size(size() - entry_size);
    touch_modified();
    return {};
  }
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest&) override { return vfs::open_storage_directory(); }

 private:
  std::atomic<std::uint64_t> next_number_{2};
};

class QueueFileSystem final : public vfs::FileSystem {
 public:
  QueueFileSystem() : FileSystem(mqueue_type, file_system_magic, "mqueue") {}
  Result<void> start() {
    auto* root = new (std::nothrow) RootInode(*this, {vfs::mode_directory | 01777, 0, 0, {}});
    if (!root) return error(Errno::enomem);
    return create_root(RefPtr<vfs::Inode>::adopt(root));
  }
  bool dentries_are_storage() const override { return true; }
};

// The instance, and a mount of it in no namespace, through which mq_open() looks.
constinit vfs::FileSystem* instance = nullptr;
constinit vfs::FileSystemContext* inside = nullptr;

Result<RefPtr<vfs::FileSystem>> mount_shared(const vfs::MountOptions&) {
  return RefPtr<vfs::FileSystem>(instance);
}

Result<void> start() {
  auto file_system = TRY(base::try_make_ref<QueueFileSystem>());
  TRY(file_system->start());
  auto mount = TRY(vfs::Mount::create(file_system, file_system->root(), "mqueue", 0));
  vfs::Path root(std::move(mount), file_system->root());
  inside = TRY(vfs::FileSystemContext::create(root, root, 0)).leak();
  instance = file_system.leak();
  vfs::register_file_system(mqueue_type);
  return {};
}

INIT_STEP mqueue_step{"mqueue", {"vfs.root"}, start, {"vfs"}};

Result<void> check_name(std::string_view name) {
  if (name.empty()) return error(Errno::enoent);
  if (name.find('/') != name.npos || name == "." || name == "..") return error(Errno::eacces);
  return {};
}

Result<RefPtr<vfs::File>> create_queue(const vfs::Caller& caller, std::string_view name, vfs::OpenFlags flags,
                                       vfs::Mode mode, const Attributes* attributes) {
  core::MutexGuard guard{creation.lock};
  creation.attributes = attributes;
  creation.privileged = caller.credentials.can(vfs::Capability::sys_resource);
  creation.creator.store(&core::Thread::current());
  auto file = vfs::open(caller, nullptr, name, {.flags = flags | vfs::open_exclusive, .mode = mode});
  creation.creator.store(nullptr);
  return file;
}

}  // namespace

void set_charge_hook(ChargeHook hook) { charge_hook.store(hook); }
void set_owner_hook(OwnerHook hook) { owner_hook.store(hook); }

Queue* queue_of(vfs::File& file) {
  auto* queue_file = file.as<QueueFile>();
  return queue_file ? &queue_file->queue : nullptr;
}

Result<RefPtr<vfs::File>> open(vfs::FileSystemContext& context, const vfs::Credentials& credentials,
                               std::string_view name, vfs::OpenFlags flags, vfs::Mode mode,
                               const Attributes* attributes) {
  TRY(check_name(name));
  vfs::Caller caller{*inside, credentials};
  bool creates = flags & vfs::open_create, exclusive = flags & vfs::open_exclusive;
  flags &= ~(vfs::open_create | vfs::open_exclusive | vfs::open_truncate);
  flags |= vfs::open_no_follow;
  mode &= ~context.umask();
  for (;;) {
    if ((flags & vfs::open_access_mask) == vfs::open_access_mask && !exclusive) {
      // No way to open what exists.
      auto found = vfs::resolve(caller, nullptr, name, vfs::lookup_default);
      if (found) return error(Errno::einval);
      if (found.error() != Errno::enoent || !creates) return error(found.error());
    } else if (!(creates && exclusive)) {
      auto file = vfs::open(caller, nullptr, name, {.flags = flags});
      if (file || file.error() != Errno::enoent || !creates) return file;
    }
    auto file = create_queue(caller, name, flags | vfs::open_create, mode, attributes);
    // Somebody else was first.
    if (file || file.error() != Errno::eexist || exclusive) return file;
  }
}

Result<void> unlink(const vfs::Credentials& credentials, std::string_view name) {
  TRY(check_name(name));
  return vfs::unlink({*inside, credentials}, nullptr, name);
}

}  // namespace mqueue
