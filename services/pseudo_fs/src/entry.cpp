#include "pseudo_fs/entry.h"

#include "core/memory/slab.h"
#include "pseudo_inode.h"

namespace pseudo_fs {

namespace {
constinit std::atomic<std::uint64_t> next_number{1};

class FunctionText final : public Text {
 public:
  FunctionText(vfs::Mode permissions, ShowFunction show, StoreFunction store)
      : Text(permissions), show_(show), store_(store) {}
  Result<void> show(base::TextSink& out, const vfs::Credentials&) override {
    return show_ ? show_(out) : Result<void>(error(Errno::eacces));
  }
  Result<void> store(std::string_view text, const vfs::Credentials&) override {
    return store_ ? store_(text) : Result<void>(error(Errno::einval));
  }

 private:
  ShowFunction show_;
  StoreFunction store_;
};

class ConstantText final : public Text {
 public:
  ConstantText(vfs::Mode permissions, base::String text) : Text(permissions), text_(std::move(text)) {}
  Result<void> show(base::TextSink& out, const vfs::Credentials&) override {
    out.put(text_);
    return {};
  }

 private:
  base::String text_;
};

class ConstantLink final : public Link {
 public:
  explicit ConstantLink(base::String target) : target_(std::move(target)) {}
  std::uint64_t size() const override { return target_.size(); }
  Result<vfs::LinkTarget> follow(const vfs::Credentials&) override {
    vfs::LinkTarget target;
    target.text = TRY(target_.try_clone());
    return target;
  }

 private:
  base::String target_;
};

}  // namespace

Entry::Entry(vfs::Mode mode) : mode_(mode), number_(next_number.fetch_add(1, std::memory_order_relaxed)) {}

Result<void> Entry::permission(const vfs::Inode& inode, const vfs::Credentials& credentials,
                               vfs::Access access) const {
  return vfs::generic_permission(inode, credentials, access);
}

Result<RefPtr<Entry>> make_text(vfs::Mode permissions, ShowFunction show, StoreFunction store) {
  return RefPtr<Entry>(TRY(base::try_make_ref<FunctionText>(permissions, show, store)));
}
Result<RefPtr<Entry>> make_constant(vfs::Mode permissions, std::string_view text) {
  return RefPtr<Entry>(TRY(base::try_make_ref<ConstantText>(permissions, TRY(base::String::create(text)))));
}
Result<RefPtr<Entry>> make_link(std::string_view target) {
  return RefPtr<Entry>(TRY(base::try_make_ref<ConstantLink>(TRY(base::String::create(target)))));
}

// ---- Static directories ----

Result<void> StaticDirectory::add(std::string_view name, RefPtr<Entry> entry) {
  Named named{TRY(base::String::create(name)), std::move(entry), 0};
  named.is_directory = vfs::is_directory(named.entry->mode());
  core::WriteGuard guard{lock_};
  for (Named& other : entries_)
    if (other.name == name) return error(Errno::eexist);
  named.position = next_position_++;
  bool is_directory = named.is_directory;
  TRY(entries_.try_push_back(std::move(named)));
  if (is_directory) subdirectories_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

void StaticDirectory::remove(std::string_view name) {
  RefPtr<Entry> removed;  // dropped after the lock
  core::WriteGuard guard{lock_};
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (!(entries_[i].name == name)) continue;
    removed = std::move(entries_[i].entry);
    removed->mark_removed();
    if (entries_[i].is_directory) subdirectories_.fetch_sub(1, std::memory_order_relaxed);
    entries_.erase(i);
    return;
  }
}

Result<RefPtr<Entry>> StaticDirectory::find(std::string_view name) {
  core::ReadGuard guard{lock_};
  for (Named& named : entries_)
    if (named.name == name) return named.entry;
  return error(Errno::enoent);
}

Result<void> StaticDirectory::list(std::uint64_t position, ListSink& sink) {
  core::ReadGuard guard{lock_};
  for (Named& named : entries_) {
    if (named.position < position) continue;
    if (sink.entry(named.name, named.entry->number(), vfs::directory_entry_type(named.entry->mode()),
                   named.position) == vfs::SinkState::full)
      break;
  }
  return {};
}

Result<RefPtr<StaticDirectory>> StaticDirectory::directory(std::string_view name) {
  for (;;) {
    {
      core::ReadGuard guard{lock_};
      for (Named& named : entries_) {
        if (!(named.name == name)) continue;
        if (!named.is_directory) return error(Errno::enotdir);
        return RefPtr<StaticDirectory>(static_cast<StaticDirectory*>(named.entry.get()));
      }
    }
    auto fresh = TRY(base::try_make_ref<StaticDirectory>(vfs::Mode{0755}));
    if (auto added = add(name, fresh))
      return fresh;
    else if (added.error() != Errno::eexist)
      return error(added.error());
  }
}

Result<RefPtr<StaticDirectory>> StaticDirectory::directories(std::string_view path) {
  RefPtr<StaticDirectory> at(this);
  while (!path.empty()) {
    std::size_t slash = path.find('/');
    at = TRY(at->directory(path.substr(0, slash)));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return at;
}

}  // namespace pseudo_fs
