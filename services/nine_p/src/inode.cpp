// Life, attributes and fids of an inode.
#include "inode.h"

#include "core/log/log.h"
#include "core/memory/slab.h"
#include "core/time/clock.h"

namespace nine_p {

using core::MutexGuard;

NinePInode::NinePInode(NinePFileSystem& file_system, Qid qid, const NewInode& properties)
    : Inode(file_system, qid.path, properties), table_key(qid.path), qid_type_(qid.type) {
  set_flag(slow_attributes);
}

Result<void> NinePInode::start() {
  if (vfs::is_regular(mode())) cache_ = TRY(page_cache::PageCache::create(*this));
  return {};
}

void NinePInode::evict() {
  if (cache_) {
    (void)!cache_->write_back(0, ~std::uint64_t{0});
    cache_->detach();
  }
  RefPtr<Fid> fids[5];
  {
    MutexGuard guard{fid_mutex_};
    fids[0] = std::move(fid_);
    fids[1] = std::move(created_);
    fids[2] = std::move(opened_);
    fids[3] = std::move(reader_);
    fids[4] = std::move(writer_);
  }
  for (auto& fid : fids) fid = nullptr;  // before the session may end
  nine_p().forget_inode(*this);
}

// ---- Fids ----

RefPtr<Fid> NinePInode::fid() const {
  MutexGuard guard{fid_mutex_};
  return fid_;
}

void NinePInode::set_fid(RefPtr<Fid> fid) {
  MutexGuard guard{fid_mutex_};
  std::swap(fid_, fid);
  guard.unlock();
  fid = nullptr;  // the server is told with the lock open
  guard.lock();
}

RefPtr<Fid> NinePInode::any_fid() const {
  MutexGuard guard{fid_mutex_};
  return opened_ ? opened_ : fid_;
}

RefPtr<Fid> NinePInode::take_created() {
  MutexGuard guard{fid_mutex_};
  return std::move(created_);
}

// ---- Attributes ----

void NinePInode::apply(const ServerAttributes& attributes) {
  set_mode((mode() & vfs::mode_type_mask) | (attributes.mode & vfs::mode_permissions));
  set_owner(attributes.uid, attributes.gid);
  set_link_count(static_cast<std::uint32_t>(attributes.links));
  set_access_time(attributes.access);
  set_modify_time(attributes.modify);
  set_change_time(attributes.change);
  blocks_512_.store(attributes.blocks);
  if (attributes.block_size && attributes.block_size <= 0x40000000)
    block_size_.store(static_cast<std::uint32_t>(attributes.block_size));
  std::uint64_t known_size = attributes.size;
  if (cache_) {
    // What is written through a mapping is not the server's yet; what shrank behind our back stays mapped.
    if (uses_cache() && cache_->size() > known_size) known_size = cache_->size();
    cache_->set_size(known_size);
  }
  set_size(known_size);
  refreshed_ns_.store(core::monotonic_ns());
}

bool NinePInode::is_stale() const {
  std::uint64_t trusted = nine_p().trust_ns();
  return trusted == 0 || core::monotonic_ns() - refreshed_ns_.load() > trusted;
}

Result<void> NinePInode::refresh() {
  RefPtr<Fid> path = fid();
  auto attributes = nine_p().ask_attributes(*path);
  if (!attributes && (attributes.error() == Errno::enoent || attributes.error() == Errno::estale)) {
    // Its name is gone, but somebody has it open.
    RefPtr<Fid> opened = any_fid();
    if (opened.get() != path.get()) attributes = nine_p().ask_attributes(*opened);
    if (!attributes && (attributes.error() == Errno::enoent || attributes.error() == Errno::estale) &&
        link_count() == 0)
      return {};  // what we know of a deleted object is all there is to know
  }
  if (!attributes) return error(attributes.error());
  // Another object has taken the name that the path fid stands for.
  if (attributes->qid.path != table_key || ((attributes->mode ^ mode()) & vfs::mode_type_mask)) {
    RefPtr<Fid> opened = any_fid();
    if (opened.get() == path.get()) return error(Errno::estale);
    attributes = TRY(nine_p().ask_attributes(*opened));
    if (attributes->qid.path != table_key) return error(Errno::estale);
  }
  apply(*attributes);
  return {};
}

Result<void> NinePInode::get_attributes(vfs::Attributes& out) {
  TRY(refresh());
  TRY(Inode::get_attributes(out));
  out.block_size = block_size_.load();
  out.blocks_512 = blocks_512_.load();
  out.result_mask = 0x7ff;  // no time of birth
  return {};
}

Result<void> NinePInode::change_attributes(const vfs::AttributeChange& change) {
  constexpr std::uint32_t set_mode_bit = 1, set_uid = 2, set_gid = 4, set_size_bit = 8, set_atime = 0x10,
                          set_mtime = 0x20, set_ctime = 0x40, atime_given = 0x80, mtime_given = 0x100;
  std::uint32_t valid = 0;
  if (change.mode) valid |= set_mode_bit;
  if (change.uid) valid |= set_uid;
  if (change.gid) valid |= set_gid;
  if (change.size) valid |= set_size_bit;
  if (change.access_time) valid |= set_atime | atime_given;
  if (change.modify_time) valid |= set_mtime | mtime_given;
  if (valid == 0 && !change.change_time) return {};
  if (valid == 0) valid = set_ctime;
  // Pages go first: what is written back later must not bring them back. Without a mapping there are none.
  if (change.size && cache_ && uses_cache()) TRY(cache_->truncate(*change.size));
  RefPtr<Fid> target = link_count() ? fid() : any_fid();
  Call call = TRY(client().begin(Type::setattr));
  auto put_time = [&](const std::optional<vfs::Timestamp>& time) {
    call.out.number64(time ? static_cast<std::uint64_t>(time->seconds) : 0)
        .number64(time ? time->nanoseconds : 0);
  };
  call.out.number32(target->number()).number32(valid).number32(change.mode.value_or(0));
  call.out.number32(change.uid.value_or(0))
      .number32(change.gid.value_or(0))
      .number64(change.size.value_or(0));
  put_time(change.access_time);
  put_time(change.modify_time);
  (void)TRY(call.finish());
  vfs::AttributeChange known = change;
  known.size.reset();
  if (change.size) {
    if (cache_) cache_->set_size(*change.size);
    set_size(*change.size);
  }
  return Inode::change_attributes(known);
}

Result<void> NinePInode::truncate(std::uint64_t new_size) {
  if (!cache_) return error(Errno::einval);
  vfs::AttributeChange change;
  change.size = new_size;
  TRY(change_attributes(change));
  touch_modified();
  return {};
}

// ---- Open files ----

void NinePInode::file_opened(const RefPtr<Fid>& fid) {
  MutexGuard guard{fid_mutex_};
  ++open_files_;
  if (!opened_) opened_ = fid;
}

void NinePInode::start_caching(const RefPtr<Fid>& fid, bool can_read, bool can_write) {
  MutexGuard guard{fid_mutex_};
  if (can_read && !reader_) reader_ = fid;
  if (can_write && !writer_) writer_ = fid;
  uses_cache_.store(true);
}

// Mappings hold their file: after the last one nobody sees the pages.
void NinePInode::file_closed() {
  RefPtr<Fid> opened, reader, writer;
  {
    MutexGuard guard{fid_mutex_};
    if (open_files_ > 1) {
      --open_files_;
      return;
    }
  }
  if (cache_ && cache_->has_dirty_pages() && link_count())
    if (auto written = cache_->write_back(0, ~std::uint64_t{0}); !written)
      core::log(core::LogLevel::error, "9p: inode {}: what was written to a mapping is lost, error {}",
                number(), written.error());
  {
    MutexGuard guard{fid_mutex_};
    if (--open_files_) return;
    opened = std::move(opened_);
    reader = std::move(reader_);
    writer = std::move(writer_);
    uses_cache_.store(false);
  }
  if (cache_) cache_->drop_clean();
}

}  // namespace nine_p
