// How work of other threads comes to a connection. Inside http alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/thread_annotations.h"
#include "http/server.h"

namespace latchkey::http {

class Connection;
class IoThread;

// How other threads reach a connection: a queue that outlives thread and server.
class Mailbox {
 public:
  struct Item {
    enum class Kind : std::uint8_t { kWork, kResume, kDropped };
    Kind kind;
    std::shared_ptr<Deferred::Impl> deferred;
    std::function<void(Exchange&)> work;
  };

  explicit Mailbox(IoThread& thread) : thread_(&thread) {}
  // From any thread. After Close the item is destroyed.
  void Send(Item item) EXCLUDES(mutex_);
  std::vector<Item> Take() EXCLUDES(mutex_);
  void Close() EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  IoThread* thread_ GUARDED_BY(mutex_);
  std::vector<Item> items_ GUARDED_BY(mutex_);
};

class Deferred::Impl {
 public:
  Impl(std::shared_ptr<Mailbox> mailbox_in, Connection* connection_in)
      : mailbox(std::move(mailbox_in)), connection(connection_in) {}

  const std::shared_ptr<Mailbox> mailbox;
  Connection* connection;         // on the I/O thread alone; null once answered or gone
  std::atomic<int> handles{0};    // Deferred objects
  std::atomic<bool> over{false};  // answered or gone
  std::atomic<bool> gone{false};  // gone unanswered
};

}  // namespace latchkey::http
