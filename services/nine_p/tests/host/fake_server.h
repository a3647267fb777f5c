// A 9P2000.L server in memory, and a channel to it that answers at once, truly or not.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nine_p/channel.h"

namespace test {

struct Node {
  std::uint64_t number = 0;
  std::uint32_t mode = 0, uid = 0, gid = 0;
  std::string data;  // of a file or a link
  std::map<std::string, std::shared_ptr<Node>> entries;
  std::map<std::string, std::string> xattrs;
  std::uint64_t links = 1;
  bool is_directory() const { return (mode & 0170000) == 0040000; }
};

class FakeServer final : public nine_p::Channel {
 public:
  using Bytes = std::vector<std::uint8_t>;
  explicit FakeServer(std::string tag) : tag_(std::move(tag)) {
    root = make(0040755);
    (void)nine_p::register_channel(*this);
  }
  ~FakeServer() { nine_p::unregister_channel(*this); }
  std::string_view tag() const override { return tag_; }
  std::size_t largest_message() const override { return largest; }

  base::Result<void> submit(nine_p::Message& message) override {
    if (broken) return base::error(base::Errno::eio);
    Bytes request(message.out.size());
    std::memcpy(request.data(), message.out.data(), request.size());
    ++messages;
    Bytes answer = serve(request);
    if (lie) lie(request, answer);
    message.received = std::min(answer.size(), message.in.size());
    std::memcpy(message.in.data(), answer.data(), message.received);
    message.completed();
    return {};
  }

  std::shared_ptr<Node> make(std::uint32_t mode, std::string data = {}) {
    auto node = std::make_shared<Node>();
    node->number = next_number++;
    node->mode = mode;
    node->data = std::move(data);
    return node;
  }
  std::size_t open_fids() const { return fids.size(); }

  std::shared_ptr<Node> root;
  // Changes the answer to a request.
  std::function<void(const Bytes& request, Bytes& answer)> lie;
  std::size_t largest = 1 << 16;
  bool broken = false;
  unsigned messages = 0;
  std::uint32_t owner = 0;  // of what is made

 private:
  struct Handle {
    std::shared_ptr<Node> node;
    bool is_xattr = false;
    std::string xattr_name, xattr;
  };
  struct In {
    const Bytes& bytes;
    std::size_t at = 0;
    template <typename T>
    T get() {
      T value = 0;
      if (at + sizeof(T) <= bytes.size()) std::memcpy(&value, bytes.data() + at, sizeof(T));
      at += sizeof(T);
      return value;
    }
    std::string text() {
      std::size_t length = get<std::uint16_t>();
      std::string value;
      if (at + length <= bytes.size()) value.assign(reinterpret_cast<const char*>(bytes.data()) + at, length);
      at += length;
      return value;
    }
  };
  struct Out {
    Bytes bytes;
    template <typename T>
    Out& put(T value) {
      const auto* from = reinterpret_cast<const std::uint8_t*>(&value);
      bytes.insert(bytes.end(), from, from + sizeof(T));
      return *this;
    }
    Out& text(const std::string& value) {
      put(static_cast<std::uint16_t>(value.size()));
      bytes.insert(bytes.end(), value.begin(), value.end());
      return *this;
    }
    Out& qid(const Node& node) {
      std::uint8_t type = node.is_directory() ? 0x80 : (node.mode & 0170000) == 0120000 ? 2 : 0;
      return put(type).put(std::uint32_t{0}).put(node.number);
    }
  };

  Bytes serve(const Bytes& request) {
    In in{request};
    (void)in.get<std::uint32_t>();
    auto type = in.get<std::uint8_t>();
    auto number = in.get<std::uint16_t>();
    Out out;
    out.put(std::uint32_t{0}).put(static_cast<std::uint8_t>(type + 1)).put(number);
    if (int code = answer(type, in, out)) {
      out.bytes.resize(7);
      out.bytes[4] = 7;
      out.put(static_cast<std::uint32_t>(code));
    }
    auto size = static_cast<std::uint32_t>(out.bytes.size());
    std::memcpy(out.bytes.data(), &size, 4);
    return out.bytes;
  }

  int answer(std::uint8_t type, In& in, Out& out) {
    constexpr int no_entry = 2, bad_handle = 9, exists = 17, not_directory = 20, not_empty = 39, no_data = 61,
                  unknown = 95;
    if (type == 100) {
      auto size = in.get<std::uint32_t>();
      fids.clear();
      out.put(std::min<std::uint32_t>(size, static_cast<std::uint32_t>(largest))).text(in.text());
      return 0;
    }
    if (type == 108) return 0;
    auto number = in.get<std::uint32_t>();
    if (type == 104) {
      fids[number] = {root, false, {}, {}};
      out.qid(*root);
      return 0;
    }
    auto found = fids.find(number);
    if (found == fids.end()) return bad_handle;
    Handle& fid = found->second;
    std::shared_ptr<Node> node = fid.node;
    auto add = [&](const std::string& name, std::uint32_t mode,
                   std::string data = {}) -> std::shared_ptr<Node> {
      if (node->entries.count(name)) return nullptr;
      auto child = make(mode, std::move(data));
      child->uid = owner;
      node->entries[name] = child;
      return child;
    };
    switch (type) {
      case 110: {
        auto fresh = in.get<std::uint32_t>();
        auto count = in.get<std::uint16_t>();
        if (count == 0) {
          out.put(std::uint16_t{0});
          fids[fresh] = {node, false, {}, {}};
          return 0;
        }
        std::string name = in.text();
        if (!node->is_directory()) return not_directory;
        if (!node->entries.count(name)) return no_entry;
        fids[fresh] = {node->entries[name], false, {}, {}};
        out.put(std::uint16_t{1}).qid(*node->entries[name]);
        return 0;
      }
      case 120: {
        Handle ended = fid;
        fids.erase(found);
        if (!ended.xattr_name.empty()) {
          if (ended.xattr.empty() && !node->xattrs.erase(ended.xattr_name)) return no_data;
          if (!ended.xattr.empty()) node->xattrs[ended.xattr_name] = ended.xattr;
        }
        return 0;
      }
      case 24:
        out.put(std::uint64_t{0x7ff}).qid(*node).put(node->mode).put(node->uid).put(node->gid);
        out.put(node->links).put(std::uint64_t{0}).put(std::uint64_t{node->data.size()});
        out.put(std::uint64_t{4096}).put(std::uint64_t{(node->data.size() + 511) / 512});
        for (int i = 0; i < 8; ++i) out.put(std::uint64_t{0});
        out.put(std::uint64_t{0}).put(std::uint64_t{0});
        return 0;
      case 26: {
        auto valid = in.get<std::uint32_t>();
        auto mode = in.get<std::uint32_t>(), uid = in.get<std::uint32_t>(), gid = in.get<std::uint32_t>();
        auto size = in.get<std::uint64_t>();
        if (valid & 1) node->mode = (node->mode & 0170000) | mode;
        if (valid & 2) node->uid = uid;
        if (valid & 4) node->gid = gid;
        if (valid & 8) node->data.resize(static_cast<std::size_t>(size));
        return 0;
      }
      case 12:
        out.qid(*node).put(std::uint32_t{0});
        return 0;
      case 14: {
        std::string name = in.text();
        (void)in.get<std::uint32_t>();
        auto child = add(name, 0100000 | in.get<std::uint32_t>());
        if (!child) return exists;
        fid.node = child;
        out.qid(*child).put(std::uint32_t{0});
        return 0;
      }
      case 72: {
        std::string name = in.text();
        auto child = add(name, 0040000 | in.get<std::uint32_t>());
        if (!child) return exists;
        out.qid(*child);
        return 0;
      }
      case 16: {
        std::string name = in.text(), target = in.text();
        auto child = add(name, 0120777, target);
        if (!child) return exists;
        out.qid(*child);
        return 0;
      }
      case 18: {
        std::string name = in.text();
        auto child = add(name, in.get<std::uint32_t>());
        if (!child) return exists;
        out.qid(*child);
        return 0;
      }
      case 22:
        out.text(node->data);
        return 0;
      case 70: {
        auto target = fids.find(in.get<std::uint32_t>());
        std::string name = in.text();
        if (target == fids.end()) return bad_handle;
        if (node->entries.count(name)) return exists;
        node->entries[name] = target->second.node;
        ++target->second.node->links;
        return 0;
      }
      case 74: {
        std::string old_name = in.text();
        auto target = fids.find(in.get<std::uint32_t>());
        std::string new_name = in.text();
        if (target == fids.end()) return bad_handle;
        if (!node->entries.count(old_name)) return no_entry;
        auto moved = node->entries[old_name];
        node->entries.erase(old_name);
        target->second.node->entries[new_name] = moved;
        return 0;
      }
      case 76: {
        std::string name = in.text();
        auto child = node->entries.find(name);
        if (child == node->entries.end()) return no_entry;
        if (!child->second->entries.empty()) return not_empty;
        --child->second->links;
        node->entries.erase(child);
        return 0;
      }
      case 116: {
        auto offset = in.get<std::uint64_t>();
        auto count = in.get<std::uint32_t>();
        const std::string& data = fid.is_xattr ? fid.xattr : node->data;
        std::string piece = offset < data.size() ? data.substr(static_cast<std::size_t>(offset), count) : "";
        out.put(static_cast<std::uint32_t>(piece.size()));
        out.bytes.insert(out.bytes.end(), piece.begin(), piece.end());
        return 0;
      }
      case 118: {
        auto offset = static_cast<std::size_t>(in.get<std::uint64_t>());
        auto count = in.get<std::uint32_t>();
        std::string& data = fid.xattr_name.empty() ? node->data : fid.xattr;
        if (data.size() < offset + count) data.resize(offset + count);
        std::memcpy(data.data() + offset, in.bytes.data() + in.at, count);
        out.put(count);
        return 0;
      }
      case 40: {
        auto offset = in.get<std::uint64_t>();
        auto count = in.get<std::uint32_t>();
        Out list;
        std::uint64_t index = 0;
        for (auto& [name, child] : node->entries) {
          if (index++ < offset) continue;
          Out one;
          one.qid(*child).put(index).put(static_cast<std::uint8_t>(child->mode >> 12)).text(name);
          if (list.bytes.size() + one.bytes.size() > count) break;
          list.bytes.insert(list.bytes.end(), one.bytes.begin(), one.bytes.end());
        }
        out.put(static_cast<std::uint32_t>(list.bytes.size()));
        out.bytes.insert(out.bytes.end(), list.bytes.begin(), list.bytes.end());
        return 0;
      }
      case 30: {
        auto fresh = in.get<std::uint32_t>();
        std::string name = in.text();
        Handle value{node, true, {}, {}};
        if (name.empty()) {
          for (auto& [key, text] : node->xattrs) value.xattr += key + std::string(1, '\0');
        } else if (auto one = node->xattrs.find(name); one != node->xattrs.end()) {
          value.xattr = one->second;
        } else {
          return no_data;
        }
        out.put(std::uint64_t{value.xattr.size()});
        fids[fresh] = value;
        return 0;
      }
      case 32:
        fid.xattr_name = in.text();
        return 0;
      case 50:
        return 0;
      case 8:
        out.put(std::uint32_t{1}).put(std::uint32_t{4096});
        for (int i = 0; i < 6; ++i) out.put(std::uint64_t{1000});
        out.put(std::uint32_t{255});
        return 0;
      default:
        return unknown;
    }
  }

  std::string tag_;
  std::map<std::uint32_t, Handle> fids;
  std::uint64_t next_number = 1;
};

}  // namespace test
