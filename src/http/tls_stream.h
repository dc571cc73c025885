// TLS over bytes: what came from the peer goes in, what must go to it comes out. No socket here, so
// that a TLS connection costs one receive and one send, as a plain one does.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "http/byte_buffer.h"

struct ssl_st;

namespace latchkey::http {

class TlsContext;

class TlsStream {
 public:
  // Takes the SSL object, as TlsContext::NewSession made it.
  explicit TlsStream(ssl_st* ssl);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  enum class Outcome : std::uint8_t { kDone, kNeedInput, kClosed, kFailed };

  // Goes on with the handshake as far as the input reaches.
  Outcome Handshake();
  // After the handshake: it took an old session up again.
  bool resumed() const;
  // Whether Read may find something without more input.
  bool HasInput() const;
  // Decrypts into `out` as much as its room takes. kDone: at least one byte.
  Outcome Read(ByteBuffer& out);
  // Encrypts all of `bytes` into output().
  Outcome Write(std::string_view bytes);
  // Says goodbye to the peer.
  void Shutdown();

  // The owner reads into it and rewinds it; never while an operation points to its tail.
  ByteBuffer& input() { return input_; }
  ByteBuffer& output() { return output_; }

 private:
  ssl_st* const ssl_;
  ByteBuffer input_;
  ByteBuffer output_;
};

// A stream by the context's certificates; null if there is no memory for it. In tls.cc.
std::unique_ptr<TlsStream> MakeTlsStream(TlsContext& context);

}  // namespace latchkey::http
