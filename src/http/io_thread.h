// A thread of the server, with its io_context, its share of the listeners and its connections.
// Inside http alone.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "env/clock.h"
#include "http/admission.h"
#include "http/mailbox.h"
#include "http/server.h"

namespace latchkey::http {

namespace asio = boost::asio;

using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, asio::io_context::executor_type>;

// One writer, any readers.
class Counter {
 public:
  void Add(std::uint64_t by = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  void Subtract(std::uint64_t by = 1) { Add(~by + 1); }
  std::uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct Counters {
  Counter accepted, open, rejected_total, rejected_per_address;
  Counter tls_handshakes, tls_resumed, tls_failed;
  Counter closed_head_timeout, closed_body_timeout, closed_idle, closed_write_timeout;
  Counter protocol_errors;
};

// A listener on one thread.
struct ThreadListener {
  ThreadListener(const ListenerOptions& options_in, Admission& admission_in,
                 asio::io_context& context)
      : options(options_in), admission(admission_in), acceptor(context) {}

  const ListenerOptions& options;
  Admission& admission;
  Acceptor acceptor;
  bool accept_paused = false;  // out of descriptors: tried again at the next sweep
  std::unique_ptr<Handler> handler;
  Counters counters;
};

class IoThread {
 public:
  // Milliseconds since the thread began, as of the last sweep.
  using Ticks = std::int64_t;
  static constexpr Ticks kNever = INT64_MAX;
  static constexpr std::chrono::milliseconds kSweepInterval{100};

  // Time limits of one connection, kept densely so that a sweep over many is cheap.
  struct Slot {
    Connection* connection = nullptr;
    std::uint32_t generation = 0;  // tells a connection from the last one in its slot
    Ticks read_deadline = kNever;
    Ticks write_deadline = kNever;
  };

  IoThread();
  ~IoThread();

  asio::io_context& context() { return context_; }
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
  Ticks now() const { return now_; }
  // Rounded up by a sweep, so that no limit is cut short.
  Ticks Deadline(std::chrono::milliseconds limit) const {
    return now_ + limit.count() + kSweepInterval.count();
  }
  std::string_view date_line() const { return date_line_; }
  bool draining() const { return draining_; }
  Slot& slot(std::size_t index) { return slots_[index]; }

  ThreadListener& AddListener(const ListenerOptions& options, Admission& admission);
  std::vector<std::unique_ptr<ThreadListener>>& listeners() { return listeners_; }

  // The thread's body: makes the handlers, runs until all connections are gone after a drain.
  void Run(int index);
  // From any thread.
  void RequestDrain();
  void RequestCut();
  // Connections that had to be cut; after Run returned.
  std::size_t cut() const { return cut_; }

  // On this thread.
  void DrainMailbox();
  void Remove(std::size_t slot);
  // Lets others have their turn, then calls the connection again.
  void Resume(std::size_t slot);

 private:
  void UpdateClock();
  void ArmSweep();
  void Sweep();
  void ArmReady();
  void Dispatch();
  Connection* Find(std::uint64_t key) const;
  std::uint64_t KeyOf(std::size_t slot) const;
  void ArmAccept(ThreadListener& listener);
  void Accept(ThreadListener& listener);
  void Admit(ThreadListener& listener, int fd, const IpAddress& peer);
  void BeginDrain();
  void CutAll();
  void FinishIfEmpty();

  asio::io_context context_;
  // The sockets of connections stand in an epoll set of our own, which the io_context watches as
  // one descriptor (io_thread.cc says why).
  asio::posix::stream_descriptor ready_;
  SystemClock clock_;
  std::chrono::nanoseconds started_;
  Ticks now_ = 0;
  std::int64_t date_second_ = -1;
  std::string date_line_;
  asio::steady_timer timer_;
  std::shared_ptr<Mailbox> mailbox_;
  std::vector<std::unique_ptr<ThreadListener>> listeners_;
  std::vector<Slot> slots_;
  std::vector<std::size_t> free_slots_;
  std::size_t open_ = 0;
  bool draining_ = false;
  bool finished_ = false;
  std::size_t cut_ = 0;
};

}  // namespace latchkey::http
