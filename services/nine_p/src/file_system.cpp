// Mounting and its end; the table of inodes; questions about the whole.
#include "file_system.h"

#include "base/parse.h"
#include "core/log/log.h"
#include "core/memory/slab.h"
#include "core/time/clock.h"
#include "inode.h"
#include "nine_p/nine_p.h"

namespace nine_p {

struct NinePFileSystem::InodeTable {
  base::IntrusiveTree<NinePInode, &NinePInode::table_hook, &NinePInode::table_key> tree;
};

const vfs::FileSystemType& NinePFileSystem::nine_p_type() { return nine_p::nine_p_type; }

NinePFileSystem::~NinePFileSystem() {
  set_root(nullptr);  // where no mount came about: its inode needs us
  finish();
  delete inodes_;
}

// ---- Options ----

Result<void> NinePFileSystem::parse_option(const vfs::MountOption& option) {
  auto is_one_of = [&](std::initializer_list<std::string_view> words) {
    for (std::string_view word : words)
      if (option.value == word) return true;
    return false;
  };
  auto number = base::parse_unsigned(option.value);
  if (option.name == "trans") {
    if (is_one_of({"virtio"})) return {};
  } else if (option.name == "version") {
    if (is_one_of({"9p2000.L"})) return {};
  } else if (option.name == "msize") {
    if (!number || *number < 4096 || *number > 0xffffffff) return error(Errno::einval);
    message_size_ = *number > (1u << 20) ? 1u << 20 : static_cast<std::uint32_t>(*number);
    return {};
  } else if (option.name == "aname") {
    tree_ = TRY(base::String::create(option.value));
    return {};
  } else if (option.name == "uname") {
    user_ = TRY(base::String::create(option.value));
    return {};
  } else if (option.name == "cache") {
    bool trusts = is_one_of({"loose", "fscache"});
    if (trusts || is_one_of({"none", "mmap", "readahead"})) {
      trust_ns_ = trusts ? core::ns_per_second : 0;
      cache_ = TRY(base::String::create(option.value));
      return {};
    }
  } else if (option.name == "access") {
    if (is_one_of({"user", "any", "client"}) || number) {
      access_ = TRY(base::String::create(option.value));
      return {};
    }
  } else if (option.name == "dfltuid" || option.name == "dfltgid" || option.name == "debug" ||
             option.name == "afid" || option.name == "locktimeout") {
    if (number) return {};
  } else if (option.name == "posixacl" || option.name == "nodevmap" || option.name == "noxattr" ||
             option.name == "ignoreqv" || option.name == "directio") {
    return {};
  }
  core::log(core::LogLevel::error, "9p: option \"{}\" with value \"{}\" is not supported", option.name,
            option.value);
  return error(Errno::einval);
}

Result<void> NinePFileSystem::parse_options(std::string_view text) {
  for (;;) {
    vfs::MountOption option = vfs::next_mount_option(text);
    if (option.name.empty()) return {};
    TRY(parse_option(option));
  }
}

void NinePFileSystem::put_options(base::TextSink& out) const {
  base::format(out, ",access={}", access_.empty() ? std::string_view("user") : access_.view());
  if (!cache_.empty() && cache_ != "none") base::format(out, ",cache={}", cache_.view());
  if (!tree_.empty()) base::format(out, ",aname={}", tree_.view());
  if (!user_.empty()) base::format(out, ",uname={}", user_.view());
  base::format(out, ",msize={},trans=virtio", message_size_);
}

// ---- Start and end ----

Result<void> NinePFileSystem::start(Channel& channel, std::string_view options, bool read_only) {
  TRY(parse_options(options));
  inodes_ = new (std::nothrow) InodeTable;
  if (!inodes_) return error(Errno::enomem);
  TRY(channel.claim());
  channel_ = &channel;
  client_ = TRY(base::try_make_unique<Client>());
  WalkResult root =
      TRY(client_->start(channel, message_size_, user_.empty() ? "nobody" : user_.view(), tree_.view(), 0));
  message_size_ = client_->message_size();
  root_ = root.fid;
  auto inode = TRY(get_inode(std::move(root)));
  if (!vfs::is_directory(inode->mode())) return error(Errno::enotdir);
  set_read_only(read_only);
  return create_root(std::move(inode));
}

void NinePFileSystem::finish() {
  if (finished_) return;
  finished_ = true;
  root_ = nullptr;
  client_ = nullptr;
  if (channel_) channel_->release();
}

void NinePFileSystem::unmounted() {
  vfs::finish_evictions();
  if (auto synced = sync(); !synced)
    core::log(core::LogLevel::error, "9p: not everything could be written, error {}", synced.error());
  FileSystem::unmounted();
  vfs::finish_evictions();
  // With files still open (lazy unmount) the last of them finishes.
  bool empty;
  {
    core::MutexGuard guard{inodes_mutex_};
    gone_ = true;
    empty = inode_count_ == 0;
  }
  if (empty) finish();
}

Result<void> NinePFileSystem::remount(std::string_view data, bool read_only) {
  TRY(parse_options(data));
  if (client_) message_size_ = client_->message_size();
  set_read_only(read_only);
  return {};
}

// ---- Inodes ----

namespace {
// The kind of object must be one that exists; what is wrong is a server's mistake.
bool is_kind(vfs::Mode mode) {
  switch (mode & vfs::mode_type_mask) {
    case vfs::mode_regular:
    case vfs::mode_directory:
    case vfs::mode_symlink:
    case vfs::mode_character:
    case vfs::mode_block:
    case vfs::mode_fifo:
    case vfs::mode_socket:
      return true;
    default:
      return false;
  }
}
}  // namespace

Result<RefPtr<NinePInode>> NinePFileSystem::get_inode(WalkResult found) {
  ServerAttributes attributes = TRY(ask_attributes(*found.fid));
  if (!is_kind(attributes.mode)) return client().lied("the mode of a file", attributes.mode);
  Qid qid = attributes.qid;
  RefPtr<NinePInode> inode, fresh;
  for (;;) {
    {
      core::MutexGuard guard{inodes_mutex_};
      NinePInode* existing = inodes_->tree.find(qid.path);
      // A number that is used again for something else: who still has the old object keeps it.
      bool same_kind = existing && ((existing->mode() ^ attributes.mode) & vfs::mode_type_mask) == 0;
      if (same_kind) inode = RefPtr<NinePInode>::try_acquire(existing);
      if (!inode && existing && (fresh || same_kind)) inodes_->tree.remove(*existing);
      if (!inode && fresh) {
        inodes_->tree.insert(*fresh);
        inode = fresh;
      }
    }
    if (inode) break;
    NewInode properties{attributes.mode, attributes.uid, attributes.gid, {}};
    if (vfs::is_character(attributes.mode) || vfs::is_block(attributes.mode))
      properties.device = vfs::DeviceNumber::decode(attributes.device);
    auto* memory = new (std::nothrow) NinePInode(*this, qid, properties);
    if (!memory) return error(Errno::enomem);
    {
      core::MutexGuard guard{inodes_mutex_};
      ++inode_count_;
    }
    fresh = RefPtr<NinePInode>::adopt(memory);
    TRY(fresh->start());
  }
  inode->set_fid(std::move(found.fid));
  inode->apply(attributes);
  return inode;
}

void NinePFileSystem::detach_number(NinePInode& inode) {
  core::MutexGuard guard{inodes_mutex_};
  if (inode.table_hook.is_linked()) inodes_->tree.remove(inode);
}

void NinePFileSystem::forget_inode(NinePInode& inode) {
  bool last;
  {
    core::MutexGuard guard{inodes_mutex_};
    if (inode.table_hook.is_linked()) inodes_->tree.remove(inode);
    last = --inode_count_ == 0 && gone_;
  }
  if (last) finish();
}

Result<void> NinePFileSystem::sync() {
  Result<void> result;
  for (std::uint64_t next = 0;;) {
    RefPtr<NinePInode> inode;
    {
      core::MutexGuard guard{inodes_mutex_};
      NinePInode* at = inodes_->tree.lower_bound(next);
      while (at && !at->try_acquire_reference()) at = inodes_->tree.upper_bound(at->table_key);
      if (!at) return result;
      inode = RefPtr<NinePInode>::adopt(at);
      next = at->table_key + 1;
    }
    if (inode->cache() && inode->cache()->has_dirty_pages()) {
      auto written = inode->cache()->write_back(0, ~std::uint64_t{0});
      if (!written && result) result = written;
    }
    if (next == 0) return result;
  }
}

// ---- Questions ----

namespace {
vfs::Timestamp read_time(Reader& in) {
  vfs::Timestamp time;
  time.seconds = static_cast<std::int64_t>(in.number64());
  std::uint64_t nanoseconds = in.number64();
  time.nanoseconds = nanoseconds < core::ns_per_second ? static_cast<std::uint32_t>(nanoseconds) : 0;
  return time;
}
}  // namespace

Result<ServerAttributes> NinePFileSystem::ask_attributes(const Fid& fid) {
  constexpr std::uint64_t basic = 0x7ff;
  Call call = TRY(client().begin(Type::getattr));
  call.out.number32(fid.number()).number64(basic);
  Reader in = TRY(call.finish());
  ServerAttributes result;
  (void)in.number64();  // what of it is valid
  result.qid = read_qid(in);
  result.mode = in.number32() & (vfs::mode_type_mask | vfs::mode_permissions);
  result.uid = in.number32();
  result.gid = in.number32();
  result.links = in.number64();
  result.device = in.number64();
  result.size = in.number64();
  result.block_size = in.number64();
  result.blocks = in.number64();
  result.access = read_time(in);
  result.modify = read_time(in);
  result.change = read_time(in);
  TRY(call.check(in));
  if (result.size > maximum_size()) return client().lied("the size of a file", result.size);
  return result;
}

Result<void> NinePFileSystem::statistics(vfs::FileSystemStatistics& out) {
  Call call = TRY(client().begin(Type::statfs));
  call.out.number32(root_->number());
  Reader in = TRY(call.finish());
  (void)in.number32();
  out.magic = magic_number;
  out.block_size = out.fragment_size = in.number32();
  out.blocks = in.number64();
  out.blocks_free = in.number64();
  out.blocks_available = in.number64();
  out.inodes = in.number64();
  out.inodes_free = in.number64();
  out.id = in.number64();
  out.name_length = in.number32();
  return call.check(in);
}

// ---- The type ----

namespace {
Result<RefPtr<vfs::FileSystem>> mount(const vfs::MountOptions& options) {
  Channel* channel = TRY(find_channel(options.source));
  auto file_system = TRY(base::try_make_ref<NinePFileSystem>(options.source));
  auto started = file_system->start(*channel, options.data, options.read_only);
  if (!started) return error(started.error());
  return RefPtr<vfs::FileSystem>(std::move(file_system));
}
}  // namespace

constinit vfs::FileSystemType nine_p_type{"9p", vfs::FileSystemType::no_device, mount};

Result<void> initialize() {
  vfs::register_file_system(nine_p_type);
  return {};
}

}  // namespace nine_p
