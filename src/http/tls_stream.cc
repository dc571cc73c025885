#include "http/tls_stream.h"

#include <algorithm>
#include <climits>
#include <cstring>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace latchkey::http {
namespace {

// OpenSSL's memory BIOs copy once more and grow without a bound; this one reads and writes the
// stream's own buffers.
int BioWrite(BIO* bio, const char* data, int length) {
  auto* stream = static_cast<TlsStream*>(BIO_get_data(bio));
  stream->output().Append({data, static_cast<std::size_t>(length)});
  return length;
}

int BioRead(BIO* bio, char* data, int length) {
  auto* stream = static_cast<TlsStream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  ByteBuffer& input = stream->input();
  if (input.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t count = std::min(input.size(), static_cast<std::size_t>(length));
  std::memcpy(data, input.data(), count);
  input.Consume(count);
  return static_cast<int>(count);
}

long BioControl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* Method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "latchkey");
    BIO_meth_set_write(made, BioWrite);
    BIO_meth_set_read(made, BioRead);
    BIO_meth_set_ctrl(made, BioControl);
    return made;
  }();
  return method;
}

}  // namespace

TlsStream::TlsStream(ssl_st* ssl) : ssl_(ssl) {
  BIO* bio = BIO_new(Method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_accept_state(ssl_);
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

TlsStream::Outcome TlsStream::Handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) return Outcome::kDone;
  return SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ ? Outcome::kNeedInput
                                                            : Outcome::kFailed;
}

bool TlsStream::HasInput() const { return !input_.empty() || SSL_pending(ssl_) > 0; }

bool TlsStream::resumed() const { return SSL_session_reused(ssl_) == 1; }

TlsStream::Outcome TlsStream::Read(ByteBuffer& out) {
  ERR_clear_error();
  bool any = false;
  Outcome outcome = Outcome::kDone;
  while (out.room() > 0) {
    const int room = static_cast<int>(std::min<std::size_t>(out.room(), INT_MAX));
    const int count = SSL_read(ssl_, out.tail(), room);
    if (count > 0) {
      out.Commit(static_cast<std::size_t>(count));
      any = true;
      // Asking once more for nothing is what a request would pay for: WANT_READ is an error's path.
      if (input_.empty() && SSL_pending(ssl_) == 0) break;
      continue;
    }
    switch (SSL_get_error(ssl_, count)) {
      case SSL_ERROR_WANT_READ:
        outcome = Outcome::kNeedInput;
        break;
      case SSL_ERROR_ZERO_RETURN:
        outcome = Outcome::kClosed;
        break;
      default:
        outcome = Outcome::kFailed;
    }
    break;
  }
  return any ? Outcome::kDone : outcome;
}

TlsStream::Outcome TlsStream::Write(std::string_view bytes) {
  ERR_clear_error();
  while (!bytes.empty()) {
    const int length = static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 20));
    const int count = SSL_write(ssl_, bytes.data(), length);
    if (count <= 0) return Outcome::kFailed;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return Outcome::kDone;
}

void TlsStream::Shutdown() {
  ERR_clear_error();
  (void)SSL_shutdown(ssl_);
  ERR_clear_error();
}

}  // namespace latchkey::http
