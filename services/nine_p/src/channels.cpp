// The channels that drivers have found, by their tags.
#include "core/sync/mutex.h"
#include "nine_p/channel.h"

namespace nine_p {

namespace {
constinit core::Mutex channels_mutex{"9p channels"};
constinit base::IntrusiveList<Channel, &Channel::hook> channels GUARDED_BY(channels_mutex);

Channel* find_locked(std::string_view tag) REQUIRES(channels_mutex) {
  for (Channel& channel : channels)
    if (channel.tag() == tag) return &channel;
  return nullptr;
}
}  // namespace

base::Result<void> Channel::claim() {
  if (claimed_.exchange(true)) return base::error(base::Errno::ebusy);
  return {};
}

base::Result<void> register_channel(Channel& channel) {
  core::MutexGuard guard{channels_mutex};
  if (find_locked(channel.tag())) return base::error(base::Errno::eexist);
  channels.push_back(channel);
  return {};
}

void unregister_channel(Channel& channel) {
  core::MutexGuard guard{channels_mutex};
  channels.remove(channel);
}

base::Result<Channel*> find_channel(std::string_view tag) {
  core::MutexGuard guard{channels_mutex};
  if (Channel* channel = find_locked(tag)) return channel;
  return base::error(base::Errno::enoent);
}

}  // namespace nine_p
