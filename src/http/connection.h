// One connection of the server. Inside http alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/byte_buffer.h"
#include "http/chunked.h"
#include "http/io_thread.h"
#include "http/mailbox.h"
#include "http/request_parser.h"
#include "http/server.h"
#include "http/tls_stream.h"

namespace latchkey::http {

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
  void CloseIfIdle();
  bool CheckBodyBound(std::uint64_t bytes);
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
