// The HTTP/1.1 server: I/O threads, listeners, connections, and the interface to what answers.
//
// One io_context per I/O thread; each listener has an acceptor of its own on every thread
// (SO_REUSEPORT), so a connection lives on one thread from accept to close and nothing on its way
// is shared. Each thread has its own Handler, made by the listener's factory, so a handler needs no
// lock for what it keeps per thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "base/result.h"
#include "http/message.h"

namespace latchkey::http {

class TlsContext;  // http/tls.h

// Why the server itself refuses bytes that never became a request, or a body that broke a bound.
enum class ProtocolError : std::uint8_t {
  kBadRequest,         // 400, malformed (RFC 9112)
  kRequestTimeout,     // 408
  kBodyTooLarge,       // 413
  kUrlTooLong,         // 414
  kExpectationFailed,  // 417
  kHeadTooLarge,       // 431: bytes of the head or number of fields
  kNotImplemented,     // 501: an unknown transfer coding
  kVersion,            // 505
};

// Bounds of one listener. Zero is never "unlimited".
struct Limits {
  std::size_t max_head_bytes = 16 * 1024;
  std::size_t max_header_fields = 100;
  std::size_t max_url_bytes = 8 * 1024;
  std::size_t max_connections = 20000;
  std::size_t max_connections_per_address = 1024;  // trusted proxies are not counted
  // From a new connection, or the first byte of a later head, to the head's last byte; the same
  // again for a TLS handshake.
  std::chrono::milliseconds head_timeout{10'000};
  std::chrono::milliseconds body_timeout{30'000};   // without a byte of the body
  std::chrono::milliseconds idle_timeout{75'000};   // between requests
  std::chrono::milliseconds write_timeout{30'000};  // without the peer taking a byte
};

// What the server counts. Read from any thread; each thread writes its own.
struct ServerCounts {
  std::uint64_t accepted = 0;
  std::uint64_t open = 0;
  std::uint64_t rejected_total = 0;        // max_connections
  std::uint64_t rejected_per_address = 0;  // max_connections_per_address
  std::uint64_t tls_handshakes = 0;
  std::uint64_t tls_resumed = 0;
  std::uint64_t tls_failed = 0;
  std::uint64_t closed_head_timeout = 0;
  std::uint64_t closed_body_timeout = 0;
  std::uint64_t closed_idle = 0;
  std::uint64_t closed_write_timeout = 0;
  std::uint64_t protocol_errors = 0;
};

// Receives a body as it arrives, on the connection's I/O thread.
class BodySink {
 public:
  virtual ~BodySink() = default;
  // False: pause; nothing more arrives until Deferred::ResumeBody.
  virtual bool OnData(std::string_view bytes) = 0;
  // The whole body is here.
  virtual void OnEnd() = 0;
  // It broke off: the peer left, was too slow, or sent too much. The sink is destroyed after it.
  virtual void OnAbort(ProtocolError why) = 0;
};

class Exchange;

// A request whose answer comes later, maybe from another thread. It may be kept past the
// connection's end: what is sent then goes nowhere. Dropping it unanswered closes the connection.
class Deferred {
 public:
  class Impl;
  explicit Deferred(std::shared_ptr<Impl> impl);
  Deferred(Deferred&&) noexcept;
  Deferred& operator=(Deferred&&) noexcept;
  ~Deferred();

  // Runs `work` on the connection's I/O thread, with the exchange, if the connection still stands.
  // From any thread. `work` answers there, or keeps waiting for another Post.
  void Post(std::function<void(Exchange&)> work);
  // From any thread: the sink wants more.
  void ResumeBody();
  // True once the connection is gone; the work may be given up.
  bool Abandoned() const;

 private:
  std::shared_ptr<Impl> impl_;
};

// One request and the way to answer it. Used on the connection's I/O thread only, and only until it
// is answered. The next pipelined request is handed on after this one is answered.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const = 0;

  // Answers, once; the response's views need to hold during the call only. To HEAD the server sends
  // the same head without the body. An unread body is drained if little is left of it; otherwise
  // the connection is closed after the answer.
  virtual void Answer(Response&& response) = 0;

  // Collects the whole body (at most max_bytes, else 413 through Handler::OnProtocolError), then
  // calls `done` on this thread. Sends 100 Continue if the client waits for it. The view holds
  // until the answer. At once, with an empty body, if the request has none.
  virtual void ReadBody(std::size_t max_bytes,
                        std::function<void(Exchange&, std::string_view body)> done) = 0;

  // Streams the body into the sink (at most max_bytes). Answer comes through a Deferred, from the
  // sink's own calls too. When the body breaks off, OnAbort comes first; if nothing was answered
  // yet and the peer is there, Handler::OnProtocolError answers, and the exchange is over.
  virtual void StreamBody(std::uint64_t max_bytes, std::unique_ptr<BodySink> sink) = 0;

  // The answer will come later. Views in request() hold until then. May be called more than once;
  // the exchange is given up when the last Deferred goes unanswered.
  virtual Deferred Defer() = 0;
};

// What answers. One per listener and I/O thread; all calls on that thread.
class Handler {
 public:
  virtual ~Handler() = default;
  // The head is complete and within bounds. Answer, read the body, or defer, before returning.
  virtual void OnRequest(Exchange& exchange) = 0;
  // Bytes were refused before or instead of a request, or a body broke its bound. The server closes
  // the connection after the answer. `detail` says what is wrong, in words of the server's own:
  // nothing of what was received. `answer` takes the refusal; its views must hold until the next
  // call of this handler.
  virtual void OnProtocolError(ProtocolError error, std::string_view detail, const IpAddress& peer,
                               Response& answer) = 0;
  // About every 100 ms on this thread: flush a log, fold a counter.
  virtual void OnTick() {}
};

struct ListenerOptions {
  std::string name;           // "data", "plain", "manage", "internal": for logs and metrics
  IpAddress address;          // :: takes IPv4 too
  std::uint16_t port = 0;     // 0: a free one
  TlsContext* tls = nullptr;  // borrowed; null: plain
  Limits limits;
  std::vector<IpNetwork> trusted_proxies;  // not counted per address
  // Called once per I/O thread, before the listener accepts.
  std::function<std::unique_ptr<Handler>(int thread)> make_handler;
};

class Server {
 public:
  // Threads are not started yet. 1 to 256 threads.
  explicit Server(int threads);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds and listens (nothing is accepted before Start). The port that was bound.
  // kUnavailable, with address and port named, if it is taken.
  Result<std::uint16_t> Listen(ListenerOptions options);
  void Start();
  // Drain: closes the acceptors, answers what runs with Connection: close, closes idle connections,
  // waits at most `patience`, then closes the rest, destroys the handlers on their threads, and
  // joins. True if nothing had to be cut.
  bool Stop(std::chrono::milliseconds patience);
  // May be called from another thread while Stop waits: it then stops waiting.
  void StopNow();

  // By listener name, summed over threads.
  ServerCounts Counts(std::string_view listener) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace latchkey::http
