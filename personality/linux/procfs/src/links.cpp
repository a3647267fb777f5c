// exe, cwd, root, fd, fdinfo, ns.
#include "base/parse.h"
#include "core/memory/slab.h"
#include "linux_abi/open_flags.h"
#include "subject.h"
#include "vfs/locks.h"
#include "vfs/mount.h"
#include "vfs/operations.h"

namespace linux_procfs {

using pseudo_fs::Entry;

namespace {

Result<vfs::LinkTarget> jump_to(vfs::Path path) {
  vfs::LinkTarget target;
  target.jump = std::move(path);
  return target;
}

class PlaceLink final : public OfSubject<pseudo_fs::Link> {
 public:
  PlaceLink(const Subject& subject, PlaceKind kind) : OfSubject(subject), kind_(kind) {}
  bool is_magic_link() const override { return true; }
  Result<vfs::LinkTarget> follow(const vfs::Credentials&) override {
    TRY(check_inspect(subject_));
    if (kind_ == PlaceKind::executable) {
      auto file = subject_.process->executable();
      if (!file) return error(Errno::enoent);
      return jump_to(file->path());
    }
    RefPtr<Task> task = subject_.representative();
    auto context = task ? linux_abi::file_system_of(*task) : nullptr;
    if (!context) return error(Errno::enoent);
    return jump_to(kind_ == PlaceKind::root ? context->root() : context->current_directory());
  }

 private:
  PlaceKind kind_;
};

Result<RefPtr<vfs::File>> file_of(const Subject& subject, int number) {
  RefPtr<Task> task = subject.representative();
  auto files = task ? linux_abi::files_of(*task) : nullptr;
  if (!files) return error(Errno::enoent);
  auto file = files->get(number);
  if (!file) return error(Errno::enoent);
  return file;
}

class DescriptorLink final : public OfSubject<pseudo_fs::Link> {
 public:
  DescriptorLink(const Subject& subject, int number, vfs::Mode permissions)
      : OfSubject(subject, permissions), number_(number) {}
  bool is_stale() const override {
    // A number that now stands for something else, or for nothing, is looked up anew.
    return true;
  }
  bool is_magic_link() const override { return true; }
  std::uint64_t size() const override { return 64; }
  Result<vfs::LinkTarget> follow(const vfs::Credentials&) override {
    TRY(check_inspect(subject_));
    return jump_to(TRY(file_of(subject_, number_))->path());
  }

 private:
  int number_;
};

class DescriptorInformation final : public OfSubject<pseudo_fs::Text> {
 public:
  DescriptorInformation(const Subject& subject, int number)
      : OfSubject(subject, vfs::Mode{0444}), number_(number) {}
  Result<void> show(TextSink& out, const vfs::Credentials&) override {
    auto file = TRY(file_of(subject_, number_));
    RefPtr<Task> task = subject_.representative();
    auto files = task ? linux_abi::files_of(*task) : nullptr;
    vfs::OpenFlags flags = file->flags();
    if (files)
      if (auto close = files->close_on_exec(number_); close && *close == linux_abi::CloseOnExec::yes)
        flags |= vfs::open_close_on_exec;
    format(out, "pos:\t{}\nflags:\t{:#o}\nmnt_id:\t{}\nino:\t{}\n", file->position(),
           linux_abi::from_open_flags(flags), file->path().mount().id(), file->inode().number());
    file->put_fdinfo(out);
    return {};
  }

 private:
  int number_;
};

class DescriptorDirectory final : public OfSubject<pseudo_fs::Directory> {
 public:
  DescriptorDirectory(const Subject& subject, DescriptorView view)
      : OfSubject(subject, vfs::Mode{view == DescriptorView::links ? 0500u : 0555u}), view_(view) {}
  bool is_transient() const override { return true; }
  bool has_custom_permission() const override { return true; }
  // A process may always look at its own, whoever its files belong to.
  Result<void> permission(const vfs::Inode& inode, const vfs::Credentials& credentials,
                          vfs::Access access) const override {
    auto result = vfs::generic_permission(inode, credentials, access);
    if (!result && linux_abi::current_task_or_null() &&
        &linux_abi::current_process() == subject_.process.get())
      return {};
    return result;
  }
  Result<RefPtr<Entry>> find(std::string_view name) override {
    auto number = base::parse_unsigned(name);
    if (!number || *number > INT32_MAX || (name.size() > 1 && name[0] == '0')) return error(Errno::enoent);
    auto file = TRY(file_of(subject_, static_cast<int>(*number)));
    if (view_ == DescriptorView::information)
      return RefPtr<Entry>(
          TRY(base::try_make_ref<DescriptorInformation>(subject_, static_cast<int>(*number))));
    vfs::Mode permissions = (file->can_read() ? 0500u : 0u) | (file->can_write() ? 0300u : 0u);
    return RefPtr<Entry>(
        TRY(base::try_make_ref<DescriptorLink>(subject_, static_cast<int>(*number), permissions)));
  }
  Result<void> list(std::uint64_t position, pseudo_fs::ListSink& sink) override {
    RefPtr<Task> task = subject_.representative();
    auto files = task ? linux_abi::files_of(*task) : nullptr;
    if (!files) return {};
    auto type =
        vfs::directory_entry_type(view_ == DescriptorView::links ? vfs::mode_symlink : vfs::mode_regular);
    for (int at = files->next_open(static_cast<int>(position - first_position)); at >= 0;
         at = files->next_open(at + 1)) {
      char memory[12];
      base::TextBuffer name(memory);
      format(name, "{}", at);
      auto number = static_cast<std::uint64_t>(at);
      if (sink.entry(name.view(), this->number() * 65536 + number, type, first_position + number) ==
          vfs::SinkState::full)
        break;
    }
    return {};
  }

 private:
  DescriptorView view_;
};

// What a thread is a member of; opening one is for setns(2).
class NamespaceLink final : public OfSubject<pseudo_fs::Link> {
 public:
  NamespaceLink(const Subject& subject, const linux_abi::NamespaceKind& kind)
      : OfSubject(subject), kind_(kind) {}
  bool is_magic_link() const override { return true; }
  Result<base::String> link_text(const vfs::Credentials&) override {
    auto uts = own_uts();
    char memory[48];
    base::TextBuffer text(memory);
    format(text, "{}:[{}]", kind_.kind, uts ? uts->number : kind_.number);
    return base::String::create(text.view());
  }
  Result<vfs::LinkTarget> follow(const vfs::Credentials&) override {
    TRY(check_inspect(subject_));
    return jump_to(TRY(linux_abi::namespace_path(kind_, own_uts())));
  }

 private:
  RefPtr<linux_abi::UtsNamespace> own_uts() {
    if (kind_.clone_flag != linux_abi::clone_newuts) return nullptr;
    RefPtr<Task> task = subject_.representative();
    return task ? linux_abi::uts_of(*task) : nullptr;
  }

  const linux_abi::NamespaceKind& kind_;
};

class NamespaceDirectory final : public OfSubject<pseudo_fs::Directory> {
 public:
  explicit NamespaceDirectory(const Subject& subject) : OfSubject(subject, vfs::Mode{0511}) {}
  bool is_transient() const override { return true; }
  Result<RefPtr<Entry>> find(std::string_view name) override {
    for (const auto& kind : linux_abi::namespace_kinds())
      if (kind.name == name) return RefPtr<Entry>(TRY(base::try_make_ref<NamespaceLink>(subject_, kind)));
    return error(Errno::enoent);
  }
  Result<void> list(std::uint64_t position, pseudo_fs::ListSink& sink) override {
    auto kinds = linux_abi::namespace_kinds();
    for (std::uint64_t i = position - first_position; i < kinds.size(); ++i)
      if (sink.entry(kinds[i].name, number() * 65536 + i, vfs::directory_entry_type(vfs::mode_symlink),
                     first_position + i) == vfs::SinkState::full)
        break;
    return {};
  }
};

}  // namespace

Result<RefPtr<Entry>> make_place_link(const Subject& subject, PlaceKind kind) {
  return RefPtr<Entry>(TRY(base::try_make_ref<PlaceLink>(subject, kind)));
}
Result<RefPtr<Entry>> make_descriptor_directory(const Subject& subject, DescriptorView view) {
  return RefPtr<Entry>(TRY(base::try_make_ref<DescriptorDirectory>(subject, view)));
}
Result<RefPtr<Entry>> make_namespace_directory(const Subject& subject) {
  return RefPtr<Entry>(TRY(base::try_make_ref<NamespaceDirectory>(subject)));
}

}  // namespace linux_procfs
