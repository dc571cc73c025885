#include "http/connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace latchkey::http {
namespace {

// The first buffer of a connection: most heads fit, and many connections are idle.
constexpr std::size_t kInitialInput = 4096;
constexpr std::size_t kMinReadRoom = 1024;
constexpr std::size_t kBodyReadBytes = 64 * 1024;
// Above this much unsent output nothing more is answered or made on the connection.
constexpr std::size_t kHighOutput = 64 * 1024;
// From here on a shared body is sent from where it stands.
constexpr std::size_t kGatherBytes = 16 * 1024;
constexpr std::size_t kKeepCapacity = 128 * 1024;
// What is read and dropped of a body that nobody wanted, so that the connection can be kept.
constexpr std::uint64_t kDrainBytes = 64 * 1024;
// After so many receives in a row the other connections have their turn.
constexpr int kReceivesPerTurn = 16;
// How long a peer may take to read a last answer that it did not wait for (RFC 9112 §9.6).
constexpr std::chrono::milliseconds kLingerTime{5'000};

int StatusOf(ProtocolError error) {
  switch (error) {
    case ProtocolError::kBadRequest:
      return 400;
    case ProtocolError::kRequestTimeout:
      return 408;
    case ProtocolError::kBodyTooLarge:
      return 413;
    case ProtocolError::kUrlTooLong:
      return 414;
    case ProtocolError::kExpectationFailed:
      return 417;
    case ProtocolError::kHeadTooLarge:
      return 431;
    case ProtocolError::kNotImplemented:
      return 501;
    case ProtocolError::kVersion:
      return 505;
  }
  return 400;
}

bool MayHaveBody(int status) { return status >= 200 && status != 204 && status != 304; }

std::string_view Decimal(std::uint64_t value, std::array<char, 20>& digits) {
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), static_cast<std::size_t>(end - digits.data())};
}

}  // namespace

// Marks that a call of this connection is on the stack; the last thing an entry point does is to
// let a closed connection go.
class Connection::Entered {
 public:
  explicit Entered(Connection& connection) : connection_(connection) {}
  ~Entered() {
    if (connection_.closed_) connection_.thread_.Remove(connection_.slot_);
  }

 private:
  Connection& connection_;
};

Connection::Connection(IoThread& thread, ThreadListener& listener, int fd, const IpAddress& peer,
                       std::size_t slot)
    : thread_(thread),
      listener_(listener),
      limits_(listener.options.limits),
      handler_(*listener.handler),
      fd_(fd),
      slot_(slot) {
  request_.peer = peer;
  request_.tls = listener.options.tls != nullptr;
}

Connection::~Connection() = default;

void Connection::LeaveListener() {
  listener_.counters.open.Subtract();
  listener_.admission.Leave(request_.peer);
}

// ---- entry points ----

void Connection::Start() {
  const Entered entered(*this);
  SetReadDeadline(thread_.Deadline(limits_.head_timeout));
  if (listener_.options.tls != nullptr) {
    tls_ = MakeTlsStream(*listener_.options.tls);
    if (tls_ == nullptr) return Close();
    phase_ = Phase::kHandshake;
  }
  // The first bytes often come with the connection: no need to be told of them.
  Advance();
}

void Connection::OnReady(std::uint32_t epoll_events) {
  const Entered entered(*this);
  resume_due_ = false;
  if (epoll_events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) readable_ = true;
  if (epoll_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) hung_up_ = true;
  if (waiting_writable_ && (epoll_events & (EPOLLOUT | EPOLLHUP | EPOLLERR))) {
    waiting_writable_ = false;
    SetWriteDeadline(IoThread::kNever);
    Flush();
  }
  Advance();
}

void Connection::OnDeadline() {
  const Entered entered(*this);
  if (closed_) return;
  IoThread::Slot& slot = thread_.slot(slot_);
  if (slot.write_deadline <= thread_.now()) {
    listener_.counters.closed_write_timeout.Add();
    return Close();
  }
  if (slot.read_deadline > thread_.now()) return;
  switch (phase_) {
    case Phase::kHandshake:
      listener_.counters.closed_head_timeout.Add();
      listener_.counters.tls_failed.Add();
      return Close();
    case Phase::kHead:
      if (HasOutput()) {
        // It waits for the peer to read, and the write limit counts.
        SetReadDeadline(thread_.Deadline(limits_.idle_timeout));
        return;
      }
      if (in_.empty()) {
        (head_started_ ? listener_.counters.closed_head_timeout : listener_.counters.closed_idle)
            .Add();
        return Close();
      }
      listener_.counters.closed_head_timeout.Add();
      Refuse(ProtocolError::kRequestTimeout, "the head took too long");
      break;
    case Phase::kExchange:
      listener_.counters.closed_body_timeout.Add();
      AbortBody(ProtocolError::kRequestTimeout, "the body took too long");
      break;
    case Phase::kLinger:
      return Close();
  }
  Advance();
}

void Connection::OnDrain() {
  const Entered entered(*this);
  if (closed_) return;
  if (phase_ == Phase::kHandshake || (phase_ == Phase::kLinger && !HasOutput())) return Close();
  CloseIfIdle();
}

// While the server drains: nothing runs and nothing is due.
void Connection::CloseIfIdle() {
  if (phase_ != Phase::kHead || !in_.empty() || HasOutput()) return;
  // A request may have arrived that the loop has not told of yet.
  char byte;
  if (::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) Close();
}

void Connection::Cut() {
  const Entered entered(*this);
  Close();
}

void Connection::OnMail(Mailbox::Item& item) {
  const Entered entered(*this);
  switch (item.kind) {
    case Mailbox::Item::Kind::kWork:
      item.work(*this);
      CheckAnswerable();
      break;
    case Mailbox::Item::Kind::kResume:
      if (!body_paused_) return;
      body_paused_ = false;
      if (!body_done_) SetReadDeadline(thread_.Deadline(limits_.body_timeout));
      break;
    case Mailbox::Item::Kind::kDropped:
      // Another Deferred of the same exchange may have been made since.
      if (item.deferred->handles.load() > 0) return;
      return Close();
  }
  Advance();
}

// ---- the loop ----

// Does all that can be done with what is here, then sends, then reads on. Every entry point ends
// here; what a handler calls on the exchange only changes the state.
void Connection::Advance() {
  int receives = 0;
  while (!closed_) {
    bool progress = false;
    switch (phase_) {
      case Phase::kHandshake:
        progress = AdvanceHandshake();
        break;
      case Phase::kHead:
        progress = AdvanceHead();
        break;
      case Phase::kExchange:
        progress = AdvanceExchange();
        break;
      case Phase::kLinger:
        progress = AdvanceLinger();
        break;
    }
    if (closed_) return;
    if (progress) continue;
    if (HasOutput() && !waiting_writable_) {
      // Answers to pipelined requests leave together.
      Flush();
      if (closed_) return;
      if (!HasOutput() && (source_ != nullptr || !in_.empty() || phase_ == Phase::kLinger)) {
        continue;
      }
    }
    if (tls_ && FillFromTls()) continue;
    if (receives == kReceivesPerTurn) {
      if (!resume_due_ && readable_ && WantsInput()) {
        resume_due_ = true;
        thread_.Resume(slot_);
      }
      return;
    }
    if (!Receive()) {
      // An answer that was made before the drain may have gone out only now.
      if (!closed_ && thread_.draining()) CloseIfIdle();
      return;
    }
    ++receives;
  }
}

bool Connection::AdvanceHandshake() {
  if (tls_->input().empty()) {
    if (peer_ended_) {
      listener_.counters.tls_failed.Add();
      Close();
    }
    return false;
  }
  switch (tls_->Handshake()) {
    case TlsStream::Outcome::kDone:
      handshaken_ = true;
      listener_.counters.tls_handshakes.Add();
      if (tls_->resumed()) listener_.counters.tls_resumed.Add();
      phase_ = Phase::kHead;
      SetReadDeadline(thread_.Deadline(limits_.head_timeout));
      return true;
    case TlsStream::Outcome::kNeedInput:
      return false;
    default:
      listener_.counters.tls_failed.Add();
      // The alert tells the peer why.
      Flush();
      Close();
      return false;
  }
}

bool Connection::AdvanceHead() {
  // A peer that does not read its answers gets no more of them; and nothing may come between a
  // shared body and the bytes before it.
  if (!OutputIsLow() || shared_ != nullptr) return false;
  RequestParser::Outcome outcome = RequestParser::Outcome::kNeedMore;
  if (!in_.empty()) outcome = parser_.Parse(in_.view(), limits_, request_);
  if (outcome == RequestParser::Outcome::kNeedMore) {
    if (NoMoreInput()) {
      phase_ = Phase::kLinger;
      return true;
    }
    if (!in_.empty() && !head_started_) {
      head_started_ = true;
      SetReadDeadline(thread_.Deadline(limits_.head_timeout));
    }
    return false;
  }
  if (outcome == RequestParser::Outcome::kFailed) {
    Refuse(parser_.error(), parser_.detail());
    return true;
  }
  const HeadInfo& info = parser_.info();
  in_.Consume(info.head_bytes);
  phase_ = Phase::kExchange;
  answered_ = false;
  body_mode_ = BodyMode::kNone;
  body_done_ = !request_.has_body;
  SetReadDeadline(IoThread::kNever);
  if (request_.has_body) {
    body_paused_ = false;
    body_left_ = info.content_length.value_or(0);
    continue_due_ = info.expect_continue;
    if (info.chunked) chunks_ = ChunkedDecoder();
  }
  handler_.OnRequest(*this);
  CheckAnswerable();
  return true;
}

// A handler that neither answers nor keeps a Deferred nor reads the body can never answer.
void Connection::CheckAnswerable() {
  if (answered_ || deferred_ != nullptr || refusal_due_ || phase_ != Phase::kExchange) return;
  if (!body_done_ && body_mode_ != BodyMode::kNone) return;
  Close();
}

bool Connection::AdvanceExchange() {
  if (refusal_due_) {
    refusal_due_ = false;
    AbortBody(refusal_, "the body is too large");
    return true;
  }
  if (!answered_) {
    if (body_done_ || body_mode_ == BodyMode::kNone || body_paused_) return false;
    return AdvanceBody();
  }
  if (source_ != nullptr && !PumpSource()) return false;
  if (!body_done_ && !close_after_) {
    if (body_mode_ != BodyMode::kDrain) {
      body_mode_ = BodyMode::kDrain;
      body_paused_ = false;
      body_allowed_ = kDrainBytes;
      SetReadDeadline(thread_.Deadline(limits_.body_timeout));
    }
    return AdvanceBody();
  }
  EndExchange();
  return true;
}

bool Connection::AdvanceBody() {
  bool progress = false;
  while (!closed_ && !body_done_ && !body_paused_ && !refusal_due_ && !in_.empty()) {
    progress = true;
    std::string_view data;
    if (parser_.info().chunked) {
      std::string_view rest = in_.view();
      const ChunkedDecoder::Outcome outcome = chunks_.Next(rest, data);
      in_.Consume(in_.size() - rest.size());
      if (outcome == ChunkedDecoder::Outcome::kNeedMore) {
        if (!CheckBodyBound(chunks_.ahead())) return true;
        break;
      }
      if (outcome == ChunkedDecoder::Outcome::kBad) {
        AbortBody(ProtocolError::kBadRequest, "the chunked body is malformed");
        return true;
      }
      if (outcome == ChunkedDecoder::Outcome::kEnd) {
        EndBody();
        break;
      }
      // A size line that promises too much is answered at once, not when the bytes have come.
      if (!CheckBodyBound(data.size() + chunks_.ahead()) || !DeliverBody(data)) return true;
    } else {
      const std::size_t count =
          static_cast<std::size_t>(std::min<std::uint64_t>(in_.size(), body_left_));
      data = in_.view().substr(0, count);
      const bool whole = count == body_left_ && body_.empty() && pinned_.capacity() == 0;
      in_.Consume(count);
      body_left_ -= count;
      if (whole && body_mode_ == BodyMode::kCollect) {
        body_view_ = data;  // it stays where it is until the answer
      } else if (!DeliverBody(data)) {
        return true;
      }
      if (body_left_ == 0) EndBody();
    }
  }
  if (!closed_ && !body_done_ && !body_paused_ && InputOver()) {
    if (sink_ != nullptr && !answered_) sink_->OnAbort(ProtocolError::kBadRequest);
    sink_.reset();
    Close();
    return false;
  }
  return progress;
}

// False: so much more is too much, and the body was cut off.
bool Connection::CheckBodyBound(std::uint64_t bytes) {
  if (bytes <= body_allowed_) return true;
  if (body_mode_ == BodyMode::kDrain) {
    close_after_ = linger_ = true;
  } else {
    AbortBody(ProtocolError::kBodyTooLarge, "the body is too large");
  }
  return false;
}

// False: the body was cut off.
bool Connection::DeliverBody(std::string_view bytes) {
  if (!CheckBodyBound(bytes.size())) return false;
  body_allowed_ -= bytes.size();
  if (body_mode_ == BodyMode::kCollect) {
    body_.append(bytes);
  } else if (body_mode_ == BodyMode::kStream && !answered_) {
    if (!sink_->OnData(bytes)) {
      body_paused_ = true;
      SetReadDeadline(IoThread::kNever);
    }
  }
  return true;
}

void Connection::EndBody() {
  body_done_ = true;
  SetReadDeadline(IoThread::kNever);
  if (answered_) return;
  if (body_mode_ == BodyMode::kStream) {
    sink_->OnEnd();
  } else if (body_mode_ == BodyMode::kCollect) {
    if (!body_.empty()) body_view_ = body_;
    auto ready = std::move(body_ready_);
    body_ready_ = nullptr;
    ready(*this, body_view_);
  }
  CheckAnswerable();
}

void Connection::AbortBody(ProtocolError why, std::string_view detail) {
  if (answered_) {
    // The answer is out or on its way; it can't be taken back.
    body_done_ = true;
    close_after_ = linger_ = true;
    return;
  }
  if (sink_ != nullptr) {
    sink_->OnAbort(why);
    sink_.reset();
  }
  if (closed_ || answered_) return;
  Refuse(why, detail);
}

void Connection::EndExchange() {
  pinned_.Free();
  sink_.reset();
  if (!body_.empty()) {
    body_.clear();
    if (body_.capacity() > kKeepCapacity) body_.shrink_to_fit();
  }
  body_view_ = {};
  continue_due_ = false;
  if (close_after_ || thread_.draining()) {
    linger_ = linger_ || !in_.empty() || !body_done_;
    phase_ = Phase::kLinger;
    return;
  }
  phase_ = Phase::kHead;
  parser_.Reset();
  head_started_ = false;
  SetReadDeadline(thread_.Deadline(limits_.idle_timeout));
}

// The last answer is made. Closing at once would let the kernel throw away what the peer has not
// read yet, if bytes of the peer's are still unread here (RFC 9112 §9.6).
bool Connection::AdvanceLinger() {
  if (HasOutput()) return false;
  if (!linger_ || peer_ended_ || thread_.draining()) {
    Close();
    return false;
  }
  in_.Consume(in_.size());
  if (!lingering_) {
    lingering_ = true;
    SetReadDeadline(thread_.Deadline(kLingerTime));
    if (tls_) {
      tls_->Shutdown();
      Flush();
      if (closed_) return false;
    }
    ::shutdown(fd_, SHUT_WR);
  }
  return false;
}

// No more bytes will be there than are in in_.
bool Connection::NoMoreInput() const { return peer_ended_ && (!tls_ || !tls_->HasInput()); }

bool Connection::InputOver() const { return in_.empty() && NoMoreInput(); }

void Connection::Refuse(ProtocolError error, std::string_view detail) {
  listener_.counters.protocol_errors.Add();
  Response response;
  response.status = StatusOf(error);
  handler_.OnProtocolError(error, detail, request_.peer, response);
  const bool head_only = phase_ == Phase::kExchange && request_.method == Method::kHead;
  ForgetExchange(true);
  const std::string_view body = response.Body();
  AppendHead(response, Framing::kLength, body.size(), false);
  if (!head_only && MayHaveBody(response.status)) out_.Append(body);
  pinned_.Free();
  body_done_ = true;
  close_after_ = linger_ = true;
  phase_ = Phase::kLinger;
  // Until the answer is out the write limit counts, then the linger's.
  SetReadDeadline(IoThread::kNever);
}

// ---- the exchange ----

void Connection::AppendHead(const Response& response, Framing framing, std::size_t body_size,
                            bool keep_alive) {
  std::array<char, 20> digits;
  const std::string_view phrase = ReasonPhrase(response.status);
  const std::string_view date = thread_.date_line();
  out_.Reserve(160 + phrase.size() + date.size() + response.header_lines.size());
  if (response.status == 200) {
    out_.Put("HTTP/1.1 200 OK\r\n");
  } else {
    out_.Put("HTTP/1.1 ");
    out_.Put(Decimal(static_cast<std::uint64_t>(response.status), digits));
    out_.Put(" ");
    out_.Put(phrase);
    out_.Put("\r\n");
  }
  out_.Put(date);
  out_.Put(response.header_lines);
  if (framing == Framing::kLength && MayHaveBody(response.status)) {
    out_.Put("Content-Length: ");
    out_.Put(Decimal(body_size, digits));
    out_.Put("\r\n");
  } else if (framing == Framing::kChunked) {
    out_.Put("Transfer-Encoding: chunked\r\n");
  }
  if (!keep_alive) {
    out_.Put("Connection: close\r\n\r\n");
  } else if (parser_.info().http_1_0) {
    out_.Put("Connection: keep-alive\r\n\r\n");
  } else {
    out_.Put("\r\n");
  }
}

void Connection::Answer(Response&& response) {
  if (phase_ != Phase::kExchange || answered_ || closed_) return;
  answered_ = true;
  if (deferred_ != nullptr) ForgetExchange(false);
  body_ready_ = nullptr;

  if (!body_done_ && (continue_due_ || (!parser_.info().chunked && body_left_ > kDrainBytes))) {
    // Whether a client that waits for 100 will send its body now, nobody knows.
    close_after_ = linger_ = true;
  }
  const bool http_1_0 = parser_.info().http_1_0;
  bool keep_alive = parser_.info().keep_alive && !response.close && !close_after_ &&
                    !thread_.draining() && !InputOver();
  const bool head_only = request_.method == Method::kHead;
  if (response.source != nullptr && MayHaveBody(response.status)) {
    // Without chunks the connection's end is the body's.
    if (http_1_0) keep_alive = false;
    AppendHead(response, http_1_0 ? Framing::kUntilClose : Framing::kChunked, 0, keep_alive);
    if (!head_only) {
      source_ = std::move(response.source);
      source_chunked_ = !http_1_0;
    }
  } else {
    const std::string_view body = response.Body();
    AppendHead(response, Framing::kLength, body.size(), keep_alive);
    if (!head_only && MayHaveBody(response.status)) {
      if (response.shared_body && body.size() >= kGatherBytes) {
        shared_ = std::move(response.shared_body);
        shared_sent_ = 0;
      } else {
        out_.Append(body);
      }
    }
  }
  if (!keep_alive) close_after_ = true;
}

void Connection::ReadBody(std::size_t max_bytes,
                          std::function<void(Exchange&, std::string_view body)> done) {
  if (phase_ != Phase::kExchange || answered_ || closed_) return;
  if (body_done_) return done(*this, {});
  if (!BeginBody(max_bytes)) return;
  body_mode_ = BodyMode::kCollect;
  body_ready_ = std::move(done);
  body_.reserve(static_cast<std::size_t>(
      in_.size() >= body_left_ ? 0 : std::min<std::uint64_t>(body_left_, 1 << 20)));
}

void Connection::StreamBody(std::uint64_t max_bytes, std::unique_ptr<BodySink> sink) {
  if (phase_ != Phase::kExchange || answered_ || closed_) return;
  sink_ = std::move(sink);
  if (body_done_) return sink_->OnEnd();
  if (!BeginBody(max_bytes)) return;
  body_mode_ = BodyMode::kStream;
}

// False: it is longer than it may be, and the refusal follows when the handler has returned.
bool Connection::BeginBody(std::uint64_t max_bytes) {
  body_allowed_ = max_bytes;
  if (body_left_ > max_bytes) {
    refusal_due_ = true;
    refusal_ = ProtocolError::kBodyTooLarge;
    return false;
  }
  if (continue_due_) {
    // RFC 9110 §10.1.1: not where the body is already on its way.
    if (in_.empty()) out_.Append("HTTP/1.1 100 Continue\r\n\r\n");
    continue_due_ = false;
  }
  SetReadDeadline(thread_.Deadline(limits_.body_timeout));
  return true;
}

Deferred Connection::Defer() {
  if (deferred_ == nullptr) {
    deferred_ = std::make_shared<Deferred::Impl>(thread_.mailbox(), this);
  }
  return Deferred(deferred_);
}

void Connection::ForgetExchange(bool unanswered) {
  if (deferred_ != nullptr) {
    deferred_->connection = nullptr;
    if (unanswered) deferred_->gone.store(true, std::memory_order_relaxed);
    deferred_->over.store(true, std::memory_order_release);
    deferred_.reset();
  }
  if (unanswered) body_ready_ = nullptr;
}

// ---- output ----

bool Connection::HasOutput() const {
  return !out_.empty() || shared_ != nullptr || (tls_ && !tls_->output().empty());
}

bool Connection::OutputIsLow() const {
  return out_.size() + (tls_ ? tls_->output().size() : 0) < kHighOutput;
}

// True: the source is at its end and all of it is in the output.
bool Connection::PumpSource() {
  while (OutputIsLow()) {
    piece_.clear();
    const bool more = source_->Next(piece_);
    if (!piece_.empty()) {
      if (source_chunked_) {
        std::array<char, 18> size;
        char* end = std::to_chars(size.data(), size.data() + 16, piece_.size(), 16).ptr;
        *end++ = '\r';
        *end++ = '\n';
        out_.Append({size.data(), static_cast<std::size_t>(end - size.data())});
      }
      out_.Append(piece_);
      if (source_chunked_) out_.Append("\r\n");
    }
    if (!more) {
      if (source_->broken()) {
        close_after_ = true;
      } else if (source_chunked_) {
        out_.Append("0\r\n\r\n");
      }
      source_.reset();
      piece_.clear();
      piece_.shrink_to_fit();
      return true;
    }
  }
  return false;
}

void Connection::Flush() {
  while (!waiting_writable_ && !closed_ && HasOutput()) {
    if (!(tls_ ? SendTls() : SendPlain())) return;
  }
}

// False: the peer takes no more now, or is gone.
bool Connection::SendPlain() {
  ssize_t sent;
  if (shared_ == nullptr) {
    sent = ::send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  } else {
    iovec pieces[2] = {
        {const_cast<char*>(out_.data()), out_.size()},
        {const_cast<char*>(shared_->data()) + shared_sent_, shared_->size() - shared_sent_}};
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = 2;
    sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  if (sent < 0) return OnSendError();
  const std::size_t of_out = std::min(static_cast<std::size_t>(sent), out_.size());
  ConsumeOutput(of_out);
  if (shared_ != nullptr) {
    shared_sent_ += static_cast<std::size_t>(sent) - of_out;
    if (shared_sent_ == shared_->size()) shared_.reset();
  }
  return true;
}

bool Connection::SendTls() {
  ByteBuffer& wire = tls_->output();
  if (wire.size() < kHighOutput) {
    std::string_view plain;
    if (!out_.empty()) {
      plain = out_.view().substr(0, kHighOutput);
    } else if (shared_ != nullptr) {
      plain = std::string_view(*shared_).substr(shared_sent_, kHighOutput);
    }
    if (!plain.empty() && tls_->Write(plain) != TlsStream::Outcome::kDone) {
      Close();
      return false;
    }
    if (!out_.empty()) {
      ConsumeOutput(plain.size());
    } else if (shared_ != nullptr) {
      shared_sent_ += plain.size();
      if (shared_sent_ == shared_->size()) shared_.reset();
    }
  }
  const ssize_t sent = ::send(fd_, wire.data(), wire.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return OnSendError();
  wire.Consume(static_cast<std::size_t>(sent));
  wire.Rewind();
  if (wire.empty() && wire.capacity() > kKeepCapacity) wire.Free();
  return true;
}

void Connection::ConsumeOutput(std::size_t count) {
  out_.Consume(count);
  out_.Rewind();
  if (out_.empty() && out_.capacity() > kKeepCapacity) out_.Free();
}

bool Connection::OnSendError() {
  if (errno == EINTR) return true;
  if (errno == EAGAIN || errno == EWOULDBLOCK) {
    WaitWritable();
  } else {
    Close();
  }
  return false;
}

void Connection::WaitWritable() {
  // The set tells of it by an edge: the socket was full a moment ago.
  waiting_writable_ = true;
  SetWriteDeadline(thread_.Deadline(limits_.write_timeout));
}

// ---- input ----

bool Connection::WantsInput() const {
  if (closed_) return false;
  switch (phase_) {
    case Phase::kHandshake:
      return true;
    case Phase::kHead:
      return OutputIsLow() && shared_ == nullptr;
    case Phase::kExchange:
      // While a handler works, reading tells whether the peer is still there, as far as there is
      // room; a body that nobody has asked for stays with the peer.
      return body_done_ || (body_mode_ != BodyMode::kNone && !body_paused_);
    case Phase::kLinger:
      return lingering_;
  }
  return false;
}

// Moves nothing that a view points to: the head of the running request stays where it is, and a
// body that did not come with it goes on in another buffer.
bool Connection::MakeInputRoom() {
  if (phase_ == Phase::kExchange) {
    if (!body_done_ && pinned_.capacity() == 0) {
      const bool large = parser_.info().chunked || body_left_ > kInitialInput;
      ByteBuffer fresh;
      fresh.Reserve(std::max(in_.size(), large ? kBodyReadBytes : kInitialInput));
      fresh.Put(in_.view());
      pinned_.swap(in_);
      in_.swap(fresh);
    }
    if (pinned_.capacity() == 0 || body_done_) return in_.room() > 0;
  }
  in_.Rewind();
  // What a large head or body needed is given back before the connection falls idle.
  if (in_.empty() && phase_ == Phase::kHead && in_.capacity() > 4 * kInitialInput) in_.Free();
  if (in_.room() < kMinReadRoom) in_.Reserve(in_.capacity() == 0 ? kInitialInput : kMinReadRoom);
  return true;
}

bool Connection::FillFromTls() {
  if (!handshaken_ || !tls_->HasInput() || !WantsInput() || !MakeInputRoom()) return false;
  switch (tls_->Read(in_)) {
    case TlsStream::Outcome::kDone:
      return true;
    case TlsStream::Outcome::kNeedInput:
      return peer_ended_;  // a record that will never be whole
    case TlsStream::Outcome::kClosed:
      peer_ended_ = true;
      tls_->input().Consume(tls_->input().size());
      return true;
    case TlsStream::Outcome::kFailed:
      Close();
      return false;
  }
  return false;
}

// Receives once, if there may be something and it is wanted. True: something changed.
bool Connection::Receive() {
  if (closed_ || !readable_ || peer_ended_ || !WantsInput()) return false;
  ByteBuffer* buffer = &in_;
  if (tls_) {
    buffer = &tls_->input();
    buffer->Rewind();
    // What is there must be decrypted first, and that waits for room.
    if (buffer->size() > kBodyReadBytes) return false;
    if (buffer->room() < kMinReadRoom) {
      buffer->Reserve(buffer->capacity() == 0 ? kInitialInput : kInitialInput * 4);
    }
  } else if (!MakeInputRoom()) {
    return false;
  }
  ssize_t count;
  do {
    count = ::recv(fd_, buffer->tail(), buffer->room(), MSG_DONTWAIT);
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    // Less than there was room for: the socket is empty, and an edge tells of more. To ask once
    // more would cost each request a call for nothing. Before an end there is no more edge.
    const bool emptied = static_cast<std::size_t>(count) < buffer->room();
    buffer->Commit(static_cast<std::size_t>(count));
    if (emptied && !hung_up_) readable_ = false;
    if (phase_ == Phase::kExchange && !body_done_ && body_mode_ != BodyMode::kNone) {
      SetReadDeadline(thread_.Deadline(limits_.body_timeout));
    }
    return true;
  }
  readable_ = false;
  if (count == 0) {
    peer_ended_ = true;
    return true;
  }
  if (errno != EAGAIN && errno != EWOULDBLOCK) Close();
  return false;
}

void Connection::Close() {
  if (closed_) return;
  closed_ = true;
  if (sink_ != nullptr && !body_done_ && !answered_) sink_->OnAbort(ProtocolError::kBadRequest);
  sink_.reset();
  source_.reset();
  ForgetExchange(true);
  if (tls_ && handshaken_ && !lingering_ && tls_->output().empty()) {
    tls_->Shutdown();
    const ByteBuffer& wire = tls_->output();
    (void)::send(fd_, wire.data(), wire.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  ::close(fd_);  // which takes it out of the set too
}

}  // namespace latchkey::http
