// Inside the server: an I/O thread and what lives on it. Not for other folders.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/thread_annotations.h"
#include "env/clock.h"
#include "http/byte_buffer.h"
#include "http/chunked.h"
#include "http/request_parser.h"
#include "http/server.h"
#include "http/tls_stream.h"

namespace latchkey::http {

namespace asio = boost::asio;

using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, asio::io_context::executor_type>;

class Connection;
class IoThread;

// Null if there is no memory for it. In tls.cc, so that nothing else here knows OpenSSL.
std::unique_ptr<TlsStream> MakeTlsStream(TlsContext& context);

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

// What all threads share of a listener: asked at accept and at close, never by a request.
class Admission {
 public:
  enum class Verdict : std::uint8_t { kAdmitted, kTooMany, kTooManyOfAddress };

  explicit Admission(const ListenerOptions& options) : options_(options) {}
  Verdict Enter(const IpAddress& address) EXCLUDES(mutex_);
  void Leave(const IpAddress& address) EXCLUDES(mutex_);

 private:
  bool Trusted(const IpAddress& address) const;

  const ListenerOptions& options_;
  Mutex mutex_;
  std::size_t open_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<IpAddress, std::size_t, IpAddressHash> per_address_ GUARDED_BY(mutex_);
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
  // one descriptor (server.cc says why).
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

// One connection, from accept to close, on one thread. It destroys itself when it is closed and no
// call of its own is on the stack.
class Connection final : public Exchange {
 public:
  // Takes the descriptor, a non-blocking socket.
  Connection(IoThread& thread, ThreadListener& listener, int fd, const IpAddress& peer,
             std::size_t slot);
  ~Connection() override;

  // Entry points, each from the I/O thread's loop. `this` may be gone when they return.
  void Start();
  void OnReady(std::uint32_t epoll_events);
  void OnDeadline();
  void OnDrain();
  void Cut();
  void OnMail(Mailbox::Item& item);
  // Undoes what the accept counted.
  void LeaveListener();

  // Exchange.
  const Request& request() const override { return request_; }
  void Answer(Response&& response) override;
  void ReadBody(std::size_t max_bytes,
                std::function<void(Exchange&, std::string_view body)> done) override;
  void StreamBody(std::uint64_t max_bytes, std::unique_ptr<BodySink> sink) override;
  Deferred Defer() override;

 private:
  enum class Phase : std::uint8_t {
    kHandshake,
    kHead,      // between requests, or a head on its way
    kExchange,  // a request is with its handler
    kLinger,    // the last answer is out; what still comes is thrown away
  };
  enum class BodyMode : std::uint8_t { kNone, kCollect, kStream, kDrain };
  class Entered;

  void Advance();
  bool AdvanceHandshake();
  bool AdvanceHead();
  bool AdvanceExchange();
  bool AdvanceBody();
  bool AdvanceLinger();
  bool NoMoreInput() const;
  bool InputOver() const;
  void CheckAnswerable();
  bool DeliverBody(std::string_view bytes);
  void EndBody();
  void EndExchange();
  bool BeginBody(std::uint64_t max_bytes);
  void AbortBody(ProtocolError why, std::string_view detail);
  void Refuse(ProtocolError error, std::string_view detail);
  enum class Framing : std::uint8_t { kLength, kChunked, kUntilClose };
  void AppendHead(const Response& response, Framing framing, std::size_t body_size,
                  bool keep_alive);
  bool PumpSource();
  bool FillFromTls();
  void Flush();
  bool SendPlain();
  bool SendTls();
  bool HasOutput() const;
  bool OutputIsLow() const;
  bool OnSendError();
  void ConsumeOutput(std::size_t count);
  void WaitWritable();
  bool Receive();
  bool WantsInput() const;
  bool MakeInputRoom();
  void ForgetExchange(bool unanswered);
  void Close();
  void SetReadDeadline(IoThread::Ticks deadline) { thread_.slot(slot_).read_deadline = deadline; }
  void SetWriteDeadline(IoThread::Ticks deadline) { thread_.slot(slot_).write_deadline = deadline; }

  IoThread& thread_;
  ThreadListener& listener_;
  const Limits& limits_;
  Handler& handler_;
  const int fd_;
  const std::size_t slot_;
  std::unique_ptr<TlsStream> tls_;

  ByteBuffer in_;
  ByteBuffer pinned_;  // the head of the running request, when its body needs in_
  ByteBuffer out_;
  std::shared_ptr<const std::string> shared_;  // follows out_
  std::size_t shared_sent_ = 0;
  std::unique_ptr<BodySource> source_;  // follows both
  std::string piece_;                   // of the source

  RequestParser parser_;
  Request request_;

  Phase phase_ = Phase::kHead;
  BodyMode body_mode_ = BodyMode::kNone;
  bool closed_ = false;
  bool readable_ = true;  // the socket may hold bytes that were not received
  bool hung_up_ = false;  // there is an end, or an error, behind what it holds
  bool waiting_writable_ = false;
  bool resume_due_ = false;
  bool peer_ended_ = false;    // no more input
  bool answered_ = false;      // the running request
  bool close_after_ = false;   // when the output is out
  bool linger_ = false;        // then wait for the peer to have read it
  bool continue_due_ = false;  // the client waits for 100
  bool body_done_ = true;      // of the running request
  bool body_paused_ = false;
  bool source_chunked_ = false;
  bool handshaken_ = false;
  bool head_started_ = true;        // the limit of the head runs, not that of an idle connection
  bool lingering_ = false;          // our side is shut down
  std::uint64_t body_left_ = 0;     // by Content-Length
  std::uint64_t body_allowed_ = 0;  // of what may still come
  ChunkedDecoder chunks_;
  std::string body_;            // collected
  std::string_view body_view_;  // body_, or in place where it came whole with its head
  std::function<void(Exchange&, std::string_view)> body_ready_;
  std::unique_ptr<BodySink> sink_;
  std::shared_ptr<Deferred::Impl> deferred_;
  bool refusal_due_ = false;
  ProtocolError refusal_ = ProtocolError::kBadRequest;
};

}  // namespace latchkey::http
